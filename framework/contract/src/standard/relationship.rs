//! References from one part of a schema to another, such as foreign keys.

use serde_json::Value as Json;

use super::common::{CustomProperty, custom};
use super::model::{Part, model};
use crate::node::{Map, Node, Reader, Value};
use crate::yaml::shown;

model! {
    /// A relationship. On a property `from` is the property itself and is not written.
    pub struct Relationship check relationship {
        id = "id": opt<String> [32, 0], "its stable id.";
        kind = "type": opt<String>, "`foreignKey`, which is the default.";
        from = "from": opt<References>, "what refers.";
        to = "to": req<References>, "what is referred to.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
    }
}

/// One reference, or several that together are a composite key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum References {
    /// One reference: `accounts.id`, or `schema/accounts/properties/id`.
    One(String),
    /// A composite key.
    Many(Vec<String>),
}

impl Default for References {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl References {
    /// The references in order.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Part for References {
    fn read(reader: &Reader, node: &Node, path: &str) -> Option<Self> {
        let check = |node: &Node, path: &str, text: &str| {
            if !is_shorthand(text) && !is_qualified(text) {
                reader.refuse(
                    node.at,
                    path,
                    format!("`{}` is no reference", shown(text)),
                    "write `<schema>.<property>` or `schema/<id>/properties/<id>`",
                );
            }
        };
        match &node.value {
            Value::Str(text) => {
                check(node, path, text);
                Some(Self::One(text.clone()))
            }
            Value::Seq(items) => {
                let many: Vec<String> = Part::read(reader, node, path)?;
                if many.is_empty() {
                    reader.refuse(node.at, path, "is empty", "name at least one property");
                }
                for (at, (item, text)) in items.iter().zip(&many).enumerate() {
                    check(item, &format!("{path}[{at}]"), text);
                }
                Some(Self::Many(many))
            }
            _ => {
                reader.wrong(
                    node,
                    path,
                    "a reference or a list of them",
                    "write `<schema>.<property>`",
                );
                None
            }
        }
    }

    fn write(&self) -> Json {
        match self {
            Self::One(one) => one.write(),
            Self::Many(many) => many.write(),
        }
    }
}

fn is_name(text: &str, more: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || more.contains(c))
}

/// `accounts.address.street`.
fn is_shorthand(text: &str) -> bool {
    text.contains('.') && text.split('.').all(|part| is_name(part, "-"))
}

/// `schema/accounts/properties/id`, in this file or after `<file>.yaml#`.
fn is_qualified(text: &str) -> bool {
    let path = match text.split_once('#') {
        Some((file, path)) => {
            let file = file
                .strip_prefix("https://")
                .or(file.strip_prefix("http://"))
                .unwrap_or(file);
            let sound = file
                .strip_suffix(".yaml")
                .or(file.strip_suffix(".yml"))
                .is_some_and(|stem| {
                    !stem.is_empty()
                        && stem
                            .chars()
                            .all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
                });
            if !sound {
                return false;
            }
            path
        }
        None => text,
    };
    let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    parts.len().is_multiple_of(2)
        && parts.chunks(2).all(|pair| {
            let id = pair[1];
            is_name(pair[0], "")
                && !id.is_empty()
                && id
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        })
}

fn relationship(map: &Map<'_>) {
    custom(map);
    map.among("type", &["foreignKey"]);
}

/// Checks the relationships of a schema object, which name both ends.
pub(crate) fn between(map: &Map<'_>) {
    for item in map.peek_maps("relationships") {
        match (item.value("from"), item.value("to")) {
            (None, _) => item.missing("from"),
            (Some(Value::Seq(from)), Some(Value::Seq(to))) if from.len() != to.len() => {
                item.refuse(
                    "to",
                    format!("{} references, and `from` has {}", to.len(), from.len()),
                    "name as many properties on both sides",
                );
            }
            (Some(Value::Seq(_)), Some(Value::Str(_)))
            | (Some(Value::Str(_)), Some(Value::Seq(_))) => item.refuse(
                "to",
                "one end is a list and the other is not",
                "write both as one reference, or both as a list",
            ),
            _ => {}
        }
    }
}

/// Checks the relationships of a property, which is itself the end that refers.
pub(crate) fn onward(map: &Map<'_>) {
    for item in map.peek_maps("relationships") {
        if item.has("from") {
            item.refuse_key(
                "from",
                "is this property itself",
                "remove it, or move the relationship to the schema",
            );
        }
    }
}
