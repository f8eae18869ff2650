use chrono::NaiveDate;
use loan::assessment::{decision, observed};
use loan::history::observe;
use loan::products::inputs::{
    ApplicantProfile, ApplicantProfileAccounts, ApplicantProfileAccountsRole as Role,
    ApplicantScore, ApplicantScoreBand, HistoryEntry, HistoryEntryPurpose as Purpose,
    HistoryEntrySource as Source,
};
use loan::products::{Application, Decision, DecisionObserved, DecisionOutcome as Outcome, Money};
use loan::rules::Reason::{self, *};
use loan::rules::decide;
use mesh_core::{Record, TimestampMillis};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn application() -> Application {
    Application {
        application_id: 5314,
        account_id: 9,
        client_id: 4,
        applied_on: day("1997-03-01"),
        amount: money("36000"),
        duration_months: 12,
        monthly_payment: money("3000"),
    }
}

fn seen() -> DecisionObserved {
    DecisionObserved {
        age_years: 40,
        owns_account: true,
        score_points: Some(600),
        score_band: Some("B".into()),
        scorecard_version: Some("1.0.0".into()),
        average_balance: Some(money("20000")),
        minimum_balance: Some(money("500")),
        history_months: 12,
        history_transactions: 80,
        days_since_last: Some(3),
        monthly_inflow: money("10000"),
        monthly_commitments: money("1000"),
    }
}

#[test]
fn each_rule_has_its_outcome_and_its_reason() {
    let check = |seen: DecisionObserved, outcome: Outcome, reasons: &[Reason]| {
        let (found, why) = decide(&application(), &seen);
        assert_eq!((found, why.as_slice()), (outcome, reasons));
    };
    let ok = [ScoreSufficient, PaymentAffordable];
    check(seen(), Outcome::Approved, &ok);

    check(
        DecisionObserved {
            age_years: 17,
            ..seen()
        },
        Outcome::Declined,
        &[UnderAge],
    );
    check(
        DecisionObserved {
            age_years: 18,
            ..seen()
        },
        Outcome::Approved,
        &ok,
    );
    check(
        DecisionObserved {
            owns_account: false,
            ..seen()
        },
        Outcome::Declined,
        &[NotAccountOwner],
    );

    check(
        DecisionObserved {
            history_months: 2,
            ..seen()
        },
        Outcome::Referred,
        &[InsufficientHistory, ShortHistory],
    );
    check(
        DecisionObserved {
            history_transactions: 11,
            ..seen()
        },
        Outcome::Referred,
        &[InsufficientHistory, FewTransactions],
    );
    check(
        DecisionObserved {
            days_since_last: Some(63),
            ..seen()
        },
        Outcome::Referred,
        &[InsufficientHistory, NoRecentTransactions],
    );
    check(
        DecisionObserved {
            days_since_last: Some(62),
            ..seen()
        },
        Outcome::Approved,
        &ok,
    );
    check(
        DecisionObserved {
            history_months: 0,
            history_transactions: 0,
            days_since_last: None,
            score_points: Some(0),
            ..seen()
        },
        Outcome::Referred,
        &[
            InsufficientHistory,
            ShortHistory,
            FewTransactions,
            NoRecentTransactions,
        ],
    );

    check(
        DecisionObserved {
            score_points: Some(479),
            ..seen()
        },
        Outcome::Declined,
        &[LowScore],
    );
    check(
        DecisionObserved {
            score_points: None,
            ..seen()
        },
        Outcome::Declined,
        &[LowScore],
    );
    check(
        DecisionObserved {
            score_points: Some(480),
            ..seen()
        },
        Outcome::Referred,
        &[BorderlineScore],
    );
    check(
        DecisionObserved {
            score_points: Some(550),
            ..seen()
        },
        Outcome::Approved,
        &ok,
    );

    // 3000 of 10000 is 30 percent; a cent less of inflow is more.
    check(
        DecisionObserved {
            monthly_inflow: money("9999.99"),
            ..seen()
        },
        Outcome::Referred,
        &[PaymentStretched],
    );
    check(
        DecisionObserved {
            monthly_inflow: money("7500"),
            ..seen()
        },
        Outcome::Referred,
        &[PaymentStretched, CommitmentsStretched],
    );
    check(
        DecisionObserved {
            monthly_inflow: money("7499.99"),
            ..seen()
        },
        Outcome::Declined,
        &[PaymentUnaffordable],
    );
    check(
        DecisionObserved {
            monthly_inflow: Money::ZERO,
            ..seen()
        },
        Outcome::Declined,
        &[PaymentUnaffordable, CommitmentsTooHigh],
    );
    check(
        DecisionObserved {
            monthly_commitments: money("2000.01"),
            ..seen()
        },
        Outcome::Referred,
        &[CommitmentsStretched],
    );
    check(
        DecisionObserved {
            monthly_commitments: money("3500.01"),
            ..seen()
        },
        Outcome::Declined,
        &[CommitmentsTooHigh],
    );

    let large = Application {
        amount: money("400000.01"),
        ..application()
    };
    assert_eq!(
        decide(&large, &seen()),
        (Outcome::Referred, vec![LargeAmount])
    );
    let not_large = Application {
        amount: money("400000"),
        ..application()
    };
    assert_eq!(decide(&not_large, &seen()).0, Outcome::Approved);
}

#[test]
fn a_decision_holds_all_that_it_was_made_from() {
    let made = decision(&application(), seen(), TimestampMillis(1_000));
    made.validate().unwrap();
    let kept = Decision::from_json(&made.to_json()).unwrap();
    let again = Application {
        application_id: kept.application_id,
        account_id: kept.account_id,
        client_id: kept.client_id,
        applied_on: kept.as_of,
        amount: kept.amount,
        duration_months: kept.duration_months,
        monthly_payment: kept.monthly_payment,
    };
    assert_eq!(
        decision(&again, kept.observed.clone(), kept.decided_at),
        made
    );
}

fn booking(date: &str, amount: &str, purpose: Option<Purpose>) -> HistoryEntry {
    HistoryEntry {
        transaction_id: 1,
        account_id: 9,
        booked_on: day(date),
        signed_amount: money(amount),
        purpose,
        source: Source::Import,
    }
}

#[test]
fn means_are_those_of_the_last_months_before_the_day() {
    let mut history = vec![
        booking("1996-01-01", "60000", None),
        booking("1996-09-01", "6000", None),
        booking("1996-10-01", "5.50", Some(Purpose::Interest)),
        booking("1996-11-01", "-1200", Some(Purpose::Household)),
        booking("1996-12-01", "-600", Some(Purpose::Insurance)),
        booking("1996-12-02", "-60", Some(Purpose::StatementFee)),
        booking("1997-02-01", "3000.06", None),
        booking("1997-03-01", "99999", None),
    ];
    let means = observe(&history, day("1997-03-01")).unwrap();
    assert_eq!(means.monthly_inflow.to_string(), "1500.01");
    assert_eq!(means.monthly_commitments.to_string(), "300.00");
    assert_eq!(
        (means.months, means.count, means.days_since_last),
        (14, 7, Some(28))
    );
    history.push(HistoryEntry {
        source: Source::LoanPayout,
        ..booking("1997-02-15", "36000", None)
    });
    assert_eq!(observe(&history, day("1997-03-01")).unwrap(), means);
    assert_eq!(
        observe(&[], day("1997-03-01")).unwrap().days_since_last,
        None
    );
}

#[test]
fn what_was_looked_up_is_what_the_others_said() {
    let profile = |role| ApplicantProfile {
        client_id: 4,
        birth_date: day("1960-03-02"),
        accounts: vec![ApplicantProfileAccounts {
            account_id: 9,
            role,
        }],
    };
    let score = ApplicantScore {
        client_id: 4,
        account_id: 9,
        as_of: day("1997-03-01"),
        points: 601,
        band: ApplicantScoreBand::B,
        average_balance: money("1"),
        minimum_balance: money("-1"),
        scorecard_version: "1.0.0".into(),
    };
    let made = observed(&application(), &profile(Role::Owner), Some(&score), &[]).unwrap();
    assert_eq!(
        (made.age_years, made.owns_account, made.score_points),
        (36, true, Some(601))
    );
    let barred = observed(&application(), &profile(Role::Disponent), None, &[]).unwrap();
    assert_eq!(
        decide(&application(), &barred),
        (Outcome::Declined, vec![NotAccountOwner])
    );
}
