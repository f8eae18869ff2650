//! The decision on a campaign's budget for a day, as a record that it can be made from again.
//!
//! What can be given out is the plan's budget less what all other days are charged with. A day is
//! charged with the larger of what was allotted and what was spent, and no charge is ever taken back,
//! so the allotments of a plan never add up to more than its budget, in whatever order events come:
//! each decision is at most `budget - sum of charges`, and the charges are at least the allotments.

use chrono::NaiveDate;
use mesh_core::{Error, EventId, Result, TimestampMillis};

use crate::bandit::{
    Belief, DRAWS, Evidence, FLOOR_PERCENT, METHOD, Prior, believe, prior, split, weights,
};
use crate::products::{
    AdSet, BudgetDecision, BudgetDecisionAllotments, Campaign, CampaignDay, Money,
};

/// What the days of a campaign other than `day` are charged with.
///
/// # Errors
/// If the sum does not fit the money type.
pub fn charged<'a>(
    days: impl IntoIterator<Item = &'a CampaignDay>,
    day: NaiveDate,
) -> Result<Money> {
    days.into_iter()
        .filter(|other| other.day != day)
        .try_fold(Money::ZERO, |sum, other| {
            sum.checked_add(other.spent.max(other.allotted.unwrap_or(Money::ZERO)))
        })
}

/// The decision on `campaign` for `day`, from the totals of its ad sets and what its other days are
/// charged with. The seed follows from campaign, day and revision.
///
/// # Errors
/// If the campaign has no ad set, or an amount does not fit the money type.
pub fn decide(
    campaign: &Campaign,
    day: NaiveDate,
    ad_sets: &[AdSet],
    charged: Money,
    decided_at: TimestampMillis,
) -> Result<BudgetDecision> {
    let mut allotments: Vec<BudgetDecisionAllotments> = ad_sets.iter().map(evidence).collect();
    for name in &campaign.ad_sets {
        if !ad_sets.iter().any(|known| known.ad_set == *name) {
            allotments.push(untried(name));
        }
    }
    allotments.sort_by(|one, other| one.ad_set.cmp(&other.ad_set));
    let arms: Vec<Evidence> = allotments.iter().map(arm).collect();
    let Prior { alpha, beta } = prior(&arms);
    let seed = EventId::derived(&[
        "ads.budget_decisions",
        &campaign.campaign_id.to_string(),
        &day.to_string(),
        &campaign.revision.to_string(),
    ]);
    let left = campaign.budget.checked_sub(charged)?.max(Money::ZERO);
    let amount = left.min(campaign.day_budget);
    let reason = match () {
        () if amount == Money::ZERO => "nothing of the budget is left",
        () if amount < campaign.day_budget => "what is left of the budget is less than a day's",
        () => "the plan's amount for a day",
    };
    let decision = BudgetDecision {
        campaign_id: campaign.campaign_id,
        day,
        decided_for: day_start(day),
        decided_at,
        method: METHOD.to_owned(),
        seed: format!("{:016x}", seed.0.as_u128() as u64),
        draws: DRAWS as i32,
        floor_percent: FLOOR_PERCENT as i32,
        plan_revision: campaign.revision,
        budget: campaign.budget,
        charged,
        day_budget: campaign.day_budget,
        amount,
        prior_alpha: alpha,
        prior_beta: beta,
        allotments,
        reason: reason.to_owned(),
    };
    again(&decision)
}

/// Makes `decision` again from the evidence, the prior, the seed and the amount that it holds.
///
/// # Errors
/// If it was made by another method, or what it holds is not what a decision is made from.
pub fn again(decision: &BudgetDecision) -> Result<BudgetDecision> {
    if decision.method != METHOD {
        return Err(Error::invalid("the decision was made by another method")
            .with("method", METHOD)
            .mend("make it again with the release that made it"));
    }
    let seed = u64::from_str_radix(&decision.seed, 16)
        .map_err(|_| Error::invalid("the seed of a decision is no hexadecimal number"))?;
    let number = |value: i32| {
        u32::try_from(value).map_err(|_| Error::invalid("a count of a decision is negative"))
    };
    let (draws, floor) = (number(decision.draws)?, number(decision.floor_percent)?);
    let cents = u128::try_from(decision.amount.unscaled())
        .map_err(|_| Error::invalid("the amount of a decision is negative"))?;
    let arms: Vec<Evidence> = decision.allotments.iter().map(arm).collect();
    let prior = Prior {
        alpha: decision.prior_alpha,
        beta: decision.prior_beta,
    };
    let beliefs = believe(&arms, prior, draws, seed)?;
    let won: Vec<u32> = beliefs.iter().map(|belief| belief.won).collect();
    let weights = weights(&won, floor);
    let amounts = split(cents, &weights);
    // Shares are split as the money is, so that they add up to 1 as well.
    let shares = split(1_000_000, &weights);
    let mut made = decision.clone();
    for (at, allotment) in made.allotments.iter_mut().enumerate() {
        let belief = &beliefs[at];
        let share = i128::try_from(shares[at]).unwrap_or(i128::MAX);
        let amount = i128::try_from(amounts[at]).unwrap_or(i128::MAX);
        allotment.cost_per_thousand = belief.cost.map(|cents| cents * 10.0);
        allotment.rate_mean = belief.mean * 1e6;
        allotment.rate_lower = belief.lower * 1e6;
        allotment.rate_upper = belief.upper * 1e6;
        allotment.won = i32::try_from(belief.won).unwrap_or(i32::MAX);
        allotment.share = mesh_core::Decimal::from_unscaled(share)?;
        allotment.amount = Money::from_unscaled(amount)?;
        allotment.reason = reason(allotment, belief, draws, floor);
    }
    Ok(made)
}

fn reason(of: &BudgetDecisionAllotments, belief: &Belief, draws: u32, floor: u32) -> String {
    let cost = match belief.cost {
        Some(cents) => format!("{:.4} per thousand showings", cents * 10.0),
        None => "no known cost".to_owned(),
    };
    format!(
        "{} of {draws} draws had the most purchases per money here: {} purchases in {} showings, {:.3} per \
         million (95 %: {:.3} to {:.3}) at {cost}; {floor} % of the amount is split equally",
        belief.won,
        of.approved,
        of.shown,
        belief.mean * 1e6,
        belief.lower * 1e6,
        belief.upper * 1e6,
    )
}

fn arm(of: &BudgetDecisionAllotments) -> Evidence {
    Evidence {
        shown: of.shown as f64,
        approved: of.approved as f64,
        spend: of.spend.unscaled() as f64,
    }
}

fn untried(ad_set: &str) -> BudgetDecisionAllotments {
    BudgetDecisionAllotments {
        ad_set: ad_set.to_owned(),
        shown: 0,
        clicks: 0,
        approved: 0,
        spend: Money::ZERO,
        cost_per_thousand: None,
        rate_mean: 0.0,
        rate_lower: 0.0,
        rate_upper: 0.0,
        won: 0,
        share: mesh_core::Decimal::ZERO,
        amount: Money::ZERO,
        reason: String::new(),
    }
}

fn evidence(of: &AdSet) -> BudgetDecisionAllotments {
    BudgetDecisionAllotments {
        shown: of.shown,
        clicks: of.clicks,
        approved: of.approved,
        spend: of.spend,
        ..untried(&of.ad_set)
    }
}

/// The first millisecond of `day` (UTC).
pub fn day_start(day: NaiveDate) -> TimestampMillis {
    let epoch = NaiveDate::default();
    TimestampMillis(day.signed_duration_since(epoch).num_milliseconds())
}
