//! Records of another product as rows of one: derived products without code, and bridges
//! that keep an old major version fed from the new one.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mesh_contract::{Field, ProductKind, ProductSource, TimeUnit, Type};
use mesh_core::{Descriptor, Error, Result};
use mesh_runtime::{Context, Effects, RowHandler};
use mesh_stream::ReceivedRow;
use serde_json::{Map, Value as Json};

/// What makes rows of a product out of another one's.
pub(crate) struct Bridge {
    to: &'static Descriptor,
    columns: Vec<Mapped>,
}

/// Where a column's value comes from.
struct Mapped {
    ours: &'static Field,
    /// The column that is read.
    theirs: Option<&'static Field>,
    values: BTreeMap<String, String>,
    default: Option<Json>,
}

impl Bridge {
    /// Reads `from` as rows of `to`, as `source` declares it.
    ///
    /// # Errors
    /// A column that is mapped wrongly, would be dropped without a word, gets no value, or
    /// cannot hold what it would get.
    pub(crate) fn new(
        from: &'static Descriptor,
        to: &'static Descriptor,
        source: &ProductSource,
    ) -> Result<Self> {
        let theirs = &from.contract.schema.fields;
        let ours = &to.contract.schema.fields;
        let wrong = |field: String, message: String, mend: String| {
            Err(Error::invalid(message)
                .with("topic", to.topic.as_str())
                .with("reads", from.topic.as_str())
                .with("field", field)
                .mend(mend))
        };
        for (name, column) in &source.columns {
            let known = theirs.iter().any(|field| field.name == *name)
                && ours.iter().any(|field| field.name == *column);
            if !known {
                return wrong(
                    format!("mesh.sources.columns.{name}"),
                    format!("`{name}` there or `{column}` here is no column"),
                    "write `column there: column here`".into(),
                );
            }
        }
        for (what, column) in source
            .values
            .keys()
            .map(|column| ("values", column))
            .chain(source.default.keys().map(|column| ("default", column)))
        {
            if !ours.iter().any(|field| field.name == *column) {
                return wrong(
                    format!("mesh.sources.{what}.{column}"),
                    "the contract has no such column".into(),
                    "write the column's name as the own contract has it".into(),
                );
            }
        }
        let renamed = |ours: &str| {
            let mut names = source.columns.iter().filter(|(_, column)| *column == ours);
            (
                names.next().map(|(name, _)| name.as_str()),
                names.next().is_some(),
            )
        };
        let mut columns = Vec::new();
        for field in ours {
            let (name, twice) = renamed(&field.name);
            if twice {
                return wrong(
                    field.name.clone(),
                    "two columns are mapped to one".into(),
                    "map one of them, and list the other one under `ignore`".into(),
                );
            }
            // A column that is known under another name here is not taken under its own.
            let name = name.or_else(|| {
                (!source.columns.contains_key(&field.name)).then_some(field.name.as_str())
            });
            let found = theirs.iter().find(|found| {
                Some(found.name.as_str()) == name && !source.ignore.contains(&found.name)
            });
            let mapped = Mapped {
                ours: field,
                theirs: found,
                values: source.values.get(&field.name).cloned().unwrap_or_default(),
                default: source.default.get(&field.name).cloned(),
            };
            mapped.check(from, to)?;
            columns.push(mapped);
        }
        let taken = |name: &str| {
            columns
                .iter()
                .any(|column| column.theirs.is_some_and(|field| field.name == name))
        };
        if let Some(lost) = theirs
            .iter()
            .find(|field| !taken(&field.name) && !source.ignore.contains(&field.name))
        {
            return wrong(
                lost.name.clone(),
                "the column has no place in this product".into(),
                "map it under `columns` of the source, or list it under `ignore`".into(),
            );
        }
        let bridge = Self { to, columns };
        bridge.check_key(from)?;
        Ok(bridge)
    }

    /// A deletion there is one here: its key has to follow from the key there.
    fn check_key(&self, from: &Descriptor) -> Result<()> {
        let state = |product: &Descriptor| product.contract.schema.kind == ProductKind::State;
        if !(state(from) && state(self.to)) {
            return Ok(());
        }
        let key = from.contract.schema.kafka_key();
        for ours in self.to.contract.schema.kafka_key() {
            let column = self
                .columns
                .iter()
                .find(|column| column.ours.name == ours.name);
            let follows = column.is_some_and(|column| match column.theirs {
                Some(theirs) => key.iter().any(|field| field.name == theirs.name),
                None => column.default.is_some(),
            });
            if !follows {
                return Err(Error::invalid(
                    "the key does not follow from the key that is read, so deleted rows would stay",
                )
                .with("topic", self.to.topic.as_str())
                .with("reads", from.topic.as_str())
                .with("field", &ours.name)
                .mend("map each column of the key to one of the key there"));
            }
        }
        Ok(())
    }

    fn row(&self, theirs: &Map<String, Json>) -> Map<String, Json> {
        self.columns
            .iter()
            .map(|column| (column.ours.name.clone(), column.value(theirs)))
            .collect()
    }
}

impl Mapped {
    fn check(&self, from: &Descriptor, to: &Descriptor) -> Result<()> {
        let wrong = |message: String, mend: &'static str| {
            Err(Error::invalid(message)
                .with("topic", to.topic.as_str())
                .with("reads", from.topic.as_str())
                .with("field", &self.ours.name)
                .mend(mend))
        };
        if let Some(default) = &self.default {
            let row = Map::from_iter([(self.ours.name.clone(), default.clone())]);
            to.check_cell(self.ours, &row)?;
        }
        let Some(theirs) = self.theirs else {
            if self.ours.nullable || self.default.is_some() {
                return Ok(());
            }
            return wrong(
                "a required column gets no value".into(),
                "map a column to it under `columns`, or give it a value under `default`",
            );
        };
        if theirs.nullable && !self.ours.nullable && self.default.is_none() {
            return wrong(
                "a required column would get null".into(),
                "give it a value for that under `default`",
            );
        }
        let named = !self.values.is_empty();
        if !fits(&theirs.ty, &self.ours.ty, named) {
            return wrong(
                format!(
                    "{} there cannot become {} here",
                    theirs.ty.display(),
                    self.ours.ty.display()
                ),
                "list the column under `ignore` and give its value under `default`; name the \
                 symbols of an enumeration under `values`",
            );
        }
        if let (Type::Enum(theirs), Type::Enum(ours)) = (&theirs.ty, &self.ours.ty) {
            let lost = theirs.symbols.iter().find(|symbol| {
                let here = self.values.get(&symbol.value).unwrap_or(&symbol.value);
                !ours.symbols.iter().any(|known| known.value == *here)
            });
            if let Some(lost) = lost {
                return wrong(
                    format!("the symbol `{}` is not known here", lost.value),
                    "say what it is here under `values`",
                );
            }
        }
        Ok(())
    }

    fn value(&self, row: &Map<String, Json>) -> Json {
        let found = self.theirs.and_then(|theirs| row.get(&theirs.name));
        match found {
            None | Some(Json::Null) => self.default.clone().unwrap_or(Json::Null),
            Some(Json::String(text)) => match self.values.get(text) {
                Some(here) => here.clone().into(),
                None => text.clone().into(),
            },
            Some(Json::Number(number)) if matches!(self.ours.ty, Type::String { .. }) => {
                number.to_string().into()
            }
            Some(other) => other.clone(),
        }
    }
}

/// Whether every value of one type is one of the other in the JSON form of rows, limits
/// aside; `named` where its values are named anew.
fn fits(theirs: &Type, ours: &Type, named: bool) -> bool {
    match (theirs, ours) {
        (_, Type::String { .. }) => matches!(
            theirs,
            Type::String { .. }
                | Type::Uuid
                | Type::Enum(_)
                | Type::Int32 { .. }
                | Type::Int64 { .. }
                | Type::Decimal { .. }
                | Type::Date
                | Type::Timestamp(_)
                | Type::Time(_)
        ),
        (Type::String { .. }, Type::Enum(_)) => named,
        (Type::Int32 { .. }, Type::Int64 { .. } | Type::Float32 | Type::Float64)
        | (Type::Int32 { .. } | Type::Int64 { .. }, Type::Decimal { .. })
        | (Type::Float32, Type::Float64) => true,
        (Type::Timestamp(theirs), Type::Timestamp(ours))
        | (Type::Time(theirs), Type::Time(ours)) => theirs == ours || *ours == TimeUnit::Micros,
        (
            Type::Decimal {
                precision: p,
                scale: s,
            },
            Type::Decimal { precision, scale },
        ) => scale >= s && precision - scale >= p - s,
        (Type::Array(theirs), Type::Array(ours)) => {
            fits(&theirs.items, &ours.items, false) && (ours.nullable || !theirs.nullable)
        }
        (Type::Map(theirs), Type::Map(ours)) => {
            fits(&theirs.values, &ours.values, false) && (ours.nullable || !theirs.nullable)
        }
        (Type::Object(theirs), Type::Object(ours)) => {
            theirs.fields.len() == ours.fields.len()
                && theirs
                    .fields
                    .iter()
                    .zip(&ours.fields)
                    .all(|(theirs, ours)| {
                        theirs.name == ours.name
                            && (ours.nullable || !theirs.nullable)
                            && fits(&theirs.ty, &ours.ty, false)
                    })
        }
        (theirs, ours) => std::mem::discriminant(theirs) == std::mem::discriminant(ours),
    }
}

#[async_trait]
impl RowHandler for Bridge {
    async fn handle(&self, event: &ReceivedRow, _: &Context) -> Result<Effects> {
        let mut effects = Effects::new();
        match &event.value {
            Some(row) => effects.add_row(self.to, None, &self.row(row))?,
            None if self.to.contract.schema.kind == ProductKind::State => {
                effects.add_row_delete(self.to, &self.row(&event.key))?;
            }
            // A fact stays; what is deleted there is no news here.
            None => {}
        }
        Ok(effects)
    }
}
