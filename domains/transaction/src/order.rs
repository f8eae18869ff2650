//! What a caller sends to have money transferred, and the payment that begins with it.

use chrono::NaiveDate;
use mesh_core::{Error, EventId, Principal, Record, Result, TimestampMillis};
use serde_json::{Map, Value as Json};

use crate::ledger::LENDING_FUND;
use crate::products::{Money, Payment, PaymentKind, PaymentStatus};

/// The most characters of a reference (ISO 20022, unstructured remittance information:
/// `Max140Text`).
pub const MAX_REFERENCE: usize = 140;
/// The most characters of a transfer's id.
pub const MAX_ID: usize = 100;

const FIELDS: [&str; 6] = [
    "transfer_id",
    "from_account",
    "to_account",
    "amount",
    "reference",
    "value_date",
];

/// An order to transfer money. Accounts are looked up when it is booked and not before, since
/// what is known of them then is what counts.
#[derive(Clone, PartialEq, Eq)]
pub struct Order {
    /// The caller's id of the transfer: an order that comes again under it is the same one.
    pub transfer_id: String,
    /// The account that pays.
    pub from_account: i64,
    /// The account that is paid.
    pub to_account: i64,
    /// How much, in CZK; above 0.
    pub amount: Money,
    /// What it is for, up to [`MAX_REFERENCE`] characters.
    pub reference: Option<String>,
    /// The day to book it on, if the caller says so.
    value_date: Option<NaiveDate>,
    today: NaiveDate,
}

impl Order {
    /// Reads an order from the body of a request that came on the day `today` (UTC).
    ///
    /// # Errors
    /// Invalid input, with the field and what it has to be; the values are not told.
    pub fn read(body: &Json, today: NaiveDate) -> Result<Self> {
        let body = Body(body.as_object().ok_or_else(|| {
            Error::invalid("the body is no JSON object").mend(format!(
                "send an object with the fields {}",
                FIELDS.join(", ")
            ))
        })?);
        body.only(&FIELDS)?;
        let transfer_id = body.text("transfer_id", "a text")?;
        if !(1..=MAX_ID).contains(&transfer_id.len())
            || !transfer_id.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(wrong(
                "transfer_id",
                "1 to 100 ASCII characters without blanks",
            ));
        }
        let account = |field| match body.required(field)?.as_i64() {
            Some(account) if account > 0 => Ok(account),
            _ => Err(wrong(field, "the number of an account, above 0")),
        };
        let (from_account, to_account) = (account("from_account")?, account("to_account")?);
        if from_account == LENDING_FUND {
            return Err(wrong(
                "from_account",
                "a client's account; the lending fund pays approved loans alone",
            ));
        }
        if from_account == to_account {
            return Err(wrong("to_account", "another account than from_account"));
        }
        let form = "an amount in CZK as a text, above 0 and with two digits after the point at \
                    most, such as \"1500.00\"";
        let amount: Money = body
            .text("amount", form)?
            .parse()
            .ok()
            .filter(|amount| *amount > Money::ZERO)
            .ok_or_else(|| wrong("amount", form))?;
        let reference = body.reference()?;
        if to_account == LENDING_FUND && reference.is_none() {
            return Err(wrong(
                "reference",
                "the reference of the loan that is paid back",
            ));
        }
        let form = "a day such as \"1999-01-31\", not later than today (UTC)";
        let value_date: Option<NaiveDate> = match body.optional("value_date") {
            None => None,
            Some(given) => Some(
                given
                    .as_str()
                    .and_then(|text| text.parse().ok())
                    .filter(|day| *day <= today)
                    .ok_or_else(|| wrong("value_date", form))?,
            ),
        };
        Ok(Self {
            transfer_id: transfer_id.to_owned(),
            from_account,
            to_account,
            amount,
            reference,
            value_date,
            today,
        })
    }

    /// The payment that begins with this order. Its id follows from who orders and from the id
    /// that the order has there, so that two callers may choose the same one.
    pub fn initiate(&self, principal: &Principal, at: TimestampMillis) -> Payment {
        let topic = Payment::descriptor().topic.as_str();
        let parts = [topic, "transfer", principal.as_str(), &self.transfer_id];
        Payment {
            payment_id: EventId::derived(&parts).0,
            application_id: 0,
            account_id: self.to_account,
            amount: self.amount,
            value_date: self.value_date.unwrap_or(self.today),
            status: PaymentStatus::Initiated,
            reason: None,
            transaction_id: None,
            fund_balance: None,
            at,
            kind: Some(PaymentKind::Transfer),
            from_account: Some(self.from_account),
            reference: self.reference.clone(),
            debit_transaction_id: None,
        }
    }

    /// Whether `payment` is what this order asks for, whatever step it has reached. An order
    /// without a day is the same one on the next day.
    pub fn asks_for(&self, payment: &Payment) -> bool {
        payment.kind == Some(PaymentKind::Transfer)
            && payment.from_account == Some(self.from_account)
            && payment.account_id == self.to_account
            && payment.amount == self.amount
            && payment.reference == self.reference
            && self.value_date.is_none_or(|day| day == payment.value_date)
    }
}

fn wrong(field: &'static str, expected: &'static str) -> Error {
    Error::invalid("a field of the transfer is not what it has to be")
        .with("field", field)
        .with("expected", expected)
        .mend("see `expected`; nothing was ordered")
}

struct Body<'a>(&'a Map<String, Json>);

impl<'a> Body<'a> {
    /// A field that is misspelt would else be left out in silence.
    fn only(&self, known: &[&str]) -> Result<()> {
        match self.0.keys().any(|name| !known.contains(&name.as_str())) {
            true => Err(
                Error::invalid("the body has a field that a transfer does not have")
                    .with("known", known.join(", "))
                    .mend("leave it out, or correct its name"),
            ),
            false => Ok(()),
        }
    }

    fn optional(&self, field: &str) -> Option<&'a Json> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    fn required(&self, field: &'static str) -> Result<&'a Json> {
        self.optional(field).ok_or_else(|| {
            Error::invalid("a field of the transfer is missing")
                .with("field", field)
                .mend("send it; nothing was ordered")
        })
    }

    fn text(&self, field: &'static str, expected: &'static str) -> Result<&'a str> {
        self.required(field)?
            .as_str()
            .ok_or_else(|| wrong(field, expected))
    }

    fn reference(&self) -> Result<Option<String>> {
        let Some(given) = self.optional("reference") else {
            return Ok(None);
        };
        let fits = |text: &&str| {
            (1..=MAX_REFERENCE).contains(&text.chars().count())
                && !text.chars().any(char::is_control)
        };
        let text = given.as_str().map(str::trim).filter(fits);
        text.map(|text| Some(text.to_owned())).ok_or_else(|| {
            wrong(
                "reference",
                "a text of 1 to 140 characters without line ends",
            )
        })
    }
}
