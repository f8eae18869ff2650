//! Committed offsets and stored groups in memory, and the lines of their journal.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::stored::StoredGroup;

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
    pub(crate) committed_ms: i64,
    /// When it expires, where its committer has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_ms: Option<i64>,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Line {
    /// The end of a producer's transaction: its offsets count, or are gone.
    Ended { producer: i64, commit: bool },
    /// An offset, or with none the removal of one.
    Offset {
        group: String,
        topic: String,
        partition: i32,
        committed: Option<Committed>,
        /// The producer in whose transaction it was committed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        producer: Option<i64>,
    },
    /// A group's generation and members, or with none the removal of the group.
    Group {
        group: String,
        state: Option<StoredGroup>,
    },
}

impl Line {
    /// The same line with no time after `now`: what was stored while the clock was ahead
    /// ages from now on.
    pub(super) fn not_after(mut self, now: i64) -> Self {
        match &mut self {
            Self::Offset {
                committed: Some(committed),
                ..
            } => committed.committed_ms = committed.committed_ms.min(now),
            Self::Group {
                state: Some(group), ..
            } => group.empty_since_ms = group.empty_since_ms.map(|since| since.min(now)),
            _ => {}
        }
        self
    }
}

/// The removal of an offset, also from open transactions.
pub(super) fn removal(group: &str, topic: &str, partition: i32) -> Line {
    Line::Offset {
        group: group.to_owned(),
        topic: topic.to_owned(),
        partition,
        committed: None,
        producer: None,
    }
}

/// A committed offset and its place in the journal: of two for one partition the later
/// counts, also when the earlier one's transaction ends last.
#[derive(Debug, Clone)]
struct Placed {
    committed: Committed,
    place: u64,
}

/// Offsets by topic and partition.
type ByPartition<T> = BTreeMap<(String, i32), T>;

/// The offsets of all groups, those of open transactions, and the groups themselves.
#[derive(Debug, Default)]
pub(super) struct State {
    offsets: HashMap<String, ByPartition<Placed>>,
    /// By producer, then by group.
    pending: BTreeMap<i64, BTreeMap<String, ByPartition<Placed>>>,
    places: u64,
    groups: HashMap<String, StoredGroup>,
}

impl State {
    pub(super) fn apply(&mut self, line: Line) {
        self.places += 1;
        let place = self.places;
        match line {
            Line::Offset {
                group,
                topic,
                partition,
                committed: Some(committed),
                producer,
            } => {
                let offsets = match producer {
                    Some(producer) => {
                        let groups = self.pending.entry(producer).or_default();
                        groups.entry(group).or_default()
                    }
                    None => self.offsets.entry(group).or_default(),
                };
                offsets.insert((topic, partition), Placed { committed, place });
            }
            Line::Offset {
                group,
                topic,
                partition,
                committed: None,
                ..
            } => {
                let key = (topic, partition);
                for groups in self.pending.values_mut() {
                    if let Some(offsets) = groups.get_mut(&group) {
                        offsets.remove(&key);
                    }
                    groups.retain(|_, offsets| !offsets.is_empty());
                }
                self.pending.retain(|_, groups| !groups.is_empty());
                if let Some(offsets) = self.offsets.get_mut(&group) {
                    offsets.remove(&key);
                    if offsets.is_empty() {
                        self.offsets.remove(&group);
                    }
                }
            }
            Line::Ended { producer, commit } => {
                let ended = self.pending.remove(&producer).unwrap_or_default();
                for (group, offsets) in ended.into_iter().filter(|_| commit) {
                    let known = self.offsets.entry(group).or_default();
                    for (key, placed) in offsets {
                        if known.get(&key).is_none_or(|old| old.place < placed.place) {
                            known.insert(key, placed);
                        }
                    }
                }
            }
            Line::Group {
                group,
                state: Some(state),
            } => {
                self.groups.insert(group, state);
            }
            Line::Group { group, state: None } => {
                self.groups.remove(&group);
            }
        }
    }

    /// Lines that make the same state, in the order of the journal.
    pub(super) fn snapshot(&self) -> Vec<Line> {
        let committed = self
            .offsets
            .iter()
            .map(|(group, offsets)| (None, group, offsets));
        let pending = self.pending.iter().flat_map(|(producer, groups)| {
            let of = Some(*producer);
            groups
                .iter()
                .map(move |(group, offsets)| (of, group, offsets))
        });
        let mut lines: Vec<(u64, Line)> = Vec::new();
        for (producer, group, offsets) in committed.chain(pending) {
            lines.extend(offsets.iter().map(|((topic, partition), placed)| {
                let line = Line::Offset {
                    group: group.clone(),
                    topic: topic.clone(),
                    partition: *partition,
                    committed: Some(placed.committed.clone()),
                    producer,
                };
                (placed.place, line)
            }));
        }
        lines.sort_by_key(|(place, _)| *place);
        let groups = self.groups.iter().map(|(group, state)| Line::Group {
            group: group.clone(),
            state: Some(state.clone()),
        });
        groups
            .chain(lines.into_iter().map(|(_, line)| line))
            .collect()
    }

    pub(super) fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&Committed> {
        let placed = self
            .offsets
            .get(group)?
            .get(&(topic.to_owned(), partition))?;
        Some(&placed.committed)
    }

    /// All offsets of a group, by topic and partition.
    pub(super) fn all(&self, group: &str) -> BTreeMap<(String, i32), Committed> {
        let offsets = self.offsets.get(group).into_iter().flatten();
        offsets
            .map(|(key, placed)| (key.clone(), placed.committed.clone()))
            .collect()
    }

    /// Whether an open transaction has an offset for the partition.
    pub(super) fn is_pending(&self, group: &str, topic: &str, partition: i32) -> bool {
        let key = (topic.to_owned(), partition);
        self.pending.values().any(|groups| {
            groups
                .get(group)
                .is_some_and(|offsets| offsets.contains_key(&key))
        })
    }

    /// The producers with offsets in open transactions, and the groups these are of.
    pub(super) fn pending(&self) -> Vec<(i64, BTreeSet<String>)> {
        let pending = self.pending.iter();
        pending
            .map(|(producer, groups)| (*producer, groups.keys().cloned().collect()))
            .collect()
    }

    pub(super) fn has_pending(&self, producer: i64) -> bool {
        self.pending.contains_key(&producer)
    }

    /// The removal of a topic's offsets.
    pub(super) fn without_topic(&self, topic: &str) -> Vec<Line> {
        self.by_group()
            .flat_map(|(group, offsets)| {
                let of_topic = offsets.keys().filter(|(name, _)| name == topic);
                of_topic.map(|(name, partition)| removal(group, name, *partition))
            })
            .collect()
    }

    /// Offsets by group, those of open transactions too: a group may come several times.
    fn by_group(&self) -> impl Iterator<Item = (&String, &ByPartition<Placed>)> {
        self.offsets
            .iter()
            .chain(self.pending.values().flatten())
            .filter(|(_, offsets)| !offsets.is_empty())
    }

    /// The groups that have offsets, be it in an open transaction.
    pub(super) fn groups_with_offsets(&self) -> BTreeSet<&String> {
        self.by_group().map(|(group, _)| group).collect()
    }

    /// The partitions that a group has offsets for, be it in an open transaction.
    pub(super) fn partitions(&self, group: &str) -> BTreeSet<(String, i32)> {
        self.by_group()
            .filter(|(name, _)| *name == group)
            .flat_map(|(_, offsets)| offsets.keys().cloned())
            .collect()
    }

    /// Whether a group has offsets, be it in an open transaction.
    pub(super) fn has_offsets(&self, group: &str) -> bool {
        self.offsets.contains_key(group)
            || self
                .pending
                .values()
                .any(|groups| groups.contains_key(group))
    }

    /// The groups as they were stored.
    pub(super) fn stored_groups(&self) -> &HashMap<String, StoredGroup> {
        &self.groups
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::super::state::Group;
    use super::*;

    fn line(partition: i32, offset: i64, producer: Option<i64>) -> Line {
        Line::Offset {
            group: "g".to_owned(),
            topic: "t".to_owned(),
            partition,
            committed: Some(Committed {
                offset,
                leader_epoch: -1,
                metadata: String::new(),
                committed_ms: 0,
                expires_ms: None,
            }),
            producer,
        }
    }

    fn offsets(state: &State) -> Vec<i64> {
        state.all("g").values().map(|found| found.offset).collect()
    }

    /// Through the bytes of the journal, as at a start.
    fn again(state: &State) -> State {
        let bytes = serde_json::to_vec(&state.snapshot()).unwrap();
        let lines: Vec<Line> = serde_json::from_slice(&bytes).unwrap();
        let mut state = State::default();
        lines.into_iter().for_each(|line| state.apply(line));
        state
    }

    #[test]
    fn offsets_of_a_transaction_wait_for_its_end() {
        let mut state = State::default();
        for each in [
            line(0, 1, None),
            line(0, 2, Some(7)),
            line(1, 5, Some(7)),
            line(2, 9, Some(8)),
            // Committed outside of the transaction and later: it stays.
            line(1, 6, None),
        ] {
            state.apply(each);
        }
        for commit in [true, false] {
            let mut state = again(&state);
            assert_eq!(offsets(&state), [1, 6]);
            assert!(state.is_pending("g", "t", 0) && state.is_pending("g", "t", 2));
            assert!(!state.is_pending("other", "t", 0));
            let producer = 7;
            state.apply(Line::Ended { producer, commit });
            for state in [&state, &again(&state)] {
                let expected = if commit { [2, 6] } else { [1, 6] };
                assert_eq!(offsets(state), expected);
                assert!(!state.has_pending(7) && state.has_pending(8));
                assert!(!state.is_pending("g", "t", 0));
            }
        }
        for gone in state.without_topic("t") {
            state.apply(gone);
        }
        assert!(state.snapshot().is_empty());
    }

    #[test]
    fn groups_are_stored_among_their_offsets() {
        let group = |state| Line::Group {
            group: "g".to_owned(),
            state,
        };
        let stored = Group::new(Duration::ZERO).stored();
        let mut state = State::default();
        state.apply(line(0, 1, None));
        state.apply(group(Some(stored.clone())));
        state.apply(line(1, 5, Some(7)));
        let mut state = again(&state);
        assert_eq!(state.stored_groups()["g"], stored);
        assert_eq!(offsets(&state), [1]);
        let both = [("t".to_owned(), 0), ("t".to_owned(), 1)];
        assert!(state.partitions("g").iter().eq(&both));
        for gone in both.map(|(topic, partition)| removal("g", &topic, partition)) {
            assert!(state.has_offsets("g"));
            state.apply(gone);
        }
        assert!(!state.has_offsets("g") && state.groups_with_offsets().is_empty());
        state.apply(group(None));
        assert!(again(&state).stored_groups().is_empty());
    }

    #[test]
    fn lines_of_before_transactions_are_read() {
        let old = r#"{"group":"g","topic":"t","partition":0,"committed":
            {"offset":1,"leader_epoch":-1,"metadata":"","committed_ms":0}}"#;
        assert_eq!(serde_json::from_str::<Line>(old).unwrap(), line(0, 1, None));
    }
}
