//! The REST API: paths, parameters and JSON in and out.

mod domains;
mod exchange;
mod index;
mod layers;
mod parameters;
mod products;
mod switch;
mod versions;

use std::sync::Arc;

use axum::Extension;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Two files and two schemas of the longest length, with what JSON adds to them.
const MAX_BODY: usize = 8 << 20;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Data mesh catalog",
        description = "Domains and data products: registered by the domains, read by people, \
            the SQL engine and other domains. Errors are RFC 9457 problem documents whose `mend` \
            says what to do. Answers to GET carry an `ETag`; sent back as `If-None-Match` it is \
            answered with 304 while nothing changed.",
    ),
    tags(
        (name = "products", description = "Data products and their versions"),
        (name = "domains", description = "The domains that own them"),
        (name = "about", description = "The catalog itself"),
    ),
)]
struct Description;

pub(crate) fn router(app: Arc<App>) -> Router {
    // Every route is added by `routes!`, which describes it in the document too.
    let (router, description) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(index::index))
        .routes(routes!(index::openapi))
        .routes(routes!(domains::list))
        .routes(routes!(domains::one, domains::register))
        .routes(routes!(switch::switch))
        .routes(routes!(products::list))
        .routes(routes!(products::one))
        .routes(routes!(versions::one, versions::register, versions::remove))
        .split_for_parts();
    router
        .layer(Extension(Arc::new(description)))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(layers::time_limit))
        .layer(from_fn(layers::describe_misses))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(TraceLayer::new_for_http().make_span_with(layers::span))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .with_state(app)
}
