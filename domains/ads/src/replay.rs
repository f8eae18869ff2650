//! What the bandit would have made of the report's days, as far as a report can tell.
//!
//! Each campaign's spend of a day is split anew over the ad sets that spent on that day, and an ad set
//! is taken to bring purchases in proportion to the money it gets. That is an assumption and not a
//! finding: the report was not made by random splits, so what an ad set would have brought with other
//! money is unknown (Li, Chu, Langford and Wang 2011, *Unbiased Offline Evaluation of
//! Contextual-bandit-based News Article Recommendation Algorithms*, need a log of random choices for
//! that). `reach` bounds how far the assumption is stretched: an ad set gets at most that many times
//! what it spent.
//!
//! A policy sees of an ad set what its own money would have brought, one day later.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use mesh_core::{EventId, Result};

use crate::bandit::{Evidence, believe, prior, split, weights};
use crate::form::{Reported, read};
use crate::repair::Repairs;
use crate::report::Line;

/// What an ad set of a campaign brought on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The ad set.
    pub ad_set: String,
    /// Times shown.
    pub shown: f64,
    /// Purchases.
    pub approved: f64,
    /// Cents spent.
    pub spend: u128,
}

/// The ad sets of a campaign on a day, by name.
pub type Cells = Vec<Cell>;

/// The report by campaign and day.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// The cells of each campaign, by day.
    pub campaigns: BTreeMap<i64, BTreeMap<NaiveDate, Cells>>,
}

impl History {
    /// The history that `rows` tell.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Reported>) -> Self {
        let mut history = Self::default();
        for row in rows {
            let cells = history
                .campaigns
                .entry(row.campaign_id)
                .or_default()
                .entry(row.day)
                .or_default();
            let ad_set = row.ad_set();
            let at = match cells.binary_search_by(|cell| cell.ad_set.cmp(&ad_set)) {
                Ok(at) => at,
                Err(at) => {
                    let fresh = Cell {
                        ad_set,
                        shown: 0.0,
                        approved: 0.0,
                        spend: 0,
                    };
                    cells.insert(at, fresh);
                    at
                }
            };
            cells[at].shown += row.shown as f64;
            cells[at].approved += row.approved as f64;
            cells[at].spend += row.spend.unscaled().unsigned_abs();
        }
        history
    }
}

/// The sound rows among `lines`, with those that `repairs` put right; how many were left aside.
pub fn rows(lines: &[Line], repairs: Option<&Repairs>) -> (Vec<Reported>, usize) {
    let sound: Vec<Reported> = lines
        .iter()
        .filter_map(|line| {
            let cells: Vec<&str> = line.cells.iter().map(String::as_str).collect();
            let whole: Vec<Option<&str>> = cells.iter().copied().map(Some).collect();
            read(&whole).ok().or_else(|| {
                let (_, repaired) = repairs?.apply(&cells)?;
                read(&repaired).ok()
            })
        })
        .collect();
    let aside = lines.len() - sound.len();
    (sound, aside)
}

/// How the money of a day is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// As it was spent.
    Reported,
    /// The same for each ad set.
    Equal,
    /// By the bandit, from this seed.
    Bandit {
        /// What the seeds of all days follow from.
        seed: u64,
        /// How many draws a decision makes.
        draws: u32,
        /// The part that is split equally, in percent.
        floor_percent: u32,
    },
    /// To the ad set that had the most purchases per money over the whole report: nobody can know
    /// that beforehand, so it bounds what learning which ad set is best could bring.
    Hindsight,
}

/// What came of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Outcome {
    /// Cents spent.
    pub spend: u128,
    /// Purchases.
    pub approved: f64,
}

impl Outcome {
    /// Cents for each purchase; infinite without one.
    pub fn cost(&self) -> f64 {
        match self.approved > 0.0 {
            true => self.spend as f64 / self.approved,
            false => f64::INFINITY,
        }
    }
}

/// What one split of a day's money was.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The campaign.
    pub campaign_id: i64,
    /// The day.
    pub day: NaiveDate,
    /// The cents that each cell got, in the order of the history's cells.
    pub cents: Vec<u128>,
}

/// Replays `history` under `policy`; an ad set gets at most `reach_percent` of what it spent on the
/// day, or any amount without it. Below 100 percent the day's money could not be placed, so 100 is
/// the least.
///
/// # Errors
/// If a split is given no evidence that it can use.
pub fn replay(
    history: &History,
    policy: Policy,
    reach_percent: Option<u32>,
) -> Result<(BTreeMap<i64, Outcome>, Vec<Placed>)> {
    let mut outcomes = BTreeMap::new();
    let mut splits = Vec::new();
    for (campaign_id, days) in &history.campaigns {
        let best = best(days);
        let mut learned: BTreeMap<&str, Evidence> = BTreeMap::new();
        let outcome: &mut Outcome = outcomes.entry(*campaign_id).or_default();
        for (day, cells) in days {
            let weights = match policy {
                Policy::Reported => cells.iter().map(|cell| cell.spend).collect(),
                Policy::Equal => cells.iter().map(|_| 1).collect(),
                Policy::Hindsight => cells
                    .iter()
                    .map(|cell| {
                        let rank = best.iter().position(|name| *name == cell.ad_set);
                        // Each outweighs all behind it, so what does not fit goes to the next best.
                        10u128.pow(3 * (best.len() - rank.unwrap_or(best.len())) as u32)
                    })
                    .collect(),
                Policy::Bandit {
                    seed,
                    draws,
                    floor_percent,
                } => {
                    let all: Vec<Evidence> = learned.values().copied().collect();
                    let arms: Vec<Evidence> = cells
                        .iter()
                        .map(|cell| {
                            learned
                                .get(cell.ad_set.as_str())
                                .copied()
                                .unwrap_or_default()
                        })
                        .collect();
                    let seed = EventId::derived(&[
                        "ads.replay",
                        &seed.to_string(),
                        &campaign_id.to_string(),
                        &day.to_string(),
                    ]);
                    let beliefs = believe(&arms, prior(&all), draws, seed.0.as_u128() as u64)?;
                    let won: Vec<u32> = beliefs.iter().map(|belief| belief.won).collect();
                    weights(&won, floor_percent)
                }
            };
            let caps: Vec<u128> = cells
                .iter()
                .map(|cell| match reach_percent {
                    Some(percent) => cell.spend * u128::from(percent.max(100)) / 100,
                    None if cell.spend > 0 => u128::MAX,
                    None => 0,
                })
                .collect();
            let money = cells.iter().map(|cell| cell.spend).sum();
            let cents = place(money, &weights, &caps);
            for (cell, cents) in cells.iter().zip(&cents) {
                // What costs nothing comes whatever the split.
                let part = match cell.spend {
                    0 => 1.0,
                    spend => *cents as f64 / spend as f64,
                };
                outcome.spend += cents;
                outcome.approved += cell.approved * part;
                let known = learned.entry(&cell.ad_set).or_default();
                known.shown += cell.shown * part;
                known.approved += cell.approved * part;
                known.spend += *cents as f64;
            }
            splits.push(Placed {
                campaign_id: *campaign_id,
                day: *day,
                cents,
            });
        }
    }
    Ok((outcomes, splits))
}

/// The ad sets of a campaign, the one with the most purchases per money first.
fn best(days: &BTreeMap<NaiveDate, Cells>) -> Vec<&str> {
    let mut sums: BTreeMap<&str, (f64, u128)> = BTreeMap::new();
    for cell in days.values().flatten() {
        let sum = sums.entry(&cell.ad_set).or_default();
        sum.0 += cell.approved;
        sum.1 += cell.spend;
    }
    let mut order: Vec<(&str, f64)> = sums
        .into_iter()
        .map(|(name, (approved, spend))| (name, approved / (spend.max(1)) as f64))
        .collect();
    order.sort_by(|one, other| other.1.total_cmp(&one.1));
    order.into_iter().map(|(name, _)| name).collect()
}

/// Places `cents` by `weights`, no more than its cap with each: what does not fit goes to the others
/// by their weights. All is placed that the caps together take.
pub fn place(cents: u128, weights: &[u128], caps: &[u128]) -> Vec<u128> {
    let mut placed = vec![0u128; weights.len()];
    let mut left = cents;
    loop {
        let open: Vec<usize> = (0..weights.len())
            .filter(|at| placed[*at] < caps[*at])
            .collect();
        if left == 0 || open.is_empty() {
            return placed;
        }
        let of_open: Vec<u128> = open.iter().map(|at| weights[*at]).collect();
        let parts = split(left, &of_open);
        for (at, part) in open.into_iter().zip(parts) {
            let taken = part.min(caps[at] - placed[at]);
            placed[at] += taken;
            left -= taken;
        }
    }
}
