//! A contract in the formats of others. Equal contracts give equal texts.

mod columnar;
mod columns;
mod dbt;
mod html;
mod json_schema;
mod markdown;
mod protobuf;
mod sql;

use std::fmt;
use std::str::FromStr;

use mesh_core::avro::{SchemaUse, key_schema, value_schema};
use mesh_core::contract::{Contract, Product};
use mesh_core::{Error, Result};
use serde_json::Value as Json;

pub use columns::{ColumnRow, Fact, column_rows, facts};
pub(crate) use json_schema::LOGICAL_TYPE;
pub(crate) use protobuf::UNSPECIFIED;
pub use sql::Dialect;

/// A format that a contract can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// The Avro schema of the values, as it is registered.
    Avro,
    /// The Avro schema of the keys, as it is registered.
    AvroKey,
    /// JSON Schema 2020-12 of a record's JSON form.
    JsonSchema,
    /// A proto3 file.
    Protobuf,
    /// `CREATE TABLE` of a dialect.
    Sql(Dialect),
    /// The Arrow schema, a line for each column.
    Arrow,
    /// The message type of Parquet files.
    ParquetSchema,
    /// A page in Markdown.
    Markdown,
    /// A page in HTML that stands by itself.
    Html,
    /// The properties of a dbt model with an enforced contract.
    DbtModel,
    /// The properties of a dbt source.
    DbtSource,
}

impl Format {
    /// Every format, under the name that [`Format::from_str`] takes.
    pub const ALL: [(&'static str, Self); 13] = [
        ("avro", Self::Avro),
        ("avro-key", Self::AvroKey),
        ("json-schema", Self::JsonSchema),
        ("protobuf", Self::Protobuf),
        ("sql", Self::Sql(Dialect::Postgres)),
        ("sql:ansi", Self::Sql(Dialect::Ansi)),
        ("sql:mysql", Self::Sql(Dialect::MySql)),
        ("arrow", Self::Arrow),
        ("parquet-schema", Self::ParquetSchema),
        ("markdown", Self::Markdown),
        ("html", Self::Html),
        ("dbt", Self::DbtModel),
        ("dbt:source", Self::DbtSource),
    ];
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, format)| format == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let asked = match text {
            "sql:postgres" => "sql",
            "dbt:model" => "dbt",
            other => other,
        };
        let found = Self::ALL.iter().find(|(name, _)| *name == asked);
        found.map(|(_, format)| *format).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
            Error::invalid(format!(
                "`{text}` is no format that a contract is written in"
            ))
            .mend(format!("use one of {}", names.join(", ")))
        })
    }
}

/// Writes `contract` in `format`; the page formats tell more where `product` is at hand.
///
/// # Errors
/// If the format cannot hold a column, which is named with the way out.
pub fn export(contract: &Contract, product: Option<&Product>, format: Format) -> Result<String> {
    Ok(match format {
        Format::Avro => pretty(&value_schema(contract, SchemaUse::Write)),
        Format::AvroKey => pretty(&key_schema(contract)),
        Format::JsonSchema => pretty(&json_schema::write(contract)),
        Format::Protobuf => protobuf::write(contract)?,
        Format::Sql(dialect) => sql::write(contract, dialect),
        Format::Arrow => columnar::arrow(contract),
        Format::ParquetSchema => columnar::parquet(contract),
        Format::Markdown => markdown::write(contract, product),
        Format::Html => html::write(contract, product),
        Format::DbtModel => dbt::model(contract)?,
        Format::DbtSource => dbt::source(contract, product)?,
    })
}

fn pretty(document: &Json) -> String {
    format!("{document:#}\n")
}
