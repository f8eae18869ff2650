use chrono::NaiveDate;
use customer::history::{Observations, observe, whole_months};
use customer::products::inputs::{
    HistoryEntry, HistoryEntryPurpose as Purpose, HistoryEntrySource as Source,
};
use customer::products::{
    CreditScoreBand as Band, CreditScoreComponentsFactor as Factor, Profile, ProfileGender,
};
use customer::scorecard::{BASE_POINTS, score};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn booking(date: &str, amount: &str) -> HistoryEntry {
    HistoryEntry {
        account_id: 1,
        booked_on: day(date),
        signed_amount: amount.parse().unwrap(),
        purpose: None,
        source: Source::Import,
    }
}

fn profile() -> Profile {
    Profile {
        client_id: 1,
        birth_date: day("1960-06-15"),
        gender: ProfileGender::Female,
        district_id: 1,
        district_name: "Somewhere".into(),
        region: "Middle".into(),
        district_average_salary: "9000".parse().unwrap(),
        district_unemployment_1995: Some("1.50".parse().unwrap()),
        district_unemployment_1996: Some("6".parse().unwrap()),
        accounts: vec![],
        data_note: None,
    }
}

fn good() -> Observations {
    Observations {
        months: 24,
        count: 100,
        last_booked_on: Some(day("1997-01-31")),
        monthly_inflow: "35000".parse().unwrap(),
        average_balance: "50000".parse().unwrap(),
        minimum_balance: "10000".parse().unwrap(),
        negative_months: 0,
        penalties: 0,
    }
}

#[test]
fn whole_months_are_counted_by_the_day() {
    for (from, to, months) in [
        ("1996-01-31", "1996-02-29", 0),
        ("1996-01-31", "1996-03-31", 2),
        ("1996-01-15", "1997-01-14", 11),
        ("1996-01-15", "1997-01-15", 12),
        ("1997-01-15", "1996-01-15", 0),
    ] {
        assert_eq!(whole_months(day(from), day(to)), months, "{from} to {to}");
    }
}

#[test]
fn only_what_was_booked_before_the_day_counts() {
    let mut history = vec![
        booking("1996-01-01", "1000"),
        booking("1996-02-01", "-1500"),
        booking("1996-03-01", "2500"),
        booking("1996-04-01", "99999"),
        booking("1996-05-01", "99999"),
    ];
    let seen = observe(&history, day("1996-04-01")).unwrap();
    // 31 days of 1000, 29 of -500, 31 of 2000.
    assert_eq!(seen.average_balance.to_string(), "862.63");
    assert_eq!(seen.minimum_balance.to_string(), "-500.00");
    assert_eq!(seen.monthly_inflow.to_string(), "1166.66");
    assert_eq!((seen.months, seen.count, seen.negative_months), (3, 3, 1));
    assert_eq!(seen.last_booked_on, Some(day("1996-03-01")));

    // Neither interest nor borrowed money is income, and a payout changes nothing at all.
    history.push(HistoryEntry {
        source: Source::LoanPayout,
        ..booking("1996-02-15", "50000")
    });
    assert_eq!(observe(&history, day("1996-04-01")).unwrap(), seen);
    history.push(HistoryEntry {
        purpose: Some(Purpose::Interest),
        ..booking("1996-03-31", "10")
    });
    history.push(HistoryEntry {
        purpose: Some(Purpose::PenaltyInterest),
        ..booking("1996-02-28", "-10")
    });
    let more = observe(&history, day("1996-04-01")).unwrap();
    assert_eq!(more.monthly_inflow, seen.monthly_inflow);
    assert_eq!((more.penalties, more.count), (1, 5));
    assert_eq!(more.minimum_balance.to_string(), "-510.00");
}

#[test]
fn rows_of_one_day_count_in_any_order() {
    let mut history = vec![
        booking("1996-01-01", "100"),
        booking("1996-01-02", "-150"),
        booking("1996-01-02", "200"),
        booking("1996-01-05", "1"),
    ];
    let seen = observe(&history, day("1996-01-10")).unwrap();
    assert_eq!(seen.minimum_balance.to_string(), "100.00");
    assert_eq!(seen.negative_months, 0);
    history.reverse();
    assert_eq!(observe(&history, day("1996-01-10")).unwrap(), seen);
}

#[test]
fn points_are_the_base_and_what_the_components_say() {
    let check = |seen: &Observations, as_of: &str, points: i32, band: Band| {
        let score = score(&profile(), seen, day(as_of)).unwrap();
        let sum: i32 = score
            .components
            .iter()
            .map(|component| component.points)
            .sum();
        assert_eq!(score.points, BASE_POINTS + sum);
        assert_eq!((score.points, score.band), (points, band));
        assert_eq!(score.components.len(), Factor::ALL.len());
        for (component, factor) in score.components.iter().zip(Factor::ALL) {
            assert_eq!(component.factor, *factor);
            assert!(!component.reason.is_empty());
        }
    };
    check(&good(), "1997-02-15", 705, Band::A);
    // The figure of 1995 counts in 1996, and none before.
    check(
        &Observations {
            last_booked_on: Some(day("1996-02-14")),
            ..good()
        },
        "1996-02-15",
        725,
        Band::A,
    );
    check(
        &Observations {
            last_booked_on: Some(day("1995-02-14")),
            ..good()
        },
        "1995-02-15",
        715,
        Band::A,
    );
    let red = Observations {
        minimum_balance: "-0.01".parse().unwrap(),
        negative_months: 1,
        penalties: 1,
        ..good()
    };
    check(&red, "1997-02-15", 495, Band::C);
    check(
        &Observations {
            penalties: 2,
            ..red.clone()
        },
        "1997-02-15",
        435,
        Band::D,
    );
    check(
        &Observations {
            months: 2,
            ..good()
        },
        "1997-02-15",
        635,
        Band::Unscored,
    );
    check(
        &Observations {
            count: 11,
            ..good()
        },
        "1997-02-15",
        705,
        Band::Unscored,
    );
    check(
        &Observations {
            last_booked_on: Some(day("1996-12-01")),
            ..good()
        },
        "1997-02-15",
        705,
        Band::Unscored,
    );
    let nothing = observe(&[], day("1997-02-15")).unwrap();
    check(&nothing, "1997-02-15", 385, Band::Unscored);
}
