//! Records that have passed a decision.

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use mesh_core::Record;
use serde_json::{Value as Json, json};

/// Records of `R` that a decision has let out, by
/// [`Decision::govern`](crate::Decision::govern) alone. This is the one place where
/// records become JSON for somebody else: one record is its object, many are
/// `{"items": [...]}`.
pub struct Governed<R: Record> {
    records: Vec<R>,
    single: bool,
}

impl<R: Record> Governed<R> {
    pub(crate) fn one(record: R) -> Self {
        Self {
            records: vec![record],
            single: true,
        }
    }

    pub(crate) fn many(records: Vec<R>) -> Self {
        Self {
            records,
            single: false,
        }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The JSON that a client reads.
    pub fn into_json(self) -> Json {
        let mut items: Vec<Json> = self.records.iter().map(Record::to_json).collect();
        match self.single {
            true => items.pop().unwrap_or(Json::Null),
            false => json!({ "items": items }),
        }
    }
}

impl<R: Record> std::fmt::Debug for Governed<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Governed")
            .field("product", &R::descriptor().topic.as_str())
            .field("records", &self.records.len())
            .finish()
    }
}

impl<R: Record> IntoResponse for Governed<R> {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.into_json().to_string()));
        response.headers_mut().insert(
            CONTENT_TYPE,
            http::HeaderValue::from_static("application/json"),
        );
        response
    }
}
