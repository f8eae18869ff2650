//! The columns of a table, as Arrow and as Delta Lake have them.
//!
//! | contract | table (Delta) |
//! |---|---|
//! | string, uuid, enum | `string` |
//! | int, long, float, double, boolean, date, decimal(p,s) | the same |
//! | timestamp | `timestamp`: microseconds, UTC |
//! | time | `integer` (milliseconds) or `long` (microseconds) since midnight: Delta has no type for it |
//! | array, map, object | `array`, `map`, `struct` |
//!
//! `arrow::compute::cast` makes the contract's types of these again. The format is Delta's
//! protocol, section "Schema Serialization Format".

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use mesh_core::arrow_schema::{CLASSIFICATION, DESCRIPTION, arrow_schema};
use mesh_core::contract::{Contract, ProductKind};
use mesh_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value as Json, json};

use crate::fault;

/// The column with the Kafka partition.
pub const PARTITION: &str = "_partition";
/// The column with the offset.
pub const OFFSET: &str = "_offset";
/// The column with the time of publication.
pub const TIMESTAMP: &str = "_timestamp";
/// The column of state products that tells tombstones.
pub const DELETED: &str = "_deleted";

/// What Delta readers show as a column's description.
const COMMENT: &str = "comment";
/// Field metadata: that a number is a time of day.
const TIME: &str = "mesh.time";

/// The columns of the table of `contract`.
pub(crate) fn table_schema(contract: &Contract) -> Schema {
    let state = contract.schema.kind == ProductKind::State;
    let columns = arrow_schema(contract);
    let mut fields: Vec<Field> = columns
        .fields()
        .iter()
        // A tombstone has a key at most.
        .map(|field| stored_field(field, field.is_nullable() || state))
        .collect();
    let told = |field: Field, text: &str| field.with_metadata(comment(text));
    fields.push(told(
        Field::new(PARTITION, DataType::Int32, false),
        "The Kafka partition of the record.",
    ));
    fields.push(told(
        Field::new(OFFSET, DataType::Int64, false),
        "The record's offset in its partition.",
    ));
    fields.push(told(
        Field::new(TIMESTAMP, utc(), true),
        "When the record was published.",
    ));
    if state {
        fields.push(told(
            Field::new(DELETED, DataType::Boolean, false),
            "Whether the record removes its key: then only the key's columns are filled.",
        ));
    }
    Schema::new(fields)
}

fn comment(text: &str) -> HashMap<String, String> {
    [(COMMENT.to_owned(), text.to_owned())].into()
}

/// The type of instants.
fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn stored_field(field: &Field, nullable: bool) -> Field {
    let mut metadata = HashMap::new();
    if let Some(text) = field.metadata().get(DESCRIPTION) {
        metadata.insert(COMMENT.to_owned(), text.clone());
    }
    if let Some(word) = field.metadata().get(CLASSIFICATION) {
        metadata.insert(CLASSIFICATION.to_owned(), word.clone());
    }
    match field.data_type() {
        DataType::Time32(_) => drop(metadata.insert(TIME.to_owned(), "milliseconds".to_owned())),
        DataType::Time64(_) => drop(metadata.insert(TIME.to_owned(), "microseconds".to_owned())),
        _ => {}
    }
    Field::new(field.name(), stored_type(field.data_type()), nullable).with_metadata(metadata)
}

/// The type in a table of what is `ty` by the contract.
fn stored_type(ty: &DataType) -> DataType {
    match ty {
        DataType::Dictionary(..) => DataType::Utf8,
        DataType::Time32(_) => DataType::Int32,
        DataType::Time64(_) => DataType::Int64,
        DataType::Timestamp(..) => utc(),
        DataType::List(item) => DataType::List(Arc::new(Field::new(
            "element",
            stored_type(item.data_type()),
            item.is_nullable(),
        ))),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => map_type(
                stored_type(pair[0].data_type()),
                stored_type(pair[1].data_type()),
                pair[1].is_nullable(),
            ),
            other => other.clone(),
        },
        DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| stored_field(field, field.is_nullable()))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn map_type(key: DataType, value: DataType, nullable: bool) -> DataType {
    let pair = Fields::from(vec![
        Field::new("key", key, false),
        Field::new("value", value, nullable),
    ]);
    DataType::Map(
        Arc::new(Field::new("key_value", DataType::Struct(pair), false)),
        false,
    )
}

/// `schema` as Delta's log has it.
pub(crate) fn to_delta(schema: &Schema) -> Result<Json> {
    struct_to_delta(schema.fields())
}

fn struct_to_delta(fields: &Fields) -> Result<Json> {
    let fields = fields
        .iter()
        .map(|field| {
            Ok(json!({
                "name": field.name(),
                "type": type_to_delta(field.data_type())?,
                "nullable": field.is_nullable(),
                "metadata": field.metadata().iter()
                    .map(|(name, value)| (name.clone(), value.clone().into()))
                    .collect::<Map<String, Json>>(),
            }))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(json!({"type": "struct", "fields": fields}))
}

fn type_to_delta(ty: &DataType) -> Result<Json> {
    Ok(match ty {
        DataType::Utf8 => json!("string"),
        DataType::Int32 => json!("integer"),
        DataType::Int64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Boolean => json!("boolean"),
        DataType::Date32 => json!("date"),
        DataType::Timestamp(..) => json!("timestamp"),
        DataType::Decimal128(precision, scale) => json!(format!("decimal({precision},{scale})")),
        DataType::List(item) => json!({
            "type": "array",
            "elementType": type_to_delta(item.data_type())?,
            "containsNull": item.is_nullable(),
        }),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => json!({
                "type": "map",
                "keyType": type_to_delta(pair[0].data_type())?,
                "valueType": type_to_delta(pair[1].data_type())?,
                "valueContainsNull": pair[1].is_nullable(),
            }),
            _ => return Err(Error::internal("a map without pairs")),
        },
        DataType::Struct(fields) => struct_to_delta(fields)?,
        other => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a column's type has no place in the history",
            )
            .with("type", other));
        }
    })
}

/// The schema that Delta's log tells.
pub(crate) fn from_delta(text: &str) -> Result<Schema> {
    let wrong = || fault::foreign("the table's columns cannot be read");
    let json: Json = serde_json::from_str(text).map_err(|error| wrong().because(error))?;
    struct_from_delta(&json).map(Schema::new).ok_or_else(wrong)
}

fn struct_from_delta(json: &Json) -> Option<Fields> {
    let fields = json.get("fields")?.as_array()?.iter().map(|field| {
        let metadata = field.get("metadata").and_then(Json::as_object);
        let metadata = metadata.into_iter().flatten().filter_map(|(name, value)| {
            let value = value.as_str()?;
            Some((name.clone(), value.to_owned()))
        });
        let name = field.get("name")?.as_str()?;
        let ty = type_from_delta(field.get("type")?)?;
        let nullable = field.get("nullable")?.as_bool()?;
        Some(Field::new(name, ty, nullable).with_metadata(metadata.collect()))
    });
    fields.collect()
}

fn type_from_delta(json: &Json) -> Option<DataType> {
    if let Some(name) = json.as_str() {
        return Some(match name {
            "string" => DataType::Utf8,
            "integer" => DataType::Int32,
            "long" => DataType::Int64,
            "float" => DataType::Float32,
            "double" => DataType::Float64,
            "boolean" => DataType::Boolean,
            "date" => DataType::Date32,
            "timestamp" => utc(),
            _ => {
                let inner = name.strip_prefix("decimal(")?.strip_suffix(')')?;
                let (precision, scale) = inner.split_once(',')?;
                DataType::Decimal128(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
            }
        });
    }
    Some(match json.get("type")?.as_str()? {
        "struct" => DataType::Struct(struct_from_delta(json)?),
        "array" => DataType::List(Arc::new(Field::new(
            "element",
            type_from_delta(json.get("elementType")?)?,
            json.get("containsNull")?.as_bool()?,
        ))),
        "map" => map_type(
            type_from_delta(json.get("keyType")?)?,
            type_from_delta(json.get("valueType")?)?,
            json.get("valueContainsNull")?.as_bool()?,
        ),
        _ => return None,
    })
}

/// The columns of a table that has those of `table` and takes rows of `wanted`; `None` if
/// that is `table` as it is. What is new may be null, because it is in the rows that are
/// there; what is gone stays, null from now on. Descriptions follow `wanted` if it is `newer`.
///
/// # Errors
/// [`ErrorKind::FailedPrecondition`] if a column has another type.
pub(crate) fn evolve(table: &Schema, wanted: &Schema, newer: bool) -> Result<Option<Schema>> {
    let fields = evolve_fields(table.fields(), wanted.fields(), newer)?;
    Ok((&fields != table.fields()).then(|| Schema::new(fields)))
}

fn evolve_fields(table: &Fields, wanted: &Fields, newer: bool) -> Result<Fields> {
    let mut fields = Vec::with_capacity(wanted.len());
    for field in table {
        fields.push(match wanted.find(field.name()) {
            Some((_, wanted)) => Arc::new(
                Field::new(
                    field.name(),
                    evolve_type(field.name(), field.data_type(), wanted.data_type(), newer)?,
                    field.is_nullable() || wanted.is_nullable(),
                )
                .with_metadata(match newer {
                    true => wanted.metadata().clone(),
                    false => field.metadata().clone(),
                }),
            ),
            None => Arc::new(field.as_ref().clone().with_nullable(true)),
        });
    }
    for field in wanted {
        if table.find(field.name()).is_none() {
            fields.push(Arc::new(field.as_ref().clone().with_nullable(true)));
        }
    }
    Ok(fields.into())
}

fn evolve_type(column: &str, table: &DataType, wanted: &DataType, newer: bool) -> Result<DataType> {
    match (table, wanted) {
        (DataType::Struct(table), DataType::Struct(wanted)) => {
            Ok(DataType::Struct(evolve_fields(table, wanted, newer)?))
        }
        (DataType::List(table), DataType::List(wanted)) => {
            let ty = evolve_type(column, table.data_type(), wanted.data_type(), newer)?;
            let nullable = table.is_nullable() || wanted.is_nullable();
            Ok(DataType::List(Arc::new(Field::new(
                "element", ty, nullable,
            ))))
        }
        (DataType::Map(table, _), DataType::Map(wanted, _)) => {
            match (table.data_type(), wanted.data_type()) {
                (DataType::Struct(table), DataType::Struct(wanted))
                    if table.len() == 2 && wanted.len() == 2 =>
                {
                    Ok(map_type(
                        evolve_type(column, table[0].data_type(), wanted[0].data_type(), newer)?,
                        evolve_type(column, table[1].data_type(), wanted[1].data_type(), newer)?,
                        table[1].is_nullable() || wanted[1].is_nullable(),
                    ))
                }
                _ => Err(Error::internal("a map without pairs")),
            }
        }
        (table, wanted) if table == wanted => Ok(table.clone()),
        (table, wanted) => Err(Error::new(
            ErrorKind::FailedPrecondition,
            "a column of the contract has another type than in the history",
        )
        .with("column", column)
        .with("history", table)
        .with("contract", wanted)
        .mend("publish a column of another type as a new major version of the product")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn stored(name: &str, ty: DataType, nullable: bool) -> Field {
        stored_field(&Field::new(name, ty, nullable), nullable)
    }

    #[test]
    fn a_schema_comes_back_from_delta_s_words() {
        let pair = Fields::from(vec![
            Field::new("key", DataType::Utf8, false),
            Field::new("value", DataType::Time64(TimeUnit::Microsecond), true),
        ]);
        let map = Field::new("entries", DataType::Struct(pair.clone()), false);
        let schema = Schema::new(vec![
            stored("a", DataType::Decimal128(12, 2), false),
            stored("b", DataType::Map(Arc::new(map), false), true),
            stored("c", DataType::Struct(pair), true),
            stored("d", DataType::Time32(TimeUnit::Millisecond), true),
            Field::new("e", utc(), true),
        ]);
        let text = to_delta(&schema).unwrap().to_string();
        assert_eq!(from_delta(&text).unwrap(), schema);
        assert_eq!(schema.field(3).data_type(), &DataType::Int32);
        assert!(from_delta("{}").is_err());
    }

    #[test]
    fn columns_come_and_go_and_keep_their_type() {
        let of = |fields: &[(&str, DataType, bool)]| {
            Schema::new(
                fields
                    .iter()
                    .map(|(name, ty, nullable)| Field::new(*name, ty.clone(), *nullable))
                    .collect::<Vec<_>>(),
            )
        };
        let table = of(&[("a", DataType::Int32, false), ("b", DataType::Utf8, false)]);
        assert_eq!(evolve(&table, &table, true).unwrap(), None);
        let wanted = of(&[
            ("a", DataType::Int32, false),
            ("c", DataType::Date32, false),
        ]);
        let evolved = evolve(&table, &wanted, true).unwrap().unwrap();
        let expected = of(&[
            ("a", DataType::Int32, false),
            ("b", DataType::Utf8, true),
            ("c", DataType::Date32, true),
        ]);
        assert_eq!(evolved, expected);
        assert_eq!(evolve(&evolved, &table, false).unwrap(), None);
        let other = of(&[("a", DataType::Int64, false)]);
        let error = evolve(&table, &other, true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    }
}
