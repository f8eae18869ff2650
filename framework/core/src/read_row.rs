//! Rows of products whose contract is read at run time: from Avro to JSON.

use apache_avro::types::Value;
use chrono::NaiveDate;
use mesh_contract::{Field, TimeUnit, Type};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::decimal::digits;
use crate::error::Result;
use crate::field::{FieldValue, mismatch, present, read_decimal};
use crate::record::Descriptor;
use crate::time::{TimeMicros, TimeMillis, TimestampMicros, TimestampMillis};

impl Descriptor {
    /// The row in a value that was decoded with its writer's schema, as
    /// [`Descriptor::encode_row`] takes it. Columns go by name: those that the contract does
    /// not have are left out, and those that the writer does not have are null.
    ///
    /// # Errors
    /// If a required column is missing, or one is of another type; the error names the
    /// column, never a value.
    pub fn decode_row(&self, value: &Value) -> Result<Map<String, Json>> {
        let fields = &self.contract.schema.fields;
        read_fields(fields.iter(), value, "")
    }

    /// The columns of the Kafka key in a key that was decoded with its writer's schema.
    ///
    /// # Errors
    /// As [`Descriptor::decode_row`].
    pub fn decode_row_key(&self, key: &Value) -> Result<Map<String, Json>> {
        match self.contract.schema.kafka_key().as_slice() {
            // A key of one column is that column's value.
            [only] => {
                let cell = read(&only.ty, false, Some(key), &only.name)?;
                Ok(Map::from_iter([(only.name.clone(), cell)]))
            }
            several => read_fields(several.iter().copied(), key, ""),
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        return name.to_owned();
    }
    format!("{path}.{name}")
}

fn read_fields<'a>(
    fields: impl Iterator<Item = &'a Field>,
    value: &Value,
    path: &str,
) -> Result<Map<String, Json>> {
    let Value::Record(columns) = value else {
        return Err(mismatch(path, "a record"));
    };
    fields
        .map(|field| {
            let found = columns.iter().find(|(name, _)| *name == field.name);
            let path = join(path, &field.name);
            let cell = read(
                &field.ty,
                field.nullable,
                found.map(|(_, cell)| cell),
                &path,
            )?;
            Ok((field.name.clone(), cell))
        })
        .collect()
}

fn read(ty: &Type, nullable: bool, value: Option<&Value>, path: &str) -> Result<Json> {
    let null = match value {
        None | Some(Value::Null) => true,
        Some(Value::Union(_, inner)) => matches!(inner.as_ref(), Value::Null),
        Some(_) => false,
    };
    if null && nullable {
        return Ok(Json::Null);
    }
    fn of<T: FieldValue>(value: Option<&Value>, path: &str) -> Result<Json> {
        Ok(T::read(value, path)?.to_json())
    }
    match ty {
        Type::String { .. } => of::<String>(value, path),
        Type::Uuid => of::<Uuid>(value, path),
        Type::Int32 { .. } => of::<i32>(value, path),
        Type::Int64 { .. } => of::<i64>(value, path),
        Type::Float32 => of::<f32>(value, path),
        Type::Float64 => of::<f64>(value, path),
        Type::Boolean => of::<bool>(value, path),
        Type::Date => of::<NaiveDate>(value, path),
        Type::Timestamp(TimeUnit::Millis) => of::<TimestampMillis>(value, path),
        Type::Timestamp(TimeUnit::Micros) => of::<TimestampMicros>(value, path),
        Type::Time(TimeUnit::Millis) => of::<TimeMillis>(value, path),
        Type::Time(TimeUnit::Micros) => of::<TimeMicros>(value, path),
        Type::Enum(_) => match present(value, path)? {
            Value::Enum(_, symbol) | Value::String(symbol) => Ok(symbol.as_str().into()),
            _ => Err(mismatch(path, "an enum")),
        },
        Type::Decimal { scale, .. } => Ok(digits(read_decimal(value, path)?, *scale).into()),
        Type::Array(array) => match present(value, path)? {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(at, item)| {
                    read(
                        &array.items,
                        array.nullable,
                        Some(item),
                        &format!("{path}[{at}]"),
                    )
                })
                .collect(),
            _ => Err(mismatch(path, "an array")),
        },
        Type::Map(map) => match present(value, path)? {
            Value::Map(entries) => {
                // A key is data, so that the path names none.
                let path = format!("{path}[]");
                let entries = entries.iter().map(|(key, value)| {
                    let value = read(&map.values, map.nullable, Some(value), &path)?;
                    Ok((key.clone(), value))
                });
                Ok(Json::Object(entries.collect::<Result<_>>()?))
            }
            _ => Err(mismatch(path, "a map")),
        },
        Type::Object(object) => {
            let value = present(value, path)?;
            read_fields(object.fields.iter(), value, path).map(Json::Object)
        }
    }
}
