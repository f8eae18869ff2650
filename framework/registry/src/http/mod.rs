//! The REST API: paths, query parameters and JSON shapes of Confluent's registry.

mod compatibility;
mod config;
mod contexts;
mod exchange;
mod login;
mod mode;
mod schema;
mod schemas;
mod server;
mod subjects;
mod versions;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;

use crate::app::Core;
use crate::refusal::Refusal;
use exchange::Json;

pub(crate) fn router(core: Arc<Core>) -> Router {
    let inner = paths().with_state(Arc::clone(&core));
    let forwarded = inner.clone();
    Router::new()
        .route(
            "/contexts/{context}/{*rest}",
            any(async move |request: Request| contexts::forward(forwarded, request).await),
        )
        .fallback_service(inner)
        .layer(from_fn_with_state(core, login::admit))
        .layer(from_fn(exchange::negotiate))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TraceLayer::new_for_http())
}

fn paths() -> Router<Arc<Core>> {
    Router::new()
        .route("/", get(async || Json(json!({}))))
        .route("/contexts", get(contexts::list))
        .route("/v1/metadata/id", get(server::id))
        .route("/v1/metadata/version", get(server::version))
        .route("/subjects", get(subjects::list))
        .route(
            "/subjects/{subject}",
            post(subjects::look_up).delete(subjects::delete),
        )
        .route(
            "/subjects/{subject}/metadata",
            get(subjects::latest_with_metadata),
        )
        .route(
            "/subjects/{subject}/versions",
            get(versions::list).post(versions::register),
        )
        .route(
            "/subjects/{subject}/versions/{version}",
            get(versions::one).delete(versions::delete),
        )
        .route(
            "/subjects/{subject}/versions/{version}/schema",
            get(versions::schema),
        )
        .route(
            "/subjects/{subject}/versions/{version}/referencedby",
            get(versions::referenced_by),
        )
        .route("/schemas", get(schemas::list))
        .route("/schemas/types", get(schemas::types))
        .route("/schemas/ids/{id}", get(schemas::by_id))
        .route("/schemas/ids/{id}/schema", get(schemas::text))
        .route("/schemas/ids/{id}/subjects", get(schemas::subjects))
        .route("/schemas/ids/{id}/versions", get(schemas::versions))
        .route(
            "/compatibility/subjects/{subject}/versions",
            post(compatibility::all),
        )
        .route(
            "/compatibility/subjects/{subject}/versions/{version}",
            post(compatibility::one),
        )
        .route(
            "/config",
            get(config::global)
                .put(config::set_global)
                .delete(config::delete_global),
        )
        .route(
            "/config/{subject}",
            get(config::of_subject)
                .put(config::set_subject)
                .delete(config::delete_subject),
        )
        .route(
            "/mode",
            get(mode::global)
                .put(mode::set_global)
                .delete(mode::delete_global),
        )
        .route(
            "/mode/{subject}",
            get(mode::of_subject)
                .put(mode::set_subject)
                .delete(mode::delete_subject),
        )
        .fallback(async || Refusal::not_found())
        .method_not_allowed_fallback(async || Refusal::new(405, "HTTP 405 Method Not Allowed"))
}

/// A fault of ours still answers in the shape that clients read.
fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a request handler panicked");
    Refusal::new(500, "Internal Server Error").into_response()
}
