//! Custom properties: the framework's own begin with `mesh.`, all others are kept.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::node::{Map, Node, Reader, Value, quoted};
use crate::yaml::{join, shown};

/// The custom properties of a mapping, with their values as JSON.
pub(crate) fn custom_properties(map: &Map<'_>) -> BTreeMap<String, Json> {
    let mut found = BTreeMap::new();
    for property in map.maps("customProperties") {
        let name = property.required_string("property");
        let value = property.node("value").map(|node| node.to_json());
        let Some(name) = name else { continue };
        let Some(value) = value else {
            property.refuse("value", "is missing", "add `value: …` here");
            continue;
        };
        if found.insert(name.clone(), value).is_some() {
            property.refuse(
                "property",
                format!("`{}` stands here twice", shown(&name)),
                "keep one of them",
            );
        }
    }
    found
}

/// Takes the custom property `name` as a string.
pub(crate) fn take_string(
    map: &Map<'_>,
    custom: &mut BTreeMap<String, Json>,
    name: &'static str,
) -> Option<String> {
    match custom.remove(name)? {
        Json::String(text) => Some(text),
        _ => {
            refuse_custom(
                map,
                name,
                format!("`{name}` is not a string"),
                "put its value in quotes",
            );
            None
        }
    }
}

/// Refuses the custom property `name` of `map` where its value stands.
pub(crate) fn refuse_custom(map: &Map<'_>, name: &str, message: String, mend: &str) {
    let items = map.peek_maps("customProperties");
    match items
        .iter()
        .find(|item| item.text("property") == Some(name))
    {
        Some(item) => item.refuse("value", message, mend),
        None => map.refuse("customProperties", message, mend),
    }
}

/// Refuses `mesh.` properties that nobody understood.
pub(crate) fn refuse_unknown(map: &Map<'_>, custom: &BTreeMap<String, Json>, known: &[&str]) {
    for name in custom.keys().filter(|name| name.starts_with("mesh.")) {
        let message = format!("`{}` is not understood here", shown(name));
        let mend = if known.is_empty() {
            "remove it".to_owned()
        } else {
            format!("use one of {}", quoted(known))
        };
        let items = map.peek_maps("customProperties");
        match items
            .iter()
            .find(|item| item.text("property") == Some(name))
        {
            Some(item) => item.refuse("property", message, mend),
            None => map.refuse("customProperties", message, mend),
        }
    }
}

/// The keys whose values have custom properties that the framework reads.
const UNDERSTOOD: [&str; 6] = ["schema", "properties", "items", "map", "key", "value"];

/// Refuses properties of the framework in places where it reads none, such as a server.
/// `reads` says whether it reads those of `node` itself.
pub(crate) fn refuse_strays(reader: &Reader, node: &Node, path: &str, reads: bool) {
    match &node.value {
        Value::Seq(items) => {
            for (at, item) in items.iter().enumerate() {
                refuse_strays(reader, item, &format!("{path}[{at}]"), reads);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                let inner = join(path, &entry.key);
                if entry.key != "customProperties" {
                    let reads = UNDERSTOOD.contains(&entry.key.as_str());
                    refuse_strays(reader, &entry.node, &inner, reads);
                    continue;
                }
                let Value::Seq(items) = &entry.node.value else {
                    continue;
                };
                for (at, item) in items.iter().enumerate().filter(|_| !reads) {
                    if let Some(name) = item.get("property")
                        && let Value::Str(text) = &name.value
                        && text.starts_with("mesh.")
                    {
                        reader.refuse(
                            name.at,
                            &format!("{inner}[{at}].property"),
                            format!("`{}` is not understood here", shown(text)),
                            "remove it; the framework reads such properties on the contract, the schema and columns",
                        );
                    }
                }
            }
        }
        _ => {}
    }
}
