//! Rows of a product whose contract is known only when the process runs: checked and
//! encoded by the contract, as the code that `contract!` makes does it for a typed record.
//!
//! A row is a JSON object with a column's name for each key, in the form of
//! [`FieldValue::to_json`]: decimals, dates and timestamps are strings, decimals may be
//! numbers. What the contract does not know is refused, never dropped.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use mesh_contract::{EnumType, Field, Schema, TimeUnit, Type};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::decimal::unscaled;
use crate::error::{Error, Result};
use crate::field::{FieldValue, mismatch, write_decimal, write_long};
use crate::limits::{check_length, check_range};
use crate::record::Descriptor;
use crate::time::{TimeMicros, TimeMillis, TimestampMicros, TimestampMillis};

/// A row in Avro's binary encoding, unframed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedRow {
    /// The Kafka key under [`Descriptor::key_schema`].
    pub key: Vec<u8>,
    /// The value under [`Descriptor::value_schema`].
    pub value: Vec<u8>,
}

impl Descriptor {
    /// Checks `row` against the contract, limits included, and encodes it.
    ///
    /// # Errors
    /// The first column that is missing, unknown, of another type or outside of its limits,
    /// by its path (`address.lines[2]`), never by its value.
    pub fn encode_row(&self, row: &Map<String, Json>) -> Result<EncodedRow> {
        let schema = &self.contract.schema;
        let mut value = Vec::with_capacity(64);
        write_fields(&schema.fields, row, "", &mut value)?;
        Ok(EncodedRow {
            key: self.encode_row_key(row)?,
            value,
        })
    }

    /// Encodes the Kafka key of `row`; its other columns may be missing.
    ///
    /// # Errors
    /// As [`Descriptor::encode_row`], of the key's columns.
    pub fn encode_row_key(&self, row: &Map<String, Json>) -> Result<Vec<u8>> {
        encode_key(&self.contract.schema, row)
    }

    /// Checks that `row` holds a value that `field` of this product may have.
    ///
    /// # Errors
    /// As [`Descriptor::encode_row`], of that column.
    pub fn check_cell(&self, field: &Field, row: &Map<String, Json>) -> Result<()> {
        write_fields(std::slice::from_ref(field), row, "", &mut Vec::new())
            .map_err(|error| error.with("topic", self.topic.as_str()))
    }

    /// Reads the text of one cell, as delimited files have it, into the JSON that
    /// [`Descriptor::encode_row`] takes for `field`.
    ///
    /// A blank cell is null where the column may be null, and else an empty string in a
    /// column of strings. Arrays and objects are JSON. A timestamp without an offset is UTC,
    /// with `T` or a blank before the time.
    ///
    /// # Errors
    /// If the text is no such value; the error names the column, never the text.
    pub fn cell(field: &Field, text: &str) -> Result<Json> {
        if text.is_empty() && field.nullable {
            return Ok(Json::Null);
        }
        let path = field.name.as_str();
        Ok(match &field.ty {
            Type::String { .. } | Type::Uuid | Type::Enum(_) | Type::Decimal { .. } => text.into(),
            Type::Date | Type::Time(_) => text.into(),
            Type::Int32 { .. } | Type::Int64 { .. } => text
                .parse::<i64>()
                .map_err(|_| mismatch(path, "an integer"))?
                .into(),
            Type::Float32 | Type::Float64 => text
                .parse::<f64>()
                .map_err(|_| mismatch(path, "a number"))?
                .to_json(),
            Type::Boolean => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => true.into(),
                "false" | "0" => false.into(),
                _ => return Err(mismatch(path, "true, false, 1 or 0")),
            },
            Type::Timestamp(_) => instant(text)
                .ok_or_else(|| mismatch(path, "a timestamp like 1998-12-31T23:59:59Z"))?
                .to_rfc3339()
                .into(),
            Type::Array(_) | Type::Map(_) | Type::Object(_) => {
                serde_json::from_str(text).map_err(|_| mismatch(path, "JSON"))?
            }
        })
    }
}

/// Encodes the Kafka key of `row`, a row of the record type `schema`, unframed; its other
/// columns may be missing.
///
/// # Errors
/// As [`Descriptor::encode_row`], of the key's columns.
pub fn encode_key(schema: &Schema, row: &Map<String, Json>) -> Result<Vec<u8>> {
    let mut key = Vec::with_capacity(16);
    for field in schema.kafka_key() {
        let cell = row.get(&field.name).ok_or_else(|| missing(&field.name))?;
        write(&field.ty, cell, &field.name, &mut key)?;
    }
    Ok(key)
}

fn instant(text: &str) -> Option<DateTime<chrono::FixedOffset>> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant);
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|local| local.and_utc().fixed_offset())
}

fn missing(path: &str) -> Error {
    Error::invalid("a column is missing")
        .with("field", path)
        .mend("give it a value, or make it nullable in a new version of the contract")
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        return name.to_owned();
    }
    format!("{path}.{name}")
}

fn write_fields(
    fields: &[Field],
    row: &Map<String, Json>,
    path: &str,
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut known = 0;
    for field in fields {
        let cell = row.get(&field.name);
        known += usize::from(cell.is_some());
        match cell {
            None | Some(Json::Null) if field.nullable => write_long(0, out),
            None | Some(Json::Null) => return Err(missing(&join(path, &field.name))),
            Some(cell) => {
                if field.nullable {
                    write_long(1, out);
                }
                write(&field.ty, cell, &join(path, &field.name), out)?;
            }
        }
    }
    if known < row.len() {
        // A name may be as long as the sender likes, and it is no value of a column.
        let name: String = row
            .keys()
            .find(|name| !fields.iter().any(|field| field.name == **name))
            .map(|name| name.chars().take(80).collect())
            .unwrap_or_default();
        return Err(Error::invalid("the contract has no such column")
            .with("field", join(path, &name))
            .mend("remove it, or add it to the contract in a new minor version"));
    }
    Ok(())
}

fn write(ty: &Type, cell: &Json, path: &str, out: &mut Vec<u8>) -> Result<()> {
    match ty {
        Type::String {
            min_length,
            max_length,
        } => {
            let text = String::from_json(cell, path)?;
            check_length(path, &text, *min_length, *max_length)?;
            text.write(out);
        }
        Type::Uuid => Uuid::from_json(cell, path)?.write(out),
        Type::Enum(kind) => write_long(symbol(kind, cell, path)?, out),
        Type::Int32 { minimum, maximum } => {
            let value = i32::from_json(cell, path)?;
            check_range(path, i64::from(value), *minimum, *maximum)?;
            value.write(out);
        }
        Type::Int64 { minimum, maximum } => {
            let value = i64::from_json(cell, path)?;
            check_range(path, value, *minimum, *maximum)?;
            value.write(out);
        }
        Type::Float32 => f32::from_json(cell, path)?.write(out),
        Type::Float64 => f64::from_json(cell, path)?.write(out),
        Type::Decimal { precision, scale } => {
            let value = match cell {
                Json::String(text) => unscaled(text, *precision, *scale),
                Json::Number(number) => unscaled(&number.to_string(), *precision, *scale),
                _ => Err(mismatch(path, "a decimal")),
            }
            .map_err(|error| error.with("field", path))?;
            write_decimal(value, out);
        }
        Type::Boolean => bool::from_json(cell, path)?.write(out),
        Type::Date => NaiveDate::from_json(cell, path)?.write(out),
        Type::Timestamp(TimeUnit::Millis) => TimestampMillis::from_json(cell, path)?.write(out),
        Type::Timestamp(TimeUnit::Micros) => TimestampMicros::from_json(cell, path)?.write(out),
        Type::Time(TimeUnit::Millis) => TimeMillis::from_json(cell, path)?.write(out),
        Type::Time(TimeUnit::Micros) => TimeMicros::from_json(cell, path)?.write(out),
        Type::Array(array) => {
            let Json::Array(items) = cell else {
                return Err(mismatch(path, "an array"));
            };
            if !items.is_empty() {
                write_long(items.len() as i64, out);
            }
            for (at, item) in items.iter().enumerate() {
                element(
                    &array.items,
                    array.nullable,
                    item,
                    &format!("{path}[{at}]"),
                    out,
                )?;
            }
            write_long(0, out);
        }
        Type::Map(map) => {
            let Json::Object(entries) = cell else {
                return Err(mismatch(path, "an object whose keys are the map's"));
            };
            if !entries.is_empty() {
                write_long(entries.len() as i64, out);
            }
            // A key is data, so that the path names none.
            let path = format!("{path}[]");
            for (key, value) in entries {
                key.write(out);
                element(&map.values, map.nullable, value, &path, out)?;
            }
            write_long(0, out);
        }
        Type::Object(object) => {
            let Json::Object(inner) = cell else {
                return Err(mismatch(path, "an object"));
            };
            write_fields(&object.fields, inner, path, out)?;
        }
    }
    Ok(())
}

/// What a list or map holds.
fn element(ty: &Type, nullable: bool, cell: &Json, path: &str, out: &mut Vec<u8>) -> Result<()> {
    if nullable {
        write_long(i64::from(!cell.is_null()), out);
        if cell.is_null() {
            return Ok(());
        }
    }
    write(ty, cell, path, out)
}

fn symbol(kind: &EnumType, cell: &Json, path: &str) -> Result<i64> {
    cell.as_str()
        .and_then(|text| kind.symbols.iter().position(|known| known.value == text))
        .map(|at| at as i64)
        .ok_or_else(|| mismatch(path, "one of the symbols that the contract lists"))
}
