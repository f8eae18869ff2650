//! What the events of other domains mean to a client.

use std::sync::Arc;

use async_trait::async_trait;
use mesh_core::{ErrorKind, Result};
use mesh_runtime::{Context, Effects, Handler};
use mesh_stream::Received;

use crate::api::PREFERENCE;
use crate::notice::Template;
use crate::notify::{Meaning, Notify};
use crate::products::inputs::{
    ClientChange, ClientChangeKind, LoanDecision, LoanDecisionOutcome, OwnedAccount, PaymentStep,
    PaymentStepKind, PaymentStepStatus,
};
use crate::products::{Preference, PreferenceKey};

/// What this domain asks other domains for.
const PURPOSE: &str = "customer_notification";

/// Tells of decisions on loans.
pub struct Decisions(pub Arc<Notify>);

#[async_trait]
impl Handler<LoanDecision> for Decisions {
    async fn handle(&self, event: &Received<LoanDecision>, ctx: &Context) -> Result<Effects> {
        let Some(decision) = &event.value else {
            return Ok(Effects::new());
        };
        let meaning = Meaning {
            client_id: decision.client_id,
            template: match decision.outcome {
                LoanDecisionOutcome::Approved => Template::LoanApproved,
                LoanDecisionOutcome::Declined => Template::LoanDeclined,
                LoanDecisionOutcome::Referred => Template::LoanReferred,
            },
            reference: Some(decision.application_id.to_string()),
        };
        self.0.tell(event, meaning, ctx).await
    }
}

/// Tells of payments that are done with, one way or the other.
pub struct Payments(pub Arc<Notify>);

#[async_trait]
impl Handler<PaymentStep> for Payments {
    async fn handle(&self, event: &Received<PaymentStep>, ctx: &Context) -> Result<Effects> {
        let Some(payment) = &event.value else {
            return Ok(Effects::new());
        };
        let template = match payment.status {
            PaymentStepStatus::Initiated | PaymentStepStatus::BalanceVerified => {
                return Ok(Effects::new());
            }
            PaymentStepStatus::Completed => Template::PaymentCompleted,
            PaymentStepStatus::Rejected => Template::PaymentRejected,
        };
        // Who is told is who waits for it: the payer of a transfer, the borrower of a payout.
        let account_id = match (payment.kind, payment.from_account) {
            (Some(PaymentStepKind::Transfer), Some(payer)) => payer,
            _ => payment.account_id,
        };
        let Some(client_id) = owner(account_id, ctx).await? else {
            // A payment of an account that is not there is refused; it has nobody to tell.
            tracing::warn!(
                payment_id = %payment.payment_id,
                status = payment.status.as_str(),
                "the account of a payment has no owner to be told"
            );
            return Ok(Effects::new());
        };
        let meaning = Meaning {
            client_id,
            template,
            reference: Some(payment.payment_id.to_string()),
        };
        self.0.tell(event, meaning, ctx).await
    }
}

/// Who owns an account; nobody if there is no such account.
async fn owner(account_id: i64, ctx: &Context) -> Result<Option<i64>> {
    let answer: Result<OwnedAccount> = ctx
        .peer("transaction", PURPOSE)?
        .get_record(&format!("/v1/accounts/{account_id}"))
        .await;
    match answer {
        Ok(account) => Ok(Some(account.owner_client_id)),
        Err(error) if error.kind() == ErrorKind::NotFound && !error.is_retryable() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells of changes, and forgets what is kept of a client who is erased.
pub struct Changes(pub Arc<Notify>);

#[async_trait]
impl Handler<ClientChange> for Changes {
    async fn handle(&self, event: &Received<ClientChange>, ctx: &Context) -> Result<Effects> {
        let Some(change) = &event.value else {
            return Ok(Effects::new());
        };
        let client_id = change.client_id;
        let meaning = Meaning {
            client_id,
            template: match change.kind {
                ClientChangeKind::AddressChanged => Template::AddressChanged,
                ClientChangeKind::ErasureRequested => Template::ErasureRequested,
                ClientChangeKind::Erased => Template::Erased,
                ClientChangeKind::ErasureRefused => Template::ErasureRefused,
            },
            reference: None,
        };
        let mut effects = self.0.tell(event, meaning, ctx).await?;
        if change.kind == ClientChangeKind::Erased {
            let key = client_id.to_string();
            let kept: Option<Preference> = ctx.get_record(PREFERENCE, &key).await?;
            if kept.is_some() {
                effects.add_delete(PREFERENCE, key);
                effects.add_emit_delete::<Preference>(&PreferenceKey { client_id });
            }
        }
        Ok(effects)
    }
}
