//! The ledger: how a booking changes an account, and how an approved loan is paid out of the
//! lending fund. Transfers are in [`crate::transfer`]. All of it is plain calculation in exact
//! decimals; the handlers commit what it returns as one.

use mesh_core::{Error, EventId, Record, Result, TimestampMillis};
use serde::{Deserialize, Serialize};

use crate::products::inputs::LoanDecision;
use crate::products::{
    Account, AccountStatus, LedgerEntry, LedgerEntryDirection, LedgerEntryPaymentKind,
    LedgerEntrySource, Money, Payment, PaymentKind, PaymentStatus,
};

/// Transaction numbers from here on are given to loan payouts: this number plus the
/// application's. Imported rows have to lie below.
pub const PAYOUT_IDS_FROM: i64 = 1_000_000_000_000_000;

/// The account of the lending fund, which transfers that pay a loan back go to. It is the bank's
/// own and no client's, so it is not among `accounts` and has no bookings in `transactions`.
pub const LENDING_FUND: i64 = 9_000_000_001;

/// A payment is rejected because the fund, or the balance of who pays, does not cover it.
pub const INSUFFICIENT_FUNDS: &str = "INSUFFICIENT_FUNDS";
/// A payment is rejected because the bank keeps no such account.
pub const UNKNOWN_ACCOUNT: &str = "UNKNOWN_ACCOUNT";

/// Books `entry` on its account.
///
/// # Errors
/// If the balance leaves the range of the money type.
pub fn book(account: &mut Account, entry: &LedgerEntry) -> Result<()> {
    account.balance = account
        .balance
        .checked_add(entry.signed_amount)
        .map_err(|error| error.with("field", "balance"))?;
    account.transaction_count += 1;
    account.last_booked_on = account.last_booked_on.max(Some(entry.booked_on));
    account.status = AccountStatus::Active;
    Ok(())
}

/// The capital that loans are paid from. `available + reserved + paid_out` is always what it
/// was opened with and what was `repaid`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoanFund {
    /// The capital at the start.
    #[serde(with = "money_text")]
    pub opening: Money,
    /// What further payouts can be taken from.
    #[serde(with = "money_text")]
    pub available: Money,
    /// What is set aside for payouts that are under way.
    #[serde(with = "money_text")]
    pub reserved: Money,
    /// What has been paid out.
    #[serde(with = "money_text")]
    pub paid_out: Money,
    /// What has been paid back; funds that were kept before there were transfers lack it.
    #[serde(with = "money_text", default)]
    pub repaid: Money,
}

impl LoanFund {
    /// A fund opened with `capital`.
    pub fn open(capital: Money) -> Self {
        Self {
            opening: capital,
            available: capital,
            reserved: Money::ZERO,
            paid_out: Money::ZERO,
            repaid: Money::ZERO,
        }
    }

    /// Takes in what is paid back on a loan.
    ///
    /// # Errors
    /// If a sum leaves the range of the money type.
    pub fn take_back(&mut self, amount: Money) -> Result<()> {
        self.available = self.available.checked_add(amount)?;
        self.repaid = self.repaid.checked_add(amount)?;
        Ok(())
    }

    /// Sets `amount` aside.
    ///
    /// # Errors
    /// If a sum leaves the range of the money type.
    fn reserve(&mut self, amount: Money) -> Result<()> {
        self.available = self.available.checked_sub(amount)?;
        self.reserved = self.reserved.checked_add(amount)?;
        Ok(())
    }

    /// Pays out what was set aside.
    ///
    /// # Errors
    /// If a sum leaves the range of the money type.
    fn pay(&mut self, amount: Money) -> Result<()> {
        self.reserved = self.reserved.checked_sub(amount)?;
        self.paid_out = self.paid_out.checked_add(amount)?;
        Ok(())
    }
}

/// The payment of an approved application; its id follows from the application, so that a
/// decision that arrives again starts nothing new.
///
/// # Errors
/// If the application's number leaves no room for the number of the payout's transaction.
pub fn initiate(decision: &LoanDecision, at: TimestampMillis) -> Result<Payment> {
    // Refused here, before money is set aside.
    payout_id(decision.application_id)?;
    let topic = Payment::descriptor().topic.as_str();
    Ok(Payment {
        payment_id: EventId::derived(&[topic, &decision.application_id.to_string()]).0,
        application_id: decision.application_id,
        account_id: decision.account_id,
        amount: decision.amount,
        value_date: decision.as_of,
        status: PaymentStatus::Initiated,
        reason: None,
        transaction_id: None,
        fund_balance: None,
        at,
        kind: Some(PaymentKind::Payout),
        from_account: Some(LENDING_FUND),
        reference: None,
        debit_transaction_id: None,
    })
}

fn payout_id(application_id: i64) -> Result<i64> {
    Some(application_id)
        .filter(|id| (1..PAYOUT_IDS_FROM).contains(id))
        .and_then(|id| PAYOUT_IDS_FROM.checked_add(id))
        .ok_or_else(|| {
            Error::invalid("an application's number leaves no room for its payout")
                .with("field", "application_id")
                .mend(format!(
                    "number applications from 1 to {}",
                    PAYOUT_IDS_FROM - 1
                ))
        })
}

/// The second step: sets the amount aside, or rejects the payment.
///
/// # Errors
/// If a sum leaves the range of the money type.
pub fn verify(
    payment: &Payment,
    fund: &mut LoanFund,
    account_known: bool,
    at: TimestampMillis,
) -> Result<Payment> {
    if !account_known {
        return Ok(rejected(payment, UNKNOWN_ACCOUNT, at));
    }
    if payment.amount > fund.available {
        return Ok(rejected(payment, INSUFFICIENT_FUNDS, at));
    }
    fund.reserve(payment.amount)?;
    Ok(Payment {
        status: PaymentStatus::BalanceVerified,
        fund_balance: Some(fund.available),
        at,
        ..payment.clone()
    })
}

/// The last step of a payment that is not made, because of `reason`.
pub(crate) fn rejected(payment: &Payment, reason: &str, at: TimestampMillis) -> Payment {
    Payment {
        status: PaymentStatus::Rejected,
        reason: Some(reason.to_owned()),
        at,
        ..payment.clone()
    }
}

/// The last step: books the payout on the account and takes it out of the fund.
///
/// # Errors
/// If a sum leaves the range of the money type.
pub fn complete(
    payment: &Payment,
    fund: &mut LoanFund,
    account: &mut Account,
    at: TimestampMillis,
) -> Result<(Payment, LedgerEntry)> {
    let transaction_id = payout_id(payment.application_id)?;
    let entry = LedgerEntry {
        transaction_id,
        account_id: payment.account_id,
        booked_on: payment.value_date,
        direction: LedgerEntryDirection::Credit,
        operation: None,
        amount: payment.amount,
        signed_amount: payment.amount,
        reported_balance: None,
        purpose: None,
        counterparty_bank: None,
        counterparty_account: None,
        source: LedgerEntrySource::LoanPayout,
        payment_id: Some(payment.payment_id),
        payment_kind: Some(LedgerEntryPaymentKind::Payout),
        reference: None,
    };
    book(account, &entry)?;
    fund.pay(payment.amount)?;
    let payment = Payment {
        status: PaymentStatus::Completed,
        transaction_id: Some(transaction_id),
        at,
        ..payment.clone()
    };
    Ok((payment, entry))
}

/// Money as text in JSON: a JSON number would be read as a float.
mod money_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::products::Money;

    pub(super) fn serialize<S: Serializer>(
        money: &Money,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(money)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Money, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(|_| D::Error::custom("not an amount of money"))
    }
}
