//! How a loan stands on a day: a plain function of its schedule, of all that was paid on it, and
//! of the day. In which order payments became known makes no difference.
//!
//! Days past due are counted from the due date of the oldest instalment that is not paid in full;
//! payments go to the oldest instalment first. A loan is in default when it is more than 90 days
//! past due (Regulation (EU) No 575/2013 on prudential requirements for credit institutions,
//! Article 178(1)(b)), and stays so until nothing is past due any more.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use mesh_core::Result;

use crate::products::{LoanStatus as Status, Money};
use crate::schedule::Schedule;

/// With more days past due than these a loan is in default.
pub const MAX_DAYS_PAST_DUE: u64 = 90;

/// A payment on a loan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// The day it was booked on.
    pub on: NaiveDate,
    /// How much, in CZK.
    pub amount: Money,
}

/// How a loan stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Instalments paid in full.
    pub paid_instalments: u32,
    /// What was paid of the loan.
    pub paid: Money,
    /// What is left to pay.
    pub outstanding: Money,
    /// What was paid beyond the loan.
    pub overpaid: Money,
    /// What was due before the day and is not paid.
    pub arrears: Money,
    /// The due date of the oldest instalment that is past due.
    pub arrears_since: Option<NaiveDate>,
    /// The due date of the oldest instalment that is not paid in full.
    pub next_due_on: Option<NaiveDate>,
    /// The latest day with a payment.
    pub last_paid_on: Option<NaiveDate>,
    /// The first day on which the loan was in default.
    pub defaulted_on: Option<NaiveDate>,
    /// What it all comes to.
    pub status: Status,
    /// The next day on which the loan stands otherwise if nothing is paid; none once it is paid
    /// off, or when only the past is left to be paid.
    pub changes_on: Option<NaiveDate>,
}

/// How a loan with this `schedule` stands on the day `as_of`, on which `payments` were made of
/// it. Later ones are left out.
///
/// # Errors
/// If a sum leaves the range of the money type.
pub fn standing(schedule: &Schedule, payments: &[Paid], as_of: NaiveDate) -> Result<Standing> {
    let mut payments: Vec<Paid> = payments
        .iter()
        .copied()
        .filter(|paid| paid.on <= as_of)
        .collect();
    payments.sort_by_key(|paid| paid.on);
    let history = history(schedule, &payments, as_of);
    let paid = history.paid;
    let amount = schedule.amount().unscaled();
    let full = schedule.paid_by(paid);
    let oldest = (full < schedule.months()).then(|| schedule.due_on(full + 1));
    let arrears = (schedule.due_before(as_of) - paid).max(0);
    let status = match oldest {
        None => Status::PaidOff,
        Some(_) if arrears == 0 => Status::Active,
        Some(_) if history.in_default => Status::Defaulted,
        Some(_) => Status::InArrears,
    };
    Ok(Standing {
        paid_instalments: full,
        paid: Money::from_unscaled(paid.min(amount))?,
        outstanding: Money::from_unscaled((amount - paid).max(0))?,
        overpaid: Money::from_unscaled((paid - amount).max(0))?,
        arrears: Money::from_unscaled(arrears)?,
        arrears_since: oldest.filter(|_| arrears > 0),
        next_due_on: oldest,
        last_paid_on: payments.last().map(|paid| paid.on),
        defaulted_on: history.defaulted_on,
        status,
        changes_on: oldest.and_then(|oldest| changes_on(schedule, oldest, as_of)),
    })
}

struct History {
    paid: i128,
    in_default: bool,
    defaulted_on: Option<NaiveDate>,
}

/// Goes through the days on which something can have changed. `payments` are in the order of
/// their days.
fn history(schedule: &Schedule, payments: &[Paid], as_of: NaiveDate) -> History {
    let dues = (1..=schedule.past_due(as_of)).map(|number| schedule.due_on(number));
    let days: BTreeSet<NaiveDate> = dues
        .flat_map(|due| [past_due_from(due), default_from(due)])
        .flatten()
        .chain(payments.iter().map(|paid| paid.on))
        .filter(|day| *day <= as_of)
        .collect();
    let mut history = History {
        paid: 0,
        in_default: false,
        defaulted_on: None,
    };
    let mut waiting = payments.iter().peekable();
    for day in days {
        while let Some(paid) = waiting.next_if(|paid| paid.on <= day) {
            history.paid += paid.amount.unscaled();
        }
        if history.paid >= schedule.due_before(day) {
            history.in_default = false;
            continue;
        }
        let oldest = schedule.due_on(schedule.paid_by(history.paid) + 1);
        if default_from(oldest).is_some_and(|first| first <= day) {
            history.in_default = true;
            history.defaulted_on.get_or_insert(day);
        }
    }
    history
}

/// The first day on which an instalment that is due on `due` is past due.
fn past_due_from(due: NaiveDate) -> Option<NaiveDate> {
    due.succ_opt()
}

/// The first day on which a loan whose oldest unpaid instalment is due on `due` is in default.
fn default_from(due: NaiveDate) -> Option<NaiveDate> {
    due.checked_add_days(Days::new(MAX_DAYS_PAST_DUE + 1))
}

fn changes_on(schedule: &Schedule, oldest: NaiveDate, as_of: NaiveDate) -> Option<NaiveDate> {
    let next = schedule.past_due(as_of) + 1;
    let falls_due = (next <= schedule.months()).then(|| schedule.due_on(next));
    [falls_due.and_then(past_due_from), default_from(oldest)]
        .into_iter()
        .flatten()
        .filter(|day| *day > as_of)
        .min()
}
