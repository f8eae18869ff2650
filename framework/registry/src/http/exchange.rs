//! Bodies and parameters in and out: content types, limits and error shapes.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::Format;
use crate::refusal::Refusal;
use crate::store::{Page, Shown, Wanted};
use crate::subject::Prefix;

/// A schema of the largest size, with every character escaped in the JSON around it.
const MAX_BODY_BYTES: usize = 4 << 20;

const REGISTRY_JSON: HeaderValue =
    HeaderValue::from_static("application/vnd.schemaregistry.v1+json");
const PLAIN_JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Content types of a request that are read as JSON.
const READ: [&str; 4] = [
    "application/vnd.schemaregistry.v1+json",
    "application/vnd.schemaregistry+json",
    "application/json",
    "application/octet-stream",
];

/// A JSON answer of the registry's content type.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, REGISTRY_JSON)], body).into_response(),
            Err(error) => {
                tracing::error!(%error, "answer not written as json");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// A schema as it is, unescaped.
pub(super) struct Text(pub(super) String);

impl IntoResponse for Text {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, REGISTRY_JSON)], self.0).into_response()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Json(json!({"error_code": self.code, "message": self.message}));
        (status, body).into_response()
    }
}

/// Refuses bodies of another type and answers in plain JSON where only that is accepted.
pub(super) async fn negotiate(request: Request, next: Next) -> Response {
    if let Some(sent) = request.headers().get(header::CONTENT_TYPE) {
        let media = sent.to_str().unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        if !READ.iter().any(|known| known.eq_ignore_ascii_case(media)) {
            return Refusal::new(415, "HTTP 415 Unsupported Media Type").into_response();
        }
    }
    // No name holds it, and Postgres does not take it.
    let target = request.uri().path_and_query();
    if target.is_some_and(|target| target.as_str().contains("%00")) {
        return Refusal::not_found().into_response();
    }
    let plain = accepts_only_plain(request.headers());
    let mut response = next.run(request).await;
    if plain && response.headers().get(header::CONTENT_TYPE) == Some(&REGISTRY_JSON) {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, PLAIN_JSON);
    }
    response
}

fn accepts_only_plain(headers: &HeaderMap) -> bool {
    let mut plain = false;
    for accept in headers.get_all(header::ACCEPT) {
        let accept = accept.to_str().unwrap_or_default();
        if accept.contains("schemaregistry") || accept.contains('*') {
            return false;
        }
        plain |= accept.contains("application/json");
    }
    plain
}

/// The JSON body of a request.
pub(super) struct Received<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Received<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Refusal> {
        let body = to_bytes(request.into_body(), MAX_BODY_BYTES)
            .await
            .map_err(|_| {
                Refusal::new(
                    413,
                    format!(
                        "The request body cannot be read or is larger than {MAX_BODY_BYTES} bytes"
                    ),
                )
            })?;
        if body.is_empty() {
            return Err(Refusal::new(422, "The request body is missing"));
        }
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            Refusal::new(
                400,
                format!("The request body is not what is expected: {error}"),
            )
        })
    }
}

/// Path parameters, percent-decoded; what does not decode is a path that does not exist.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|path: axum::extract::Path<T>| Self(path.0))
            .map_err(|_| Refusal::not_found())
    }
}

/// Query parameters that Confluent's API knows; others are ignored, as there.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Query {
    #[serde(deserialize_with = "flag")]
    deleted: bool,
    #[serde(deserialize_with = "flag")]
    deleted_only: bool,
    #[serde(deserialize_with = "flag")]
    pub(super) permanent: bool,
    #[serde(deserialize_with = "flag")]
    pub(super) normalize: bool,
    #[serde(deserialize_with = "flag")]
    pub(super) verbose: bool,
    #[serde(deserialize_with = "flag")]
    pub(super) default_to_global: bool,
    #[serde(deserialize_with = "flag")]
    pub(super) fetch_max_id: bool,
    #[serde(deserialize_with = "flag")]
    pub(super) latest_only: bool,
    #[serde(deserialize_with = "flag")]
    pub(super) force: bool,
    /// The subject whose context an id is looked for in.
    pub(super) subject: Option<String>,
    format: Option<String>,
    subject_prefix: Option<String>,
    offset: Option<i64>,
    limit: Option<i64>,
}

/// `true` in any case; everything else is false, as Java's `Boolean.valueOf` has it.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(String::deserialize(deserializer)?.eq_ignore_ascii_case("true"))
}

impl Query {
    pub(super) fn shown(&self) -> Shown {
        match (self.deleted_only, self.deleted) {
            (true, _) => Shown::DeletedOnly,
            (false, true) => Shown::All,
            (false, false) => Shown::Live,
        }
    }

    pub(super) fn page(&self) -> Page {
        Page {
            offset: self.offset.unwrap_or(0).max(0),
            limit: self.limit.filter(|limit| *limit >= 0).unwrap_or(i64::MAX),
        }
    }

    pub(super) fn prefix(&self) -> Prefix {
        Prefix::read(self.subject_prefix.as_deref().unwrap_or_default())
    }

    /// How a text is wanted; formats of other schema types mean nothing here.
    pub(super) fn format(&self) -> Format {
        match self.format.as_deref() {
            Some("resolved") => Format::Resolved,
            Some("serialized") => Format::Serialized,
            _ => Format::Registered,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|query: axum::extract::Query<Self>| query.0)
            .map_err(|_| Refusal::new(400, "A query parameter is not of its type"))
    }
}

/// Reads a version of a path: a number from 1, `latest` or `-1`.
pub(super) fn wanted(version: &str) -> Result<Wanted, Refusal> {
    let text = version.trim();
    if text.eq_ignore_ascii_case("latest") {
        return Ok(Wanted::Latest);
    }
    match text.parse::<i32>() {
        Ok(-1) => Ok(Wanted::Latest),
        Ok(number) if number > 0 => Ok(Wanted::Number(number.unsigned_abs())),
        _ => Err(Refusal::invalid_version(
            &text.chars().take(40).collect::<String>(),
        )),
    }
}

/// Reads an id of a path; what is no number is a path that does not exist.
pub(super) fn id(text: &str) -> Result<u32, Refusal> {
    match text.parse::<i32>() {
        Ok(id) => u32::try_from(id).map_err(|_| Refusal::schema_id_not_found(id)),
        Err(_) => Err(Refusal::not_found()),
    }
}

/// Whether a field of a request says nothing, so that leaving it out loses nothing.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        Value::String(text) => text.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}
