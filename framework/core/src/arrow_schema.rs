//! The Arrow schema that follows from a contract.
//!
//! | type | Arrow |
//! |---|---|
//! | string, uuid | `Utf8` |
//! | enum | `Dictionary(Int32, Utf8)` |
//! | int, long, float, double, boolean | `Int32`, `Int64`, `Float32`, `Float64`, `Boolean` |
//! | decimal(p,s) | `Decimal128(p, s)` |
//! | date | `Date32` |
//! | timestamp | `Timestamp(Millisecond or Microsecond, "+00:00")` |
//! | time | `Time32(Millisecond)` or `Time64(Microsecond)` |
//! | array, map, object | `List`, `Map` with keys `Utf8`, `Struct` |

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field as ArrowField, Fields, Schema as ArrowSchema, TimeUnit};
use mesh_contract::{Contract, Field, TimeUnit as Unit, Type};

/// Field metadata: what the column means.
pub const DESCRIPTION: &str = "mesh.description";
/// Field metadata: the column's classification.
pub const CLASSIFICATION: &str = "mesh.classification";

/// The Arrow schema of the values of `contract`.
pub fn arrow_schema(contract: &Contract) -> ArrowSchema {
    ArrowSchema::new(fields(&contract.schema.fields))
}

fn fields(columns: &[Field]) -> Fields {
    columns.iter().map(column).collect()
}

fn column(field: &Field) -> ArrowField {
    let mut metadata = HashMap::new();
    if let Some(text) = &field.description {
        metadata.insert(DESCRIPTION.to_owned(), text.trim().to_owned());
    }
    if let Some(word) = &field.classification {
        metadata.insert(CLASSIFICATION.to_owned(), word.clone());
    }
    ArrowField::new(&field.name, data_type(&field.ty), field.nullable).with_metadata(metadata)
}

/// The Arrow type of `ty`.
pub fn data_type(ty: &Type) -> DataType {
    match ty {
        Type::String { .. } | Type::Uuid => DataType::Utf8,
        Type::Enum(_) => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Type::Int32 { .. } => DataType::Int32,
        Type::Int64 { .. } => DataType::Int64,
        Type::Float32 => DataType::Float32,
        Type::Float64 => DataType::Float64,
        Type::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale as i8),
        Type::Boolean => DataType::Boolean,
        Type::Date => DataType::Date32,
        Type::Timestamp(unit) => DataType::Timestamp(
            match unit {
                Unit::Millis => TimeUnit::Millisecond,
                Unit::Micros => TimeUnit::Microsecond,
            },
            Some("+00:00".into()),
        ),
        Type::Time(Unit::Millis) => DataType::Time32(TimeUnit::Millisecond),
        Type::Time(Unit::Micros) => DataType::Time64(TimeUnit::Microsecond),
        Type::Map(map) => {
            let entries = Fields::from(vec![
                ArrowField::new("key", DataType::Utf8, false),
                ArrowField::new("value", data_type(&map.values), map.nullable),
            ]);
            let entries = ArrowField::new("entries", DataType::Struct(entries), false);
            DataType::Map(entries.into(), false)
        }
        Type::Array(array) => {
            DataType::List(ArrowField::new("item", data_type(&array.items), array.nullable).into())
        }
        Type::Object(object) => DataType::Struct(fields(&object.fields)),
    }
}
