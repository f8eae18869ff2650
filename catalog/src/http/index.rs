//! The catalog itself: where things are, and the description of this API.

use std::sync::Arc;

use axum::Extension;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;

use super::exchange::Known;
use super::parameters::Parameters;
use crate::refusal::{Problem, Refusal};

/// Where the parts of the catalog are.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Index {
    /// What answers here.
    name: &'static str,
    /// Its release.
    version: &'static str,
    /// Paths by what is found there.
    links: Links,
}

/// Paths on this host.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Links {
    /// The list of products.
    products: &'static str,
    /// The list of domains.
    domains: &'static str,
    /// The description of this API.
    openapi: &'static str,
}

/// Where things are
#[utoipa::path(
    get, path = "/", tag = "about", operation_id = "index",
    responses((status = 200, description = "Links to the parts of the catalog", body = Index)),
)]
pub(super) async fn index(known: Known) -> Result<Response, Refusal> {
    known.answer(&Index {
        name: "data mesh catalog",
        version: env!("CARGO_PKG_VERSION"),
        links: Links {
            products: "/api/v1/products",
            domains: "/api/v1/domains",
            openapi: "/api/v1/openapi.json",
        },
    })
}

/// The description of this API
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "about", operation_id = "openapi",
    responses(
        (status = 200, description = "An OpenAPI document", body = serde_json::Value),
        (status = 304, description = "The client has it already"),
        (status = 400, description = "A query parameter", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn openapi(
    Extension(description): Extension<Arc<OpenApi>>,
    parameters: Parameters,
    known: Known,
) -> Result<Response, Refusal> {
    parameters.only(&[])?;
    known.answer(&*description)
}
