//! What the model is compared with: popularity, and item-kNN with the cosine of binary views (B.
//! Sarwar, G. Karypis, J. Konstan, J. Riedl, "Item-Based Collaborative Filtering Recommendation
//! Algorithms", WWW 2001; M. Deshpande, G. Karypis, "Item-Based Top-N Recommendation Algorithms",
//! TOIS 22(1), 2004), fitted to all training views at once.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use recommendation::model::{RECENCY, WINDOW};

use super::{Item, Score, Split, View};

const NEIGHBOURS: [usize; 8] = [5, 10, 20, 30, 50, 100, 200, usize::MAX];

/// Whose k nearest neighbours count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Those of each item that the user has watched (Deshpande and Karypis).
    History,
    /// Those of the item that might be suggested (Sarwar and others).
    Candidate,
    /// Those of the items that the user has watched last, as the domain's model weighs them. Not
    /// a usual item-kNN: it shows how much of the model's lead is the recency alone.
    Last,
}

/// A form of item-kNN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fit {
    of: Of,
    k: usize,
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.of {
            Of::History => "the watched item",
            Of::Candidate => "the candidate",
            Of::Last => "the items watched last",
        };
        match self.k {
            usize::MAX if self.of == Of::Last => write!(f, "item-kNN, all neighbours of {of}"),
            usize::MAX => write!(f, "item-kNN, all neighbours"),
            k => write!(f, "item-kNN, k = {k} of {of}"),
        }
    }
}

/// How many items there are.
pub(crate) fn items(views: &[View]) -> usize {
    let items: BTreeSet<Item> = views.iter().map(|view| view.item).collect();
    items.len()
}

/// Each user's last items, the latest first.
fn last_items(views: &[View]) -> BTreeMap<i64, Vec<Item>> {
    let mut last: BTreeMap<i64, Vec<Item>> = BTreeMap::new();
    for view in views.iter().rev() {
        let items = last.entry(view.user).or_default();
        if items.len() < WINDOW && !items.contains(&view.item) {
            items.push(view.item);
        }
    }
    last
}

fn histories(views: &[View]) -> BTreeMap<i64, BTreeSet<Item>> {
    let mut histories: BTreeMap<i64, BTreeSet<Item>> = BTreeMap::new();
    for view in views {
        histories.entry(view.user).or_default().insert(view.item);
    }
    histories
}

/// The place of `held` among all items that are not in `seen`, by score and then by number.
fn place(scores: &HashMap<Item, f64>, seen: &BTreeSet<Item>, held: Item) -> Option<usize> {
    let own = scores.get(&held).copied().filter(|score| *score > 0.0)?;
    let before = scores.iter().filter(|(item, score)| {
        let order = own.total_cmp(score).then(item.cmp(&&held));
        order == Ordering::Less && !seen.contains(item)
    });
    Some(before.count())
}

/// The same items for everybody.
pub(crate) fn popularity(split: &Split) -> Score {
    let mut views: HashMap<Item, f64> = HashMap::new();
    for view in &split.train {
        *views.entry(view.item).or_default() += 1.0;
    }
    let histories = histories(&split.train);
    let mut score = Score::default();
    let none = BTreeSet::new();
    for (user, held) in &split.held {
        let seen = histories.get(user).unwrap_or(&none);
        score.add(place(&views, seen, *held));
    }
    score
}

/// Every item's neighbours, the most similar first.
fn neighbours(histories: &BTreeMap<i64, BTreeSet<Item>>) -> HashMap<Item, Vec<(Item, f64)>> {
    let mut viewers: HashMap<Item, Vec<i64>> = HashMap::new();
    for (user, items) in histories {
        for item in items {
            viewers.entry(*item).or_default().push(*user);
        }
    }
    viewers
        .iter()
        .map(|(item, users)| {
            let mut common: HashMap<Item, f64> = HashMap::new();
            for other in users.iter().flat_map(|user| &histories[user]) {
                if other != item {
                    *common.entry(*other).or_default() += 1.0;
                }
            }
            let mut similar: Vec<(Item, f64)> = common
                .into_iter()
                .map(|(other, common)| {
                    let norm = (users.len() * viewers[&other].len()) as f64;
                    (other, common / norm.sqrt())
                })
                .collect();
            similar.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            (*item, similar)
        })
        .collect()
}

impl Fit {
    fn scores(
        self,
        neighbours: &HashMap<Item, Vec<(Item, f64)>>,
        seen: &BTreeSet<Item>,
        last: &[Item],
    ) -> HashMap<Item, f64> {
        let mut scores: HashMap<Item, f64> = HashMap::new();
        match self.of {
            Of::History => {
                let similar = seen.iter().filter_map(|item| neighbours.get(item));
                for (other, similarity) in similar.flat_map(|all| all.iter().take(self.k)) {
                    *scores.entry(*other).or_default() += similarity;
                }
            }
            Of::Last => {
                let mut weight = 1.0;
                for item in last {
                    for (other, similarity) in neighbours[item].iter().take(self.k) {
                        *scores.entry(*other).or_default() += weight * similarity;
                    }
                    weight *= RECENCY;
                }
            }
            Of::Candidate => {
                for (item, similar) in neighbours {
                    let known = similar.iter().take(self.k);
                    let score = known
                        .filter(|(other, _)| seen.contains(other))
                        .map(|(_, similarity)| similarity)
                        .sum();
                    scores.insert(*item, score);
                }
            }
        }
        scores
    }

    /// Every form on `split`.
    pub(crate) fn all(split: &Split) -> Vec<(Fit, Score)> {
        let histories = histories(&split.train);
        let neighbours = neighbours(&histories);
        let none = BTreeSet::new();
        let last = last_items(&split.train);
        let forms = NEIGHBOURS.iter().flat_map(|k| {
            let all = [Of::History, Of::Candidate, Of::Last];
            // Without a limit the first two are the same.
            let forms = all
                .into_iter()
                .filter(|of| *k < usize::MAX || *of != Of::Candidate);
            forms.map(|of| Fit { of, k: *k })
        });
        forms
            .map(|fit| {
                let mut score = Score::default();
                for (user, held) in &split.held {
                    let seen = histories.get(user).unwrap_or(&none);
                    let last = last.get(user).map_or(&[][..], Vec::as_slice);
                    let scores = fit.scores(&neighbours, seen, last);
                    score.add(place(&scores, seen, *held));
                }
                (fit, score)
            })
            .collect()
    }
}

/// The usual form with the highest hit rate on `split`, of equals the one with the higher NDCG; prints
/// all of them.
pub(crate) fn choose(split: &Split) -> Fit {
    let fits = Fit::all(split);
    let mut best = fits[0];
    for (fit, score) in fits {
        score.row(&fit.to_string());
        if fit.of != Of::Last && (score.hits, score.gain) > (best.1.hits, best.1.gain) {
            best = (fit, score);
        }
    }
    best.0
}
