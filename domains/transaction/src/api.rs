//! The domain's API: accounts, their history up to a day, payments, and orders to transfer money.

use chrono::{NaiveDate, Utc};
use mesh_core::{Error, ErrorKind, EventId, Result, TimestampMillis};
use mesh_runtime::{Context, Effects, Reply, Request};

use crate::import::{ACCOUNT, ENTRY, entry_prefix, require_import};
use crate::order::Order;
use crate::payout::PAYMENT;
use crate::products::{Account, LedgerEntry, Payment, TransferOrder};

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

/// `POST /v1/transfers`: takes the order for a transfer, as [`Order`] tells it, and answers with
/// the payment, which is INITIATED. What becomes of it is decided afterwards, in the order in
/// which orders were taken; ask for the payment, or read the product payments.
///
/// No balance is read here. Thousands of callers may so order transfers between the same few
/// accounts without one having to wait for, or to be refused because of, another.
///
/// The same order again, under its own id, is answered with the payment as it stands then.
///
/// # Errors
/// Invalid input with the field that is wrong; a failed precondition if the id is that of
/// another order.
pub async fn transfer(request: Request, ctx: Context) -> Result<Reply<Payment>> {
    let at = TimestampMillis::now();
    let order = Order::read(&request.json()?, Utc::now().date_naive())?;
    let payment = order.initiate(&request.access().principal, at);
    let key = payment.payment_id.to_string();
    if let Some(known) = ctx.get_record::<Payment>(PAYMENT, &key).await? {
        if !order.asks_for(&known) {
            return Err(Error::new(
                ErrorKind::FailedPrecondition,
                "the id was used for another transfer",
            )
            .with("field", "transfer_id")
            .mend("give each transfer an id of its own, such as a UUID"));
        }
        return Reply::one(&request, known);
    }
    let taken = TransferOrder {
        payment_id: payment.payment_id,
        account_id: order.from_account,
        ordered_at: at,
    };
    let effects = Effects::new()
        .put_record(PAYMENT, key.as_str(), &payment)
        .emit(&payment)
        .emit(&taken);
    Reply::commit(&request, key, payment, effects)
}

async fn find_account(ctx: &Context, account_id: i64) -> Result<Account> {
    ctx.get_record(ACCOUNT, &account_id.to_string())
        .await?
        .ok_or_else(|| {
            Error::not_found("no such account")
                .mend("see the product accounts for the accounts there are")
        })
}
