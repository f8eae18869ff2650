//! Which column of the contract a name in a file stands for.

use std::collections::BTreeMap;

use mesh_contract::{Field, FileSource, ProductKind};
use mesh_core::{Descriptor, Error, Result};
use serde_json::Value as Json;

/// The names that a file may hold.
pub(crate) struct Columns {
    names: BTreeMap<String, &'static Field>,
    ignored: Vec<String>,
    deleted: Option<String>,
    required: Vec<&'static str>,
}

/// What stands under a name of a file.
pub(crate) enum Column {
    Field(&'static Field),
    Ignored,
    /// Whether the row is gone.
    Deleted,
}

impl Columns {
    /// # Errors
    /// If the declaration maps a name to a column that the contract does not have, or two
    /// names to one column; if rows cannot be deleted as it says.
    pub(super) fn new(descriptor: &'static Descriptor, source: &FileSource) -> Result<Self> {
        let mut columns = Self::named(descriptor, &source.columns, &source.ignore)?;
        if let Some(name) = &source.deleted {
            check_deleted(descriptor, name)?;
            if columns.names.contains_key(name) || columns.ignored.contains(name) {
                return Err(Error::invalid(
                    "what tells that a row is gone stands under `columns` or `ignore` too",
                )
                .with("topic", descriptor.topic.as_str())
                .with("field", "mesh.sources.deleted")
                .mend("let it stand in one place"));
            }
            columns.deleted = Some(name.clone());
        }
        Ok(columns)
    }

    /// [`Columns::new`] of whatever has names.
    ///
    /// # Errors
    /// As [`Columns::new`].
    pub(crate) fn named(
        descriptor: &'static Descriptor,
        columns: &BTreeMap<String, String>,
        ignore: &[String],
    ) -> Result<Self> {
        let fields = &descriptor.contract.schema.fields;
        let mut names = BTreeMap::new();
        for (name, column) in columns {
            let wrong = |message: &'static str, mend: &'static str| {
                Error::invalid(message)
                    .with("topic", descriptor.topic.as_str())
                    .with("field", format!("mesh.sources.columns.{name}"))
                    .mend(mend)
            };
            let field = fields.iter().find(|field| field.name == *column);
            let field = field.ok_or_else(|| {
                wrong(
                    "a name is mapped to a column that the contract does not have",
                    "write the column's name as the contract has it",
                )
            })?;
            if names.values().any(|known: &&Field| known.name == *column) {
                return Err(wrong(
                    "two names are mapped to one column",
                    "map one of them, and list the other one under `ignore`",
                ));
            }
            names.insert(name.clone(), field);
        }
        for field in fields {
            // A column that has another name in the file does not stand there under its own.
            let elsewhere = columns.values().any(|column| *column == field.name);
            if !elsewhere && !names.contains_key(&field.name) {
                names.insert(field.name.clone(), field);
            }
        }
        Ok(Self {
            names,
            ignored: ignore.to_vec(),
            deleted: None,
            required: fields
                .iter()
                .filter(|field| !field.nullable)
                .map(|field| field.name.as_str())
                .collect(),
        })
    }

    /// What `name` stands for.
    ///
    /// # Errors
    /// If it is neither a column nor left out on purpose.
    pub(crate) fn get(&self, name: &str) -> Result<Column> {
        if let Some(field) = self.names.get(name) {
            return Ok(Column::Field(field));
        }
        if self.ignored.iter().any(|ignored| ignored == name) {
            return Ok(Column::Ignored);
        }
        if self.deleted.as_deref() == Some(name) {
            return Ok(Column::Deleted);
        }
        let shown: String = name.chars().take(80).collect();
        Err(Error::invalid("the contract has no such column")
            .with("field", shown)
            .mend(
                "map it under `columns` of the source, list it under `ignore`, or add it to the \
                 contract in a new minor version",
            ))
    }

    /// Checks that a header holds every column that must have a value.
    ///
    /// # Errors
    /// The first that is missing.
    pub(crate) fn check_header(&self, header: &[Column]) -> Result<()> {
        self.check_names(&header.iter().collect::<Vec<_>>())
    }

    /// [`Columns::check_header`] of columns that stand elsewhere.
    ///
    /// # Errors
    /// The first that is missing.
    pub(super) fn check_names(&self, header: &[&Column]) -> Result<()> {
        let missing = self.required.iter().find(|required| {
            !header
                .iter()
                .any(|column| matches!(column, Column::Field(field) if field.name == **required))
        });
        let deleted = self.deleted.as_deref().filter(|_| {
            !header
                .iter()
                .any(|column| matches!(column, Column::Deleted))
        });
        match missing.copied().or(deleted) {
            None => Ok(()),
            Some(column) => Err(Error::invalid("a column is missing in the header")
                .with("field", column)
                .mend("add it to the file, or map the name that it has there under `columns`")),
        }
    }
}

/// Checks that rows of the product can be deleted, by a name `deleted` in what is read.
///
/// # Errors
/// If the product is one of events, or the name is a column's.
pub(crate) fn check_deleted(descriptor: &Descriptor, deleted: &str) -> Result<()> {
    let schema = &descriptor.contract.schema;
    let (message, mend) = if schema.kind != ProductKind::State {
        (
            "rows of a product of events stay, and this source deletes some",
            "remove `deleted`, or make the product one of state",
        )
    } else if schema.fields.iter().any(|field| field.name == deleted) {
        (
            "what tells that a row is gone is a column of the contract",
            "give it a name that no column has",
        )
    } else {
        return Ok(());
    };
    Err(Error::invalid(message)
        .with("topic", descriptor.topic.as_str())
        .with("field", "mesh.sources.deleted")
        .mend(mend))
}

/// Whether a row is gone, by what stands under its name for that: nothing, or a boolean.
///
/// # Errors
/// If it is something else.
pub(super) fn is_gone(name: &str, cell: &Json) -> Result<bool> {
    match cell {
        Json::Null => Ok(false),
        Json::Bool(gone) => Ok(*gone),
        _ => Err(
            Error::invalid("whether a row is gone is told by true or false").with("field", name),
        ),
    }
}
