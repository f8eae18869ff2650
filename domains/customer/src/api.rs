//! The domain's API: profiles, and credit scores made on request.

use chrono::NaiveDate;
use mesh_core::{Error, ErrorKind, Result, TimestampMillis};
use mesh_runtime::{Context, Effects, Reply, Request};
use serde::Deserialize;

use crate::history::observe;
use crate::import::{CLIENTS, PROFILE};
use crate::products::inputs::HistoryEntry;
use crate::products::{CreditScore, Profile, ProfileAccountsRole};
use crate::scorecard;

/// The documents that hold each client's latest score, by client.
pub const SCORE: &str = "score";

/// What `POST /v1/credit_scores` takes.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreRequest {
    /// Whom to score.
    pub client_id: i64,
    /// The account whose history counts; the client must own it.
    pub account_id: i64,
    /// The day; only what was booked before it counts.
    pub as_of: NaiveDate,
}

/// `GET /v1/profiles/{client_id}`: one client's profile.
///
/// # Errors
/// Retryable while the clients are still being read; not found for an unknown client.
pub async fn profile(request: Request, ctx: Context) -> Result<Reply<Profile>> {
    let profile = find_profile(&ctx, request.parse("client_id")?).await?;
    Reply::one(&request, profile)
}

/// `GET /v1/credit_scores/{client_id}`: one client's latest score.
///
/// # Errors
/// Not found for a client that was never scored.
pub async fn latest_score(request: Request, ctx: Context) -> Result<Reply<CreditScore>> {
    let client_id: i64 = request.parse("client_id")?;
    let score = ctx
        .get_record(SCORE, &client_id.to_string())
        .await?
        .ok_or_else(|| {
            Error::not_found("the client has not been scored")
                .mend("ask for a score with POST /v1/credit_scores")
        })?;
    Reply::one(&request, score)
}

/// `POST /v1/credit_scores`: scores a client as of a day. The same question is answered with
/// the same score; the product holds the score of the latest day that was asked for.
///
/// # Errors
/// Retryable while clients or transactions are still being read; not found for an unknown
/// client; refused for an account that the client does not own.
pub async fn make_score(request: Request, ctx: Context) -> Result<Reply<CreditScore>> {
    let asked: ScoreRequest = request.json()?;
    let profile = find_profile(&ctx, asked.client_id).await?;
    let owns = profile.accounts.iter().any(|account| {
        account.account_id == asked.account_id && account.role == ProfileAccountsRole::Owner
    });
    if !owns {
        return Err(Error::new(
            ErrorKind::FailedPrecondition,
            "the client does not own the account",
        )
        .mend("name an account that the client's profile lists with the role OWNER"));
    }

    let purpose = request.access().purpose.as_str();
    let history: Vec<HistoryEntry> = ctx
        .peer("transaction", purpose)?
        .get_records(&format!(
            "/v1/accounts/{}/transactions?until={}",
            asked.account_id, asked.as_of
        ))
        .await?;
    let seen = observe(&history, asked.as_of)?;
    let result = scorecard::score(&profile, &seen, asked.as_of)?;
    let score = CreditScore {
        client_id: asked.client_id,
        account_id: asked.account_id,
        as_of: asked.as_of,
        points: result.points,
        band: result.band,
        components: result.components,
        history_months: seen.months,
        transaction_count: seen.count,
        last_booked_on: seen.last_booked_on,
        average_monthly_inflow: seen.monthly_inflow,
        average_balance: seen.average_balance,
        minimum_balance: seen.minimum_balance,
        scorecard_version: scorecard::VERSION.to_owned(),
        scored_at: TimestampMillis::now(),
    };

    let key = asked.client_id.to_string();
    let latest: Option<CreditScore> = ctx.get_record(SCORE, &key).await?;
    let mut effects = Effects::new();
    if latest.is_none_or(|latest| latest.as_of <= score.as_of) {
        effects.add_put_record(SCORE, key.as_str(), &score);
        effects.add_emit(&score);
    }
    let question = format!("{key}/{}/{}", asked.account_id, asked.as_of);
    Reply::commit(&request, question, score, effects)
}

/// The profile of a client.
///
/// # Errors
/// Retryable while the clients are still being read; not found for an unknown client, and for
/// one who is erased.
pub(crate) async fn find_profile(ctx: &Context, client_id: i64) -> Result<Profile> {
    if let Some(profile) = ctx.get_record(PROFILE, &client_id.to_string()).await? {
        return Ok(profile);
    }
    if !ctx.source_done(CLIENTS) {
        return Err(
            Error::unavailable("the bank's clients are still being read")
                .mend("ask again in a moment"),
        );
    }
    Err(Error::not_found("no such client")
        .mend("see the product profiles for the clients there are"))
}
