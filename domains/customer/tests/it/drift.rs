//! The drift of scores, as a function and as a product.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use customer::drift::{Counts, Reference, drift, reference, verdict};
use customer::products::{CreditScore, CreditScoreBand as Band, Drift, DriftVerdict as Verdict};
use mesh_core::{Record, TimestampMillis};

use crate::mesh::Mesh;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn counts(bands: [u64; 5]) -> Counts {
    Counts {
        bands: bands.to_vec(),
        changed_at: 0,
    }
}

#[test]
fn the_index_says_what_is_customary() {
    for (psi, by_chance, expected) in [
        (0.0, 0.01, Verdict::Stable),
        (0.0999, 0.01, Verdict::Stable),
        (0.1, 0.01, Verdict::Shifting),
        (0.2499, 0.1, Verdict::Shifting),
        (0.25, 0.01, Verdict::Shifted),
        (9.0, 0.1001, Verdict::TooFew),
    ] {
        assert_eq!(verdict(psi, by_chance), expected, "{psi} {by_chance}");
    }
    let old = Reference {
        from: day("1993-07-01"),
        to: day("1994-06-01"),
        counts: counts([100, 50, 25, 25, 0]),
    };
    let row = |bands| drift(day("1997-03-01"), 0, &counts(bands), &old).unwrap();
    let same = row([200, 100, 50, 50, 0]);
    assert_eq!(
        (same.verdict, same.scores, same.reference_scores),
        (Verdict::Stable, 400, 200)
    );
    assert!(same.psi < 0.001);
    assert_eq!(row([20, 20, 20, 20, 20]).verdict, Verdict::Shifted);
    assert_eq!(row([4, 2, 1, 1, 0]).verdict, Verdict::TooFew);
    same.validate().unwrap();
    let bands: Vec<&str> = same.bands.iter().map(|one| one.band.as_str()).collect();
    assert_eq!(bands, ["A", "B", "C", "D", "UNSCORED"]);
}

#[test]
fn the_reference_is_the_first_months_that_are_enough_and_over() {
    let months = |list: &[(&str, u64, i64)]| -> BTreeMap<NaiveDate, Counts> {
        let months = list.iter().map(|(month, scores, changed_at)| {
            let bands = vec![*scores, 0, 0, 0, 0];
            let changed_at = *changed_at;
            (day(month), Counts { bands, changed_at })
        });
        months.collect()
    };
    let today = day("1999-01-15");
    let found = |list: &[(&str, u64, i64)]| reference(&months(list), 1_000, today);
    let three = [
        ("1997-01-01", 150, 1),
        ("1997-02-01", 60, 2),
        ("1997-03-01", 90, 3),
    ];
    let is = found(&three).unwrap();
    assert_eq!(
        (is.from, is.to, is.counts.total()),
        (day("1997-01-01"), day("1997-02-01"), 210)
    );
    assert_eq!(found(&three[..1]), None, "too few");
    let busy = [("1997-01-01", 150, 1_001), ("1997-02-01", 60, 2)];
    assert_eq!(found(&busy), None, "scores still come");
    assert_eq!(
        found(&[("1999-01-01", 300, 1)]),
        None,
        "the month is not over"
    );
}

fn score(client_id: i64, as_of: &str, band: Band) -> CreditScore {
    let zero = || "0".parse().unwrap();
    CreditScore {
        client_id,
        account_id: client_id,
        as_of: day(as_of),
        points: 600,
        band,
        components: Vec::new(),
        history_months: 12,
        transaction_count: 100,
        last_booked_on: None,
        average_monthly_inflow: zero(),
        average_balance: zero(),
        minimum_balance: zero(),
        scorecard_version: "1.0.0".to_owned(),
        scored_at: TimestampMillis::now(),
    }
}

#[tokio::test]
async fn months_are_told_when_they_are_quiet_and_again_when_more_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut mesh = Mesh::start(folder.path()).await;
    let reader = mesh.reader::<Drift>();
    let of = |from: i64, number: i64, as_of: &str, band: Band| -> Vec<CreditScore> {
        (from..from + number)
            .map(|client| score(client, as_of, band))
            .collect()
    };
    let mut all = of(1, 120, "1997-01-10", Band::A);
    all.extend(of(201, 100, "1997-02-10", Band::B));
    all.extend(of(401, 60, "1997-03-10", Band::A));
    all.extend(of(501, 55, "1997-03-20", Band::B));
    mesh.publish(&all).await;
    let first = reader.next().await.1.unwrap();
    assert_eq!((first.month, first.revision), (day("1997-03-01"), 0));
    assert_eq!(
        (first.reference_from, first.reference_to),
        (day("1997-01-01"), day("1997-02-01"))
    );
    assert_eq!((first.scores, first.reference_scores), (115, 220));
    assert_eq!(first.verdict, Verdict::Stable);
    reader.nothing_more().await;

    mesh.restart().await;
    mesh.publish(&of(601, 300, "1997-03-30", Band::D)).await;
    mesh.publish(&of(1001, 3, "1997-04-01", Band::A)).await;
    let mut rows = [
        reader.next().await.1.unwrap(),
        reader.next().await.1.unwrap(),
    ];
    rows.sort_by_key(|row| row.month);
    assert_eq!(
        (rows[0].month, rows[0].revision, rows[0].scores),
        (day("1997-03-01"), 1, 415)
    );
    assert_eq!(rows[0].verdict, Verdict::Shifted);
    assert_eq!((rows[1].month, rows[1].revision), (day("1997-04-01"), 0));
    assert_eq!(rows[1].verdict, Verdict::TooFew);
    reader.nothing_more().await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    mesh.stop().await;
}
