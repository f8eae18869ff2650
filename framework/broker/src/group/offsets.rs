//! Committed offsets and the stored state of groups, kept in a journal.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, RwLock};

use kafka_protocol::ResponseError;
use mesh_core::{Error, ErrorKind};

use super::offset_state::{Committed, Line, State, removal};
use super::stored::StoredGroup;
use crate::journal::{self, Journal};
use crate::report::RecoveryReport;
use crate::sync::{read, steady_ms, write};

/// The offsets of all groups, and the groups themselves.
#[derive(Debug)]
pub(crate) struct Offsets {
    state: RwLock<State>,
    journal: Arc<Journal>,
}

impl Offsets {
    pub(crate) fn open(
        path: &Path,
        durable_before_ack: bool,
        report: &mut RecoveryReport,
    ) -> mesh_core::Result<Self> {
        let unreadable = |error: io::Error| {
            Error::new(ErrorKind::Corrupt, "the committed offsets cannot be read")
                .with("file", path.display())
                .mend("check the disk; moving the file away makes all groups begin anew")
                .because(error)
        };
        let now = steady_ms();
        let mut state = State::default();
        let lines: Vec<Line> =
            journal::read(path, "__consumer_offsets", report).map_err(unreadable)?;
        for line in lines {
            state.apply(line.not_after(now));
        }
        let journal = Journal::begin(path, durable_before_ack, &state.snapshot())
            .map_err(|error| journal::unwritable(path, error))?;
        Ok(Self {
            state: RwLock::new(state),
            journal: Arc::new(journal),
        })
    }

    /// Stores a group's offsets, all or none. [`Offsets::acknowledged`] waits for what this
    /// returns.
    pub(super) fn commit(
        &self,
        group: &str,
        offsets: Vec<(String, i32, Committed)>,
    ) -> Result<Option<u64>, ResponseError> {
        self.store(|_| Ok(lines(group, offsets, None)))
    }

    /// Stores offsets that count when the producer's transaction is committed.
    /// `in_transaction` is asked while no end of a transaction can come in between.
    pub(super) fn commit_in_transaction(
        &self,
        group: &str,
        producer: i64,
        offsets: Vec<(String, i32, Committed)>,
        in_transaction: impl FnOnce() -> Result<(), ResponseError>,
    ) -> Result<Option<u64>, ResponseError> {
        self.store(|_| {
            in_transaction()?;
            Ok(lines(group, offsets, Some(producer)))
        })
    }

    /// Ends a producer's transaction.
    pub(crate) async fn end_transaction(
        &self,
        producer: i64,
        commit: bool,
    ) -> Result<(), ResponseError> {
        // An offset on its way is either here already or will be refused.
        let ended = |state: &State| {
            Ok(match state.has_pending(producer) {
                true => vec![Line::Ended { producer, commit }],
                false => Vec::new(),
            })
        };
        self.write(ended).await
    }

    /// The producers with offsets in open transactions, and the groups these are of.
    pub(crate) fn pending(&self) -> Vec<(i64, BTreeSet<String>)> {
        read(&self.state).pending()
    }

    /// Forgets all offsets of a topic that has been deleted.
    pub(crate) async fn remove_topic(&self, topic: &str) -> Result<(), ResponseError> {
        self.write(|state| Ok(state.without_topic(topic))).await
    }

    /// Forgets some offsets of a group, also those of open transactions, as Kafka does;
    /// [`Offsets::durable`] waits until that is durable.
    pub(super) fn remove(
        &self,
        group: &str,
        topic: &str,
        partitions: &[i32],
    ) -> Result<(), ResponseError> {
        let lines = |state: &State| {
            let known = state.partitions(group);
            let given = partitions.iter().map(|index| (topic.to_owned(), *index));
            Ok(given
                .filter(|key| known.contains(key))
                .map(|(topic, partition)| removal(group, &topic, partition))
                .collect())
        };
        self.store(lines).map(drop)
    }

    /// Forgets those offsets of a group that are `due`, except where an open transaction
    /// is about to change one. Returns how many went.
    pub(super) fn expire(
        &self,
        group: &str,
        due: impl FnOnce(&BTreeMap<(String, i32), Committed>) -> Vec<(String, i32)>,
    ) -> Result<usize, ResponseError> {
        let mut expired = 0;
        let lines = |state: &State| {
            let lines: Vec<Line> = due(&state.all(group))
                .into_iter()
                .filter(|(topic, partition)| !state.is_pending(group, topic, *partition))
                .map(|(topic, partition)| removal(group, &topic, partition))
                .collect();
            expired = lines.len();
            Ok(lines)
        };
        self.store(lines)?;
        Ok(expired)
    }

    /// Forgets a group and all its offsets, also those of open transactions, in one change.
    pub(super) fn remove_group(&self, group: &str) -> Result<(), ResponseError> {
        let lines = |state: &State| {
            let known = state.partitions(group).into_iter();
            let mut lines: Vec<Line> = known
                .map(|(topic, partition)| removal(group, &topic, partition))
                .collect();
            lines.push(Line::Group {
                group: group.to_owned(),
                state: None,
            });
            Ok(lines)
        };
        self.store(lines).map(drop)
    }

    /// Forgets a group that has no offsets any more. Returns whether it has gone.
    pub(super) fn remove_unused_group(&self, group: &str) -> Result<bool, ResponseError> {
        let lines = |state: &State| {
            Ok(match state.has_offsets(group) {
                true => Vec::new(),
                false => vec![Line::Group {
                    group: group.to_owned(),
                    state: None,
                }],
            })
        };
        Ok(self.store(lines)?.is_some())
    }

    /// Stores a group's generation and members.
    pub(super) fn store_group(&self, group: &str, state: StoredGroup) -> Result<(), ResponseError> {
        let line = Line::Group {
            group: group.to_owned(),
            state: Some(state),
        };
        self.store(|_| Ok(vec![line])).map(drop)
    }

    /// Stores what `lines` makes of the present state, all or none, while no other change
    /// can come in between. Returns what to wait for before that is acknowledged.
    fn store(
        &self,
        lines: impl FnOnce(&State) -> Result<Vec<Line>, ResponseError>,
    ) -> Result<Option<u64>, ResponseError> {
        let mut turn = self.journal.turn();
        let lines = lines(&read(&self.state))?;
        if lines.is_empty() {
            return Ok(None);
        }
        let stored = turn.append(&lines).and_then(|at| {
            let mut state = write(&self.state);
            lines.into_iter().for_each(|line| state.apply(line));
            turn.rewrite_if_grown(|| state.snapshot())?;
            Ok(Some(at))
        });
        stored.map_err(|error| failed(&error))
    }

    async fn write(
        &self,
        lines: impl FnOnce(&State) -> Result<Vec<Line>, ResponseError>,
    ) -> Result<(), ResponseError> {
        let stored = self.store(lines)?;
        self.acknowledged(stored).await
    }

    /// Returns when what was stored may be acknowledged.
    pub(super) async fn acknowledged(&self, stored: Option<u64>) -> Result<(), ResponseError> {
        match stored {
            Some(at) => {
                let acknowledged = self.journal.wait_acknowledged(at).await;
                acknowledged.map_err(|error| failed(&error))
            }
            None => Ok(()),
        }
    }

    /// The groups as they were stored.
    pub(super) fn stored_groups(&self) -> Vec<(String, StoredGroup)> {
        let state = read(&self.state);
        let groups = state.stored_groups().iter();
        groups
            .map(|(group, stored)| (group.clone(), stored.clone()))
            .collect()
    }

    /// The groups that have offsets, be it in an open transaction.
    pub(super) fn groups_with_offsets(&self) -> Vec<String> {
        let state = read(&self.state);
        state.groups_with_offsets().into_iter().cloned().collect()
    }

    /// Whether a group has offsets, be it in an open transaction.
    pub(super) fn has_offsets(&self, group: &str) -> bool {
        read(&self.state).has_offsets(group)
    }

    /// A group's offset for one partition.
    pub(crate) fn get(&self, group: &str, topic: &str, partition: i32) -> Option<Committed> {
        read(&self.state).get(group, topic, partition).cloned()
    }

    /// All offsets of a group, by topic and partition.
    pub(crate) fn all(&self, group: &str) -> BTreeMap<(String, i32), Committed> {
        read(&self.state).all(group)
    }

    /// Whether an open transaction has an offset for the partition.
    pub(crate) fn is_pending(&self, group: &str, topic: &str, partition: i32) -> bool {
        read(&self.state).is_pending(group, topic, partition)
    }

    /// Waits until all that has been stored so far may be acknowledged.
    pub(super) async fn durable(&self) -> Result<(), ResponseError> {
        let acknowledged = self.journal.wait_all_acknowledged().await;
        acknowledged.map_err(|error| failed(&error))
    }

    /// Makes all that is stored durable.
    pub(crate) async fn flush_pending(&self) -> Result<(), ResponseError> {
        let flushed = self.journal.flush_pending().await;
        flushed.map_err(|error| failed(&error))
    }
}

fn failed(error: &io::Error) -> ResponseError {
    tracing::error!(%error, "cannot store offsets");
    ResponseError::CoordinatorNotAvailable
}

fn lines(group: &str, offsets: Vec<(String, i32, Committed)>, producer: Option<i64>) -> Vec<Line> {
    offsets
        .into_iter()
        .map(|(topic, partition, committed)| Line::Offset {
            group: group.to_owned(),
            topic,
            partition,
            committed: Some(committed),
            producer,
        })
        .collect()
}
