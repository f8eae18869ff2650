//! Whether a default value fits its type (Avro 1.12 specification, "default" of a field).

use std::collections::HashMap;

use serde_json::Value;

use super::name::excerpt;
use super::schema::{Node, NodeId, Primitive};

/// Checks defaults against the nodes read so far.
pub(super) struct Defaults<'a> {
    nodes: &'a [Node],
    /// Verdicts by node and place of the value: a union tries every branch at every level,
    /// which would double the work with each level of nesting.
    known: HashMap<(NodeId, *const Value), Result<(), String>>,
}

impl<'a> Defaults<'a> {
    pub(super) fn new(nodes: &'a [Node]) -> Self {
        Self {
            nodes,
            known: HashMap::new(),
        }
    }

    pub(super) fn check(&mut self, id: NodeId, value: &Value) -> Result<(), String> {
        let key = (id, std::ptr::from_ref(value));
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let verdict = self.decide(id, value);
        self.known.insert(key, verdict.clone());
        verdict
    }

    fn decide(&mut self, id: NodeId, value: &Value) -> Result<(), String> {
        let nodes = self.nodes;
        match &nodes[id.0 as usize] {
            Node::Primitive { kind, .. } => primitive(*kind, value),
            Node::Enum(it) => match value {
                Value::String(symbol) if it.symbols.contains(symbol) => Ok(()),
                _ => Err(format!("it is not a symbol of enum {}", it.header.name)),
            },
            Node::Fixed(fixed) => {
                let count = binary(value)?;
                if count == fixed.size as usize {
                    Ok(())
                } else {
                    Err(format!(
                        "it holds {count} bytes and fixed {} holds {}",
                        fixed.header.name, fixed.size
                    ))
                }
            }
            Node::Array { items, .. } => match value {
                Value::Array(list) => list.iter().try_for_each(|item| self.check(*items, item)),
                _ => Err("an array is expected".to_owned()),
            },
            Node::Map { values, .. } => match value {
                Value::Object(map) => map.values().try_for_each(|item| self.check(*values, item)),
                _ => Err("an object is expected".to_owned()),
            },
            Node::Union(branches) => {
                let fits = branches
                    .iter()
                    .any(|branch| self.check(*branch, value).is_ok());
                if fits {
                    Ok(())
                } else {
                    Err("it fits no branch of the union".to_owned())
                }
            }
            Node::Record(record) => {
                let name = &record.header.name;
                let Value::Object(object) = value else {
                    return Err(format!("an object for record {name} is expected"));
                };
                let Some(fields) = &record.fields else {
                    return Err(format!(
                        "record {name} is not complete at this place and would hold itself"
                    ));
                };
                for field in fields {
                    match object.get(&field.name) {
                        Some(value) => self
                            .check(field.schema, value)
                            .map_err(|reason| format!("field '{}': {reason}", field.name))?,
                        // The field's own default was checked where the field was read.
                        None if field.default.is_some() => {}
                        None => {
                            return Err(format!(
                                "field '{}' of record {name} is missing and has no default",
                                field.name
                            ));
                        }
                    }
                }
                Ok(())
            }
        }
    }
}

fn primitive(kind: Primitive, value: &Value) -> Result<(), String> {
    let (fits, wanted) = match kind {
        Primitive::Null => (value.is_null(), "null"),
        Primitive::Boolean => (value.is_boolean(), "true or false"),
        Primitive::Int => (
            value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
            "a whole number of 32 bits",
        ),
        Primitive::Long => (value.as_i64().is_some(), "a whole number of 64 bits"),
        Primitive::Float | Primitive::Double => (
            value.is_number() || matches!(value.as_str(), Some("NaN" | "Infinity" | "-Infinity")),
            "a number",
        ),
        Primitive::String => (value.is_string(), "a string"),
        Primitive::Bytes => return binary(value).map(|_| ()),
    };
    if fits {
        Ok(())
    } else {
        Err(format!("{wanted} is expected"))
    }
}

/// The number of bytes in a text whose code points 0 to 255 stand for bytes.
fn binary(value: &Value) -> Result<usize, String> {
    let Value::String(text) = value else {
        return Err("a string of code points 0 to 255 is expected".to_owned());
    };
    match text.chars().find(|c| u32::from(*c) > 255) {
        None => Ok(text.chars().count()),
        Some(_) => Err(format!("'{}' holds a code point above 255", excerpt(text))),
    }
}
