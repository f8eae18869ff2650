//! Query parameters: every one that is not understood is refused.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use mesh_core::{Error, Result};

use crate::refusal::Refusal;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 500;
/// The longest value in characters, cursors apart.
const MAX_VALUE: usize = 200;
const MAX_WORDS: usize = 10;

/// The query parameters of a request, not yet understood.
pub(super) struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(rejection) => Err(Error::invalid("the query parameters could not be read")
                .mend("encode them as UTF-8 with percent signs")
                .because(rejection)
                .into()),
        }
    }
}

impl Parameters {
    /// Refuses what is not among `names`, and what stands there twice.
    pub(super) fn only(self, names: &[&'static str]) -> Result<Self> {
        for (at, (name, _)) in self.0.iter().enumerate() {
            if !names.contains(&name.as_str()) {
                let shown: String = name.chars().take(40).collect();
                let error = Error::invalid("a query parameter is not understood");
                return Err(error.with("parameter", shown).mend(if names.is_empty() {
                    "ask without query parameters".to_owned()
                } else {
                    format!("use {}", names.join(", "))
                }));
            }
            if self.0[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(Error::invalid("a query parameter stands there twice")
                    .with("parameter", name)
                    .mend("keep one of them"));
            }
        }
        Ok(self)
    }

    /// The value of `name`; an empty one is as good as none, as HTML forms send it.
    fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>> {
        match self.value(name) {
            Some(value) if value.chars().count() > MAX_VALUE => {
                Err(Error::invalid("a query parameter is too long")
                    .with("parameter", name)
                    .mend(format!("use at most {MAX_VALUE} characters")))
            }
            value => Ok(value.map(str::to_owned)),
        }
    }

    /// The value of `name` as `parse` reads it, which understands `words`.
    pub(super) fn word<T>(
        &self,
        name: &'static str,
        words: &[&str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        match parse(value) {
            Some(word) => Ok(Some(word)),
            None => Err(
                Error::invalid("a query parameter has a value that is not understood")
                    .with("parameter", name)
                    .mend(format!("use one of {}", words.join(", "))),
            ),
        }
    }

    /// The words of `name` in lower case.
    pub(super) fn words(&self, name: &'static str) -> Result<Vec<String>> {
        let text = self.text(name)?.unwrap_or_default().to_lowercase();
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        if words.len() > MAX_WORDS {
            return Err(Error::invalid("a query parameter has too many words")
                .with("parameter", name)
                .mend(format!("use at most {MAX_WORDS} words")));
        }
        Ok(words)
    }

    pub(super) fn limit(&self) -> Result<u32> {
        match self.value("limit").map(str::parse::<u32>) {
            None => Ok(DEFAULT_LIMIT),
            Some(Ok(limit @ 1..=MAX_LIMIT)) => Ok(limit),
            Some(_) => Err(Error::invalid("the limit is out of range")
                .with("parameter", "limit")
                .mend(format!("use a whole number from 1 to {MAX_LIMIT}"))),
        }
    }

    pub(super) fn cursor(&self) -> Option<&str> {
        self.value("cursor")
    }
}
