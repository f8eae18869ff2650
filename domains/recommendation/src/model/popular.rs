//! The most popular items.

use serde::{Deserialize, Serialize, Serializer};

use super::code::{Reader, Writer};
use super::{Decay, Item, left};

/// How many are kept. Who has seen all of them gets a list that is not filled up.
const KEPT: usize = 200;

/// The items with the most decayed views, all as of one instant.
///
/// All items decay alike, so an item comes before another only by a view of its own: offering
/// each item when it is watched is enough to have exactly the first.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Popular {
    at: i64,
    items: Vec<(Item, f32)>,
}

impl Popular {
    /// The items with their decayed views, the most popular first.
    pub fn ranked(&self) -> impl Iterator<Item = (Item, f64)> {
        self.items
            .iter()
            .map(|(item, views)| (*item, f64::from(*views)))
    }

    /// Takes up that `item` has `views` as of `at`.
    pub(super) fn offer(&mut self, item: Item, views: f64, at: i64, decay: Decay) {
        let mut views = views;
        if at > self.at {
            let left = match self.at {
                0 => 1.0,
                before => left(at - before, decay.popular_days),
            };
            for (_, views) in &mut self.items {
                *views = (f64::from(*views) * left) as f32;
            }
            self.at = at;
        } else {
            views *= left(self.at - at, decay.popular_days);
        }
        self.items.retain(|(one, _)| *one != item);
        let views = views as f32;
        let place = self
            .items
            .partition_point(|(one, more)| *more > views || (*more == views && *one < item));
        if place < KEPT {
            self.items.insert(place, (item, views));
            self.items.truncate(KEPT);
        }
    }
}

impl Serialize for Popular {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // By hand: serde's `into` would copy all of it first.
        let mut out = Writer::for_numbers(2 + 2 * self.items.len());
        out.whole(self.at);
        out.whole(self.items.len() as i64);
        for (item, views) in &self.items {
            out.whole(*item);
            out.real(*views);
        }
        serializer.serialize_str(&out.into_text())
    }
}

impl TryFrom<String> for Popular {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut from = Reader::new(&text)?;
        let at = from.whole()?;
        let count = from.length()?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push((from.whole()?, from.real()?));
        }
        from.end()?;
        Ok(Self { at, items })
    }
}
