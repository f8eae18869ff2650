//! The two texts of a schema: canonical (what identity is decided on) and normalised.

use serde_json::{Map, Value};

use super::JsonSchema;

impl JsonSchema {
    /// The text by which two schemas are the same: the document without white space, its keys
    /// in the order in which they came, as Confluent's registry stores and hands it out.
    pub fn canonical(&self) -> String {
        self.json.to_string()
    }

    /// The text that is registered when a client asks to `normalize`: keys in alphabetical
    /// order at every level, and lists whose order means nothing (`required`, `type`) sorted.
    pub fn normalized(&self) -> String {
        sorted(&self.json, true).to_string()
    }
}

/// `schema` tells whether `json` stands where a schema stands, or in a list or map of such.
fn sorted(json: &Value, schema: bool) -> Value {
    match json {
        Value::Object(object) => {
            let mut keys: Vec<&String> = object.keys().collect();
            keys.sort_unstable();
            let mut out = Map::with_capacity(object.len());
            for key in keys {
                // Data and annotations of the author may hold lists whose order counts.
                let inner =
                    schema && !matches!(key.as_str(), "default" | "examples" | "const" | "enum");
                let mut value = sorted(&object[key], inner);
                if schema && matches!(key.as_str(), "required" | "type") {
                    sort_words(&mut value);
                }
                out.insert(key.clone(), value);
            }
            Value::Object(out)
        }
        Value::Array(items) => items.iter().map(|item| sorted(item, schema)).collect(),
        other => other.clone(),
    }
}

fn sort_words(json: &mut Value) {
    if let Value::Array(words) = json
        && words.iter().all(Value::is_string)
    {
        words.sort_unstable_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
}
