//! What a caller may send to have money transferred.

use chrono::NaiveDate;
use mesh_core::{Record, TimestampMillis};
use serde_json::{Value as Json, json};
use transaction::ledger::LENDING_FUND;
use transaction::order::Order;
use transaction::products::{Payment, PaymentKind, PaymentStatus};

use crate::support::error_text;

const AT: TimestampMillis = TimestampMillis(1_000);

fn today() -> NaiveDate {
    "1999-01-31".parse().unwrap()
}

fn body() -> Json {
    json!({
        "transfer_id": "t-1", "from_account": 1, "to_account": 2, "amount": "12.30",
        "reference": "rent", "value_date": "1999-01-30",
    })
}

fn with(field: &str, value: Json) -> Json {
    let mut body = body();
    body[field] = value;
    body
}

fn payment(body: &Json, principal: &str) -> Payment {
    let order = Order::read(body, today()).unwrap();
    order.initiate(&principal.parse().unwrap(), AT)
}

#[test]
fn an_order_begins_a_payment() {
    let payment = payment(&body(), "user:a");
    payment.validate().unwrap();
    assert_eq!(payment.status, PaymentStatus::Initiated);
    assert_eq!(payment.kind, Some(PaymentKind::Transfer));
    assert_eq!((payment.from_account, payment.account_id), (Some(1), 2));
    assert_eq!(payment.amount.to_string(), "12.30");
    assert_eq!(payment.value_date.to_string(), "1999-01-30");
    assert_eq!(payment.reference.as_deref(), Some("rent"));
    assert_eq!(payment.application_id, 0);
}

#[test]
fn what_may_be_left_out() {
    let small = json!({"transfer_id": "t", "from_account": 1, "to_account": 2, "amount": "1"});
    let payment = payment(&small, "user:a");
    assert_eq!(payment.value_date, today());
    assert_eq!(payment.reference, None);
    let nulls = json!({"transfer_id": "t", "from_account": 1, "to_account": 2, "amount": "1",
        "reference": null, "value_date": null});
    assert!(Order::read(&nulls, today()).unwrap().asks_for(&payment));
}

#[test]
fn the_payment_follows_from_the_caller_and_its_id() {
    let one = payment(&body(), "user:a");
    assert_eq!(payment(&body(), "user:a").payment_id, one.payment_id);
    assert_ne!(payment(&body(), "user:b").payment_id, one.payment_id);
    let other = payment(&with("transfer_id", json!("t-2")), "user:a");
    assert_ne!(other.payment_id, one.payment_id);
}

#[test]
fn an_order_knows_whether_it_is_the_same_one() {
    let known = payment(&body(), "user:a");
    let same = |body: &Json| Order::read(body, today()).unwrap().asks_for(&known);
    assert!(same(&body()));
    assert!(same(&with("amount", json!("12.3"))));
    for (field, value) in [
        ("from_account", json!(3)),
        ("to_account", json!(3)),
        ("amount", json!("12.31")),
        ("reference", json!("Rent")),
        ("reference", json!(null)),
        ("value_date", json!("1999-01-29")),
    ] {
        assert!(!same(&with(field, value)), "{field}");
    }
    // On the next day an order without a day is still the same one.
    let bare = with("value_date", json!(null));
    let begun = payment(&bare, "user:a");
    let next_day = today().succ_opt().unwrap();
    assert!(Order::read(&bare, next_day).unwrap().asks_for(&begun));
    // A finished payment is the same payment.
    let done = Payment {
        status: PaymentStatus::Completed,
        ..begun
    };
    assert!(Order::read(&bare, today()).unwrap().asks_for(&done));
}

#[test]
fn what_is_wrong_is_told_by_its_field_and_without_its_value() {
    let check = |body: &Json, field: &str| {
        let error = error_text(Order::read(body, today()).map(drop));
        assert!(error.contains(field), "{error}");
        assert!(!error.contains("SECRET"), "{error}");
    };
    let long = "x".repeat(101);
    for (field, values) in [
        (
            "transfer_id",
            vec![
                json!(""),
                json!("SECRET id"),
                json!(long),
                json!(7),
                json!("ž"),
            ],
        ),
        (
            "from_account",
            vec![
                json!(0),
                json!(-1),
                json!("1"),
                json!(1.5),
                json!(LENDING_FUND),
            ],
        ),
        ("to_account", vec![json!(0), json!(1), json!("SECRET")]),
        (
            "amount",
            vec![
                json!("0"),
                json!("-1"),
                json!("0.001"),
                json!(1.5),
                json!("SECRET"),
                json!("1e3"),
                json!("9999999999999.00"),
            ],
        ),
        (
            "reference",
            vec![
                json!(""),
                json!("x".repeat(141)),
                json!("SECRET\n2"),
                json!(1),
            ],
        ),
        (
            "value_date",
            vec![
                json!("1999-02-01"),
                json!("1999-02-30"),
                json!("SECRET"),
                json!(1),
            ],
        ),
    ] {
        for value in values {
            check(&with(field, value), field);
        }
    }
    for field in ["transfer_id", "from_account", "to_account", "amount"] {
        check(&with(field, json!(null)), field);
    }
    // A loan is not paid back by nobody knows which payment.
    let mut repayment = with("to_account", json!(LENDING_FUND));
    assert!(Order::read(&repayment, today()).is_ok());
    repayment["reference"] = json!(null);
    check(&repayment, "reference");

    check(&with("SECRET", json!(1)), "known");
    check(&json!([1]), "transfer_id");
}
