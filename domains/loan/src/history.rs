//! What an account's history says about what its owner can afford.

use chrono::{Datelike, Months, NaiveDate};
use mesh_core::{Error, Result};

use crate::products::Money;
use crate::products::inputs::{
    HistoryEntry, HistoryEntryPurpose as Purpose, HistoryEntrySource as Source,
};

/// The longest window that averages are taken over, in months: what somebody earns now counts,
/// not what they earned a year ago.
pub const WINDOW_MONTHS: u32 = 6;

/// Observations on a history; averages are over the last [`WINDOW_MONTHS`] whole months before
/// the day, or as many as there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Means {
    /// Whole months from the first booking to the day.
    pub months: i32,
    /// Bookings before the day.
    pub count: i32,
    /// Days from the last booking to the day.
    pub days_since_last: Option<i32>,
    /// Credits without interest per month, cut to the cent.
    pub monthly_inflow: Money,
    /// Household, insurance and loan payments per month, cut to the cent.
    pub monthly_commitments: Money,
}

/// What the bookings strictly before `as_of` say. Payouts of loans are left out: borrowed money
/// is no income, and a decision must not depend on when a payout was booked.
///
/// # Errors
/// If a sum does not fit the money type, or a date is outside of the calendar.
pub fn observe(bookings: &[HistoryEntry], as_of: NaiveDate) -> Result<Means> {
    let known: Vec<&HistoryEntry> = bookings
        .iter()
        .filter(|booking| booking.booked_on < as_of && booking.source == Source::Import)
        .collect();
    let days = || known.iter().map(|booking| booking.booked_on);
    let (Some(first), Some(last)) = (days().min(), days().max()) else {
        return Ok(Means {
            months: 0,
            count: 0,
            days_since_last: None,
            monthly_inflow: Money::ZERO,
            monthly_commitments: Money::ZERO,
        });
    };
    let months = whole_months(first, as_of);
    let window = months.clamp(1, WINDOW_MONTHS);
    let start = as_of
        .checked_sub_months(Months::new(window))
        .ok_or_else(|| Error::invalid("a date is outside of the calendar"))?;
    let (mut inflow, mut commitments) = (0i128, 0i128);
    for booking in known.iter().filter(|booking| booking.booked_on >= start) {
        let amount = booking.signed_amount.unscaled();
        if amount > 0 && booking.purpose != Some(Purpose::Interest) {
            inflow += amount;
        }
        if amount < 0
            && let Some(Purpose::Household | Purpose::Insurance | Purpose::LoanPayment) =
                booking.purpose
        {
            commitments -= amount;
        }
    }
    let per_month = |total: i128| Money::from_unscaled(total / i128::from(window));
    let silent = as_of.signed_duration_since(last).num_days();
    Ok(Means {
        months: i32::try_from(months).unwrap_or(i32::MAX),
        count: i32::try_from(known.len()).unwrap_or(i32::MAX),
        days_since_last: Some(i32::try_from(silent).unwrap_or(i32::MAX)),
        monthly_inflow: per_month(inflow)?,
        monthly_commitments: per_month(commitments)?,
    })
}

/// Whole months from `from` to `to`; 0 if `to` is not later.
pub fn whole_months(from: NaiveDate, to: NaiveDate) -> u32 {
    let months = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
    let begun = i64::from(to.day() < from.day());
    u32::try_from(months(to) - months(from) - begun).unwrap_or(0)
}
