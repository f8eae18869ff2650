use ads::budget::{again, charged, day_start, decide};
use ads::products::{AdSet, BudgetDecision, Campaign, CampaignDay, Money};
use chrono::{Days, NaiveDate};
use mesh_core::{Record, TimestampMillis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const AT: TimestampMillis = TimestampMillis(1_503_000_000_000);

fn day(number: u64) -> NaiveDate {
    let first = NaiveDate::from_ymd_opt(2017, 8, 17).unwrap();
    first.checked_add_days(Days::new(number)).unwrap()
}

fn money(cents: i128) -> Money {
    Money::from_unscaled(cents).unwrap()
}

fn campaign(budget: i128, day_budget: i128) -> Campaign {
    Campaign {
        campaign_id: 7,
        name: "Seven".to_owned(),
        revision: 1,
        budget: money(budget),
        day_budget: money(day_budget),
        starts_on: day(0),
        ends_on: day(30),
        ad_sets: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
        changed_at: AT,
    }
}

fn ad_set(name: &str, shown: i64, approved: i64, spend: i128) -> AdSet {
    AdSet {
        campaign_id: 7,
        ad_set: name.to_owned(),
        shown,
        clicks: approved,
        enquiries: approved,
        approved,
        spend: money(spend),
        latest_at: AT,
    }
}

fn sum<'a>(amounts: impl IntoIterator<Item = &'a Money>) -> Money {
    let add = |sum: Money, one: &Money| sum.checked_add(*one).unwrap();
    amounts.into_iter().fold(Money::ZERO, add)
}

fn check(decision: &BudgetDecision) {
    decision.validate().unwrap();
    let parts = decision.allotments.iter().map(|one| &one.amount);
    assert_eq!(sum(parts), decision.amount);
    assert!(
        decision
            .allotments
            .iter()
            .all(|one| one.amount >= Money::ZERO)
    );
    let shares: i128 = decision
        .allotments
        .iter()
        .map(|one| one.share.unscaled())
        .sum();
    assert_eq!(shares, 1_000_000);
    let won: i32 = decision.allotments.iter().map(|one| one.won).sum();
    assert_eq!(won, decision.draws);
}

/// Decisions, spend that comes in any order, late, early and above what was allotted: the money that is
/// given out stays within the budget, on each day and in all.
#[test]
fn no_history_makes_allotments_exceed_the_budget() {
    for seed in 0..150 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let budget = random.random_range(0..200_000);
        let day_budget = random.random_range(0..=budget.min(40_000));
        let plan = campaign(budget, day_budget);
        let mut days: Vec<CampaignDay> = Vec::new();
        let mut sets = vec![ad_set("a", 0, 0, 0), ad_set("d", 0, 0, 0)];
        for step in 0..25 {
            let when = day(random.random_range(0..12));
            let at = match days.iter().position(|known| known.day == when) {
                Some(at) => at,
                None => {
                    days.push(CampaignDay {
                        campaign_id: 7,
                        day: when,
                        allotted: None,
                        spent: Money::ZERO,
                        latest_at: day_start(when),
                    });
                    days.len() - 1
                }
            };
            if days[at].allotted.is_none() && random.random_bool(0.5) {
                let before = charged(&days, when).unwrap();
                let decision = decide(&plan, when, &sets, before, AT).unwrap();
                check(&decision);
                assert_eq!(decision.charged, before);
                days[at].allotted = Some(decision.amount);
            } else {
                let cost = money(random.random_range(0..20_000));
                days[at].spent = days[at].spent.checked_add(cost).unwrap();
                let which = random.random_range(0..sets.len());
                let set = &mut sets[which];
                set.spend = set.spend.checked_add(cost).unwrap();
                set.shown += random.random_range(0..100_000);
                set.approved += random.random_range(0..3);
            }
            let allotted: Vec<Money> = days.iter().filter_map(|known| known.allotted).collect();
            assert!(sum(&allotted) <= plan.budget, "seed {seed}, step {step}");
            assert!(
                allotted.iter().all(|one| *one <= plan.day_budget),
                "seed {seed}, step {step}"
            );
        }
    }
}

/// Where nobody spends more than was allotted, what is spent stays within the budget too, whatever is
/// reported late.
#[test]
fn spend_within_the_allotments_stays_within_the_budget() {
    for seed in 0..60 {
        let mut random = ChaCha8Rng::seed_from_u64(1_000 + seed);
        let plan = campaign(50_000, 9_000);
        let mut days: Vec<CampaignDay> = Vec::new();
        for number in 0..12 {
            let before = charged(&days, day(number)).unwrap();
            let decision = decide(&plan, day(number), &[], before, AT).unwrap();
            check(&decision);
            days.push(CampaignDay {
                campaign_id: 7,
                day: day(number),
                allotted: Some(decision.amount),
                spent: Money::ZERO,
                latest_at: AT,
            });
            for known in &mut days {
                let left = known.allotted.unwrap().unscaled() - known.spent.unscaled();
                let cost = money(random.random_range(0..=left));
                known.spent = known.spent.checked_add(cost).unwrap();
            }
            let spent: Vec<Money> = days.iter().map(|known| known.spent).collect();
            assert!(sum(&spent) <= plan.budget, "seed {seed}");
        }
        let allotted: Vec<Money> = days.iter().filter_map(|known| known.allotted).collect();
        assert_eq!(sum(&allotted), plan.budget, "seed {seed}");
    }
}

#[test]
fn a_decision_says_what_it_was_made_from_and_comes_out_again() {
    let plan = campaign(1_000_000, 100_001);
    let sets = [
        ad_set("a", 2_000_000, 40, 50_000),
        ad_set("b", 2_000_000, 10, 50_000),
    ];
    let decision = decide(&plan, day(3), &sets, money(950_000), AT).unwrap();
    check(&decision);
    assert_eq!(decision.amount, money(50_000));
    assert!(
        decision.reason.contains("less than a day's"),
        "{}",
        decision.reason
    );
    let names: Vec<&str> = decision
        .allotments
        .iter()
        .map(|one| one.ad_set.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
    let best = &decision.allotments[0];
    assert_eq!(
        (best.shown, best.approved, best.spend),
        (2_000_000, 40, money(50_000))
    );
    assert!(best.rate_lower < best.rate_mean && best.rate_mean < best.rate_upper);
    assert!(best.amount > decision.allotments[1].amount);
    assert!(
        best.reason.contains("40 purchases in 2000000 showings"),
        "{}",
        best.reason
    );
    // An equal part of the floor for everybody.
    let floor = money(50_000 / 10 / 3);
    assert!(decision.allotments.iter().all(|one| one.amount >= floor));

    let stored = BudgetDecision::from_json(&decision.to_json()).unwrap();
    assert_eq!(again(&stored).unwrap(), decision);
    // What is kept is what it follows from: with other evidence, seed or amount it comes out otherwise.
    let mut other = stored.clone();
    other.allotments[1].approved = 39;
    assert_ne!(again(&other).unwrap().allotments, decision.allotments);
    let mut other = stored.clone();
    other.seed = "0000000000000001".to_owned();
    assert_ne!(again(&other).unwrap().allotments, decision.allotments);
    let mut other = stored.clone();
    other.amount = money(49_999);
    assert_ne!(again(&other).unwrap().allotments, decision.allotments);
    let mut other = stored;
    other.method = "another/1".to_owned();
    assert!(again(&other).is_err());
}

#[test]
fn nothing_left_is_a_decision_too() {
    let plan = campaign(1_000, 500);
    let decision = decide(&plan, day(1), &[], money(1_500), AT).unwrap();
    check(&decision);
    assert_eq!(decision.amount, Money::ZERO);
    assert!(decision.reason.contains("nothing"), "{}", decision.reason);
}
