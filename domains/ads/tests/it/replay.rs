use ads::replay::{History, Outcome, Policy, place, replay};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::{delivered, reported};

const BANDIT: Policy = Policy::Bandit {
    seed: 1,
    draws: 300,
    floor_percent: 10,
};

fn history() -> Option<History> {
    let (rows, _) = reported(Some(&delivered()))?;
    Some(History::of(&rows))
}

fn total<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Outcome {
    outcomes
        .into_iter()
        .fold(Outcome::default(), |sum, one| Outcome {
            spend: sum.spend + one.spend,
            approved: sum.approved + one.approved,
        })
}

#[test]
fn money_is_placed_within_the_caps_and_all_of_it_if_they_take_it() {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    for round in 0..3_000 {
        let arms = random.random_range(1..9);
        let mut any =
            |most: u128| -> Vec<u128> { (0..arms).map(|_| random.random_range(0..most)).collect() };
        let (weights, caps) = (any(1_000), any(5_000));
        let cents = any(20_000)[0];
        let placed = place(cents, &weights, &caps);
        assert!(
            placed.iter().zip(&caps).all(|(one, cap)| one <= cap),
            "round {round}"
        );
        let room = caps.iter().sum::<u128>();
        assert_eq!(
            placed.iter().sum::<u128>(),
            cents.min(room),
            "round {round}"
        );
    }
    assert_eq!(place(10, &[1, 1], &[u128::MAX, 0]), [10, 0]);
}

#[test]
fn the_reported_split_gives_back_the_report() {
    let Some(history) = history() else { return };
    let (outcomes, _) = replay(&history, Policy::Reported, None).unwrap();
    let all = total(outcomes.values());
    assert_eq!(all.spend, 5_870_523);
    assert!((all.approved - 1079.0).abs() < 1e-9);
    let approved = [916, 936, 1178].map(|campaign| outcomes[&campaign].approved.round() as i64);
    assert_eq!(approved, [24, 183, 872]);
    // No ad set may get more than it spent: any policy then gives the report back.
    for policy in [Policy::Equal, Policy::Hindsight, BANDIT] {
        let (capped, _) = replay(&history, policy, Some(100)).unwrap();
        assert!(
            (total(capped.values()).approved - 1079.0).abs() < 1e-9,
            "{policy:?}"
        );
    }
}

#[test]
fn every_policy_spends_each_days_money_and_no_more() {
    let Some(history) = history() else { return };
    for policy in [Policy::Reported, Policy::Equal, Policy::Hindsight, BANDIT] {
        for reach in [Some(150), Some(400), None] {
            let (_, splits) = replay(&history, policy, reach).unwrap();
            let days: usize = history.campaigns.values().map(|days| days.len()).sum();
            assert_eq!(splits.len(), days);
            for split in splits {
                let cells = &history.campaigns[&split.campaign_id][&split.day];
                let money: u128 = cells.iter().map(|cell| cell.spend).sum();
                assert_eq!(
                    split.cents.iter().sum::<u128>(),
                    money,
                    "{policy:?} {reach:?}"
                );
                for (cell, cents) in cells.iter().zip(&split.cents) {
                    assert!(cell.spend > 0 || *cents == 0, "{policy:?}");
                    let most = reach.map(|reach| cell.spend * u128::from(reach) / 100);
                    assert!(
                        most.is_none_or(|most| *cents <= most),
                        "{policy:?} {reach:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_bandit_learns_from_the_days_before_and_not_from_the_day_itself() {
    let Some(history) = history() else { return };
    let (_, splits) = replay(&history, BANDIT, None).unwrap();
    // Purchases of the last day are known to nobody who splits its money.
    let mut other = history.clone();
    for days in other.campaigns.values_mut() {
        let mut last = days.last_entry().unwrap();
        for cell in last.get_mut() {
            cell.approved *= 10.0;
        }
    }
    let (_, same) = replay(&other, BANDIT, None).unwrap();
    assert_eq!(splits, same);
    // Those of the first day are known from the second on.
    let mut other = history.clone();
    for days in other.campaigns.values_mut() {
        let mut first = days.first_entry().unwrap();
        for cell in first.get_mut() {
            cell.approved = 50.0;
        }
    }
    let (_, changed) = replay(&other, BANDIT, None).unwrap();
    assert_ne!(splits, changed);
    let (_, repeated) = replay(&history, BANDIT, None).unwrap();
    assert_eq!(splits, repeated);
}
