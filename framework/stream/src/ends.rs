//! That a product's version ends, as the headers of its records say it.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mesh_core::contract::Lifecycle;
use rdkafka::message::{Header, OwnedHeaders};

/// The header with the end of support, as the HTTP field of that name has it (RFC 9745):
/// `@` and seconds since 1970.
pub const DEPRECATION_HEADER: &str = "deprecation";
/// The header with the end of life, as the HTTP field of that name has it (RFC 8594).
pub const SUNSET_HEADER: &str = "sunset";
/// The header with the topic to read instead.
pub const SUCCESSOR_HEADER: &str = "mesh-successor";

/// When a product's version ends, and what to read instead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ends {
    /// The ends that are announced.
    pub lifecycle: Lifecycle,
    /// The topic to read instead, if there is one.
    pub successor: Option<String>,
}

impl Ends {
    /// The headers as names and values.
    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        if let Some(end) = self.lifecycle.end_of_support {
            pairs.push((DEPRECATION_HEADER, format!("@{}", end.timestamp())));
        }
        if let Some(end) = self.lifecycle.end_of_life {
            let mut text = String::new();
            // Writing to a string does not fail.
            let _ = write!(text, "{}", end.format("%a, %d %b %Y %H:%M:%S GMT"));
            pairs.push((SUNSET_HEADER, text));
        }
        if let Some(successor) = &self.successor {
            pairs.push((SUCCESSOR_HEADER, successor.clone()));
        }
        pairs
    }

    pub(crate) fn insert(&self, mut headers: OwnedHeaders) -> OwnedHeaders {
        for (key, value) in self.pairs() {
            headers = headers.insert(Header {
                key,
                value: Some(&value),
            });
        }
        headers
    }
}

/// What is read of the headers on the end of a version. What is malformed is passed over: it
/// is a notice, and no part of the record.
#[derive(Default)]
pub(crate) struct EndsRead(Option<Ends>);

impl EndsRead {
    pub(crate) fn deprecation(&mut self, text: Option<&str>) {
        let seconds = text.and_then(|text| text.strip_prefix('@')?.parse().ok());
        if let Some(at) = seconds.and_then(|seconds| DateTime::<Utc>::from_timestamp(seconds, 0)) {
            self.ends().lifecycle.end_of_support = Some(at);
        }
    }

    pub(crate) fn sunset(&mut self, text: Option<&str>) {
        if let Some(at) = text.and_then(|text| DateTime::parse_from_rfc2822(text).ok()) {
            self.ends().lifecycle.end_of_life = Some(at.to_utc());
        }
    }

    pub(crate) fn successor(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            self.ends().successor = Some(text.to_owned());
        }
    }

    fn ends(&mut self) -> &mut Ends {
        self.0.get_or_insert_default()
    }

    pub(crate) fn finish(self) -> Option<Arc<Ends>> {
        self.0.map(Arc::new)
    }
}
