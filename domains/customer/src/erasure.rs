//! Erasure of clients who ask for it (GDPR, Article 17), once and for all.
//!
//! A request is refused while a loan of the client runs: the bank needs to know its debtor to be
//! paid (Article 17(3)(e)). Otherwise profile and score are deleted, here and by tombstones in
//! their topics, and the product `erasures` keeps the client's number, so that no import of files
//! brings the client back, not even one into a new store.

use async_trait::async_trait;
use mesh_core::{Error, EventId, Result, TimestampMillis};
use mesh_runtime::{Context, Effects, Handler, Reply, Request};
use mesh_stream::Received;

use crate::address::change;
use crate::api::{SCORE, find_profile};
use crate::import::PROFILE;
use crate::products::inputs::{BorrowedLoan, BorrowedLoanStatus};
use crate::products::{
    ChangeKind, CreditScore, CreditScoreKey, Erasure, ErasureStatus, Profile, ProfileKey,
};

/// The documents that hold erasures, by client.
pub const ERASURE: &str = "erasure";
/// The documents that say which loans run, by client and loan.
const RUNNING: &str = "running_loan";
/// Why an erasure is refused.
const RUNNING_LOAN: &str = "RUNNING_LOAN";

/// Whether a client is erased.
///
/// # Errors
/// If the store cannot be read.
pub async fn is_erased(ctx: &Context, client_id: i64) -> Result<bool> {
    let erasure: Option<Erasure> = ctx.get_record(ERASURE, &client_id.to_string()).await?;
    Ok(erasure.is_some_and(|erasure| erasure.status == ErasureStatus::Erased))
}

/// `GET /v1/clients/{client_id}/erasure`: what became of the client's latest request.
///
/// # Errors
/// Not found for a client that has not asked.
pub async fn erasure(request: Request, ctx: Context) -> Result<Reply<Erasure>> {
    let client_id: i64 = request.parse("client_id")?;
    let erasure = ctx
        .get_record(ERASURE, &client_id.to_string())
        .await?
        .ok_or_else(|| {
            Error::not_found("the client has not asked to be erased")
                .mend("ask with POST to the same path")
        })?;
    Reply::one(&request, erasure)
}

/// `POST /v1/clients/{client_id}/erasure`: the client asks to be erased. While a request waits,
/// and once the client is erased, asking again changes nothing; after a refusal it is a new one.
///
/// # Errors
/// Retryable while the clients are still being read; not found for an unknown client.
pub async fn request_erasure(request: Request, ctx: Context) -> Result<Reply<Erasure>> {
    let client_id: i64 = request.parse("client_id")?;
    let key = client_id.to_string();
    let before: Option<Erasure> = ctx.get_record(ERASURE, &key).await?;
    let number = match before {
        Some(known) if known.status != ErasureStatus::Refused => {
            return Reply::one(&request, known);
        }
        Some(refused) => refused.request.saturating_add(1),
        None => 1,
    };
    find_profile(&ctx, client_id).await?;
    let erasure = Erasure {
        client_id,
        request: number,
        status: ErasureStatus::Requested,
        reason: None,
        requested_at: TimestampMillis::now(),
        decided_at: None,
    };
    let cause = cause(&erasure);
    let asked = change(ChangeKind::ErasureRequested, client_id, &cause, None);
    let effects = Effects::new()
        .put_record(ERASURE, key, &erasure)
        .emit(&erasure)
        .emit_as(EventId(asked.change_id), &asked);
    Reply::commit(&request, cause, erasure, effects)
}

/// What the ids of a request's events follow from.
fn cause(erasure: &Erasure) -> String {
    format!("{}/{}", erasure.client_id, erasure.request)
}

/// Notes which loans run.
pub struct Loans;

#[async_trait]
impl Handler<BorrowedLoan> for Loans {
    async fn handle(&self, event: &Received<BorrowedLoan>, ctx: &Context) -> Result<Effects> {
        let loan_id = event.key.loan_id;
        let Some(loan) = &event.value else {
            // A row that is gone does not say whose it was.
            let ending = format!("/{loan_id}");
            let mut effects = Effects::new();
            for (key, ()) in ctx.scan::<()>(RUNNING, "").await? {
                if key.ends_with(&ending) {
                    effects.add_delete(RUNNING, key);
                }
            }
            return Ok(effects);
        };
        let key = format!("{}/{loan_id}", loan.client_id);
        if loan.status == BorrowedLoanStatus::PaidOff {
            return Ok(Effects::new().delete(RUNNING, key));
        }
        if is_erased(ctx, loan.client_id).await? {
            tracing::warn!(loan_id, "a loan runs for a client who is erased");
        }
        Ok(Effects::new().put(RUNNING, key, &()))
    }
}

/// Decides on requests.
pub struct Erase;

#[async_trait]
impl Handler<Erasure> for Erase {
    async fn handle(&self, event: &Received<Erasure>, ctx: &Context) -> Result<Effects> {
        let Some(asked) = &event.value else {
            return Ok(Effects::new());
        };
        let client_id = asked.client_id;
        let key = client_id.to_string();
        let known: Option<Erasure> = ctx.get_record(ERASURE, &key).await?;
        // The row of a decision comes here too, and a request may come twice.
        let Some(waiting) = known
            .filter(|known| known.request == asked.request)
            .filter(|known| known.status == ErasureStatus::Requested)
        else {
            return Ok(Effects::new());
        };
        let running = ctx.scan::<()>(RUNNING, &format!("{key}/")).await?;
        let (status, kind, reason) = match running.is_empty() {
            true => (ErasureStatus::Erased, ChangeKind::Erased, None),
            false => (
                ErasureStatus::Refused,
                ChangeKind::ErasureRefused,
                Some(RUNNING_LOAN),
            ),
        };
        let cause = cause(&waiting);
        let decided = Erasure {
            status,
            reason: reason.map(str::to_owned),
            decided_at: Some(TimestampMillis::now()),
            ..waiting
        };
        let told = change(kind, client_id, &cause, reason);
        let mut effects = Effects::new()
            .put_record(ERASURE, key.as_str(), &decided)
            .emit(&decided);
        if status == ErasureStatus::Erased {
            effects.add_delete(PROFILE, key.as_str());
            effects.add_emit_delete::<Profile>(&ProfileKey { client_id });
            let score: Option<CreditScore> = ctx.get_record(SCORE, &key).await?;
            if score.is_some() {
                effects.add_delete(SCORE, key.as_str());
                effects.add_emit_delete::<CreditScore>(&CreditScoreKey { client_id });
            }
        }
        effects.add_emit_as(EventId(told.change_id), &told);
        Ok(effects)
    }
}
