//! Looking after loans: a payout opens one, transfers to the lending fund pay it back, and as the
//! days pass instalments fall due.
//!
//! A loan is judged as of the newest day that is known of it: of a booking on the borrower's
//! account when the loan was opened, of a payment from or to that account or on the loan since
//! then, or the calendar's day if the domain follows that ([`DayEnds`]). So a bank of the past,
//! of which the books end somewhere, is not judged by what came after they end: that nothing was
//! paid is known only where the books go on. That day never goes back.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use async_trait::async_trait;
use chrono::{NaiveDate, Utc};
use mesh_core::{Error, ErrorKind, Result};
use mesh_runtime::{Context, Effects, Handler, Source, SourceBatch};
use mesh_stream::Received;

use crate::account::{Instalment, LoanAccount};
use crate::assessment::DECISION;
use crate::products::inputs::{
    BankPayment, BankPaymentKind, BankPaymentStatus, HistoryEntry, HistoryEntryPurpose,
    HistoryEntrySource,
};
use crate::products::{Decision, Loan, LoanStatus, Money};
use crate::reference::loan_of;

/// The documents that hold the product's rows, by loan.
pub const LOAN: &str = "loan";
/// The documents that hold the accounts of loans, by loan.
const ACCOUNT: &str = "loan_account";
/// Which loans an account has; see [`of_account`].
const OF_ACCOUNT: &str = "loan_of_account";
/// On which day which loan changes if nothing is paid; see [`day_key`].
const CHANGES: &str = "loan_changes";
/// Payments that arrived before the loan that they name, by loan and payment.
const EARLY: &str = "early_instalment";
/// The document that holds the last day of the calendar that was gone through.
const CALENDAR: (&str, &str) = ("calendar", "day_end");

/// The account of the lending fund, as the contract of `transaction.payments` tells it.
pub const LENDING_FUND: i64 = 9_000_000_001;

/// What the transaction domain is asked for histories for.
const PURPOSE: &str = "loan_servicing";

/// By how much a whole number of crowns differs from what it was rounded from, in hundredths.
const ROUNDING: i128 = 50;

/// Past this many days the list of changes is read whole and not day by day.
const FEW_DAYS: i64 = 31;

fn of_account(account_id: i64, loan_id: i64) -> String {
    format!("{account_id}/{loan_id}")
}

fn day_key(day: NaiveDate, loan_id: i64) -> String {
    format!("{day}/{loan_id}")
}

/// A loan that was taken out to be worked out anew.
struct Open {
    /// As it is kept; nothing if it is new.
    kept: Option<LoanAccount>,
    now: LoanAccount,
}

/// One unit of work on loans.
struct Desk<'a> {
    ctx: &'a Context,
    /// The day of the calendar, if it was ever followed.
    today: Option<NaiveDate>,
    open: BTreeMap<i64, Open>,
    effects: Effects,
}

impl<'a> Desk<'a> {
    async fn open(ctx: &'a Context) -> Result<Self> {
        Ok(Self {
            ctx,
            today: ctx.get(CALENDAR.0, CALENDAR.1).await?,
            open: BTreeMap::new(),
            effects: Effects::new(),
        })
    }

    /// Takes a loan out; `None` if there is no such loan.
    async fn take(&mut self, loan_id: i64) -> Result<Option<&mut LoanAccount>> {
        if let Entry::Vacant(free) = self.open.entry(loan_id) {
            let kept: Option<LoanAccount> = self.ctx.get(ACCOUNT, &loan_id.to_string()).await?;
            let Some(now) = kept.clone() else {
                return Ok(None);
            };
            free.insert(Open { kept, now });
        }
        Ok(self.open.get_mut(&loan_id).map(|open| &mut open.now))
    }

    /// The numbers of the loans of an account.
    async fn loans_of(&self, account_id: i64) -> Result<Vec<i64>> {
        let prefix = of_account_prefix(account_id);
        let found: Vec<(String, i64)> = self.ctx.scan(OF_ACCOUNT, &prefix).await?;
        Ok(found.into_iter().map(|(_, loan_id)| loan_id).collect())
    }

    /// Notes that the books of an account are known up to `day`.
    async fn know(&mut self, account_id: i64, day: NaiveDate) -> Result<()> {
        for loan_id in self.loans_of(account_id).await? {
            if let Some(account) = self.take(loan_id).await? {
                account.know(day);
            }
        }
        Ok(())
    }

    /// Moves on to a day of the calendar, and takes out the loans that change by then.
    async fn advance(&mut self, day: NaiveDate) -> Result<()> {
        let from = match self.today {
            Some(today) if today >= day => return Ok(()),
            other => other,
        };
        self.effects.add_put(CALENDAR.0, CALENDAR.1, &day);
        self.today = Some(day);
        let few = from.filter(|from| day.signed_duration_since(*from).num_days() <= FEW_DAYS);
        let prefixes: Vec<String> = match few {
            Some(from) => from
                .iter_days()
                .skip(1)
                .take_while(|passed| *passed <= day)
                .map(|passed| format!("{passed}/"))
                .collect(),
            None => vec![String::new()],
        };
        for prefix in prefixes {
            let found: Vec<(String, (NaiveDate, i64))> = self.ctx.scan(CHANGES, &prefix).await?;
            for (_, (on, loan_id)) in found {
                if on <= day {
                    self.take(loan_id).await?;
                }
            }
        }
        Ok(())
    }

    /// Works out every loan that was taken out, and tells what has changed.
    async fn close(mut self) -> Result<Effects> {
        for (loan_id, Open { kept, mut now }) in std::mem::take(&mut self.open) {
            let key = loan_id.to_string();
            let as_of = self
                .today
                .map_or(now.known_until, |today| now.known_until.max(today));
            let standing = now.standing(as_of)?;
            if now.looked_at_on != standing.changes_on {
                if let Some(day) = now.looked_at_on {
                    self.effects.add_delete(CHANGES, day_key(day, loan_id));
                }
                if let Some(day) = standing.changes_on {
                    let change = (day, loan_id);
                    self.effects
                        .add_put(CHANGES, day_key(day, loan_id), &change);
                }
                now.looked_at_on = standing.changes_on;
            }
            let row = now.row(&standing, as_of)?;
            if kept.as_ref() != Some(&now) {
                self.effects.add_put(ACCOUNT, key.as_str(), &now);
            }
            let before: Option<Loan> = self.ctx.get_record(LOAN, &key).await?;
            let same = before.is_some_and(|before| {
                before
                    == Loan {
                        as_of: before.as_of,
                        ..row.clone()
                    }
            });
            if !same {
                tracing::debug!(loan_id, status = row.status.as_str(), "a loan has changed");
                self.effects.add_put_record(LOAN, key, &row);
                self.effects.add_emit(&row);
            }
        }
        Ok(self.effects)
    }

    /// Opens the loan that `payout` pays out.
    async fn grant(&mut self, payout: &BankPayment) -> Result<()> {
        let loan_id = payout.application_id;
        let key = loan_id.to_string();
        if self.take(loan_id).await?.is_some() {
            tracing::info!(loan_id, "the loan is open already");
            return Ok(());
        }
        let decision: Decision = self.ctx.get_record(DECISION, &key).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::FailedPrecondition,
                "a loan is paid out that was not decided here",
            )
            .with("application_id", loan_id)
            .mend("use the data directory that the application was decided with")
        })?;
        let mut account = LoanAccount {
            loan_id,
            client_id: decision.client_id,
            account_id: payout.account_id,
            payment_id: payout.payment_id,
            amount: payout.amount,
            duration_months: decision.duration_months,
            granted_on: payout.value_date,
            known_until: payout.value_date,
            instalments: Vec::new(),
            looked_at_on: None,
        };
        // Refused here rather than half opened.
        account.schedule()?;
        self.take_in_history(&mut account).await?;
        let early: Vec<(String, Instalment)> = self.ctx.scan(EARLY, &format!("{key}/")).await?;
        for (early_key, instalment) in early {
            account.know(instalment.on);
            account.pay(instalment);
            self.effects.add_delete(EARLY, early_key);
        }
        let of = of_account(account.account_id, loan_id);
        self.effects.add_put(OF_ACCOUNT, of, &loan_id);
        let open = Open {
            kept: None,
            now: account,
        };
        self.open.insert(loan_id, open);
        Ok(())
    }

    /// What the bank's books say was paid on the loan before there were payments. Such a booking
    /// names no loan: it is on the loan of the account that was opened first and has something
    /// left to pay.
    async fn take_in_history(&mut self, account: &mut LoanAccount) -> Result<()> {
        let path = format!("/v1/accounts/{}/transactions", account.account_id);
        let peer = self.ctx.peer("transaction", PURPOSE)?;
        let history: Vec<HistoryEntry> = peer.get_records(&path).await?;
        if let Some(newest) = history.iter().map(|entry| entry.booked_on).max() {
            account.know(newest);
        }
        let mut spent = Vec::new();
        for loan_id in self.loans_of(account.account_id).await? {
            if let Some(other) = self.take(loan_id).await? {
                spent.extend(other.instalments.iter().map(|one| one.id.clone()));
            }
        }
        let due = account.schedule()?.instalment();
        for instalment in imported_instalments(&history, account.granted_on, due) {
            let left = account.standing(account.known_until)?.outstanding;
            if left > Money::ZERO && !spent.contains(&instalment.id) {
                account.pay(instalment);
            }
        }
        Ok(())
    }

    /// Takes in a transfer to the lending fund.
    async fn pay(&mut self, transfer: &BankPayment) -> Result<()> {
        let instalment = Instalment {
            id: transfer.payment_id.to_string(),
            on: transfer.value_date,
            amount: transfer.amount,
        };
        let loan_id = match transfer.reference.as_deref().and_then(loan_of) {
            Some(loan_id) => loan_id,
            None => self.only_loan_of(transfer).await?,
        };
        if let Some(account) = self.take(loan_id).await? {
            account.know(instalment.on);
            if !account.pay(instalment) {
                tracing::info!(loan_id, "the instalment is taken in already");
            }
            return Ok(());
        }
        // Payout and transfer are in two partitions, so the one may overtake the other.
        tracing::warn!(
            loan_id,
            payment_id = %transfer.payment_id,
            "an instalment names a loan that is not open, it is kept until the loan is"
        );
        let key = format!("{loan_id}/{}", instalment.id);
        self.effects.add_put(EARLY, key, &instalment);
        Ok(())
    }

    /// The loan of who pays, if there is exactly one that is not paid off.
    async fn only_loan_of(&mut self, transfer: &BankPayment) -> Result<i64> {
        let mut found = Vec::new();
        if let Some(payer) = transfer.from_account {
            for loan_id in self.loans_of(payer).await? {
                let row: Option<Loan> = self.ctx.get_record(LOAN, &loan_id.to_string()).await?;
                if row.is_some_and(|row| row.status != LoanStatus::PaidOff) {
                    found.push(loan_id);
                }
            }
        }
        match found.as_slice() {
            [loan_id] => Ok(*loan_id),
            _ => Err(Error::new(
                ErrorKind::FailedPrecondition,
                "a payment to the lending fund does not say which loan it is for",
            )
            .with("payment_id", transfer.payment_id)
            .with("field", "reference")
            .with("open_loans_of_payer", found.len())
            .mend(
                "give the loan's payment_reference as it stands in loan.loans, and pay this one \
                 back to its payer",
            )),
        }
    }
}

fn of_account_prefix(account_id: i64) -> String {
    format!("{account_id}/")
}

/// The payments on a loan among imported bookings, in the order of their days: debits with the
/// purpose LOAN_PAYMENT after the day that the loan was granted on.
///
/// One that differs from the instalment `due` by at most 0.50 CZK pays that instalment: the
/// bank's file of loans has whole crowns where its ledger has what was really agreed, and nobody
/// owes the difference.
pub fn imported_instalments(
    history: &[HistoryEntry],
    granted_on: NaiveDate,
    due: Money,
) -> Vec<Instalment> {
    let agreed = |amount: Money| match (amount.unscaled() - due.unscaled()).abs() <= ROUNDING {
        true => due,
        false => amount,
    };
    let mut found: Vec<Instalment> = history
        .iter()
        .filter(|entry| {
            entry.source == HistoryEntrySource::Import
                && entry.purpose == Some(HistoryEntryPurpose::LoanPayment)
                && entry.signed_amount < Money::ZERO
                && entry.booked_on > granted_on
        })
        .map(|entry| Instalment {
            id: format!("booking {}", entry.transaction_id),
            on: entry.booked_on,
            amount: agreed(entry.signed_amount.negated()),
        })
        .collect();
    found.sort_by(|a, b| (a.on, &a.id).cmp(&(b.on, &b.id)));
    found
}

/// Looks after loans as payments are completed.
pub struct Service;

#[async_trait]
impl Handler<BankPayment> for Service {
    async fn handle(&self, event: &Received<BankPayment>, ctx: &Context) -> Result<Effects> {
        let Some(payment) = &event.value else {
            return Ok(Effects::new());
        };
        if payment.status != BankPaymentStatus::Completed {
            return Ok(Effects::new());
        }
        let mut desk = Desk::open(ctx).await?;
        match payment.kind {
            // Before there were transfers every payment was a payout.
            None | Some(BankPaymentKind::Payout) => desk.grant(payment).await?,
            Some(BankPaymentKind::Transfer) if payment.account_id == LENDING_FUND => {
                desk.pay(payment).await?;
            }
            Some(BankPaymentKind::Transfer) => {}
        }
        let sides = [payment.from_account, Some(payment.account_id)];
        for account_id in sides.into_iter().flatten() {
            desk.know(account_id, payment.value_date).await?;
        }
        desk.close().await
    }
}

/// Follows the calendar day by day, so that a loan is in arrears when nothing happens too. Its
/// position counts days since 1 January 1970, in UTC.
pub struct DayEnds;

#[async_trait]
impl Source for DayEnds {
    fn reads_directory(&self) -> bool {
        false
    }

    async fn next(&self, _: &Path, position: u64, ctx: &Context) -> Result<SourceBatch> {
        let today = Utc::now().date_naive();
        let days = today.signed_duration_since(NaiveDate::default()).num_days();
        let days = u64::try_from(days)
            .map_err(|error| Error::internal("the clock is before 1970").because(error))?;
        if days <= position {
            return Ok(SourceBatch::wait(position));
        }
        let mut desk = Desk::open(ctx).await?;
        desk.advance(today).await?;
        Ok(SourceBatch::more(desk.close().await?, days))
    }
}
