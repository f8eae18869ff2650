use mesh_core::{Record, TimestampMillis};
use transaction::ledger::{
    INSUFFICIENT_FUNDS, LoanFund, PAYOUT_IDS_FROM, UNKNOWN_ACCOUNT, book, complete, initiate,
    verify,
};
use transaction::products::inputs::{LoanDecision, LoanDecisionOutcome};
use transaction::products::{
    Account, AccountStatementFrequency, AccountStatus, LedgerEntry, Money, Payment, PaymentStatus,
};

const AT: TimestampMillis = TimestampMillis(1_000);

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn decision(application_id: i64, amount: &str) -> LoanDecision {
    LoanDecision {
        application_id,
        account_id: 9,
        outcome: LoanDecisionOutcome::Approved,
        amount: money(amount),
        as_of: "1997-03-01".parse().unwrap(),
    }
}

fn account() -> Account {
    Account {
        account_id: 9,
        district_id: 1,
        statement_frequency: AccountStatementFrequency::Monthly,
        opened_on: "1996-01-01".parse().unwrap(),
        owner_client_id: 4,
        disponent_client_id: None,
        balance: Money::ZERO,
        transaction_count: 0,
        last_booked_on: None,
        status: AccountStatus::Unused,
    }
}

#[test]
fn a_payout_moves_exactly_its_amount_from_the_fund_to_the_account() {
    let mut fund = LoanFund::open(money("100000.00"));
    let mut account = account();
    let mut booked: Vec<LedgerEntry> = Vec::new();
    for (application, amount) in [(5314, "40000.10"), (5316, "59999.90")] {
        let begun = initiate(&decision(application, amount), AT).unwrap();
        assert_eq!(begun.status, PaymentStatus::Initiated);
        let verified = verify(&begun, &mut fund, true, AT).unwrap();
        assert_eq!(verified.status, PaymentStatus::BalanceVerified);
        assert_eq!(verified.fund_balance, Some(fund.available));
        let (done, entry) = complete(&verified, &mut fund, &mut account, AT).unwrap();
        assert_eq!(done.status, PaymentStatus::Completed);
        assert_eq!(done.transaction_id, Some(entry.transaction_id));
        assert_eq!(entry.transaction_id, PAYOUT_IDS_FROM + application);
        assert_eq!(entry.payment_id, Some(begun.payment_id));
        for record in [&begun, &verified, &done] {
            record.validate().unwrap();
        }
        entry.validate().unwrap();
        booked.push(entry);
    }
    let sum = booked.iter().fold(Money::ZERO, |sum, entry| {
        sum.checked_add(entry.signed_amount).unwrap()
    });
    assert_eq!(account.balance, sum);
    assert_eq!(
        (account.transaction_count, account.status),
        (2, AccountStatus::Active)
    );
    assert_eq!(account.last_booked_on, Some("1997-03-01".parse().unwrap()));
    assert_eq!(
        (fund.available, fund.reserved, fund.paid_out),
        (Money::ZERO, Money::ZERO, sum)
    );
    assert_eq!(fund.opening, money("100000"));
}

#[test]
fn what_the_fund_does_not_cover_is_rejected_and_changes_nothing() {
    let check = |capital: &str, known: bool, reason: Option<&str>| {
        let mut fund = LoanFund::open(money(capital));
        let begun: Payment = initiate(&decision(1, "100.00"), AT).unwrap();
        let next = verify(&begun, &mut fund, known, AT).unwrap();
        assert_eq!(next.reason.as_deref(), reason);
        assert_eq!(next.status == PaymentStatus::Rejected, reason.is_some());
        if reason.is_some() {
            assert_eq!(fund, LoanFund::open(money(capital)));
        }
    };
    check("100.00", true, None);
    check("99.99", true, Some(INSUFFICIENT_FUNDS));
    check("100.00", false, Some(UNKNOWN_ACCOUNT));
    // What is set aside for one cannot be given to another.
    let mut fund = LoanFund::open(money("150"));
    let first = initiate(&decision(1, "100"), AT).unwrap();
    let second = initiate(&decision(2, "100"), AT).unwrap();
    verify(&first, &mut fund, true, AT).unwrap();
    let refused = verify(&second, &mut fund, true, AT).unwrap();
    assert_eq!(refused.reason.as_deref(), Some(INSUFFICIENT_FUNDS));
}

#[test]
fn a_decision_that_arrives_again_means_the_same_payment() {
    let one = initiate(&decision(7, "1"), AT).unwrap();
    let again = initiate(&decision(7, "1"), TimestampMillis(2_000)).unwrap();
    let other = initiate(&decision(8, "1"), AT).unwrap();
    assert_eq!(one.payment_id, again.payment_id);
    assert_ne!(one.payment_id, other.payment_id);
    for wrong in [0, -1, PAYOUT_IDS_FROM, i64::MAX] {
        assert!(initiate(&decision(wrong, "1"), AT).is_err(), "{wrong}");
    }
}

#[test]
fn a_fund_is_kept_to_the_cent() {
    let fund = LoanFund::open(money("999999999999.99"));
    let text = serde_json::to_string(&fund).unwrap();
    assert!(text.contains("\"999999999999.99\""), "{text}");
    assert_eq!(serde_json::from_str::<LoanFund>(&text).unwrap(), fund);
    assert!(serde_json::from_str::<LoanFund>(&text.replace(".99", ".999")).is_err());
}

#[test]
fn a_balance_that_does_not_fit_is_an_error() {
    let mut full = Account {
        balance: money("999999999999.99"),
        ..account()
    };
    let begun = initiate(&decision(1, "0.01"), AT).unwrap();
    let mut fund = LoanFund::open(money("1"));
    let verified = verify(&begun, &mut fund, true, AT).unwrap();
    assert!(complete(&verified, &mut fund, &mut full, AT).is_err());
    let (_, entry) = complete(&verified, &mut fund, &mut account(), AT).unwrap();
    assert!(book(&mut full, &entry).is_err());
}
