//! The measures, and the back-test over the real bank.

use std::collections::HashSet;

use customer::backtest::{evidence, read_ends, report, run};
use customer::measures::{
    Confusion, Scored, auc_by_curve, auc_by_pairs, auc_error, confusion, divergence, expected_psi,
    gini, kolmogorov_smirnov, roc, weights_of_evidence,
};
use customer::scorecard::{SCALE_POINTS, log_odds, probability_of_bad};

use crate::support::{bank_files, error_text};

fn scored(good: &[i32], bad: &[i32]) -> Vec<Scored> {
    let of = |points: &[i32], bad: bool| {
        let points = points.to_vec();
        points.into_iter().map(move |points| Scored { points, bad })
    };
    of(good, false).chain(of(bad, true)).collect()
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} and {b}");
}

#[test]
fn a_score_that_tells_all_nothing_or_something() {
    for (good, bad, auc, ks) in [
        (vec![3, 4], vec![1, 2], 1.0, 1.0),
        (vec![1, 2], vec![3, 4], 0.0, 1.0),
        (vec![5, 5], vec![5, 5], 0.5, 0.0),
        // Pairs: 2 > 1, 2 = 2, 3 > 1, 3 > 2.
        (vec![2, 3], vec![1, 2], 3.5 / 4.0, 0.5),
    ] {
        let scored = scored(&good, &bad);
        near(auc_by_pairs(&scored).unwrap(), auc);
        near(auc_by_curve(&scored).unwrap(), auc);
        near(kolmogorov_smirnov(&scored).unwrap().0, ks);
    }
    assert_eq!(auc_by_pairs(&scored(&[1], &[])), None);
    assert_eq!(auc_by_curve(&scored(&[], &[1])), None);
    assert_eq!(kolmogorov_smirnov(&[]), None);
    let curve = roc(&scored(&[2, 3], &[1, 2]));
    let corners: Vec<(f64, f64)> = curve.iter().map(|(bad, good, _)| (*bad, *good)).collect();
    assert_eq!(corners, [(0.0, 0.0), (0.5, 0.0), (1.0, 0.5), (1.0, 1.0)]);
    near(gini(0.75), 0.5);
    // Where nothing is told, the error is that of the test of Mann and Whitney, (m + n + 1) / 12mn.
    near(
        auc_error(0.5, 30, 324).powi(2),
        355.0 / (12.0 * 30.0 * 324.0),
    );
    near(auc_error(1.0, 30, 324), 0.0);
}

#[test]
fn a_threshold_accepts_from_itself_on() {
    let table = confusion(&scored(&[480, 479, 600], &[480, 100]), 480);
    let expected = Confusion {
        accepted_good: 2,
        accepted_bad: 1,
        refused_good: 1,
        refused_bad: 1,
    };
    assert_eq!(table, expected);
}

#[test]
fn divergence_is_zero_for_the_same_and_grows_with_the_distance() {
    near(divergence(&[10, 20, 30], &[10, 20, 30]), 0.0);
    let one = divergence(&[50, 50], &[60, 40]);
    // Worked out by hand for shares of 50.5 and 60.5 in 101.
    let (p, q) = (50.5 / 101.0_f64, 60.5 / 101.0_f64);
    let by_hand = (p - q) * (p / q).ln() + ((1.0 - p) - (1.0 - q)) * ((1.0 - p) / (1.0 - q)).ln();
    near(one, by_hand);
    near(one, divergence(&[60, 40], &[50, 50]));
    assert!(divergence(&[10, 90], &[60, 40]) > one);
    assert!(divergence(&[0, 100], &[100, 0]).is_finite());
    let weights = weights_of_evidence(&[90, 10], &[50, 50]);
    assert!(weights[0] > 0.0 && weights[1] < 0.0);
    near(expected_psi(5, 100, 100), 0.08);
}

#[test]
fn points_stand_for_odds() {
    near(log_odds(SCALE_POINTS).exp(), 50.0);
    near(log_odds(SCALE_POINTS + 20).exp(), 100.0);
    near(log_odds(SCALE_POINTS - 40).exp(), 12.5);
    near(probability_of_bad(SCALE_POINTS), 1.0 / 51.0);
    assert!(probability_of_bad(0) > 0.999 && probability_of_bad(1000) < 0.001);
}

#[test]
fn the_loans_of_1997_and_1998_are_scored_and_measured() {
    let Some(dir) = bank_files() else { return };
    let ends = read_ends(&dir).unwrap();
    assert_eq!(
        (ends.len(), ends.iter().filter(|loan| loan.bad).count()),
        (682, 76)
    );
    let accounts: HashSet<i64> = ends.iter().map(|loan| loan.account_id).collect();
    assert_eq!(accounts.len(), 682);

    let cases = run(&dir).unwrap();
    let scored: Vec<Scored> = cases.iter().map(|case| case.scored).collect();
    let bads = scored.iter().filter(|one| one.bad).count();
    assert_eq!((scored.len(), bads), (354, 30));
    // Two ways to the same area: every pair, and the curve.
    let (pairs, curve) = (
        auc_by_pairs(&scored).unwrap(),
        auc_by_curve(&scored).unwrap(),
    );
    assert!((pairs - curve).abs() < 1e-12, "{pairs} {curve}");
    let (distance, _) = kolmogorov_smirnov(&scored).unwrap();
    assert!((0.0..=1.0).contains(&distance) && distance >= gini(pairs) / 2.0);
    for threshold in [0, 480, 550, 1001] {
        let table = confusion(&scored, threshold);
        assert_eq!(table.accepted_bad + table.refused_bad, 30);
        assert_eq!(table.accepted_good + table.refused_good, 324);
    }
    // With the ends turned around the score tells as much the other way.
    let turned: Vec<Scored> = scored
        .iter()
        .map(|one| Scored {
            bad: !one.bad,
            ..*one
        })
        .collect();
    assert!((auc_by_pairs(&turned).unwrap() + pairs - 1.0).abs() < 1e-12);

    let evidence = evidence(&dir).unwrap();
    let of_age: u64 = evidence[0].cells.iter().map(|cell| cell.1 + cell.2).sum();
    assert_eq!(of_age, 328);
    let text = report(&cases, &evidence).unwrap();
    println!("{text}");
    for part in [
        "loans 354, good 324, bad 30",
        "AUC",
        "Gini",
        "KS",
        "band A",
        "information value",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_file_of_ends_that_is_wrong_is_named_by_line_and_field() {
    let folder = tempfile::tempdir().unwrap();
    let header = "\"loan_id\";\"account_id\";\"date\";\"status\"\r\n";
    let rows = "1;2;970101;\"A\"\r\n2;3;970101;\"E\"\r\n";
    std::fs::write(folder.path().join("loan.asc"), format!("{header}{rows}")).unwrap();
    let text = error_text(read_ends(folder.path()));
    for part in ["loan.asc", "line: 3", "field: status"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
