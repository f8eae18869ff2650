//! Regular expressions of a schema, with the engine that validators use.

use std::collections::HashMap;

use jsonschema::Validator;
use mesh_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::parse::excerpt;

/// Different patterns that one schema may hold; it bounds the time to build them.
const MAX_PATTERNS: usize = 5_000;

/// Patterns that were built, by their text.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    built: HashMap<String, Validator>,
}

impl Patterns {
    /// Fails when the text is not a regular expression.
    pub(super) fn check(&mut self, pattern: &str) -> Result<()> {
        self.build(pattern).map(|_| ())
    }

    /// Whether the pattern is found in the text; `None` when the engine cannot tell.
    pub(super) fn finds(&mut self, pattern: &str, text: &str) -> Option<bool> {
        let built = self.build(pattern).ok()?;
        Some(built.is_valid(&Value::String(text.to_owned())))
    }

    fn build(&mut self, pattern: &str) -> Result<&Validator> {
        if !self.built.contains_key(pattern) {
            if self.built.len() >= MAX_PATTERNS {
                return Err(Error::new(
                    ErrorKind::ResourceExhausted,
                    "the schema has too many different patterns",
                )
                .with("limit", MAX_PATTERNS)
                .retryable(false));
            }
            let validator =
                jsonschema::draft7::new(&json!({"pattern": pattern})).map_err(|_| {
                    Error::invalid(format!(
                        "the pattern '{}' is not a regular expression (ECMA 262)",
                        excerpt(pattern)
                    ))
                })?;
            self.built.insert(pattern.to_owned(), validator);
        }
        self.built
            .get(pattern)
            .ok_or_else(|| Error::internal("a pattern was lost"))
    }
}
