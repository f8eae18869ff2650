//! The payout of approved loans: one handler begins it, the other takes it step by step.
//!
//! Each step is an event of the product `payments` and the cause of the next, so a payout goes on
//! where it stood after any crash. The step that a payment has reached is kept; an event that
//! arrives again finds it further on and does nothing.

use async_trait::async_trait;
use mesh_core::{Error, ErrorKind, Result, TimestampMillis};
use mesh_runtime::{Context, Effects, Handler};
use mesh_stream::Received;

use crate::import::{ACCOUNT, ENTRY, entry_key, require_import};
use crate::ledger::{LoanFund, complete, initiate, verify};
use crate::products::inputs::{LoanDecision, LoanDecisionOutcome};
use crate::products::{Account, Money, Payment, PaymentKind, PaymentStatus};

/// The documents that hold payments, by id.
pub const PAYMENT: &str = "payment";
/// The document that holds the lending fund.
pub const FUND: (&str, &str) = ("loan_fund", "fund");

/// Begins a payment for each approved application.
pub struct Begin;

#[async_trait]
impl Handler<LoanDecision> for Begin {
    async fn handle(&self, event: &Received<LoanDecision>, ctx: &Context) -> Result<Effects> {
        let Some(decision) = &event.value else {
            return Ok(Effects::new());
        };
        if decision.outcome != LoanDecisionOutcome::Approved {
            return Ok(Effects::new());
        }
        let payment = initiate(decision, TimestampMillis::now())?;
        let key = payment.payment_id.to_string();
        if ctx.get_record::<Payment>(PAYMENT, &key).await?.is_some() {
            tracing::info!(payment_id = key, "the application has a payment already");
            return Ok(Effects::new());
        }
        Ok(Effects::new()
            .put_record(PAYMENT, key, &payment)
            .emit(&payment))
    }
}

/// Takes a payout to its next step; transfers are [booked at once](crate::transfer::Book).
pub struct Settle {
    /// What the lending fund is opened with.
    pub capital: Money,
}

#[async_trait]
impl Handler<Payment> for Settle {
    async fn handle(&self, event: &Received<Payment>, ctx: &Context) -> Result<Effects> {
        let Some(step) = &event.value else {
            return Ok(Effects::new());
        };
        if step.kind == Some(PaymentKind::Transfer) {
            return Ok(Effects::new());
        }
        let key = step.payment_id.to_string();
        let payment = find_payment(&key, ctx).await?;
        if payment.status != step.status {
            return Ok(Effects::new());
        }
        match payment.status {
            PaymentStatus::Initiated => self.verify(&payment, &key, ctx).await,
            PaymentStatus::BalanceVerified => self.complete(&payment, &key, ctx).await,
            PaymentStatus::Completed | PaymentStatus::Rejected => Ok(Effects::new()),
        }
    }
}

impl Settle {
    async fn verify(&self, payment: &Payment, key: &str, ctx: &Context) -> Result<Effects> {
        // An account that is not there yet must not be taken for one that is unknown.
        require_import(ctx)?;
        let account = find_account(payment, ctx).await?;
        let mut fund = find_fund(self.capital, ctx).await?;
        let verified = verify(
            payment,
            &mut fund,
            account.is_some(),
            TimestampMillis::now(),
        )?;
        if let Some(reason) = &verified.reason {
            tracing::warn!(payment_id = key, reason, "a payout is rejected");
        }
        Ok(Effects::new()
            .put(FUND.0, FUND.1, &fund)
            .put_record(PAYMENT, key, &verified)
            .emit(&verified))
    }

    async fn complete(&self, payment: &Payment, key: &str, ctx: &Context) -> Result<Effects> {
        let mut account = find_account(payment, ctx).await?.ok_or_else(|| {
            Error::internal("the account of a verified payment is gone").with("payment_id", key)
        })?;
        let mut fund = find_fund(self.capital, ctx).await?;
        let (completed, entry) =
            complete(payment, &mut fund, &mut account, TimestampMillis::now())?;
        // All in one commit: money is never in two places, nor in none.
        Ok(Effects::new()
            .put(FUND.0, FUND.1, &fund)
            .put_record(ENTRY, entry_key(&entry), &entry)
            .put_record(ACCOUNT, account.account_id.to_string(), &account)
            .put_record(PAYMENT, key, &completed)
            .emit(&entry)
            .emit(&account)
            .emit(&completed))
    }
}

/// A payment that was begun here.
pub(crate) async fn find_payment(key: &str, ctx: &Context) -> Result<Payment> {
    ctx.get_record(PAYMENT, key).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::FailedPrecondition,
            "a payment arrives that was not begun here",
        )
        .with("payment_id", key)
        .mend("use the data directory that the payment was begun with")
    })
}

/// The lending fund, opened with `capital` if nothing was paid yet.
pub(crate) async fn find_fund(capital: Money, ctx: &Context) -> Result<LoanFund> {
    let fund = ctx.get(FUND.0, FUND.1).await?;
    Ok(fund.unwrap_or_else(|| LoanFund::open(capital)))
}

async fn find_account(payment: &Payment, ctx: &Context) -> Result<Option<Account>> {
    ctx.get_record(ACCOUNT, &payment.account_id.to_string())
        .await
}
