//! From an application to its decision: looks up score, profile and history at the other
//! domains, decides by the rules, and keeps what was looked up with the decision.

use async_trait::async_trait;
use mesh_core::{Error, Result, TimestampMillis};
use mesh_runtime::{Context, Effects, Handler};
use mesh_stream::Received;
use serde::Serialize;

use crate::history::{observe, whole_months};
use crate::products::inputs::{
    ApplicantProfile, ApplicantProfileAccountsRole as Role, ApplicantScore, HistoryEntry,
};
use crate::products::{Application, Decision, DecisionObserved};
use crate::rules;

/// The documents that hold decisions, by application.
pub const DECISION: &str = "decision";

/// What this domain asks other domains for.
const PURPOSE: &str = "credit_assessment";

/// Decides on each application once.
pub struct Assess;

#[async_trait]
impl Handler<Application> for Assess {
    async fn handle(&self, event: &Received<Application>, ctx: &Context) -> Result<Effects> {
        let Some(application) = &event.value else {
            return Ok(Effects::new());
        };
        let key = application.application_id.to_string();
        if ctx.get_record::<Decision>(DECISION, &key).await?.is_some() {
            tracing::info!(application_id = key, "the application is decided already");
            return Ok(Effects::new());
        }
        let observed = look_up(application, ctx).await?;
        let decision = decision(application, observed, TimestampMillis::now());
        tracing::debug!(
            application_id = key,
            outcome = decision.outcome.as_str(),
            "application decided"
        );
        Ok(Effects::new()
            .put_record(DECISION, key, &decision)
            .emit(&decision))
    }
}

/// The decision that the rules make of `observed`.
pub fn decision(
    application: &Application,
    observed: DecisionObserved,
    decided_at: TimestampMillis,
) -> Decision {
    let (outcome, reasons) = rules::decide(application, &observed);
    Decision {
        application_id: application.application_id,
        account_id: application.account_id,
        client_id: application.client_id,
        outcome,
        reason_codes: reasons
            .iter()
            .map(|reason| reason.as_str().to_owned())
            .collect(),
        amount: application.amount,
        duration_months: application.duration_months,
        monthly_payment: application.monthly_payment,
        as_of: application.applied_on,
        decided_at,
        policy_version: rules::VERSION.to_owned(),
        observed,
    }
}

#[derive(Serialize)]
struct ScoreRequest {
    client_id: i64,
    account_id: i64,
    as_of: chrono::NaiveDate,
}

async fn look_up(application: &Application, ctx: &Context) -> Result<DecisionObserved> {
    let as_of = application.applied_on;
    let customer = ctx.peer("customer", PURPOSE)?;
    let profile: ApplicantProfile = customer
        .get_record(&format!("/v1/profiles/{}", application.client_id))
        .await?;
    // Nobody's account is looked at for somebody who does not own it.
    if !owns(&profile, application.account_id) {
        return observed(application, &profile, None, &[]);
    }
    let question = ScoreRequest {
        client_id: application.client_id,
        account_id: application.account_id,
        as_of,
    };
    let score: ApplicantScore = customer.post_record("/v1/credit_scores", &question).await?;
    let answers_question = score.client_id == question.client_id
        && score.account_id == question.account_id
        && score.as_of == question.as_of;
    if !answers_question {
        return Err(
            Error::internal("a score answers another question than was asked")
                .with("application_id", application.application_id),
        );
    }
    let history: Vec<HistoryEntry> = ctx
        .peer("transaction", PURPOSE)?
        .get_records(&format!(
            "/v1/accounts/{}/transactions?until={as_of}",
            application.account_id
        ))
        .await?;
    observed(application, &profile, Some(&score), &history)
}

fn owns(profile: &ApplicantProfile, account_id: i64) -> bool {
    profile
        .accounts
        .iter()
        .any(|account| account.account_id == account_id && account.role == Role::Owner)
}

/// What the rules look at, out of the answers of the other domains; without a score where none
/// was asked for.
///
/// # Errors
/// If a sum of the history does not fit the money type.
pub fn observed(
    application: &Application,
    profile: &ApplicantProfile,
    score: Option<&ApplicantScore>,
    history: &[HistoryEntry],
) -> Result<DecisionObserved> {
    let as_of = application.applied_on;
    let means = observe(history, as_of)?;
    let age = whole_months(profile.birth_date, as_of) / 12;
    Ok(DecisionObserved {
        age_years: i32::try_from(age).unwrap_or(i32::MAX),
        owns_account: owns(profile, application.account_id),
        score_points: score.map(|score| score.points),
        score_band: score.map(|score| score.band.as_str().to_owned()),
        scorecard_version: score.map(|score| score.scorecard_version.clone()),
        average_balance: score.map(|score| score.average_balance),
        minimum_balance: score.map(|score| score.minimum_balance),
        history_months: means.months,
        history_transactions: means.count,
        days_since_last: means.days_since_last,
        monthly_inflow: means.monthly_inflow,
        monthly_commitments: means.monthly_commitments,
    })
}
