//! Options and their values as a `.proto` text writes them.

use std::collections::BTreeMap;
use std::fmt::Write;

use prost_reflect::{DynamicMessage, Kind, MapKey, Value};

/// The options that are set, as `name = value`, by number; of a list one for each entry.
pub(super) fn settings(options: &DynamicMessage) -> Vec<String> {
    let mut by_number: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (field, value) in options.fields() {
        // Map entries are printed as maps, and options that were resolved stand beside this.
        if matches!(field.name(), "uninterpreted_option" | "map_entry") {
            continue;
        }
        let all = by_number.entry(field.number()).or_default();
        each(field.name(), value, &field.kind(), all);
    }
    for (extension, value) in options.extensions() {
        let all = by_number.entry(extension.number()).or_default();
        let name = format!("(.{})", extension.full_name());
        each(&name, value, &extension.kind(), all);
    }
    by_number.into_values().flatten().collect()
}

fn each(name: &str, of: &Value, kind: &Kind, out: &mut Vec<String>) {
    match of {
        Value::List(values) => {
            for inner in values {
                out.push(format!("{name} = {}", value(inner, kind)));
            }
        }
        single => out.push(format!("{name} = {}", value(single, kind))),
    }
}

fn value(of: &Value, kind: &Kind) -> String {
    match of {
        Value::Bool(it) => it.to_string(),
        Value::I32(it) => it.to_string(),
        Value::I64(it) => it.to_string(),
        Value::U32(it) => it.to_string(),
        Value::U64(it) => it.to_string(),
        Value::F32(it) => float(f64::from(*it), &it.to_string()),
        Value::F64(it) => float(*it, &it.to_string()),
        Value::String(text) => quoted(text.as_bytes(), true),
        Value::Bytes(bytes) => quoted(bytes, false),
        Value::EnumNumber(number) => match kind {
            Kind::Enum(it) => match it.get_value(*number) {
                Some(found) => found.name().to_owned(),
                None => number.to_string(),
            },
            _ => number.to_string(),
        },
        Value::Message(message) => aggregate(message),
        Value::List(values) => {
            let all: Vec<String> = values.iter().map(|inner| value(inner, kind)).collect();
            format!("[{}]", all.join(", "))
        }
        Value::Map(entries) => {
            let Kind::Message(entry) = kind else {
                return String::new();
            };
            let kind = entry.map_entry_value_field().kind();
            let sorted: BTreeMap<&MapKey, &Value> = entries.iter().collect();
            let all: Vec<String> = sorted
                .into_iter()
                .map(|(key, inner)| {
                    format!("{{ key: {} value: {} }}", word(key), value(inner, &kind))
                })
                .collect();
            format!("[{}]", all.join(", "))
        }
    }
}

/// A message in the text format, its fields by number.
fn aggregate(message: &DynamicMessage) -> String {
    let mut by_number = BTreeMap::new();
    for (field, of) in message.fields() {
        let text = format!("{}: {}", field.name(), value(of, &field.kind()));
        by_number.insert(field.number(), text);
    }
    for (extension, of) in message.extensions() {
        let text = format!(
            "[{}]: {}",
            extension.full_name(),
            value(of, &extension.kind())
        );
        by_number.insert(extension.number(), text);
    }
    if by_number.is_empty() {
        return "{}".to_owned();
    }
    let all: Vec<String> = by_number.into_values().collect();
    format!("{{ {} }}", all.join(" "))
}

fn word(key: &MapKey) -> String {
    match key {
        MapKey::Bool(it) => it.to_string(),
        MapKey::I32(it) => it.to_string(),
        MapKey::I64(it) => it.to_string(),
        MapKey::U32(it) => it.to_string(),
        MapKey::U64(it) => it.to_string(),
        MapKey::String(text) => quoted(text.as_bytes(), true),
    }
}

fn float(number: f64, text: &str) -> String {
    if number.is_nan() {
        "nan".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "inf" } else { "-inf" }.to_owned()
    } else {
        text.to_owned()
    }
}

/// A string in double quotes; `text` keeps what is not ASCII as it is.
pub(super) fn quoted(bytes: &[u8], text: bool) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    let escaped = |out: &mut String, byte: u8| match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'\t' => out.push_str("\\t"),
        b' '..=b'~' => out.push(char::from(byte)),
        other => {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\{other:03o}");
        }
    };
    match std::str::from_utf8(bytes) {
        Ok(string) if text => {
            for c in string.chars() {
                match u8::try_from(c) {
                    Ok(byte) if byte.is_ascii() => escaped(&mut out, byte),
                    _ => out.push(c),
                }
            }
        }
        _ => {
            for byte in bytes {
                escaped(&mut out, *byte);
            }
        }
    }
    out.push('"');
    out
}
