use ads::bandit::{Evidence, Prior, believe, prior, split, weights};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn arm(shown: f64, approved: f64, spend: f64) -> Evidence {
    Evidence {
        shown,
        approved,
        spend,
    }
}

#[test]
fn money_is_split_exactly_whatever_the_weights() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for round in 0..5_000 {
        let arms = random.random_range(1..12);
        let weights: Vec<u128> = (0..arms)
            .map(|_| match random.random_range(0..3) {
                0 => 0,
                1 => random.random_range(0..10),
                _ => random.random_range(0..1_000_000),
            })
            .collect();
        let cents = random.random_range(0..10_000_000u128);
        let parts = split(cents, &weights);
        assert_eq!(parts.iter().sum::<u128>(), cents, "round {round}");
        let sum: u128 = weights.iter().sum();
        for (part, weight) in parts.iter().zip(&weights) {
            // No part is a whole cent away from what its weight gives it.
            let (exact, scaled) = (cents * weight, part * sum);
            assert!(sum == 0 || exact.abs_diff(scaled) < sum, "round {round}");
        }
    }
    assert_eq!(split(100, &[1, 1, 1]), [34, 33, 33]);
    assert_eq!(split(5, &[0, 0]), [3, 2]);
    assert!(split(5, &[]).is_empty());
}

#[test]
fn the_floor_is_kept_and_the_rest_follows_the_draws() {
    let parts = split(100_000, &weights(&[1000, 0, 0, 0], 10));
    assert_eq!(parts, [92_500, 2_500, 2_500, 2_500]);
    assert_eq!(split(1_000, &weights(&[0, 7], 0)), [0, 1_000]);
    assert_eq!(split(1_000, &weights(&[9, 1], 100)), [500, 500]);
}

#[test]
fn the_same_seed_draws_the_same_and_another_does_not() {
    let arms = [
        arm(1e6, 9.0, 30_000.0),
        arm(1e6, 7.0, 30_000.0),
        arm(0.0, 0.0, 0.0),
    ];
    let won = |seed| -> Vec<u32> {
        let beliefs = believe(&arms, prior(&arms), 1_000, seed).unwrap();
        beliefs.iter().map(|belief| belief.won).collect()
    };
    assert_eq!(won(7), won(7));
    assert_ne!(won(7), won(8));
    assert_eq!(won(7).iter().sum::<u32>(), 1_000);
}

#[test]
fn draws_agree_with_the_posterior() {
    let prior = Prior {
        alpha: 1.0,
        beta: 99.0,
    };
    let belief = believe(&[arm(9_900.0, 99.0, 0.0)], prior, 20_000, 3).unwrap()[0];
    // Beta(100, 9900): its quantiles by numeric integration of the density. The tolerance is three times
    // the standard error of a quantile of that many draws.
    assert!((belief.mean - 0.01).abs() < 1e-12);
    assert!((belief.lower - 0.008144).abs() < 6e-5, "{belief:?}");
    assert!((belief.upper - 0.012041).abs() < 6e-5, "{belief:?}");
    assert_eq!(belief.cost, None);
}

#[test]
fn what_pays_wins_and_what_is_unknown_is_tried() {
    let won = |arms: &[Evidence]| -> Vec<u32> {
        let beliefs = believe(arms, prior(arms), 2_000, 5).unwrap();
        beliefs.iter().map(|belief| belief.won).collect()
    };
    // Twice the purchases for the same money, with much evidence.
    let clear = won(&[arm(1e7, 400.0, 200_000.0), arm(1e7, 200.0, 200_000.0)]);
    assert!(clear[0] > 1_990, "{clear:?}");
    // The same purchases per showing at half the cost.
    let cheap = won(&[arm(1e7, 300.0, 100_000.0), arm(1e7, 300.0, 200_000.0)]);
    assert!(cheap[0] > 1_990, "{cheap:?}");
    // An ad set without evidence is not left out, and does not take all.
    let fresh = won(&[arm(1e7, 300.0, 100_000.0), arm(0.0, 0.0, 0.0)]);
    assert!((200..1_800).contains(&fresh[1]), "{fresh:?}");
    // Nothing is known of any: each wins its part.
    let none = won(&[Evidence::default(); 4]);
    assert!(none.iter().all(|won| (400..600).contains(won)), "{none:?}");
}

#[test]
fn evidence_that_is_none_is_refused() {
    let prior = prior(&[]);
    assert!(believe(&[], prior, 10, 1).is_err());
    assert!(believe(&[Evidence::default()], prior, 0, 1).is_err());
    for wrong in [
        arm(-5.0, 0.0, 0.0),
        arm(1.0, f64::NAN, 0.0),
        arm(1.0, 0.0, -1.0),
    ] {
        assert!(believe(&[wrong], prior, 10, 1).is_err(), "{wrong:?}");
    }
}
