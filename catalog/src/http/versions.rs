//! `/api/v1/products/{domain}/{product}/versions/{version}`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mesh_core::Error;
use mesh_core::contract::Version;
use serde::Deserialize;
use utoipa::IntoParams;

use super::exchange::{Body, Known, Segments};
use super::parameters::Parameters;
use crate::app::{App, Wanted};
use crate::model::{Outcome, ProductDetail, ProductRegistration, Registered, Removed};
use crate::refusal::{Problem, Refusal};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct VersionPath {
    /// The owning domain.
    #[param(example = "customer")]
    domain: String,
    /// The product.
    #[param(example = "credit_scores")]
    product: String,
    /// A semantic version; to read also `v<major>`, for the version that stands for a major.
    #[param(example = "1.0.0")]
    version: String,
}

/// All about one version of a product
#[utoipa::path(
    get, path = "/api/v1/products/{domain}/{product}/versions/{version}", tag = "products",
    operation_id = "get_product_version",
    params(VersionPath),
    responses(
        (status = 200, description = "The version", body = ProductDetail,
            headers(("etag" = String, description = "The tag of this content"))),
        (status = 304, description = "The client has it already"),
        (status = 400, description = "The version is none", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such version is registered", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Segments(path): Segments<VersionPath>,
    parameters: Parameters,
    known: Known,
) -> Result<Response, Refusal> {
    parameters.only(&[])?;
    let major = path.version.strip_prefix('v').map(str::parse::<u64>);
    let wanted = match major {
        Some(Ok(major)) => Wanted::Major(major),
        _ => Wanted::Exact(version(&path.version, "write it like `1.0.0`, or `v1`")?),
    };
    let detail = app.product(&path.domain, &path.product, &wanted).await?;
    known.answer(&detail)
}

/// Registers a version of a product
#[utoipa::path(
    put, path = "/api/v1/products/{domain}/{product}/versions/{version}", tag = "products",
    operation_id = "register_product_version",
    description = "To register the same again changes nothing. A version keeps its contract for \
        ever; the product file and the schema ids may be sent anew.",
    params(VersionPath),
    request_body = ProductRegistration,
    responses(
        (status = 200, description = "The version was known", body = Registered),
        (status = 201, description = "The version is new", body = Registered),
        (status = 400, description = "The path, the body or a file in it is wrong; `diagnostics` \
            has each line to be mended", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "The version is registered with another contract, or the \
            contract's id belongs to another product", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn register(
    State(app): State<Arc<App>>,
    Segments(path): Segments<VersionPath>,
    parameters: Parameters,
    Body(registration): Body<ProductRegistration>,
) -> Result<Response, Refusal> {
    parameters.only(&[])?;
    let version = version(&path.version, "write it like `1.0.0`")?;
    let registered = app
        .register(path.domain, path.product, version, registration)
        .await?;
    let status = match registered.outcome {
        Outcome::Created => StatusCode::CREATED,
        Outcome::Updated | Outcome::Unchanged => StatusCode::OK,
    };
    Ok((status, Json(registered)).into_response())
}

/// Takes a version of a product out of the catalog
#[utoipa::path(
    delete, path = "/api/v1/products/{domain}/{product}/versions/{version}", tag = "products",
    operation_id = "remove_product_version",
    description = "The catalog forgets the version; topic and schemas stay as they are. A domain \
        that still declares it registers it again at its next start.",
    params(VersionPath),
    responses(
        (status = 200, description = "The version is gone", body = Removed),
        (status = 400, description = "The version is none", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such version is registered", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Segments(path): Segments<VersionPath>,
    parameters: Parameters,
) -> Result<Response, Refusal> {
    parameters.only(&[])?;
    let version = version(&path.version, "write it like `1.0.0`")?;
    let removed = app.remove(&path.domain, &path.product, &version).await?;
    Ok(Json(removed).into_response())
}

fn version(text: &str, mend: &'static str) -> Result<Version, Error> {
    Version::parse(text).map_err(|error| {
        Error::invalid("the path's version is no semantic version")
            .with("field", "version")
            .mend(mend)
            .because(error)
    })
}
