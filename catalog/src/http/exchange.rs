//! Bodies and path segments in, cacheable answers out.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mesh_core::{Error, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::MAX_BODY;
use crate::refusal::Refusal;

/// The namespace of entity tags (UUID version 5).
const TAGS: Uuid = Uuid::from_u128(0x5a3e_91c4_27f8_5d06_b2c1_7e94_0b6d_38fa);

/// The JSON body of a request.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(refuse_body(rejection)),
        }
    }
}

fn refuse_body(rejection: JsonRejection) -> Refusal {
    match rejection {
        JsonRejection::MissingJsonContentType(_) => Refusal::with_status(
            Error::invalid("the body is not said to be json")
                .mend("send the header `Content-Type: application/json`"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        JsonRejection::JsonDataError(error) => Error::invalid("the body has another shape")
            .with("found", shown(&error.body_text()))
            .mend("send the fields that GET /api/v1/openapi.json describes")
            .into(),
        JsonRejection::JsonSyntaxError(error) => Error::invalid("the body is no json")
            .with("found", shown(&error.body_text()))
            .mend("send one json object in UTF-8")
            .into(),
        other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => Refusal::with_status(
            Error::new(ErrorKind::ResourceExhausted, "the body is too long")
                .with("bytes", MAX_BODY)
                .mend("keep each file and each schema within 1 MiB"),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        other => Error::invalid("the body could not be read")
            .mend("send it again")
            .because(other)
            .into(),
    }
}

/// The beginning of `text`, which may quote what was sent at any length.
fn shown(text: &str) -> String {
    text.chars().take(300).collect()
}

/// The variable segments of a request's path.
pub(super) struct Segments<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(rejection) => Err(Error::invalid("the path could not be read")
                .mend("encode it as UTF-8 with percent signs")
                .because(rejection)
                .into()),
        }
    }
}

/// The entity tags that a client has already (RFC 9110, section 13.1.2).
pub(super) struct Known(Vec<String>);

impl<S: Send + Sync> FromRequestParts<S> for Known {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.headers))
    }
}

impl Known {
    fn of(headers: &HeaderMap) -> Self {
        let mut tags = Vec::new();
        for value in headers.get_all(header::IF_NONE_MATCH) {
            // Our tags hold no comma; of another server's tag a part matches nothing.
            for tag in value.to_str().unwrap_or_default().split(',') {
                let tag = tag.trim();
                tags.push(tag.strip_prefix("W/").unwrap_or(tag).to_owned());
            }
        }
        Self(tags)
    }

    fn holds(&self, tag: &str) -> bool {
        self.0.iter().any(|known| known == tag || known == "*")
    }

    /// `body` with the tag of its content, or 304 where the client has just that.
    pub(super) fn answer(&self, body: &impl Serialize) -> Result<Response, Refusal> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Error::internal("an answer was not written as json").because(error))?;
        let tag = format!("\"{}\"", Uuid::new_v5(&TAGS, &body).simple());
        let mut response = if self.holds(&tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        };
        let tag = HeaderValue::from_str(&tag)
            .map_err(|error| Error::internal("a tag was not written").because(error))?;
        let headers = response.headers_mut();
        headers.insert(header::ETAG, tag);
        // Keep it, and ask each time whether it still holds.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Ok(response)
    }
}
