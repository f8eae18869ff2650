//! A proto3 file with one message.
//!
//! Field numbers follow the order of the columns, so a column that is added stands at the end.
//! A symbol `X` of the column `kind` is `KIND_X`, after a zero value `KIND_UNSPECIFIED`, as
//! protobuf's style guide has it. Decimals, dates and UUIDs have no type of their own and are
//! strings, as in JSON.

use std::collections::BTreeSet;
use std::fmt::Write;

use mesh_core::contract::{Contract, Field, Type, upper_camel};
use mesh_core::{Error, ErrorKind, Result};

/// The ending of the zero value of an enumeration.
pub(crate) const UNSPECIFIED: &str = "UNSPECIFIED";

pub(super) fn write(contract: &Contract) -> Result<String> {
    let schema = &contract.schema;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "// {} {}, from its contract {}\nsyntax = \"proto3\";\n\npackage {};\n",
        schema.topic, contract.version, contract.id, contract.domain
    );
    if has_timestamp(&schema.fields) {
        out.push_str("import \"google/protobuf/timestamp.proto\";\n\n");
    }
    comment(&mut out, 0, schema.description.as_deref());
    message(&mut out, &schema.type_name, &schema.fields, 0, "")?;
    Ok(out)
}

fn has_timestamp(fields: &[Field]) -> bool {
    fn inside(ty: &Type) -> bool {
        match ty {
            Type::Timestamp(_) => true,
            Type::Array(_) | Type::Map(_) => inside(ty.innermost()),
            Type::Object(object) => has_timestamp(&object.fields),
            _ => false,
        }
    }
    fields.iter().any(|field| inside(&field.ty))
}

fn comment(out: &mut String, depth: usize, text: Option<&str>) {
    for line in text.unwrap_or_default().trim().lines() {
        let _ = writeln!(out, "{}// {}", "  ".repeat(depth), line.trim());
    }
}

fn message(out: &mut String, name: &str, fields: &[Field], depth: usize, path: &str) -> Result<()> {
    let indent = "  ".repeat(depth);
    let _ = writeln!(out, "{indent}message {name} {{");
    // Values of enumerations live in the scope of their message.
    let mut values = BTreeSet::new();
    for field in fields {
        nested(out, field, depth + 1, path, &mut values)?;
    }
    for (number, field) in fields.iter().enumerate() {
        comment(out, depth + 1, field.description.as_deref());
        let name = upper_camel(&field.name);
        let label = match &field.ty {
            Type::Array(_) => "repeated ",
            Type::Map(_) | Type::Object(_) | Type::Timestamp(_) => "",
            _ if field.nullable => "optional ",
            _ => "",
        };
        let ty = match &field.ty {
            Type::Array(array) => scalar(&array.items, &name).to_owned(),
            Type::Map(map) => format!("map<string, {}>", scalar(&map.values, &name)),
            other => scalar(other, &name).to_owned(),
        };
        let _ = writeln!(
            out,
            "{indent}  {label}{ty} {} = {};",
            field.name,
            // 19000 to 19999 are protobuf's own.
            if number < 18_999 {
                number + 1
            } else {
                number + 1_001
            }
        );
    }
    let _ = writeln!(out, "{indent}}}");
    Ok(())
}

/// The type of a value; enumerations and messages are called like their column.
fn scalar<'a>(ty: &Type, name: &'a str) -> &'a str {
    match ty {
        Type::String { .. } | Type::Uuid | Type::Decimal { .. } | Type::Date | Type::Time(_) => {
            "string"
        }
        Type::Int32 { .. } => "int32",
        Type::Int64 { .. } => "int64",
        Type::Float32 => "float",
        Type::Float64 => "double",
        Type::Boolean => "bool",
        Type::Timestamp(_) => "google.protobuf.Timestamp",
        Type::Enum(_) | Type::Object(_) | Type::Array(_) | Type::Map(_) => name,
    }
}

fn nested(
    out: &mut String,
    field: &Field,
    depth: usize,
    path: &str,
    values: &mut BTreeSet<String>,
) -> Result<()> {
    let path = format!("{path}{}", field.name);
    let inner = match &field.ty {
        Type::Array(array) => &array.items,
        Type::Map(map) => &map.values,
        other => other,
    };
    match inner {
        Type::Array(_) | Type::Map(_) => Err(Error::new(
            ErrorKind::Unsupported,
            "protobuf has no list or map of lists or maps",
        )
        .with("column", path)
        .mend("have the outer one hold an object with the inner one in it")),
        Type::Object(object) => message(
            out,
            &upper_camel(&field.name),
            &object.fields,
            depth,
            &format!("{path}."),
        ),
        Type::Enum(kind) => {
            let indent = "  ".repeat(depth);
            let prefix = field.name.to_ascii_uppercase();
            let _ = writeln!(out, "{indent}enum {} {{", upper_camel(&field.name));
            let _ = writeln!(out, "{indent}  {prefix}_{UNSPECIFIED} = 0;");
            values.insert(format!("{prefix}_{UNSPECIFIED}"));
            for (number, symbol) in (1..).zip(&kind.symbols) {
                let value = format!("{prefix}_{}", symbol.value);
                comment(out, depth + 1, symbol.description.as_deref());
                let _ = writeln!(out, "{indent}  {value} = {number};");
                if !values.insert(value) {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        format!(
                            "two values of enumerations are called `{prefix}_{}`",
                            symbol.value
                        ),
                    )
                    .with("column", path)
                    .mend("rename the column or its symbol in a new major version"));
                }
            }
            let _ = writeln!(out, "{indent}}}");
            Ok(())
        }
        _ => Ok(()),
    }
}
