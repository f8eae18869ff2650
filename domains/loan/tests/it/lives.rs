//! Schedules, and how a loan stands on a day.

use chrono::NaiveDate;
use loan::products::{LoanStatus as Status, Money};
use loan::schedule::Schedule;
use loan::standing::{Paid, Standing, standing};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn schedule(amount: &str, months: i32, granted_on: &str) -> Schedule {
    Schedule::new(money(amount), months, day(granted_on)).unwrap()
}

fn dues(schedule: &Schedule) -> Vec<String> {
    (1..=schedule.months())
        .map(|number| schedule.due_on(number).to_string())
        .collect()
}

#[test]
fn instalments_fall_due_on_the_day_of_the_payout_or_at_the_end_of_a_shorter_month() {
    let check = |granted_on: &str, expected: &[&str]| {
        let schedule = schedule("1200", expected.len() as i32, granted_on);
        assert_eq!(dues(&schedule), expected);
        let last = schedule.matures_on().to_string();
        assert_eq!(Some(&last.as_str()), expected.last());
    };
    check("1997-03-15", &["1997-04-15", "1997-05-15"]);
    check(
        "1997-01-31",
        &["1997-02-28", "1997-03-31", "1997-04-30", "1997-05-31"],
    );
    check("1996-01-31", &["1996-02-29", "1996-03-31"]);
    check("1996-01-30", &["1996-02-29", "1996-03-30"]);
    check("1995-02-28", &["1995-03-28"]);
    check("1996-02-29", &["1996-03-29"]);
    check("1998-12-31", &["1999-01-31", "1999-02-28", "1999-03-31"]);
    // A year after the leap day there is none.
    let year = schedule("1200", 12, "1996-02-29");
    assert_eq!(year.matures_on(), day("1997-02-28"));
}

#[test]
fn the_last_instalment_takes_what_rounding_leaves() {
    let check = |amount: &str, months: i32, instalment: &str, last: &str| {
        let schedule = schedule(amount, months, "1997-01-31");
        assert_eq!(schedule.instalment(), money(instalment));
        let before = schedule.due_before(schedule.matures_on());
        let end = schedule.matures_on().succ_opt().unwrap();
        let all = schedule.due_before(end);
        assert_eq!(all, money(amount).unscaled());
        assert_eq!(all - before, money(last).unscaled());
    };
    check("36000", 12, "3000.00", "3000.00");
    check("100", 3, "33.33", "33.34");
    check("0.05", 12, "0.00", "0.05");
    check("999999999999.99", 600, "1666666666.66", "1666666670.65");
    check("50.01", 1, "50.01", "50.01");
}

#[test]
fn a_schedule_that_cannot_be_is_refused() {
    let refused = |amount: &str, months: i32, granted_on: NaiveDate| {
        Schedule::new(money(amount), months, granted_on).is_err()
    };
    assert!(refused("0", 12, day("1997-01-01")));
    assert!(refused("-1", 12, day("1997-01-01")));
    assert!(refused("1", 0, day("1997-01-01")));
    assert!(refused("1", -1, day("1997-01-01")));
    assert!(refused("1", 12, NaiveDate::MAX));
}

#[test]
fn counting_agrees_with_going_through_all_of_them() {
    for (amount, months, granted_on) in [
        ("36000", 12, "1997-01-31"),
        ("100", 7, "1996-02-29"),
        ("0.05", 12, "1997-03-01"),
    ] {
        let schedule = schedule(amount, months, granted_on);
        for at in 0..500 {
            let on = day(granted_on) + chrono::Days::new(at);
            let past = (1..=schedule.months()).filter(|n| schedule.due_on(*n) < on);
            assert_eq!(schedule.past_due(on), past.count() as u32, "{on}");
        }
        let step = (schedule.amount().unscaled() / 50).max(1);
        for at in 0..=60 {
            let paid = step * at;
            let mut sum = 0;
            let mut full = 0;
            for number in 1..=schedule.months() {
                sum = match number == schedule.months() {
                    true => schedule.amount().unscaled(),
                    false => sum + schedule.instalment().unscaled(),
                };
                full += u32::from(sum <= paid);
            }
            assert_eq!(schedule.paid_by(paid), full, "{paid}");
        }
    }
}

/// A loan of 1,200 over 12 months from 31 January 1997, paid as `payments` say.
fn at(payments: &[(&str, &str)], as_of: &str) -> Standing {
    let payments: Vec<Paid> = payments
        .iter()
        .map(|(on, amount)| Paid {
            on: day(on),
            amount: money(amount),
        })
        .collect();
    standing(&schedule("1200", 12, "1997-01-31"), &payments, day(as_of)).unwrap()
}

fn seen(standing: &Standing) -> (Status, u32, String, String, Option<String>, Option<String>) {
    let text = |day: Option<NaiveDate>| day.map(|day| day.to_string());
    (
        standing.status,
        standing.paid_instalments,
        standing.outstanding.to_string(),
        standing.arrears.to_string(),
        text(standing.arrears_since),
        text(standing.next_due_on),
    )
}

fn check(
    payments: &[(&str, &str)],
    as_of: &str,
    expected: (Status, u32, &str, &str, Option<&str>, &str),
) {
    let (status, full, outstanding, arrears, since, next) = expected;
    let next = (!next.is_empty()).then(|| next.to_owned());
    let expected = (
        status,
        full,
        outstanding.to_owned(),
        arrears.to_owned(),
        since.map(str::to_owned),
        next,
    );
    assert_eq!(
        seen(&at(payments, as_of)),
        expected,
        "{payments:?} on {as_of}"
    );
}

const FEB: &str = "1997-02-28";

#[test]
fn a_loan_is_in_arrears_from_the_day_after_a_due_date_on() {
    use Status::*;
    check(&[], "1997-01-31", (Active, 0, "1200.00", "0.00", None, FEB));
    check(&[], FEB, (Active, 0, "1200.00", "0.00", None, FEB));
    check(
        &[],
        "1997-03-01",
        (InArrears, 0, "1200.00", "100.00", Some(FEB), FEB),
    );
    check(
        &[],
        "1997-04-01",
        (InArrears, 0, "1200.00", "200.00", Some(FEB), FEB),
    );
    let on_the_day = [(FEB, "100")];
    check(
        &on_the_day,
        "1997-03-01",
        (Active, 1, "1100.00", "0.00", None, "1997-03-31"),
    );
    let late = [("1997-03-05", "100")];
    check(
        &late,
        "1997-03-04",
        (InArrears, 0, "1200.00", "100.00", Some(FEB), FEB),
    );
    check(
        &late,
        "1997-03-05",
        (Active, 1, "1100.00", "0.00", None, "1997-03-31"),
    );
}

#[test]
fn partial_early_and_double_payments_go_to_the_oldest_instalment() {
    use Status::*;
    let partial = [(FEB, "60.50")];
    check(&partial, FEB, (Active, 0, "1139.50", "0.00", None, FEB));
    check(
        &partial,
        "1997-03-01",
        (InArrears, 0, "1139.50", "39.50", Some(FEB), FEB),
    );
    let two_parts = [(FEB, "60.50"), ("1997-03-10", "39.50")];
    check(
        &two_parts,
        "1997-03-10",
        (Active, 1, "1100.00", "0.00", None, "1997-03-31"),
    );
    let double = [(FEB, "100"), (FEB, "100")];
    check(
        &double,
        "1997-04-01",
        (Active, 2, "1000.00", "0.00", None, "1997-04-30"),
    );
    check(
        &double,
        "1997-05-01",
        (
            InArrears,
            2,
            "1000.00",
            "100.00",
            Some("1997-04-30"),
            "1997-04-30",
        ),
    );
    let early = [("1997-02-01", "1200")];
    check(
        &early,
        "1997-02-01",
        (PaidOff, 12, "0.00", "0.00", None, ""),
    );
    check(
        &early,
        "1999-01-01",
        (PaidOff, 12, "0.00", "0.00", None, ""),
    );
    let too_much = at(&[("1997-02-01", "1250.01")], "1997-02-01");
    assert_eq!(
        (too_much.status, too_much.overpaid),
        (PaidOff, money("50.01"))
    );
    assert_eq!(too_much.paid, money("1200"));
    assert_eq!(too_much.changes_on, None);
    // What is paid later is not known yet.
    check(
        &[("1997-03-02", "100")],
        "1997-03-01",
        (InArrears, 0, "1200.00", "100.00", Some(FEB), FEB),
    );
}

#[test]
fn more_than_ninety_days_past_due_is_default_until_nothing_is_past_due() {
    use Status::*;
    // 28 February and 90 days are 29 May.
    check(
        &[],
        "1997-05-29",
        (InArrears, 0, "1200.00", "300.00", Some(FEB), FEB),
    );
    check(
        &[],
        "1997-05-30",
        (Defaulted, 0, "1200.00", "300.00", Some(FEB), FEB),
    );
    let status = |payments: &[(&str, &str)], as_of| {
        let found = at(payments, as_of);
        let on = found.defaulted_on.map(|day| day.to_string());
        (found.status, on.unwrap_or_default())
    };
    let first = "1997-05-30".to_owned();
    // One instalment moves the count back, and does not end the default; all of them do.
    let one = [("1997-06-10", "100")];
    assert_eq!(status(&one, "1997-06-10"), (Defaulted, first.clone()));
    let all = [("1997-06-10", "100"), ("1997-06-12", "300")];
    assert_eq!(status(&all, "1997-06-11"), (Defaulted, first.clone()));
    assert_eq!(status(&all, "1997-06-12"), (Active, first.clone()));
    // Cured, and past due again: it begins to count anew.
    assert_eq!(status(&all, "1997-07-01"), (InArrears, first.clone()));
    assert_eq!(status(&all, "1997-09-28"), (InArrears, first.clone()));
    assert_eq!(status(&all, "1997-09-29"), (Defaulted, first.clone()));
    // A payment just in time keeps the oldest instalment below.
    let in_time = [("1997-05-29", "100")];
    assert_eq!(status(&in_time, "1997-05-30"), (InArrears, String::new()));
    assert_eq!(status(&in_time, "1997-06-29"), (InArrears, String::new()));
    assert_eq!(
        status(&in_time, "1997-06-30"),
        (Defaulted, "1997-06-30".into())
    );
    // Paid off out of default.
    let whole = [("1998-06-01", "1200")];
    assert_eq!(status(&whole, "1998-05-31"), (Defaulted, first.clone()));
    assert_eq!(status(&whole, "1998-06-01"), (PaidOff, first));
}

#[test]
fn the_order_in_which_payments_become_known_makes_no_difference() {
    let payments = [
        ("1997-06-12", "300"),
        (FEB, "20"),
        ("1997-06-10", "100"),
        ("1997-03-31", "80"),
        ("1998-01-31", "700"),
        ("1997-06-10", "0.01"),
    ];
    let days: Vec<NaiveDate> = (0..500)
        .map(|at| day("1997-01-31") + chrono::Days::new(at))
        .collect();
    let told = |payments: &[(&str, &str)]| -> Vec<Standing> {
        days.iter()
            .map(|day| at(payments, &day.to_string()))
            .collect()
    };
    let expected = told(&payments);
    for turn in 1..payments.len() {
        let mut other = payments;
        other.rotate_left(turn);
        assert_eq!(told(&other), expected);
        other.reverse();
        assert_eq!(told(&other), expected);
    }
    // Nothing gets lost and nothing appears from one day to the next.
    for standing in &expected {
        let sum = standing.paid.unscaled() + standing.outstanding.unscaled();
        assert_eq!(sum, 120_000);
        assert_eq!(
            standing.arrears > Money::ZERO,
            standing.arrears_since.is_some()
        );
    }
}

#[test]
fn the_day_of_the_next_change_misses_none() {
    let cases: [&[(&str, &str)]; 5] = [
        &[],
        &[(FEB, "100")],
        &[(FEB, "150"), ("1997-04-30", "10")],
        &[("1997-02-01", "500")],
        &[("1997-02-01", "1200")],
    ];
    for payments in cases {
        let payments_end = day("1997-05-01");
        let mut today = payments_end;
        let mut now = at(payments, &today.to_string());
        for _ in 0..700 {
            let tomorrow = today.succ_opt().unwrap();
            let next = at(payments, &tomorrow.to_string());
            let same = Standing {
                changes_on: now.changes_on,
                ..next.clone()
            } == now;
            if !same {
                assert_eq!(now.changes_on, Some(tomorrow), "{payments:?}");
            }
            assert!(now.changes_on.is_none_or(|day| day > today));
            (today, now) = (tomorrow, next);
        }
        assert_eq!(now.changes_on, None, "{payments:?}");
    }
}
