//! What is known of one item: how often it was watched, and with which others.

use serde::{Deserialize, Serialize, Serializer};

use super::code::{Reader, Writer};
use super::{Decay, Item, KEPT, LENGTH, OWN_SHARE, SHRINKAGE, SUPPORT, left};

/// An item's decayed views and pairs, all as of one instant.
///
/// As a document it is one text, so that the rows of a view are read and written in
/// microseconds; numbers are kept as `f32` in memory too, so that a document gives back what was
/// written.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Row {
    at: i64,
    views: f32,
    trend: f32,
    pairs: Vec<Pair>,
}

/// Another item, in the order of the numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pair {
    item: Item,
    /// Views in common, decayed.
    common: f32,
    /// The other's views when the pair was counted last, decayed since as all of the row. What is
    /// missing is how often the other was watched without this one since then: a similarity is as
    /// of the last view in common, so that a view touches no rows but those of its user.
    views: f32,
}

/// A similar item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// The item.
    pub item: Item,
    /// How similar it is, greater than 0.
    pub similarity: f64,
}

impl Row {
    /// The instant that all numbers are of, in milliseconds since 1970; 0 without a view.
    pub fn at(&self) -> i64 {
        self.at
    }

    /// The item's views with the decay of similarity.
    pub fn views(&self) -> f64 {
        f64::from(self.views)
    }

    /// The item's views with the decay of popularity.
    pub fn trend(&self) -> f64 {
        f64::from(self.trend)
    }

    /// Counts a view of this item.
    pub(super) fn watched(&mut self, at: i64, decay: Decay) {
        let (weight, trend) = self.turn(at, decay);
        self.views = (self.views() + weight) as f32;
        self.trend = (self.trend() + trend) as f32;
    }

    /// Counts a view in common with `item`, which has been watched `views` times.
    pub(super) fn paired(&mut self, item: Item, views: f64, at: i64, decay: Decay) {
        let (weight, _) = self.turn(at, decay);
        match self.pairs.binary_search_by_key(&item, |pair| pair.item) {
            Ok(place) => {
                let pair = &mut self.pairs[place];
                pair.common = (f64::from(pair.common) + weight) as f32;
                pair.views = views as f32;
            }
            Err(place) => {
                let pair = Pair {
                    item,
                    common: weight as f32,
                    views: views as f32,
                };
                self.pairs.insert(place, pair);
                if self.pairs.len() > KEPT {
                    self.drop_weakest(item);
                }
            }
        }
    }

    fn drop_weakest(&mut self, but: Item) {
        let weakest = self
            .pairs
            .iter()
            .enumerate()
            .filter(|(_, pair)| pair.item != but)
            .min_by(|(_, a), (_, b)| a.common.total_cmp(&b.common).then(b.item.cmp(&a.item)));
        if let Some((place, _)) = weakest {
            self.pairs.remove(place);
        }
    }

    /// Takes all numbers to `at`, if that is later, and says what a view at `at` weighs: 1, or
    /// less for one that comes late.
    fn turn(&mut self, at: i64, decay: Decay) -> (f64, f64) {
        if self.at == 0 {
            self.at = at;
        }
        let passed = at - self.at;
        if passed <= 0 {
            return (
                left(-passed, decay.similar_days),
                left(-passed, decay.popular_days),
            );
        }
        let similar = left(passed, decay.similar_days);
        let decayed = |number: f32| (f64::from(number) * similar) as f32;
        self.views = decayed(self.views);
        self.trend = (self.trend() * left(passed, decay.popular_days)) as f32;
        for pair in &mut self.pairs {
            pair.common = decayed(pair.common);
            pair.views = decayed(pair.views);
        }
        self.at = at;
        (1.0, 1.0)
    }

    /// Every item that is kept as similar, with its similarity.
    pub(super) fn similarities(&self) -> impl Iterator<Item = (super::Item, f64)> {
        let own = self.views().powf(OWN_SHARE);
        self.pairs
            .iter()
            .map(move |pair| (pair.item, pair.similarity(own)))
    }

    /// The [`LENGTH`] most similar items with [`SUPPORT`], the most similar first.
    pub fn neighbours(&self) -> Vec<Neighbour> {
        let own = self.views().powf(OWN_SHARE);
        let supported = self
            .pairs
            .iter()
            .filter(|pair| f64::from(pair.common) >= SUPPORT);
        let mut all: Vec<Neighbour> = supported
            .map(|pair| Neighbour {
                item: pair.item,
                similarity: pair.similarity(own),
            })
            .collect();
        all.sort_by(|a, b| {
            b.similarity
                .total_cmp(&a.similarity)
                .then(a.item.cmp(&b.item))
        });
        all.truncate(LENGTH);
        all
    }
}

impl Pair {
    fn similarity(&self, own: f64) -> f64 {
        let common = f64::from(self.common);
        let norm = own * f64::from(self.views).powf(1.0 - OWN_SHARE);
        if norm > 0.0 {
            common / (common + SHRINKAGE) * common / norm
        } else {
            // Decayed to nothing, both the pair and its items.
            0.0
        }
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // By hand: serde's `into` would copy all of it first.
        let mut out = Writer::for_numbers(4 + 3 * self.pairs.len());
        out.whole(self.at);
        out.real(self.views);
        out.real(self.trend);
        out.whole(self.pairs.len() as i64);
        let mut last = 0;
        for pair in &self.pairs {
            out.whole(pair.item - last);
            out.real(pair.common);
            out.real(pair.views);
            last = pair.item;
        }
        serializer.serialize_str(&out.into_text())
    }
}

impl TryFrom<String> for Row {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut from = Reader::new(&text)?;
        let (at, views, trend) = (from.whole()?, from.real()?, from.real()?);
        let count = from.length()?;
        let mut pairs = Vec::with_capacity(count);
        let mut last = 0_i64;
        for _ in 0..count {
            let item = last.checked_add(from.whole()?).ok_or("an item overflows")?;
            pairs.push(Pair {
                item,
                common: from.real()?,
                views: from.real()?,
            });
            last = item;
        }
        from.end()?;
        Ok(Self {
            at,
            views,
            trend,
            pairs,
        })
    }
}
