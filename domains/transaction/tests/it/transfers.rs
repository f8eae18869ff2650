//! How a transfer is verified and booked, and what the API answers.

use mesh_core::{Record, TimestampMillis};
use serde_json::{Value as Json, json};
use transaction::ledger::{INSUFFICIENT_FUNDS, LENDING_FUND, LoanFund, UNKNOWN_ACCOUNT};
use transaction::products::{
    Account, AccountStatementFrequency, AccountStatus, LedgerEntry,
    LedgerEntryDirection as Direction, LedgerEntryPurpose, Money, Payment, PaymentKind,
    PaymentStatus,
};
use transaction::transfer::{
    ACCOUNT_NOT_OPEN, BALANCE_LIMIT, Booked, Numbers, Outcome, Receiver, TRANSFER_IDS_FROM,
    transfer,
};

use crate::mesh::Mesh;

const AT: TimestampMillis = TimestampMillis(2_000);

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn account(account_id: i64, balance: &str) -> Account {
    Account {
        account_id,
        district_id: 1,
        statement_frequency: AccountStatementFrequency::Monthly,
        opened_on: "1996-01-01".parse().unwrap(),
        owner_client_id: account_id,
        disponent_client_id: None,
        balance: money(balance),
        transaction_count: 3,
        last_booked_on: None,
        status: AccountStatus::Active,
    }
}

fn payment(to: i64, amount: &str) -> Payment {
    Payment {
        payment_id: uuid::Uuid::from_u128(7),
        application_id: 0,
        account_id: to,
        amount: money(amount),
        value_date: "1997-03-01".parse().unwrap(),
        status: PaymentStatus::Initiated,
        reason: None,
        transaction_id: None,
        fund_balance: None,
        at: TimestampMillis(1_000),
        kind: Some(PaymentKind::Transfer),
        from_account: Some(1),
        reference: Some("RF865314".to_owned()),
        debit_transaction_id: None,
    }
}

fn booked(outcome: Outcome) -> Booked {
    match outcome {
        Outcome::Booked(booked) => *booked,
        Outcome::Rejected(payment) => panic!("rejected: {:?}", payment.reason),
    }
}

#[test]
fn both_sides_are_booked_and_nothing_is_made_or_lost() {
    let mut numbers = Numbers::default();
    let receiver = Receiver::Account(account(2, "5.00"));
    let payment = payment(2, "100.00");
    let payer = Some(account(1, "100.00"));
    let outcome = transfer(&payment, payer, Some(receiver), &mut numbers, AT).unwrap();
    let done = booked(outcome);
    let Receiver::Account(to) = &done.receiver else {
        panic!("not an account")
    };
    assert_eq!(
        (done.payer.balance, to.balance),
        (Money::ZERO, money("105"))
    );
    assert_eq!((done.payer.transaction_count, to.transaction_count), (4, 4));
    let credit = done.credit.as_ref().unwrap();
    let seen = |entry: &LedgerEntry| {
        entry.validate().unwrap();
        (
            entry.account_id,
            entry.direction,
            entry.signed_amount,
            entry.counterparty_account,
            entry.transaction_id,
        )
    };
    let first = TRANSFER_IDS_FROM;
    assert_eq!(
        seen(&done.debit),
        (1, Direction::Debit, money("-100"), Some(2), first)
    );
    assert_eq!(
        seen(credit),
        (2, Direction::Credit, money("100"), Some(1), first + 1)
    );
    assert_eq!((done.debit.purpose, credit.purpose), (None, None));
    assert_eq!(done.verified.status, PaymentStatus::BalanceVerified);
    assert_eq!(done.completed.status, PaymentStatus::Completed);
    assert_eq!(
        (
            done.completed.debit_transaction_id,
            done.completed.transaction_id
        ),
        (Some(first), Some(first + 1))
    );
    for step in [&done.verified, &done.completed] {
        step.validate().unwrap();
        assert_eq!(
            (step.payment_id, step.amount),
            (payment.payment_id, payment.amount)
        );
    }
}

#[test]
fn a_loan_is_paid_back_to_the_fund() {
    let mut fund = LoanFund::open(money("1000"));
    fund.available = money("400");
    fund.paid_out = money("600");
    let payment = payment(LENDING_FUND, "50.50");
    let payer = Some(account(1, "60"));
    let receiver = Some(Receiver::Fund(fund));
    let outcome = transfer(&payment, payer, receiver, &mut Numbers::default(), AT).unwrap();
    let done = booked(outcome);
    let Receiver::Fund(fund) = &done.receiver else {
        panic!("not the fund")
    };
    assert_eq!(
        (fund.available, fund.paid_out, fund.repaid, fund.opening),
        (money("450.50"), money("600"), money("50.50"), money("1000"))
    );
    assert_eq!(done.payer.balance, money("9.50"));
    assert_eq!(done.debit.purpose, Some(LedgerEntryPurpose::LoanPayment));
    assert_eq!(done.debit.reference.as_deref(), Some("RF865314"));
    assert_eq!((done.credit, done.completed.transaction_id), (None, None));
    assert_eq!(done.completed.fund_balance, Some(money("450.50")));
}

#[test]
fn what_is_not_covered_is_rejected_and_changes_nothing() {
    let to = || Some(Receiver::Account(account(2, "0")));
    let check = |payer: Option<Account>, receiver: Option<Receiver>, reason: Option<&str>| {
        let mut numbers = Numbers::default();
        let payment = payment(2, "100.00");
        match transfer(&payment, payer, receiver, &mut numbers, AT).unwrap() {
            Outcome::Rejected(rejected) => {
                assert_eq!(rejected.reason.as_deref(), reason);
                assert_eq!(rejected.status, PaymentStatus::Rejected);
                rejected.validate().unwrap();
                assert_eq!(numbers, Numbers::default());
            }
            Outcome::Booked(_) => assert_eq!(reason, None),
        }
    };
    check(Some(account(1, "100.00")), to(), None);
    check(Some(account(1, "99.99")), to(), Some(INSUFFICIENT_FUNDS));
    check(Some(account(1, "-5")), to(), Some(INSUFFICIENT_FUNDS));
    check(None, to(), Some(UNKNOWN_ACCOUNT));
    check(Some(account(1, "100")), None, Some(UNKNOWN_ACCOUNT));
    let full = Receiver::Account(account(2, "999999999999.99"));
    check(Some(account(1, "100")), Some(full), Some(BALANCE_LIMIT));
    let young = |id| Account {
        opened_on: "1997-03-02".parse().unwrap(),
        ..account(id, "100")
    };
    check(Some(young(1)), to(), Some(ACCOUNT_NOT_OPEN));
    let receiver = Some(Receiver::Account(young(2)));
    check(Some(account(1, "100")), receiver, Some(ACCOUNT_NOT_OPEN));
}

fn order(id: &str, from: i64, to: i64, amount: &str) -> Json {
    json!({"transfer_id": id, "from_account": from, "to_account": to, "amount": amount,
        "value_date": "1999-01-31"})
}

/// The domain as a caller sees it, over a stop and a start.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_orders_once_and_learns_what_became_of_it() {
    let mesh = Mesh::start(None).await;
    let bank = mesh.run(3).await;
    let path = "/v1/transfers";

    let (status, first) = bank.post(path, &order("a", 1, 2, "400.00")).await;
    assert_eq!(
        (status, &first["status"]),
        (200, &json!("INITIATED")),
        "{first}"
    );
    let (status, other) = bank.post(path, &order("a", 1, 2, "400.01")).await;
    assert_eq!(status, 422, "{other}");
    let (status, unknown) = bank.post(path, &order("b", 1, 99, "1")).await;
    assert_eq!(status, 200, "{unknown}");
    let (status, large) = bank.post(path, &order("c", 1, 3, "600.01")).await;
    assert_eq!(status, 200, "{large}");
    let (status, exact) = bank.post(path, &order("d", 1, 3, "600.00")).await;
    assert_eq!(status, 200, "{exact}");
    bank.until_idle().await;
    let ends = async |bank: &crate::mesh::Hosted| {
        let mut ends = Vec::new();
        for payment in [&first, &unknown, &large, &exact] {
            let id = payment["payment_id"].as_str().unwrap();
            let (_, now) = bank.get(&format!("/v1/payments/{id}")).await;
            let reason = now["reason"].as_str().unwrap_or_default();
            ends.push(format!("{} {reason}", now["status"].as_str().unwrap()));
        }
        ends
    };
    let expected = [
        "COMPLETED ",
        "REJECTED UNKNOWN_ACCOUNT",
        "REJECTED INSUFFICIENT_FUNDS",
        "COMPLETED ",
    ];
    assert_eq!(ends(&bank).await, expected);

    // The same order is the same payment, in the step that it has reached.
    let (status, again) = bank.post(path, &order("a", 1, 2, "400")).await;
    assert_eq!((status, &again["status"]), (200, &json!("COMPLETED")));
    assert_eq!(again["payment_id"], first["payment_id"]);
    bank.stop().await;
    let bank = mesh.run(3).await;
    let (_, again) = bank.post(path, &order("a", 1, 2, "400")).await;
    assert_eq!(again["payment_id"], first["payment_id"]);
    assert_eq!(again["status"], "COMPLETED");
    bank.until_idle().await;
    assert_eq!(ends(&bank).await, expected);
    for (account, balance) in [(1, "0.00"), (2, "1400.00"), (3, "1600.00")] {
        let (_, found) = bank.get(&format!("/v1/accounts/{account}")).await;
        assert_eq!(found["balance"], balance, "{account}");
        let history = format!("/v1/accounts/{account}/transactions");
        let (_, found) = bank.get(&history).await;
        let sum = found["items"].as_array().unwrap().iter();
        let sum = sum.fold(Money::ZERO, |sum, entry| {
            let amount = money(entry["signed_amount"].as_str().unwrap());
            sum.checked_add(amount).unwrap()
        });
        assert_eq!(sum, money(balance), "{account}");
    }

    // What is wrong is a problem document that names the field.
    let (status, problem) = bank.post(path, &order("e", 1, 1, "1")).await;
    assert_eq!(
        (status, &problem["status"]),
        (400, &json!(400)),
        "{problem}"
    );
    assert!(problem.to_string().contains("to_account"), "{problem}");
    let url = format!("{}{path}", bank.base);
    let nobody = bank.http.post(url).json(&order("f", 1, 2, "1"));
    let refused = nobody.send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let kind = refused.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("application/problem+json"), "{kind}");
    bank.stop().await;
    mesh.stop().await;
}
