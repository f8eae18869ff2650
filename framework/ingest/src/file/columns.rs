//! Which column of the contract a name in a file stands for.

use std::collections::BTreeMap;

use mesh_contract::{Field, FileSource};
use mesh_core::{Descriptor, Error, Result};

/// The names that a file may hold.
pub(crate) struct Columns {
    names: BTreeMap<String, &'static Field>,
    ignored: Vec<String>,
    required: Vec<&'static str>,
}

/// What stands under a name of a file.
pub(crate) enum Column {
    Field(&'static Field),
    Ignored,
}

impl Columns {
    /// # Errors
    /// If the declaration maps a name to a column that the contract does not have, or two
    /// names to one column.
    pub(super) fn new(descriptor: &'static Descriptor, source: &FileSource) -> Result<Self> {
        Self::named(descriptor, &source.columns, &source.ignore)
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
        match missing {
            None => Ok(()),
            Some(column) => Err(Error::invalid("a column is missing in the header")
                .with("field", column)
                .mend("add it to the file, or map the name that it has there under `columns`")),
        }
    }
}
