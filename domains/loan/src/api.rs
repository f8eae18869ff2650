//! The domain's API: decisions and loans, one at a time.

use mesh_core::{Error, Result};
use mesh_runtime::{Context, Reply, Request};

use crate::assessment::DECISION;
use crate::products::{Decision, Loan};
use crate::servicing::LOAN;

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

/// `GET /v1/loans/{loan_id}`: one loan as it stands on the business date.
///
/// # Errors
/// Not found for an application that is unknown, or that no loan was paid out for.
pub async fn loan(request: Request, ctx: Context) -> Result<Reply<Loan>> {
    let loan_id: i64 = request.parse("loan_id")?;
    let loan = ctx
        .get_record(LOAN, &loan_id.to_string())
        .await?
        .ok_or_else(|| {
            Error::not_found("no such loan").mend(
                "see the product loans; an approved application is a loan once it is paid out",
            )
        })?;
    Reply::one(&request, loan)
}
