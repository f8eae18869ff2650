//! `/api/v1/domains`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::exchange::{Body, Known, Segments};
use super::parameters::Parameters;
use crate::app::App;
use crate::model::{Domain, DomainPage, DomainRegistration};
use crate::refusal::{Problem, Refusal};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct DomainPath {
    /// The domain's name, `[a-z][a-z0-9_]*`.
    #[param(example = "customer")]
    pub(super) domain: String,
}

/// The query parameters of the list; read by hand so that a wrong one is named.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters that `list` reads")]
struct DomainQuery {
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The domains in the order of their names
#[utoipa::path(
    get, path = "/api/v1/domains", tag = "domains", operation_id = "list_domains",
    params(DomainQuery),
    responses(
        (status = 200, description = "A page of domains", body = DomainPage,
            headers(("etag" = String, description = "The tag of this content"))),
        (status = 304, description = "The client has it already"),
        (status = 400, description = "A query parameter is wrong", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    parameters: Parameters,
    known: Known,
) -> Result<Response, Refusal> {
    let parameters = parameters.only(&["limit", "cursor"])?;
    let page = app
        .domains(parameters.limit()?, parameters.cursor())
        .await?;
    known.answer(&page)
}

/// One domain
#[utoipa::path(
    get, path = "/api/v1/domains/{domain}", tag = "domains", operation_id = "get_domain",
    params(DomainPath),
    responses(
        (status = 200, description = "The domain", body = Domain,
            headers(("etag" = String, description = "The tag of this content"))),
        (status = 304, description = "The client has it already"),
        (status = 404, description = "No such domain is registered", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Segments(path): Segments<DomainPath>,
    parameters: Parameters,
    known: Known,
) -> Result<Response, Refusal> {
    parameters.only(&[])?;
    known.answer(&app.domain(&path.domain).await?)
}

/// Registers a domain, or says where its API is now
#[utoipa::path(
    put, path = "/api/v1/domains/{domain}", tag = "domains", operation_id = "register_domain",
    params(DomainPath),
    request_body = DomainRegistration,
    responses(
        (status = 200, description = "The domain was known", body = Domain),
        (status = 201, description = "The domain is new", body = Domain),
        (status = 400, description = "The name or the body is wrong", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn register(
    State(app): State<Arc<App>>,
    Segments(path): Segments<DomainPath>,
    parameters: Parameters,
    Body(registration): Body<DomainRegistration>,
) -> Result<Response, Refusal> {
    parameters.only(&[])?;
    let (new, domain) = app.register_domain(&path.domain, registration).await?;
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(domain)).into_response())
}
