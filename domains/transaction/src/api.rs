//! The domain's API: accounts, their history up to a day, and payments.

use chrono::NaiveDate;
use mesh_core::{Error, EventId, Result};
use mesh_runtime::{Context, Reply, Request};

use crate::import::{ACCOUNT, ENTRY, entry_prefix, require_import};
use crate::payout::PAYMENT;
use crate::products::{Account, LedgerEntry, Payment};

/// `GET /v1/accounts/{account_id}`: one account as it stands now.
///
/// # Errors
/// Retryable until the bank's files are read; not found for an unknown account.
pub async fn account(request: Request, ctx: Context) -> Result<Reply<Account>> {
    require_import(&ctx)?;
    let account = find_account(&ctx, request.parse("account_id")?).await?;
    Reply::one(&request, account)
}

/// `GET /v1/accounts/{account_id}/transactions?until=1998-01-31`: the account's transactions
/// booked before the day `until` (all without it), in the order of their days.
///
/// # Errors
/// Retryable until the bank's files are read; not found for an unknown account.
pub async fn history(request: Request, ctx: Context) -> Result<Reply<LedgerEntry>> {
    require_import(&ctx)?;
    let account_id = request.parse("account_id")?;
    let until: Option<NaiveDate> = request.parse_query("until")?;
    find_account(&ctx, account_id).await?;
    let entries: Vec<(String, LedgerEntry)> =
        ctx.scan_records(ENTRY, &entry_prefix(account_id)).await?;
    let entries = entries
        .into_iter()
        .map(|(_, entry)| entry)
        .filter(|entry| until.is_none_or(|until| entry.booked_on < until))
        .collect();
    Reply::many(&request, entries)
}

/// `GET /v1/payments/{payment_id}`: the step that a payment has reached.
///
/// # Errors
/// Not found for an unknown payment.
pub async fn payment(request: Request, ctx: Context) -> Result<Reply<Payment>> {
    let payment_id: EventId = request.parse("payment_id")?;
    let payment = ctx
        .get_record(PAYMENT, &payment_id.to_string())
        .await?
        .ok_or_else(|| {
            Error::not_found("no such payment")
                .mend("see the product payments for the payments there are")
        })?;
    Reply::one(&request, payment)
}

async fn find_account(ctx: &Context, account_id: i64) -> Result<Account> {
    ctx.get_record(ACCOUNT, &account_id.to_string())
        .await?
        .ok_or_else(|| {
            Error::not_found("no such account")
                .mend("see the product accounts for the accounts there are")
        })
}
