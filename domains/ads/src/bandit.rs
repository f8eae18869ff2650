//! How a budget is split: Thompson sampling over ad sets, in batches, with a floor.
//!
//! What is unknown of an ad set is its rate, purchases per showing, which has a Beta posterior
//! (Chapelle and Li 2011, *An Empirical Evaluation of Thompson Sampling*; Russo, Van Roy, Kazerouni,
//! Osband and Wen 2018, *A Tutorial on Thompson Sampling*). Showings cost money, so a draw is won by
//! the ad set with the most purchases per money, the ratio of the rate drawn to the cost of a showing
//! (Xia, Li, Qin, Yu and Liu 2015, *Thompson Sampling for Budgeted Multi-armed Bandits*). A day's
//! budget is decided at once, so each ad set gets the part of the draws that it wins (Scott 2010,
//! *A modern Bayesian look at the multi-armed bandit*), beside an equal part of a floor that keeps
//! every ad set under observation.
//!
//! The rate is per showing and not per click because the report knows purchases of people who saw an
//! ad and did not click it: per click there would be more successes than trials.
//!
//! All of it is a pure function of evidence and seed. Money is split in whole cents, and the parts
//! add up to the whole.

use mesh_core::{Error, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution};

/// The method and its version, raised with every change of what it decides.
pub const METHOD: &str = "thompson_beta_ratio/1";

/// What is known of an arm: counts, and money in cents; fractions come from replays alone.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evidence {
    /// Times shown.
    pub shown: f64,
    /// Purchases.
    pub approved: f64,
    /// Cents paid.
    pub spend: f64,
}

/// The Beta prior of the rate, which all arms share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// The first parameter: purchases.
    pub alpha: f64,
    /// The second parameter: showings without a purchase.
    pub beta: f64,
}

/// How many draws a decision makes.
pub const DRAWS: u32 = 1_000;
/// The part of a day's budget that is split equally, in percent.
pub const FLOOR_PERCENT: u32 = 10;

/// What the draws say of an arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Belief {
    /// The posterior mean of the rate.
    pub mean: f64,
    /// The 2.5 % quantile of the draws.
    pub lower: f64,
    /// The 97.5 % quantile of the draws.
    pub upper: f64,
    /// What a showing is taken to cost, in cents; `None` where no cost is known of any arm.
    pub cost: Option<f64>,
    /// The draws that the arm won.
    pub won: u32,
}

/// The prior of arms with this evidence together: one purchase in as many showings as one took so
/// far, so that an arm that nothing is known of is taken for an average one and is soon judged by its
/// own (empirical Bayes: Casella 1985, *An Introduction to Empirical Bayes Data Analysis*). Without
/// any showing it is uniform.
pub fn prior(arms: &[Evidence]) -> Prior {
    let all = total(arms);
    Prior {
        alpha: 1.0,
        beta: if all.shown > 0.0 {
            ((all.shown + 1.0) / (all.approved + 1.0)).max(1.0)
        } else {
            1.0
        },
    }
}

fn total(arms: &[Evidence]) -> Evidence {
    arms.iter().fold(Evidence::default(), |sum, arm| Evidence {
        shown: sum.shown + arm.shown,
        approved: sum.approved + arm.approved,
        spend: sum.spend + arm.spend,
    })
}

/// Draws from the posteriors of `arms` with the generator ChaCha8 seeded with `seed`; the same
/// arguments give the same beliefs.
///
/// # Errors
/// If there is no arm or no draw, or evidence is negative or no number.
pub fn believe(arms: &[Evidence], prior: Prior, draws: u32, seed: u64) -> Result<Vec<Belief>> {
    let all = total(arms);
    // A showing is taken to cost what it does on average, until an arm has showings of its own.
    let average = if all.spend > 0.0 && all.shown > 0.0 {
        Some(all.spend / all.shown)
    } else {
        None
    };
    let mut posteriors = Vec::with_capacity(arms.len());
    let mut beliefs = Vec::with_capacity(arms.len());
    for arm in arms {
        let sound = [arm.shown, arm.approved, arm.spend]
            .iter()
            .all(|count| count.is_finite() && *count >= 0.0);
        let alpha = prior.alpha + arm.approved;
        let beta = prior.beta + (arm.shown - arm.approved).max(0.0);
        let posterior = Beta::new(alpha, beta)
            .ok()
            .filter(|_| sound)
            .ok_or_else(|| Error::invalid("the evidence of an ad set is no count"))?;
        let cost = average.map(|average| {
            let trust = prior.beta;
            (arm.spend + average * trust) / (arm.shown + trust)
        });
        posteriors.push((posterior, cost.unwrap_or(1.0)));
        beliefs.push(Belief {
            mean: alpha / (alpha + beta),
            lower: 0.0,
            upper: 0.0,
            cost,
            won: 0,
        });
    }
    if arms.is_empty() || draws == 0 {
        return Err(Error::invalid("there is nothing to draw from")
            .mend("give at least one ad set and one draw"));
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut rates = vec![Vec::with_capacity(draws as usize); arms.len()];
    for _ in 0..draws {
        let mut best = (0, f64::NEG_INFINITY);
        for (at, (posterior, cost)) in posteriors.iter().enumerate() {
            let rate = posterior.sample(&mut random);
            rates[at].push(rate);
            if rate / cost > best.1 {
                best = (at, rate / cost);
            }
        }
        beliefs[best.0].won += 1;
    }
    for (belief, mut rates) in beliefs.iter_mut().zip(rates) {
        rates.sort_by(f64::total_cmp);
        belief.lower = quantile(&rates, 0.025);
        belief.upper = quantile(&rates, 0.975);
    }
    Ok(beliefs)
}

/// The value in `sorted` below which a part `p` of it lies; 0 if it is empty.
pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (last as f64 * p).round() as usize;
    sorted.get(at).copied().unwrap_or(0.0)
}

/// The weights that arms have in a split: the floor equally, the rest by the draws won.
pub fn weights(won: &[u32], floor_percent: u32) -> Vec<u128> {
    let arms = won.len() as u128;
    let draws: u128 = won.iter().map(|won| u128::from(*won)).sum();
    let floor = u128::from(floor_percent.min(100));
    won.iter()
        .map(|won| floor * draws + (100 - floor) * u128::from(*won) * arms)
        .collect()
}

/// Splits `cents` by `weights`, exactly: each part is rounded down, and what is left goes cent by cent
/// to the largest remainders, the first of equals (the method of Hare). Without any weight all get
/// the same.
pub fn split(cents: u128, weights: &[u128]) -> Vec<u128> {
    let sum: u128 = weights.iter().sum();
    if sum == 0 {
        return match weights.len() {
            0 => Vec::new(),
            arms => split(cents, &vec![1; arms]),
        };
    }
    let mut parts: Vec<u128> = weights.iter().map(|weight| cents * weight / sum).collect();
    let left = cents - parts.iter().sum::<u128>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(cents * weights[*at] % sum));
    for at in order.into_iter().cycle().take(left as usize) {
        parts[at] += 1;
    }
    parts
}
