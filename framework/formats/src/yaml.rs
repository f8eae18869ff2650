//! Documents as YAML text.

use mesh_core::{Error, Result};
use saphyr::{Mapping, Scalar, Yaml, YamlEmitter};
use serde_json::Value as Json;

/// `document` as block YAML in the order of its keys, ending with a line break.
///
/// # Errors
/// If the writer fails, which is a fault of ours.
pub fn to_yaml(document: &Json) -> Result<String> {
    let mut text = String::new();
    YamlEmitter::new(&mut text)
        .dump(&node(document))
        .map_err(|error| Error::internal("a document cannot be written as YAML").because(error))?;
    // The mark of the document's start says nothing in a file of one document.
    let text = text.strip_prefix("---\n").unwrap_or(&text);
    Ok(format!("{}\n", text.trim_end()))
}

fn node(value: &Json) -> Yaml<'static> {
    match value {
        Json::Null => Yaml::Value(Scalar::Null),
        Json::Bool(value) => Yaml::Value(Scalar::Boolean(*value)),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Yaml::Value(Scalar::Integer(whole)),
            None => Yaml::Value(Scalar::FloatingPoint(
                number.as_f64().unwrap_or(f64::NAN).into(),
            )),
        },
        Json::String(text) => string(text),
        Json::Array(items) => Yaml::Sequence(items.iter().map(node).collect()),
        Json::Object(entries) => {
            let mut mapping = Mapping::new();
            for (key, value) in entries {
                mapping.insert(string(key), node(value));
            }
            Yaml::Mapping(mapping)
        }
    }
}

/// Text without the characters that YAML cannot print and its reader refuses (YAML 1.2, 5.1).
fn string(text: &str) -> Yaml<'static> {
    let kept: String = text
        .chars()
        .filter(|c| {
            !matches!(
                c,
                '\u{80}'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
            )
        })
        .collect();
    Yaml::Value(Scalar::String(kept.into()))
}
