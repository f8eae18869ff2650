//! Who asks.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::access::Access;
use crate::app::{App, Core};
use crate::refusal::Refusal;

const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"schema registry\", charset=\"UTF-8\", Bearer");

/// Lets a request in with what it may do, or answers that it has to say who asks.
pub(super) async fn admit(
    State(core): State<Arc<Core>>,
    mut request: Request,
    next: Next,
) -> Response {
    let access = match &core.doorman {
        None => Access::Open,
        Some(doorman) => {
            let proof = request.headers().get(header::AUTHORIZATION);
            let proof = proof.map(|proof| proof.as_bytes().to_vec());
            match doorman.admit(proof.as_deref()).await {
                Ok(access) => access,
                Err(refused) => {
                    tracing::info!(?refused, path = request.uri().path(), "nobody we know");
                    let mut response = Refusal::unauthorized().into_response();
                    let headers = response.headers_mut();
                    headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
                    return response;
                }
            }
        }
    };
    request.extensions_mut().insert(access);
    next.run(request).await
}

impl FromRequestParts<Arc<Core>> for App {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, core: &Arc<Core>) -> Result<Self, Infallible> {
        // Every request comes by [`admit`]; one that did not may do nothing.
        let access = parts.extensions.get::<Access>().cloned();
        let access = access.unwrap_or_else(|| Access::Granted(Arc::from([])));
        Ok(Self::new(Arc::clone(core), access))
    }
}
