//! `/api/v1/domains/{domain}/switch`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::domains::DomainPath;
use super::exchange::{Body, Segments};
use super::parameters::Parameters;
use crate::app::App;
use crate::model::{Switch, Switched};
use crate::refusal::{Problem, Refusal};

/// Puts major versions into service
#[utoipa::path(
    post, path = "/api/v1/domains/{domain}/switch", tag = "products",
    operation_id = "switch_products",
    description = "Each named major stands for its product from now on, also where its contract \
        calls it proposed or a draft. The majors in service before are deprecated, with the new \
        one as their successor; they stay readable. All products change at once or none does, \
        and doing the same again changes nothing.",
    params(DomainPath),
    request_body = Switch,
    responses(
        (status = 200, description = "The products as they are now", body = Switched),
        (status = 400, description = "The body is wrong", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No version of a named major is registered", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn switch(
    State(app): State<Arc<App>>,
    Segments(path): Segments<DomainPath>,
    parameters: Parameters,
    Body(switch): Body<Switch>,
) -> Result<Response, Refusal> {
    parameters.only(&[])?;
    Ok(Json(app.switch(&path.domain, switch).await?).into_response())
}
