//! A row that a contract allows, made up, for the tests of a domain with code.

use mesh_core::contract::{Field, Type};
use serde_json::{Map, Value as Json, json};

/// A row with every column filled.
pub(crate) fn row(fields: &[Field]) -> Json {
    let cells = fields
        .iter()
        .map(|field| (field.name.clone(), value(&field.ty)));
    Json::Object(cells.collect::<Map<_, _>>())
}

fn value(ty: &Type) -> Json {
    match ty {
        Type::String {
            min_length,
            max_length,
        } => {
            let least = min_length.map_or(0, |least| least as usize);
            let most = max_length.map_or(usize::MAX, |most| most as usize);
            let text = "text".repeat(least / 4 + 1);
            let length = 4.max(least).min(most);
            json!(&text[..length.min(text.len())])
        }
        Type::Uuid => json!("3f1c2a44-9d0b-4a53-8f57-2f0a8c1d9e10"),
        Type::Enum(kind) => json!(kind.symbols.first().map(|symbol| symbol.value.as_str())),
        Type::Int32 { minimum, maximum } | Type::Int64 { minimum, maximum } => {
            json!(within(*minimum, *maximum))
        }
        Type::Float32 | Type::Float64 => json!(1.5),
        Type::Decimal { precision, scale } => {
            let whole = if precision > scale { "1" } else { "0" };
            match usize::from(*scale) {
                0 => json!(whole),
                digits => json!(format!("{whole}.{}", "0".repeat(digits))),
            }
        }
        Type::Boolean => json!(true),
        Type::Date => json!("2026-01-31"),
        Type::Timestamp(_) => json!("2026-01-31T12:00:00Z"),
        Type::Object(object) => row(&object.fields),
        Type::Time(_) => json!("12:00:00"),
        // What holds several may be empty.
        Type::Map(_) => json!({}),
        Type::Array(_) => json!([]),
    }
}

fn within(minimum: Option<i64>, maximum: Option<i64>) -> i64 {
    1.max(minimum.unwrap_or(i64::MIN))
        .min(maximum.unwrap_or(i64::MAX))
}
