//! JSON Schema (draft 2020-12) of the JSON form of a record, the one that the domains' APIs and
//! the SQL door answer with.
//!
//! What JSON Schema has no word for stands in `x-logicalType`: the digits of a decimal, whose
//! JSON form is a string, and the resolution of a timestamp or time. A time of day has no offset,
//! which the format `time` would ask for.

use mesh_core::contract::{Contract, Field, TimeUnit, Type};
use serde_json::{Map, Value as Json, json};

/// A time of day as rows have it in JSON.
const TIME_PATTERN: &str = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,6})?)?$";

/// The keyword that keeps a logical type which JSON Schema has no word for.
pub(crate) const LOGICAL_TYPE: &str = "x-logicalType";

pub(super) fn write(contract: &Contract) -> Json {
    let schema = &contract.schema;
    let mut root = Map::new();
    root.insert(
        "$schema".into(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    root.insert("$id".into(), contract.id.clone().into());
    root.insert("title".into(), schema.type_name.clone().into());
    if let Some(text) = &schema.description {
        root.insert("description".into(), text.trim().into());
    }
    object(&schema.fields, &mut root);
    root.into()
}

fn object(fields: &[Field], map: &mut Map<String, Json>) {
    let properties: Map<String, Json> = fields
        .iter()
        .map(|field| (field.name.clone(), property(field)))
        .collect();
    let required: Vec<&str> = fields
        .iter()
        .filter(|field| !field.nullable)
        .map(|field| field.name.as_str())
        .collect();
    map.insert("type".into(), "object".into());
    map.insert("properties".into(), properties.into());
    map.insert("required".into(), required.into());
}

fn property(field: &Field) -> Json {
    let mut map = plain(&field.ty, field.nullable);
    if let Some(text) = &field.description {
        map.insert("description".into(), text.trim().into());
    }
    map.into()
}

fn plain(ty: &Type, nullable: bool) -> Map<String, Json> {
    let mut map = Map::new();
    let mut put = |key: &str, value: Json| {
        map.insert(key.to_owned(), value);
    };
    match ty {
        Type::String {
            min_length,
            max_length,
        } => {
            put("type", "string".into());
            if let Some(length) = min_length {
                put("minLength", (*length).into());
            }
            if let Some(length) = max_length {
                put("maxLength", (*length).into());
            }
        }
        Type::Uuid => {
            put("type", "string".into());
            put("format", "uuid".into());
        }
        Type::Enum(kind) => {
            put("type", "string".into());
            let mut values: Vec<Json> = kind
                .symbols
                .iter()
                .map(|symbol| symbol.value.clone().into())
                .collect();
            if nullable {
                values.push(Json::Null);
            }
            put("enum", values.into());
        }
        Type::Int32 { minimum, maximum } | Type::Int64 { minimum, maximum } => {
            let long = matches!(ty, Type::Int64 { .. });
            put("type", "integer".into());
            put("format", if long { "int64" } else { "int32" }.into());
            if let Some(limit) = minimum {
                put("minimum", (*limit).into());
            }
            if let Some(limit) = maximum {
                put("maximum", (*limit).into());
            }
        }
        // Infinities and NaN have no JSON number; the JSON form writes their names.
        Type::Float32 => {
            put("type", "number".into());
            put("format", "float".into());
        }
        Type::Float64 => {
            put("type", "number".into());
            put("format", "double".into());
        }
        Type::Decimal { precision, scale } => {
            put("type", "string".into());
            put("pattern", decimal_pattern(*precision, *scale).into());
            put(LOGICAL_TYPE, ty.display().into());
        }
        Type::Boolean => put("type", "boolean".into()),
        Type::Date => {
            put("type", "string".into());
            put("format", "date".into());
        }
        Type::Timestamp(unit) => {
            put("type", "string".into());
            put("format", "date-time".into());
            if *unit == TimeUnit::Micros {
                put(LOGICAL_TYPE, ty.display().into());
            }
        }
        Type::Time(_) => {
            put("type", "string".into());
            put("pattern", TIME_PATTERN.into());
            put(LOGICAL_TYPE, ty.display().into());
        }
        Type::Map(values) => {
            put("type", "object".into());
            put(
                "additionalProperties",
                plain(&values.values, values.nullable).into(),
            );
        }
        Type::Array(array) => {
            put("type", "array".into());
            put("items", plain(&array.items, array.nullable).into());
        }
        Type::Object(nested) => object(&nested.fields, &mut map),
    }
    if nullable && let Some(kind) = map.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
    }
    map
}

fn decimal_pattern(precision: u8, scale: u8) -> String {
    let whole = (precision - scale).max(1);
    if scale == 0 {
        format!("^-?[0-9]{{1,{whole}}}$")
    } else {
        format!("^-?[0-9]{{1,{whole}}}(\\.[0-9]{{1,{scale}}})?$")
    }
}
