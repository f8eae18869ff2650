//! What a domain keeps as documents.

use mesh_core::{Error, ErrorKind, Record, Result};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

/// A value that can be kept as a document: everything that serde reads and writes.
/// Records of a contract are kept as [`Stored`].
pub trait StateValue: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> StateValue for T {}

/// A record of a contract as a document, alone or as a field of another value. It is
/// written by [`Record::to_json`]; columns that a later contract adds are read as null.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<R: Record>(pub R);

impl<R: Record> Serialize for Stored<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.to_json().serialize(serializer)
    }
}

impl<'de, R: Record> Deserialize<'de> for Stored<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        R::from_json(&json).map(Self).map_err(D::Error::custom)
    }
}

/// The text of `value` as a document.
pub(crate) fn to_text<T: Serialize>(kind: &str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::internal("a value cannot be kept as a document")
            .with("kind", kind)
            .detail(describe(&error))
            .mend("keep values whose maps have text as keys")
    })
}

/// Reads a document.
pub(crate) fn from_text<T: DeserializeOwned>(kind: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        Error::new(
            ErrorKind::Corrupt,
            "a document is not of the type it is read as",
        )
        .with("kind", kind)
        .detail(describe(&error))
        .mend("give new fields a serde default, or keep the new form under another kind")
    })
}

/// A serde error without the values that its own text may quote.
pub(crate) fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let named = ["missing field", "unknown field", "duplicate field"]
        .iter()
        .any(|start| text.starts_with(start));
    if named {
        return text;
    }
    format!(
        "{:?} error at line {} column {}",
        error.classify(),
        error.line(),
        error.column()
    )
}
