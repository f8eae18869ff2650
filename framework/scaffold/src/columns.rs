//! Columns as they are written on the command line: `weight:decimal(8,3):required`.

use std::str::FromStr;

use mesh_core::contract::check_name;
use mesh_core::{Error, Result};
use mesh_formats::import::read_avro;
use mesh_formats::{Choice, Imported, record_name};
use serde_json::{Value as Json, json};

const TYPES: &str = "string, uuid, integer, long, number, decimal(12,2), boolean, date, timestamp, timestamp-micros or enum(A,B)";

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    name: String,
    /// Its type in Avro, which has a way to say each of ours.
    ty: Json,
    required: bool,
    /// Whether it is said to hold personal data.
    pub personal: bool,
}

impl Column {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for Column {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split(':').map(str::trim);
        let name = parts.next().unwrap_or_default();
        check_name(name).map_err(|(message, mend)| {
            Error::invalid(format!("the name of a column: {message}"))
                .with("field", text)
                .mend(mend)
        })?;
        let refuse =
            |message: String, mend: String| Error::invalid(message).with("field", text).mend(mend);
        let Some(word) = parts.next().filter(|word| !word.is_empty()) else {
            return Err(refuse(
                format!("the column `{name}` has no type"),
                format!("write `{name}:TYPE`, with the type {TYPES}"),
            ));
        };
        let ty = avro(name, word).ok_or_else(|| {
            refuse(
                format!("`{word}` is no type of a column"),
                format!("use {TYPES}"),
            )
        })?;
        let mut column = Self {
            name: name.to_owned(),
            ty,
            required: false,
            personal: false,
        };
        for flag in parts {
            match flag {
                "required" => column.required = true,
                "personal" => column.personal = true,
                _ => {
                    return Err(refuse(
                        format!("`{flag}` is nothing that a column can be"),
                        "write `required`, `personal` or both, each after a colon".into(),
                    ));
                }
            }
        }
        Ok(column)
    }
}

/// The type called `word` of the column `name`, in Avro.
fn avro(name: &str, word: &str) -> Option<Json> {
    let simple = match word {
        "string" => json!("string"),
        "uuid" => json!({"type": "string", "logicalType": "uuid"}),
        "integer" | "int" | "i32" => json!("int"),
        "long" | "i64" => json!("long"),
        "number" | "double" | "f64" => json!("double"),
        "float" | "f32" => json!("float"),
        "boolean" | "bool" => json!("boolean"),
        "date" => json!({"type": "int", "logicalType": "date"}),
        "timestamp" | "timestamp-millis" => {
            json!({"type": "long", "logicalType": "timestamp-millis"})
        }
        "timestamp-micros" => json!({"type": "long", "logicalType": "timestamp-micros"}),
        _ => Json::Null,
    };
    if !simple.is_null() {
        return Some(simple);
    }
    let (head, arguments) = word.strip_suffix(')')?.split_once('(')?;
    let mut arguments = arguments.split(',').map(str::trim);
    match head {
        "decimal" => {
            let precision: u32 = arguments.next()?.parse().ok()?;
            let scale: u32 = arguments.next().unwrap_or("0").parse().ok()?;
            let fits = (1..=38).contains(&precision) && scale <= precision;
            (fits && arguments.next().is_none()).then(|| {
                json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})
            })
        }
        "enum" => {
            let symbols: Vec<&str> = arguments.collect();
            let named = symbols.iter().all(|symbol| {
                symbol.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && symbol
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || c == '_')
            });
            named.then(|| json!({"type": "enum", "name": format!("of_{name}"), "symbols": symbols}))
        }
        _ => None,
    }
}

/// The record of a product called `product` with these columns.
///
/// # Errors
/// No column, a column that stands there twice, symbols of an enumeration that cannot be told
/// apart.
pub fn columns(product: &str, columns: &[Column]) -> Result<Imported> {
    if columns.is_empty() {
        return Err(Error::invalid("the product has no columns").mend(
            "give each by --field name:type[:required], or take them from a sample by --from-sample FILE",
        ));
    }
    for (at, column) in columns.iter().enumerate() {
        if columns[..at]
            .iter()
            .any(|before| before.name == column.name)
        {
            return Err(
                Error::invalid(format!("the column `{}` is given twice", column.name))
                    .mend("give each column once by --field"),
            );
        }
    }
    let fields: Json = columns
        .iter()
        .map(|column| match column.required {
            true => json!({"name": column.name, "type": column.ty}),
            false => json!({"name": column.name, "type": ["null", column.ty], "default": null}),
        })
        .collect();
    let schema = json!({"type": "record", "name": record_name(product), "fields": fields});
    let mut imported = read_avro("the fields given", &schema.to_string(), &Choice::default())?;
    imported.source = "the fields given".into();
    imported.product = product.to_owned();
    Ok(imported)
}
