//! The session's schemas and tables with their numbers.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use mesh_core::contract::ProductKind;

use crate::postgres::types;
use crate::product::Product;
use crate::provider::Granted;

/// Numbers below are PostgreSQL's own.
const FIRST_OID: u32 = 16_384;

/// Tables of PostgreSQL by which others tell what they speak of.
const SYSTEM: [(&str, i32); 9] = [
    ("pg_attrdef", 2604),
    ("pg_attribute", 1249),
    ("pg_class", 1259),
    ("pg_constraint", 2606),
    ("pg_database", 1262),
    ("pg_description", 2609),
    ("pg_namespace", 2615),
    ("pg_proc", 1255),
    ("pg_type", 1247),
];

/// A schema: a domain.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) oid: i32,
    /// The role that owns it.
    pub(super) owner: i32,
}

/// A table: a product, or one of its versions.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) oid: i32,
    /// The numbers of its primary key's index and constraint, if it has one.
    pub(super) key: Option<Key>,
    pub(super) schema: String,
    pub(super) name: String,
    product: Arc<Product>,
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) index: i32,
    pub(super) constraint: i32,
    /// The numbers of its columns.
    pub(super) columns: Vec<i16>,
}

/// A column of a table, numbered from 1.
pub(super) struct Column<'a> {
    description: Option<&'a str>,
    pub(super) number: i16,
    pub(super) field: &'a FieldRef,
    pub(super) type_oid: u32,
}

#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) schemas: BTreeMap<String, Schema>,
    pub(super) tables: Vec<Table>,
    path: Vec<String>,
}

impl Objects {
    /// The tables that can be read, as `information_schema` lists them too.
    pub(super) fn new(granted: &Granted, path: &[String]) -> Self {
        let mut oids = Oids::default();
        let mut objects = Self {
            path: path.to_vec(),
            ..Self::default()
        };
        for (schema, tables) in granted {
            let readable: Vec<_> = tables
                .iter()
                .filter_map(|(name, table)| Some((name, table.as_ref().ok()?)))
                .filter(|(_, table)| !table.has_ended())
                .collect();
            if readable.is_empty() {
                continue;
            }
            let numbers = Schema {
                oid: oids.of(&format!("schema {schema}")),
                owner: oids.of(&format!("role {schema}")),
            };
            objects.schemas.insert(schema.clone(), numbers);
            for (name, table) in readable {
                let full = format!("{schema}.{name}");
                let oid = oids.of(&format!("table {full}"));
                let product = Arc::clone(&table.product);
                let columns: Vec<i16> = product
                    .key
                    .iter()
                    .filter_map(|column| product.arrow.index_of(column).ok())
                    .map(number)
                    .collect();
                let has_key = product.kind == ProductKind::State && !columns.is_empty();
                objects.tables.push(Table {
                    oid,
                    key: has_key.then(|| Key {
                        index: oids.of(&format!("index {full}")),
                        constraint: oids.of(&format!("constraint {full}")),
                        columns,
                    }),
                    schema: schema.clone(),
                    name: name.clone(),
                    product,
                });
            }
        }
        objects
    }

    pub(super) fn table(&self, oid: i64) -> Option<&Table> {
        self.tables.iter().find(|table| i64::from(table.oid) == oid)
    }

    /// The table with the key that has this index or constraint.
    pub(super) fn key(&self, oid: i64) -> Option<(&Table, &Key)> {
        self.tables.iter().find_map(|table| {
            let key = table.key.as_ref()?;
            let found = i64::from(key.index) == oid || i64::from(key.constraint) == oid;
            found.then_some((table, key))
        })
    }

    /// The role with this number.
    pub(super) fn role(&self, oid: i64) -> Option<&str> {
        let mut schemas = self.schemas.iter();
        let found = schemas.find(|(_, schema)| i64::from(schema.owner) == oid);
        found.map(|(name, _)| name.as_str())
    }

    /// The schemas in which `table` is found without naming one, in the order of the path, or
    /// any schema where there is no path.
    pub(super) fn schemas_of(&self, table: &str) -> Vec<&str> {
        let holds = |schema: &str| {
            self.tables
                .iter()
                .any(|one| one.schema == schema && one.name == table)
        };
        let all: BTreeSet<&str> = self.schemas.keys().map(String::as_str).collect();
        match self.path.is_empty() {
            true => all.into_iter().filter(|schema| holds(schema)).collect(),
            false => self
                .path
                .iter()
                .filter_map(|schema| all.get(schema.as_str()).copied())
                .filter(|schema| holds(schema))
                .collect(),
        }
    }

    /// Whether a table is found without naming its schema.
    pub(super) fn is_visible(&self, table: &Table) -> bool {
        let schemas = self.schemas_of(&table.name);
        match self.path.is_empty() {
            true => true,
            false => schemas.first() == Some(&table.schema.as_str()),
        }
    }

    /// The first schema of the path that is there.
    pub(super) fn current_schema(&self) -> Option<&str> {
        let mut path = self.path.iter();
        path.find(|schema| self.schemas.contains_key(*schema))
            .map(String::as_str)
    }

    /// The number of the table of this name, with its schema or without.
    pub(super) fn find(&self, name: &str) -> Option<i32> {
        let plain = name.replace('"', "");
        if let Ok(oid) = plain.parse() {
            return Some(oid);
        }
        let system = plain.strip_prefix("pg_catalog.").unwrap_or(&plain);
        if let Some((_, oid)) = SYSTEM.iter().find(|(name, _)| *name == system) {
            return Some(*oid);
        }
        let (schema, table) = match plain.rsplit_once('.') {
            Some((schema, table)) => (schema.strip_prefix("mesh.").unwrap_or(schema), table),
            None => (*self.schemas_of(&plain).first()?, plain.as_str()),
        };
        self.tables
            .iter()
            .find(|one| one.schema == schema && one.name == table)
            .map(|table| table.oid)
    }
}

impl Table {
    pub(super) fn description(&self) -> Option<&str> {
        self.product.description.as_deref()
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = Column<'_>> {
        let fields = self.product.arrow.fields().iter().enumerate();
        fields.map(|(at, field)| Column {
            number: number(at),
            description: self
                .product
                .contract
                .schema
                .field(field.name())
                .and_then(|column| column.description.as_deref()),
            field,
            type_oid: types::of_field(field),
        })
    }

    pub(super) fn key_name(&self) -> String {
        format!("{}_pkey", self.name)
    }

    /// The names of the key's columns, in their order.
    pub(super) fn key_columns(&self) -> String {
        self.product.key.join(", ")
    }
}

impl Column<'_> {
    pub(super) fn description(&self) -> Option<&'_ str> {
        self.description
    }

    pub(super) fn modifier(&self) -> i32 {
        types::modifier(self.field.data_type())
    }

    pub(super) fn dimensions(&self) -> i32 {
        let list = matches!(self.field.data_type(), DataType::List(_));
        i32::from(list && self.type_oid != types::JSON)
    }
}

fn number(at: usize) -> i16 {
    // A contract of so many columns is refused long before.
    i16::try_from(at + 1).unwrap_or(i16::MAX)
}

/// Numbers that stay the same from one statement to the next, and from one process to
/// another, and tell nothing of tables that the session does not see: hashes of names.
#[derive(Default)]
struct Oids {
    given: HashSet<u32>,
}

impl Oids {
    fn of(&mut self, name: &str) -> i32 {
        // FNV-1a (Fowler, Noll, Vo), 32 bits.
        let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let range = i32::MAX.unsigned_abs() - FIRST_OID;
        let mut oid = hash % range + FIRST_OID;
        while !self.given.insert(oid) {
            oid = if oid + 1 < FIRST_OID + range {
                oid + 1
            } else {
                FIRST_OID
            };
        }
        oid.cast_signed()
    }
}
