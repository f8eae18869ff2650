//! What holds for every request: a time limit, a span, and problem documents for what no
//! handler answered.

use std::any::Any;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use mesh_core::{Error, ErrorKind};
use tracing::Span;

use crate::refusal::Refusal;

/// How long a request may take, its body included.
const TIME_LIMIT: Duration = Duration::from_secs(30);

pub(super) async fn time_limit(request: Request, next: Next) -> Response {
    match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal::from(
            Error::new(ErrorKind::Timeout, "the catalog took too long")
                .with("seconds", TIME_LIMIT.as_secs())
                .mend("send it again; to register twice is the same as once"),
        )
        .into_response(),
    }
}

/// Gives a body to the empty answers that routing makes for an unknown path or method.
///
/// A fallback would do the same, but two routers with fallbacks cannot be merged by a host.
pub(super) async fn describe_misses(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let status = response.status();
    if response.headers().contains_key(header::CONTENT_TYPE) {
        return response;
    }
    let error = match status {
        StatusCode::NOT_FOUND => Error::not_found("there is nothing at this path"),
        StatusCode::METHOD_NOT_ALLOWED => Error::invalid("this path does not know the method"),
        _ => return response,
    };
    let error = error
        .with("path", path)
        .mend("look at GET /api/v1/openapi.json");
    let mut described = Refusal::with_status(error, status).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        described.headers_mut().insert(header::ALLOW, allow.clone());
    }
    described
}

/// A fault of ours still answers with a problem document.
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let what = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Refusal::from(Error::internal("a request handler panicked").detail(what)).into_response()
}

pub(super) fn span(request: &Request) -> Span {
    let id = request
        .headers()
        .get("x-request-id")
        .map_or("", |id: &HeaderValue| id.to_str().unwrap_or_default());
    tracing::info_span!(
        "catalog_request",
        method = %request.method(),
        path = request.uri().path(),
        request_id = id,
    )
}
