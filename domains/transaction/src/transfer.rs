//! Transfers between accounts, and from an account to the lending fund.
//!
//! An order is taken over the API and waits in the product `transfer_orders`, which has one
//! partition. So one worker takes them one after the other, in the order in which they were
//! taken, and each sees the balances that the one before has left: the account is never
//! overdrawn, and nobody's transfer fails because another one came in between. The worker commits
//! many transfers at once, so it is no narrower a gate than the store's one writer is.
//!
//! Verifying and booking a transfer is one local commit, both sides of it, so unlike with a
//! payout nothing has to be set aside in between. Both steps are published nevertheless.

use async_trait::async_trait;
use mesh_core::{Error, Result, TimestampMillis};
use mesh_runtime::{Context, Effects, Handler};
use mesh_stream::Received;
use serde::{Deserialize, Serialize};

use crate::import::{ACCOUNT, ENTRY, entry_key, require_import};
use crate::ledger::{INSUFFICIENT_FUNDS, LENDING_FUND, LoanFund, UNKNOWN_ACCOUNT, book, rejected};
use crate::payout::{FUND, PAYMENT, find_fund, find_payment};
use crate::products::{
    Account, LedgerEntry, LedgerEntryDirection as Direction, LedgerEntryOperation as Operation,
    LedgerEntryPaymentKind, LedgerEntryPurpose, LedgerEntrySource, Money, Payment, PaymentStatus,
    TransferOrder,
};

/// Transaction numbers from here on are given to transfers, one after the other. Those of payouts
/// lie below.
pub const TRANSFER_IDS_FROM: i64 = 2_000_000_000_000_000;

/// A transfer is rejected because an account was opened after its value date.
pub const ACCOUNT_NOT_OPEN: &str = "ACCOUNT_NOT_OPEN";
/// A transfer is rejected because the balance of who is paid would not fit the money type.
pub const BALANCE_LIMIT: &str = "BALANCE_LIMIT";

/// The document that counts the bookings of transfers.
const NUMBERS: (&str, &str) = ("transfer_numbers", "transfers");

/// How many numbers were given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    given: i64,
}

impl Numbers {
    fn next(&mut self) -> i64 {
        let number = TRANSFER_IDS_FROM + self.given;
        self.given += 1;
        number
    }
}

/// Who is paid.
#[derive(Debug, Clone, PartialEq)]
pub enum Receiver {
    /// An account of the bank.
    Account(Account),
    /// The lending fund.
    Fund(LoanFund),
}

/// A transfer that is booked: everything that it changes, to be committed as one.
#[derive(Debug, Clone, PartialEq)]
pub struct Booked {
    /// The step BALANCE_VERIFIED.
    pub verified: Payment,
    /// The step COMPLETED.
    pub completed: Payment,
    /// The account that pays, with its new balance.
    pub payer: Account,
    /// Who is paid, with its new balance.
    pub receiver: Receiver,
    /// The booking on the account that pays.
    pub debit: LedgerEntry,
    /// The booking on the account that is paid; none for the lending fund.
    pub credit: Option<LedgerEntry>,
}

/// What comes of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Nothing is booked.
    Rejected(Payment),
    /// Both sides are.
    Booked(Box<Booked>),
}

/// Verifies `payment` against the balance of who pays, and books it. An account that is not there
/// is not the bank's.
///
/// # Errors
/// If the balance of who pays leaves the range of the money type.
pub fn transfer(
    payment: &Payment,
    payer: Option<Account>,
    receiver: Option<Receiver>,
    numbers: &mut Numbers,
    at: TimestampMillis,
) -> Result<Outcome> {
    let reject = |reason| Ok(Outcome::Rejected(rejected(payment, reason, at)));
    let (Some(mut payer), Some(mut receiver)) = (payer, receiver) else {
        return reject(UNKNOWN_ACCOUNT);
    };
    let opened = match &receiver {
        Receiver::Account(account) => payer.opened_on.max(account.opened_on),
        Receiver::Fund(_) => payer.opened_on,
    };
    if payment.value_date < opened {
        return reject(ACCOUNT_NOT_OPEN);
    }
    if payment.amount > payer.balance {
        return reject(INSUFFICIENT_FUNDS);
    }
    let paid = match &mut receiver {
        Receiver::Account(account) => account.balance.checked_add(payment.amount).map(drop),
        Receiver::Fund(fund) => fund.take_back(payment.amount),
    };
    if paid.is_err() {
        return reject(BALANCE_LIMIT);
    }
    let debit = entry(payment, Direction::Debit, &payer, numbers.next());
    book(&mut payer, &debit)?;
    let credit = match &mut receiver {
        Receiver::Account(account) => {
            let credit = entry(payment, Direction::Credit, account, numbers.next());
            book(account, &credit)?;
            Some(credit)
        }
        Receiver::Fund(_) => None,
    };
    let verified = Payment {
        status: PaymentStatus::BalanceVerified,
        at,
        ..payment.clone()
    };
    let completed = Payment {
        status: PaymentStatus::Completed,
        transaction_id: credit.as_ref().map(|entry| entry.transaction_id),
        debit_transaction_id: Some(debit.transaction_id),
        fund_balance: match &receiver {
            Receiver::Fund(fund) => Some(fund.available),
            Receiver::Account(_) => None,
        },
        ..verified.clone()
    };
    Ok(Outcome::Booked(Box::new(Booked {
        verified,
        completed,
        payer,
        receiver,
        debit,
        credit,
    })))
}

fn entry(payment: &Payment, direction: Direction, on: &Account, number: i64) -> LedgerEntry {
    let debit = direction == Direction::Debit;
    let (signed_amount, operation, other) = match debit {
        true => (
            payment.amount.negated(),
            Operation::TransferOut,
            Some(payment.account_id),
        ),
        false => (payment.amount, Operation::TransferIn, payment.from_account),
    };
    let pays_loan = payment.account_id == LENDING_FUND;
    LedgerEntry {
        transaction_id: number,
        account_id: on.account_id,
        booked_on: payment.value_date,
        direction,
        operation: Some(operation),
        amount: payment.amount,
        signed_amount,
        reported_balance: None,
        purpose: pays_loan.then_some(LedgerEntryPurpose::LoanPayment),
        counterparty_bank: None,
        counterparty_account: other,
        source: LedgerEntrySource::LoanPayout,
        payment_id: Some(payment.payment_id),
        payment_kind: Some(LedgerEntryPaymentKind::Transfer),
        reference: payment.reference.clone(),
    }
}

/// Books transfers in the order of their orders.
pub struct Book {
    /// What the lending fund is opened with.
    pub capital: Money,
}

#[async_trait]
impl Handler<TransferOrder> for Book {
    async fn handle(&self, event: &Received<TransferOrder>, ctx: &Context) -> Result<Effects> {
        let Some(order) = &event.value else {
            return Ok(Effects::new());
        };
        // An account that is not there yet must not be taken for one that is unknown.
        require_import(ctx)?;
        let key = order.payment_id.to_string();
        let payment = find_payment(&key, ctx).await?;
        if payment.status != PaymentStatus::Initiated {
            return Ok(Effects::new());
        }
        let payer = match payment.from_account {
            Some(account_id) => find_account(account_id, ctx).await?,
            None => {
                return Err(
                    Error::internal("a transfer does not say who pays").with("payment_id", &key)
                );
            }
        };
        let receiver = match payment.account_id {
            LENDING_FUND => Some(Receiver::Fund(find_fund(self.capital, ctx).await?)),
            account_id => find_account(account_id, ctx).await?.map(Receiver::Account),
        };
        let mut numbers: Numbers = ctx.get(NUMBERS.0, NUMBERS.1).await?.unwrap_or_default();
        let at = TimestampMillis::now();
        Ok(
            match transfer(&payment, payer, receiver, &mut numbers, at)? {
                Outcome::Rejected(payment) => {
                    tracing::debug!(
                        payment_id = key,
                        reason = payment.reason,
                        "a transfer is rejected"
                    );
                    Effects::new()
                        .put_record(PAYMENT, key, &payment)
                        .emit(&payment)
                }
                Outcome::Booked(booked) => effects(&booked, &numbers, key),
            },
        )
    }
}

/// All in one commit: money is never in two places, nor in none.
fn effects(booked: &Booked, numbers: &Numbers, key: String) -> Effects {
    let mut effects = Effects::new().put(NUMBERS.0, NUMBERS.1, numbers);
    for entry in std::iter::once(&booked.debit).chain(&booked.credit) {
        effects.add_put_record(ENTRY, entry_key(entry), entry);
        effects.add_emit(entry);
    }
    let mut accounts = vec![&booked.payer];
    match &booked.receiver {
        Receiver::Account(account) => accounts.push(account),
        Receiver::Fund(fund) => effects.add_put(FUND.0, FUND.1, fund),
    }
    for account in accounts {
        effects.add_put_record(ACCOUNT, account.account_id.to_string(), account);
        effects.add_emit(account);
    }
    effects
        .put_record(PAYMENT, key, &booked.completed)
        .emit(&booked.verified)
        .emit(&booked.completed)
}

async fn find_account(account_id: i64, ctx: &Context) -> Result<Option<Account>> {
    ctx.get_record(ACCOUNT, &account_id.to_string()).await
}
