//! What is due on a loan and when.

use chrono::{Months, NaiveDate};
use mesh_core::{Error, Result};

use crate::products::Money;

/// Equal instalments, one a month: the amount through the number of months, cut to the
/// hundredth; the last one takes what is left over. No interest is reckoned, as in the bank's own
/// loans, where the amount is the payment times the months.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    amount: Money,
    instalment: Money,
    months: u32,
    granted_on: NaiveDate,
    matures_on: NaiveDate,
}

impl Schedule {
    /// The schedule of a loan of `amount` that is paid out on the day `granted_on`.
    ///
    /// # Errors
    /// If the amount or the number of months is not above 0, or the last due date is outside of
    /// the calendar.
    pub fn new(amount: Money, months: i32, granted_on: NaiveDate) -> Result<Self> {
        let wrong = |field: &'static str, message: &'static str| {
            Error::invalid(message)
                .with("field", field)
                .mend("see the application that the loan was granted on")
        };
        let months = u32::try_from(months)
            .ok()
            .filter(|months| *months > 0)
            .ok_or_else(|| wrong("duration_months", "a loan without a month to pay it in"))?;
        if amount <= Money::ZERO {
            return Err(wrong("amount", "a loan without an amount"));
        }
        let matures_on = granted_on
            .checked_add_months(Months::new(months))
            .ok_or_else(|| wrong("duration_months", "a loan ends outside of the calendar"))?;
        Ok(Self {
            amount,
            instalment: Money::from_unscaled(amount.unscaled() / i128::from(months))?,
            months,
            granted_on,
            matures_on,
        })
    }

    /// The amount lent.
    pub fn amount(&self) -> Money {
        self.amount
    }

    /// Every instalment but the last.
    pub fn instalment(&self) -> Money {
        self.instalment
    }

    /// How many instalments there are.
    pub fn months(&self) -> u32 {
        self.months
    }

    /// The due date of the last instalment.
    pub fn matures_on(&self) -> NaiveDate {
        self.matures_on
    }

    /// The due date of instalment `number`, counted from 1: that many months after the payout,
    /// each counted from the payout itself. After 31 January come 28 February and 31 March.
    pub fn due_on(&self, number: u32) -> NaiveDate {
        // Not later than the last due date, which is in the calendar.
        self.granted_on
            .checked_add_months(Months::new(number.min(self.months)))
            .unwrap_or(self.matures_on)
    }

    /// What the first `number` instalments are in all, in hundredths.
    fn sum_of(&self, number: u32) -> i128 {
        match number >= self.months {
            true => self.amount.unscaled(),
            false => self.instalment.unscaled() * i128::from(number),
        }
    }

    /// How many instalments have a due date before `day`.
    pub fn past_due(&self, day: NaiveDate) -> u32 {
        let (mut none, mut all) = (0, self.months);
        while none < all {
            let middle = (none + all).div_ceil(2);
            match self.due_on(middle) < day {
                true => none = middle,
                false => all = middle - 1,
            }
        }
        none
    }

    /// What is due before `day`, in hundredths.
    pub fn due_before(&self, day: NaiveDate) -> i128 {
        self.sum_of(self.past_due(day))
    }

    /// How many instalments `paid` hundredths pay in full, the oldest first.
    pub fn paid_by(&self, paid: i128) -> u32 {
        let (mut none, mut all) = (0, self.months);
        while none < all {
            let middle = (none + all).div_ceil(2);
            match self.sum_of(middle) <= paid {
                true => none = middle,
                false => all = middle - 1,
            }
        }
        none
    }
}
