//! What an account's history says up to a day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days, Months, NaiveDate};
use mesh_core::{Error, Result};

use crate::products::Money;
use crate::products::inputs::{
    HistoryEntry, HistoryEntryPurpose as Purpose, HistoryEntrySource as Source,
};

/// The longest window that averages are taken over, in months.
pub const WINDOW_MONTHS: u32 = 12;

/// Observations on a history. Averages are over the window: the last [`WINDOW_MONTHS`] whole
/// months before the day, or as many as there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Observations {
    /// Whole months from the first booking to the day.
    pub months: i32,
    /// Bookings before the day.
    pub count: i32,
    /// The last day with a booking.
    pub last_booked_on: Option<NaiveDate>,
    /// Credits without interest per month, cut to the cent.
    pub monthly_inflow: Money,
    /// Average of the balances at the end of each day, cut to the cent.
    pub average_balance: Money,
    /// The lowest balance at the end of a day.
    pub minimum_balance: Money,
    /// Calendar months with a negative balance at the end of a day.
    pub negative_months: i32,
    /// Bookings of penalty interest.
    pub penalties: i32,
}

/// What the bookings strictly before `as_of` say.
///
/// Loan payouts are left out: borrowed money is no income, and a score must not depend on when
/// a payout was booked.
///
/// Balances are those at the end of a day, because the order inside a day is not known, and
/// start from nothing before the first booking.
///
/// # Errors
/// If a sum does not fit the money type, or a date is outside of the calendar.
pub fn observe(bookings: &[HistoryEntry], as_of: NaiveDate) -> Result<Observations> {
    let known: Vec<&HistoryEntry> = bookings
        .iter()
        .filter(|booking| booking.booked_on < as_of && booking.source == Source::Import)
        .collect();
    let first = known.iter().map(|booking| booking.booked_on).min();
    let Some(first) = first else {
        return Ok(Observations {
            months: 0,
            count: 0,
            last_booked_on: None,
            monthly_inflow: Money::ZERO,
            average_balance: Money::ZERO,
            minimum_balance: Money::ZERO,
            negative_months: 0,
            penalties: 0,
        });
    };
    let out_of_calendar = || Error::invalid("a date is outside of the calendar");
    let months = whole_months(first, as_of);
    let window = months.min(WINDOW_MONTHS);
    let start = match window {
        0 => first,
        _ => as_of
            .checked_sub_months(Months::new(window))
            .ok_or_else(out_of_calendar)?,
    };

    let mut by_day: BTreeMap<NaiveDate, i128> = BTreeMap::new();
    let mut inflow = 0i128;
    let mut penalties = 0i32;
    for booking in &known {
        let amount = booking.signed_amount.unscaled();
        *by_day.entry(booking.booked_on).or_default() += amount;
        if booking.booked_on >= start {
            penalties += i32::from(booking.purpose == Some(Purpose::PenaltyInterest));
            if amount > 0 && booking.purpose != Some(Purpose::Interest) {
                inflow += amount;
            }
        }
    }

    let mut balance: i128 = by_day.range(..start).map(|(_, amount)| amount).sum();
    let (mut total, mut days, mut minimum) = (0i128, 0i128, i128::MAX);
    let mut negative = BTreeSet::new();
    let mut day = start;
    while day < as_of {
        balance += by_day.get(&day).copied().unwrap_or_default();
        total += balance;
        days += 1;
        minimum = minimum.min(balance);
        if balance < 0 {
            negative.insert((day.year(), day.month()));
        }
        day = day
            .checked_add_days(Days::new(1))
            .ok_or_else(out_of_calendar)?;
    }
    Ok(Observations {
        months: i32::try_from(months).unwrap_or(i32::MAX),
        count: i32::try_from(known.len()).unwrap_or(i32::MAX),
        last_booked_on: known.iter().map(|booking| booking.booked_on).max(),
        monthly_inflow: Money::from_unscaled(inflow / i128::from(window.max(1)))?,
        average_balance: Money::from_unscaled(total / days.max(1))?,
        minimum_balance: Money::from_unscaled(minimum)?,
        negative_months: i32::try_from(negative.len()).unwrap_or(i32::MAX),
        penalties,
    })
}

/// Whole months from `from` to `to`; 0 if `to` is not later.
pub fn whole_months(from: NaiveDate, to: NaiveDate) -> u32 {
    let months = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
    let begun = i64::from(to.day() < from.day());
    u32::try_from(months(to) - months(from) - begun).unwrap_or(0)
}
