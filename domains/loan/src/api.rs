//! The domain's API: decisions, one at a time.

use mesh_core::{Error, Result};
use mesh_runtime::{Context, Reply, Request};

use crate::assessment::DECISION;
use crate::products::Decision;

/// `GET /v1/decisions/{application_id}`: the decision on one application.
///
/// # Errors
/// Not found for an application that is unknown or not decided yet.
pub async fn decision(request: Request, ctx: Context) -> Result<Reply<Decision>> {
    let application_id: i64 = request.parse("application_id")?;
    let decision = ctx
        .get_record(DECISION, &application_id.to_string())
        .await?
        .ok_or_else(|| {
            Error::not_found("no decision on such an application")
                .mend("see the product applications; one that stands there is decided soon")
        })?;
    Reply::one(&request, decision)
}
