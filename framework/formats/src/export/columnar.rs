//! The Arrow schema of a product's record batches, and the schema of Parquet files that Arrow's
//! writers make of them.

use std::fmt::Write;

use mesh_core::arrow_schema::arrow_schema;
use mesh_core::contract::{Contract, Field, TimeUnit, Type};

/// A line for each column: name, type, `not null`.
pub(super) fn arrow(contract: &Contract) -> String {
    arrow_schema(contract)
        .fields()
        .iter()
        .map(|field| {
            let mark = if field.is_nullable() { "" } else { " not null" };
            format!("{}: {}{mark}\n", field.name(), field.data_type())
        })
        .collect()
}

/// The message type in parquet-format's notation.
pub(super) fn parquet(contract: &Contract) -> String {
    let mut out = format!("message {} {{\n", contract.schema.type_name);
    for field in &contract.schema.fields {
        column(&mut out, &field.name, &field.ty, field.nullable, 1);
    }
    out.push_str("}\n");
    out
}

fn column(out: &mut String, name: &str, ty: &Type, nullable: bool, depth: usize) {
    let indent = "  ".repeat(depth);
    let word = if nullable { "optional" } else { "required" };
    let group = |out: &mut String, mark: &str| {
        let _ = writeln!(out, "{indent}{word} group {name}{mark} {{");
    };
    match ty {
        Type::Array(array) => {
            group(out, " (LIST)");
            let _ = writeln!(out, "{indent}  repeated group list {{");
            column(out, "item", &array.items, array.nullable, depth + 2);
            let _ = writeln!(out, "{indent}  }}\n{indent}}}");
        }
        Type::Map(map) => {
            group(out, " (MAP)");
            let _ = writeln!(out, "{indent}  repeated group entries {{");
            let _ = writeln!(out, "{indent}    required binary key (STRING);");
            column(out, "value", &map.values, map.nullable, depth + 2);
            let _ = writeln!(out, "{indent}  }}\n{indent}}}");
        }
        Type::Object(object) => {
            group(out, "");
            nested(out, &object.fields, depth + 1);
            let _ = writeln!(out, "{indent}}}");
        }
        scalar => {
            let (physical, logical) = scalar_type(scalar);
            let logical = logical.map(|logical| format!(" ({logical})"));
            let _ = writeln!(
                out,
                "{indent}{word} {physical} {name}{};",
                logical.unwrap_or_default()
            );
        }
    }
}

fn nested(out: &mut String, fields: &[Field], depth: usize) {
    for field in fields {
        column(out, &field.name, &field.ty, field.nullable, depth);
    }
}

/// The physical and the logical type; text stands for what the Arrow schema holds as text.
fn scalar_type(ty: &Type) -> (String, Option<String>) {
    let plain = |physical: &str| (physical.to_owned(), None);
    match ty {
        Type::Int32 { .. } => plain("int32"),
        Type::Int64 { .. } => plain("int64"),
        Type::Float32 => plain("float"),
        Type::Float64 => plain("double"),
        Type::Boolean => plain("boolean"),
        Type::Date => ("int32".into(), Some("DATE".into())),
        Type::Timestamp(unit) => {
            let unit = match unit {
                TimeUnit::Millis => "MILLIS",
                TimeUnit::Micros => "MICROS",
            };
            ("int64".into(), Some(format!("TIMESTAMP({unit},true)")))
        }
        Type::Decimal { precision, scale } => {
            let physical = match precision {
                ..=9 => "int32".to_owned(),
                10..=18 => "int64".to_owned(),
                _ => format!("fixed_len_byte_array({})", decimal_bytes(*precision)),
            };
            (physical, Some(format!("DECIMAL({precision},{scale})")))
        }
        Type::Time(TimeUnit::Millis) => ("int32".into(), Some("TIME(MILLIS,false)".into())),
        Type::Time(TimeUnit::Micros) => ("int64".into(), Some("TIME(MICROS,false)".into())),
        // Lists, maps and records are groups; written out so that a new type is thought of here.
        Type::String { .. }
        | Type::Uuid
        | Type::Enum(_)
        | Type::Array(_)
        | Type::Map(_)
        | Type::Object(_) => ("binary".into(), Some("STRING".into())),
    }
}

/// The fewest bytes that hold `precision` digits and a sign.
fn decimal_bytes(precision: u8) -> u32 {
    let largest = 10_u128.pow(u32::from(precision)) - 1;
    (128 - largest.leading_zeros() + 1).div_ceil(8)
}
