//! The life of loans in the domain's process: payments in, rows out.

use loan::products::Money;
use loan::products::inputs::{
    BankPayment, BankPaymentKind as Kind, BankPaymentStatus as Step, HistoryEntry,
    HistoryEntryPurpose, HistoryEntrySource,
};
use loan::reference::creditor_reference;
use loan::servicing::{LENDING_FUND, imported_instalments};
use loan::settings::{BUSINESS_DATE, BusinessDate, Settings};
use serde_json::json;

use crate::mesh::Mesh;

const EVENTS: Settings = Settings {
    business_date: BusinessDate::Events,
};

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn payout(application_id: i64, account_id: i64, amount: &str, on: &str) -> BankPayment {
    BankPayment {
        payment_id: uuid::Uuid::from_u128(application_id as u128),
        application_id,
        account_id,
        amount: money(amount),
        value_date: on.parse().unwrap(),
        status: Step::Completed,
        kind: Some(Kind::Payout),
        from_account: Some(LENDING_FUND),
        reference: None,
    }
}

fn instalment(id: u128, from: i64, reference: &str, amount: &str, on: &str) -> BankPayment {
    BankPayment {
        payment_id: uuid::Uuid::from_u128(1_000 + id),
        application_id: 0,
        account_id: LENDING_FUND,
        kind: Some(Kind::Transfer),
        from_account: Some(from),
        reference: Some(reference.to_owned()),
        ..payout(0, LENDING_FUND, amount, on)
    }
}

fn booking(id: i64, account_id: i64, amount: &str, on: &str) -> HistoryEntry {
    HistoryEntry {
        transaction_id: 900_000 + id,
        account_id,
        booked_on: on.parse().unwrap(),
        signed_amount: money(amount),
        purpose: Some(HistoryEntryPurpose::LoanPayment),
        source: HistoryEntrySource::Import,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loan_is_opened_paid_late_cured_and_paid_off() {
    let mesh = Mesh::start(&[
        "11;1;970131;1200;12;100.00;\"C\"",
        "12;2;970131;3600;12;300.00;\"C\"",
    ])
    .await;
    let bank = mesh.run(EVENTS).await;
    for application in [11, 12] {
        let path = format!("/v1/decisions/{application}");
        let made = bank.until(&path, |made| made["outcome"].is_string()).await;
        assert_eq!(made["outcome"], "APPROVED", "{made:#}");
    }
    let (status, problem) = bank.get("/v1/loans/11").await;
    assert_eq!(status, 404, "{problem}");

    // An instalment that overtakes the payout waits for it.
    let reference = creditor_reference(11);
    mesh.publish(&instalment(1, 1, &reference, "100", "1997-02-28"))
        .await;
    bank.until_serviced(1, 0).await;
    for step in [Step::Initiated, Step::BalanceVerified, Step::Completed] {
        let step = BankPayment {
            status: step,
            ..payout(11, 1, "1200", "1997-01-31")
        };
        mesh.publish(&step).await;
    }
    let path = "/v1/loans/11";
    let opened = bank.until(path, |loan| loan["loan_id"] == 11).await;
    assert_eq!(opened["status"], "ACTIVE");
    assert_eq!(opened["client_id"], 1);
    assert_eq!(opened["monthly_instalment"], "100.00");
    assert_eq!(opened["paid_instalments"], 1);
    assert_eq!(opened["next_due_on"], "1997-03-31");
    assert_eq!(opened["matures_on"], "1998-01-31");
    assert_eq!(opened["payment_reference"], reference.as_str());
    assert_eq!(opened["as_of"], "1997-02-28");

    // Another transfer of the borrower shows that time has passed; the loan is not paid.
    let other = BankPayment {
        account_id: 3,
        reference: Some("rent".to_owned()),
        ..instalment(2, 1, "", "5", "1997-04-02")
    };
    mesh.publish(&other).await;
    let late = bank
        .until(path, |loan| loan["status"] == "IN_ARREARS")
        .await;
    assert_eq!(late["arrears_amount"], "100.00");
    assert_eq!(late["arrears_since"], "1997-03-31");
    // Ninety days after 31 March is 29 June.
    mesh.publish(&BankPayment {
        value_date: "1997-06-30".parse().unwrap(),
        payment_id: uuid::Uuid::from_u128(77),
        ..other.clone()
    })
    .await;
    let bad = bank.until(path, |loan| loan["status"] == "DEFAULTED").await;
    assert_eq!(bad["defaulted_on"], "1997-06-30");
    assert_eq!(bad["arrears_amount"], "300.00");

    // A payment from another's account, with the reference printed in groups; twice the same.
    let spaced = format!("{} {}", &reference[..4], &reference[4..]);
    let much = instalment(3, 4, &spaced, "350.50", "1997-07-01");
    mesh.publish(&much).await;
    mesh.publish(&much).await;
    // 500.00 are due by then, and the default goes on until all of it is paid.
    let better = bank
        .until(path, |loan| loan["paid_amount"] == "450.50")
        .await;
    assert_eq!(better["status"], "DEFAULTED");
    assert_eq!(better["arrears_amount"], "49.50");
    assert_eq!(better["arrears_since"], "1997-06-30");

    // Without a reference it is for the only loan of who pays; of who has none, it is set aside.
    mesh.publish(&instalment(4, 1, "for June", "49.50", "1997-07-02"))
        .await;
    let cured = bank.until(path, |loan| loan["status"] == "ACTIVE").await;
    assert_eq!(cured["defaulted_on"], "1997-06-30");
    assert_eq!(cured["arrears_since"], json!(null));
    bank.until_serviced(9, 0).await;
    mesh.publish(&instalment(5, 3, "for June", "49.50", "1997-07-02"))
        .await;
    bank.until_serviced(9, 1).await;

    // Started again, it knows what it knew.
    bank.stop().await;
    let bank = mesh.run(EVENTS).await;
    let (_, again) = bank.get(path).await;
    assert_eq!(again, cured);
    mesh.publish(&instalment(6, 1, &reference, "720", "1997-07-03"))
        .await;
    let done = bank.until(path, |loan| loan["status"] == "PAID_OFF").await;
    assert_eq!(done["paid_instalments"], 12);
    assert_eq!(done["outstanding_amount"], "0.00");
    assert_eq!(done["overpaid_amount"], "20.00");
    assert_eq!(done["next_due_on"], json!(null));
    assert_eq!(done["last_paid_on"], "1997-07-03");
    bank.stop().await;
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_books_say_was_paid_is_on_the_loan_that_was_opened_first() {
    let mesh = Mesh::start(&[
        "21;2;970131;600;2;300.00;\"C\"",
        "22;2;970301;600;2;300.00;\"C\"",
    ])
    .await;
    let bank = mesh.run(EVENTS).await;
    for application in [21, 22] {
        let path = format!("/v1/decisions/{application}");
        bank.until(&path, |made| made["outcome"] == "APPROVED")
            .await;
    }
    for (id, on) in [(1, "1997-02-28"), (2, "1997-03-31"), (3, "1997-04-30")] {
        mesh.book(booking(id, 2, "-300", on));
    }
    mesh.publish(&payout(21, 2, "600", "1997-01-31")).await;
    let first = bank
        .until("/v1/loans/21", |loan| loan["loan_id"] == 21)
        .await;
    assert_eq!(first["status"], "PAID_OFF", "{first:#}");
    assert_eq!(first["overpaid_amount"], "0.00");
    assert_eq!(first["last_paid_on"], "1997-03-31");
    mesh.publish(&payout(22, 2, "600", "1997-03-01")).await;
    let second = bank
        .until("/v1/loans/22", |loan| loan["loan_id"] == 22)
        .await;
    assert_eq!(second["status"], "ACTIVE", "{second:#}");
    assert_eq!(second["paid_amount"], "300.00");
    assert_eq!(second["as_of"], "1997-04-30");
    assert_eq!(second["next_due_on"], "1997-05-01");
    bank.stop().await;
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_the_calendar_a_loan_falls_due_though_nothing_happens() {
    let mesh = Mesh::start(&["31;3;970131;1200;12;100.00;\"C\""]).await;
    let bank = mesh.run(EVENTS).await;
    let decided = |made: &serde_json::Value| made["outcome"] == "APPROVED";
    bank.until("/v1/decisions/31", decided).await;
    mesh.publish(&payout(31, 3, "1200", "1997-01-31")).await;
    let path = "/v1/loans/31";
    let opened = bank.until(path, |loan| loan["loan_id"] == 31).await;
    assert_eq!(opened["status"], "ACTIVE");
    bank.stop().await;

    let clock = Settings {
        business_date: BusinessDate::Clock,
    };
    let bank = mesh.run(clock).await;
    let today = bank.until(path, |loan| loan["status"] == "DEFAULTED").await;
    assert_eq!(today["arrears_amount"], "1200.00");
    assert_eq!(today["defaulted_on"], "1997-05-30");
    // What is paid with an older day is paid, and the day does not go back.
    let reference = creditor_reference(31);
    mesh.publish(&instalment(1, 3, &reference, "1200", "1997-02-01"))
        .await;
    let paid = bank.until(path, |loan| loan["status"] == "PAID_OFF").await;
    assert_eq!(paid["as_of"], today["as_of"]);
    assert_eq!(paid["defaulted_on"], json!(null), "it was paid in time");
    bank.stop().await;
    mesh.stop().await;
}

#[test]
fn only_debits_for_a_loan_after_it_was_granted_are_instalments() {
    let other = |purpose, source, amount: &str| HistoryEntry {
        purpose,
        source,
        ..booking(9, 2, amount, "1997-03-01")
    };
    let loan = Some(HistoryEntryPurpose::LoanPayment);
    let history = [
        booking(2, 2, "-299.70", "1997-03-01"),
        booking(5, 2, "-300.50", "1997-04-01"),
        booking(6, 2, "-299.49", "1997-05-01"),
        booking(7, 2, "-150.20", "1997-06-01"),
        booking(1, 2, "-300", "1997-02-01"),
        booking(3, 2, "-300", "1997-01-31"),
        booking(4, 2, "-300", "1996-12-31"),
        other(loan, HistoryEntrySource::Import, "300"),
        other(loan, HistoryEntrySource::LoanPayout, "-300"),
        other(None, HistoryEntrySource::Import, "-300"),
        other(
            Some(HistoryEntryPurpose::Household),
            HistoryEntrySource::Import,
            "-300",
        ),
    ];
    let found: Vec<(String, String)> =
        imported_instalments(&history, "1997-01-31".parse().unwrap(), money("300"))
            .iter()
            .map(|one| (one.on.to_string(), one.amount.to_string()))
            .collect();
    // What differs by rounding to whole crowns alone is the instalment.
    let expected = [
        ("1997-02-01", "300.00"),
        ("1997-03-01", "300.00"),
        ("1997-04-01", "300.00"),
        ("1997-05-01", "299.49"),
        ("1997-06-01", "150.20"),
    ];
    let expected = expected.map(|(on, amount)| (on.to_owned(), amount.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn the_setting_is_read_or_refused_by_its_name() {
    let read = |value: Option<&str>| {
        Settings::read(|name| {
            assert_eq!(name, BUSINESS_DATE);
            value.map(str::to_owned)
        })
    };
    for (value, expected) in [
        (None, BusinessDate::Events),
        (Some(""), BusinessDate::Events),
        (Some("events"), BusinessDate::Events),
        (Some("clock"), BusinessDate::Clock),
    ] {
        assert_eq!(read(value).unwrap().business_date, expected);
    }
    let error = crate::support::error_text(read(Some("yesterday")).map(drop));
    assert!(error.contains(BUSINESS_DATE), "{error}");
    assert!(!error.contains("yesterday"), "{error}");
}
