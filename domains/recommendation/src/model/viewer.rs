//! What is known of one user: everything that was watched, and what was watched last.

use serde::{Deserialize, Serialize, Serializer};

use super::code::{Reader, Writer};
use super::{Item, WINDOW};

/// A user's items.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Viewer {
    /// The last different items, the latest at the end.
    recent: Vec<Item>,
    /// All items, in the order of their numbers.
    seen: Vec<Item>,
}

impl Viewer {
    /// The last [`WINDOW`] different items, the latest at the end.
    pub fn recent(&self) -> &[Item] {
        &self.recent
    }

    /// Whether the user has watched `item` at any time.
    pub fn has_seen(&self, item: Item) -> bool {
        self.seen.binary_search(&item).is_ok()
    }

    /// Notes that the user watches `item`.
    pub(super) fn watch(&mut self, item: Item) {
        self.recent.retain(|one| *one != item);
        self.recent.push(item);
        if self.recent.len() > WINDOW {
            self.recent.remove(0);
        }
        if let Err(place) = self.seen.binary_search(&item) {
            self.seen.insert(place, item);
        }
    }
}

impl Serialize for Viewer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // By hand: serde's `into` would copy all of it first.
        let mut out = Writer::for_numbers(2 + self.recent.len() + self.seen.len());
        for items in [&self.recent, &self.seen] {
            out.whole(items.len() as i64);
            let mut last = 0;
            for item in items {
                out.whole(item - last);
                last = *item;
            }
        }
        serializer.serialize_str(&out.into_text())
    }
}

impl TryFrom<String> for Viewer {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut from = Reader::new(&text)?;
        let mut items = || {
            let count = from.length()?;
            let mut items = Vec::with_capacity(count);
            let mut last = 0_i64;
            for _ in 0..count {
                last = last.checked_add(from.whole()?).ok_or("an item overflows")?;
                items.push(last);
            }
            Ok::<_, &'static str>(items)
        };
        let (recent, seen) = (items()?, items()?);
        from.end()?;
        Ok(Self { recent, seen })
    }
}
