//! Incremental item-to-item collaborative filtering with time decay.
//!
//! Items are similar if the same users watch them one soon after the other: G. Linden, B. Smith,
//! J. York, "Amazon.com Recommendations: Item-to-Item Collaborative Filtering", IEEE Internet
//! Computing 7(1), 2003. The counts behind it are kept up to date view by view instead of being
//! made anew: M. Papagelis, I. Rousidis, D. Plexousakis, E. Theoharopoulos, "Incremental
//! Collaborative Filtering for Highly-Scalable Recommendation Algorithms", ISMIS 2005. That only
//! the pairs that a view touches get a new similarity, and that weak pairs are dropped, is as in
//! Y. Huang, B. Cui, W. Zhang, J. Jiang, Y. Xu, "TencentRec: Real-time Stream Recommendation in
//! Practice", SIGMOD 2015. Decay is exponential and applied when a count is touched: G. Cormode,
//! F. Korn, S. Tirthapura, "Exponentially Decayed Aggregates on Data Streams", ICDE 2008.
//!
//! It knows nothing of the platform: [`view`] takes the state that one view touches and changes
//! it. The handler hands it documents, the evaluation maps in memory, and both get the same lists.
//! The same item among a user's last [`WINDOW`] again is the same interest: it moves to the front
//! and counts no second time.

mod code;
mod popular;
mod row;
mod viewer;

use std::collections::BTreeMap;

pub use self::popular::Popular;
pub use self::row::{Neighbour, Row};
pub use self::viewer::Viewer;

/// An item's number.
pub type Item = i64;

/// How many of a user's last items a view is paired with, and a list is made from.
pub const WINDOW: usize = 10;
/// How many items similar to one are kept; the weakest is dropped for a new one.
pub const KEPT: usize = 200;
/// How many items a list has at most, and how many neighbours are told of an item.
pub const LENGTH: usize = 10;
/// How much less an item counts in a list than the one watched after it.
pub const RECENCY: f64 = 0.8;
/// The share of an item's own views in the norm of its similarities; the rest is the other's. At
/// a half it is the cosine.
pub const OWN_SHARE: f64 = 0.7;
/// The common views at which a pair has half of its similarity: pairs with few are not trusted
/// (shrinkage, as in R. Bell, Y. Koren, "Scalable Collaborative Filtering with Jointly Derived
/// Neighborhood Interpolation Weights", ICDM 2007).
pub const SHRINKAGE: f64 = 1.0;
/// The decayed common views from which on a pair is told as neighbours: two, a little decayed.
pub const SUPPORT: f64 = 1.5;

/// How fast what was seen loses weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decay {
    /// The days in which a view loses half of its weight for similarity.
    pub similar_days: f64,
    /// The days in which a view loses half of its weight for popularity.
    pub popular_days: f64,
}

impl Default for Decay {
    /// Ten years and 90 days; docs/recommendation.md has the figures behind both.
    fn default() -> Self {
        Self {
            similar_days: 3650.0,
            popular_days: 90.0,
        }
    }
}

/// The weight that is left of 1 after `millis` at a half-life of `days`.
pub(crate) fn left(millis: i64, days: f64) -> f64 {
    (-(millis as f64) / (86_400_000.0 * days)).exp2()
}

/// The state that one view touches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// The viewer.
    pub viewer: Viewer,
    /// The rows of the items that [`needed`] names; one that is not there is empty.
    pub rows: BTreeMap<Item, Row>,
    /// What is popular.
    pub popular: Popular,
}

/// Why an item is in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Watched by those who watched what the user watched last.
    Similar,
    /// Watched much of late.
    Popular,
}

/// An item of a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// The item.
    pub item: Item,
    /// The sum of similarities, or the decayed number of views.
    pub score: f64,
    /// Why it is there.
    pub method: Method,
}

/// What came of a view.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Made {
    /// The viewer's new list, the best first.
    pub list: Vec<Ranked>,
    /// The items whose neighbours, or their order, are other than before, with these.
    pub moved: Vec<(Item, Vec<Neighbour>)>,
    /// Whether the view was counted; if not, only the viewer has changed.
    pub counted: bool,
}

/// The items whose rows a view of `item` by `viewer` touches, each once.
pub fn needed(viewer: &Viewer, item: Item) -> Vec<Item> {
    let mut items = viewer.recent().to_vec();
    if !items.contains(&item) {
        items.push(item);
    }
    items
}

/// Counts a view of `item` at `at` (milliseconds since 1970) in `state`, and makes the viewer's
/// list anew.
pub fn view(state: &mut State, item: Item, at: i64, decay: Decay) -> Made {
    let touched = needed(&state.viewer, item);
    for other in &touched {
        state.rows.entry(*other).or_default();
    }
    let before: Vec<Vec<Item>> = touched
        .iter()
        .map(|item| ids(&state.rows[item].neighbours()))
        .collect();
    let counted = !state.viewer.recent().contains(&item);
    if counted {
        count(state, item, at, decay);
    }
    state.viewer.watch(item);
    let moved = touched
        .iter()
        .zip(before)
        .filter_map(|(item, before)| {
            let now = state.rows[item].neighbours();
            (ids(&now) != before).then_some((*item, now))
        })
        .collect();
    Made {
        list: list(state),
        moved,
        counted,
    }
}

fn ids(neighbours: &[Neighbour]) -> Vec<Item> {
    neighbours.iter().map(|one| one.item).collect()
}

fn count(state: &mut State, item: Item, at: i64, decay: Decay) {
    let mut own = state.rows.remove(&item).unwrap_or_default();
    own.watched(at, decay);
    state.popular.offer(item, own.trend(), own.at(), decay);
    for other in state.viewer.recent() {
        let Some(row) = state.rows.get_mut(other) else {
            continue;
        };
        row.paired(item, own.views(), at, decay);
        own.paired(*other, row.views(), at, decay);
    }
    state.rows.insert(item, own);
}

/// The list of the viewer of `state`: what is similar to the last items, then what is popular,
/// without what was watched already. Rows of other items are not looked at.
pub fn list(state: &State) -> Vec<Ranked> {
    let mut shares: Vec<(Item, f64)> = Vec::new();
    let mut weight = 1.0;
    for row in state
        .viewer
        .recent()
        .iter()
        .rev()
        .map(|item| state.rows.get(item))
    {
        let similar = row.into_iter().flat_map(Row::similarities);
        shares.extend(similar.map(|(other, similarity)| (other, weight * similarity)));
        weight *= RECENCY;
    }
    // Stable, so that shares are always summed in the same order; and each row is sorted already.
    shares.sort_by_key(|(item, _)| *item);
    let mut ranked: Vec<Ranked> = shares
        .chunk_by(|one, next| one.0 == next.0)
        .map(|shares| Ranked {
            item: shares[0].0,
            score: shares.iter().map(|(_, share)| share).sum(),
            method: Method::Similar,
        })
        .filter(|one| one.score > 0.0 && !state.viewer.has_seen(one.item))
        .collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
    ranked.truncate(LENGTH);
    for (item, score) in state.popular.ranked() {
        if ranked.len() == LENGTH {
            break;
        }
        if !state.viewer.has_seen(item) && ranked.iter().all(|one| one.item != item) {
            ranked.push(Ranked {
                item,
                score,
                method: Method::Popular,
            });
        }
    }
    ranked
}
