//! The account of a loan: its terms and every payment on it, as they are kept, and the row that
//! the product `loans` has of them.

use chrono::NaiveDate;
use mesh_core::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::products::{Loan, Money};
use crate::reference::creditor_reference;
use crate::schedule::Schedule;
use crate::standing::{Paid, Standing, standing};

/// A loan that was paid out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoanAccount {
    /// The loan's number, which is its application's.
    pub loan_id: i64,
    /// The borrower.
    pub client_id: i64,
    /// The account it was paid to.
    pub account_id: i64,
    /// The payout.
    pub payment_id: Uuid,
    /// The amount lent.
    #[serde(serialize_with = "to_text", deserialize_with = "from_text")]
    pub amount: Money,
    /// The number of instalments.
    pub duration_months: i32,
    /// The day it was paid out.
    pub granted_on: NaiveDate,
    /// The newest day that is known to be in the books of the account: of a booking or a payment.
    pub known_until: NaiveDate,
    /// What was paid on it, each once.
    pub instalments: Vec<Instalment>,
    /// The day on which it is looked at next if nothing is paid.
    pub looked_at_on: Option<NaiveDate>,
}

/// A payment on a loan.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instalment {
    /// The payment's id, or the number of a booking that has none.
    pub id: String,
    /// The day it was booked on.
    pub on: NaiveDate,
    /// How much, in CZK.
    #[serde(serialize_with = "to_text", deserialize_with = "from_text")]
    pub amount: Money,
}

impl LoanAccount {
    /// Takes in a payment; whether it is new. One that comes again is paid once.
    pub fn pay(&mut self, instalment: Instalment) -> bool {
        let known = self.instalments.iter().any(|one| one.id == instalment.id);
        if !known {
            self.instalments.push(instalment);
        }
        !known
    }

    /// Notes that the books are known up to `day` at least.
    pub fn know(&mut self, day: NaiveDate) {
        self.known_until = self.known_until.max(day);
    }

    /// The loan's schedule.
    ///
    /// # Errors
    /// As [`Schedule::new`].
    pub fn schedule(&self) -> Result<Schedule> {
        Schedule::new(self.amount, self.duration_months, self.granted_on)
    }

    /// How the loan stands on the day `as_of`.
    ///
    /// # Errors
    /// If a sum does not fit the money type, or the schedule the calendar.
    pub fn standing(&self, as_of: NaiveDate) -> Result<Standing> {
        let paid: Vec<Paid> = self
            .instalments
            .iter()
            .map(|one| Paid {
                on: one.on,
                amount: one.amount,
            })
            .collect();
        standing(&self.schedule()?, &paid, as_of)
    }

    /// The row that says how the loan stands on the day `as_of`.
    ///
    /// # Errors
    /// As [`LoanAccount::standing`].
    pub fn row(&self, standing: &Standing, as_of: NaiveDate) -> Result<Loan> {
        let schedule = self.schedule()?;
        let paid_instalments = i32::try_from(standing.paid_instalments)
            .map_err(|_| Error::internal("a loan has too many instalments"))?;
        Ok(Loan {
            loan_id: self.loan_id,
            application_id: self.loan_id,
            client_id: self.client_id,
            account_id: self.account_id,
            payment_id: self.payment_id,
            payment_reference: creditor_reference(self.loan_id),
            amount: self.amount,
            monthly_instalment: schedule.instalment(),
            duration_months: self.duration_months,
            granted_on: self.granted_on,
            matures_on: schedule.matures_on(),
            paid_instalments,
            paid_amount: standing.paid,
            outstanding_amount: standing.outstanding,
            overpaid_amount: standing.overpaid,
            arrears_amount: standing.arrears,
            arrears_since: standing.arrears_since,
            next_due_on: standing.next_due_on,
            last_paid_on: standing.last_paid_on,
            status: standing.status,
            defaulted_on: standing.defaulted_on,
            as_of,
        })
    }
}

/// Money as text in JSON: a JSON number would be read as a float.
fn to_text<S: Serializer>(money: &Money, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(money)
}

fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(|_| serde::de::Error::custom("not an amount of money"))
}
