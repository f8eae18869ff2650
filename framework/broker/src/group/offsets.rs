//! Committed offsets, kept in a journal.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, RwLock};

use kafka_protocol::ResponseError;
use mesh_core::{Error, ErrorKind};

use super::offset_state::{Committed, Line, State};
use crate::journal::{self, Journal};
use crate::report::RecoveryReport;
use crate::sync::{read, write};

/// The offsets of all groups.
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
        let mut state = State::default();
        for line in journal::read(path, "__consumer_offsets", report).map_err(unreadable)? {
            state.apply(line);
        }
        let journal =
            Journal::begin(path, durable_before_ack, &state.snapshot()).map_err(unreadable)?;
        Ok(Self {
            state: RwLock::new(state),
            journal: Arc::new(journal),
        })
    }

    /// Stores a group's offsets, all or none.
    pub(crate) async fn commit(
        &self,
        group: &str,
        offsets: Vec<(String, i32, Committed)>,
    ) -> Result<(), ResponseError> {
        let lines = lines(group, offsets, None);
        self.write(lines, || Ok(())).await
    }

    /// Stores offsets that count when the producer's transaction is committed.
    /// `in_transaction` is asked while no end of a transaction can come in between.
    pub(crate) async fn commit_in_transaction(
        &self,
        group: &str,
        producer: i64,
        offsets: Vec<(String, i32, Committed)>,
        in_transaction: impl FnOnce() -> Result<(), ResponseError>,
    ) -> Result<(), ResponseError> {
        let lines = lines(group, offsets, Some(producer));
        self.write(lines, in_transaction).await
    }

    /// Ends a producer's transaction.
    pub(crate) async fn end_transaction(
        &self,
        producer: i64,
        commit: bool,
    ) -> Result<(), ResponseError> {
        // Looked at under the journal's lock: an offset on its way is either here or refused.
        let turn = self.journal.turn();
        let pending = read(&self.state).has_pending(producer);
        drop(turn);
        match pending {
            true => {
                let ended = Line::Ended { producer, commit };
                self.write(vec![ended], || Ok(())).await
            }
            false => Ok(()),
        }
    }

    /// Forgets all offsets of a topic that has been deleted.
    pub(crate) async fn remove_topic(&self, topic: &str) -> Result<(), ResponseError> {
        let lines = read(&self.state).without_topic(topic);
        self.write(lines, || Ok(())).await
    }

    async fn write(
        &self,
        lines: Vec<Line>,
        allowed: impl FnOnce() -> Result<(), ResponseError>,
    ) -> Result<(), ResponseError> {
        if lines.is_empty() {
            return Ok(());
        }
        let stored = {
            let mut turn = self.journal.turn();
            allowed()?;
            turn.append(&lines).and_then(|at| {
                let mut state = write(&self.state);
                lines.into_iter().for_each(|line| state.apply(line));
                turn.rewrite_if_grown(|| state.snapshot())?;
                Ok(at)
            })
        };
        let acknowledged = match stored {
            Ok(at) => self.journal.wait_acknowledged(at).await,
            Err(error) => Err(error),
        };
        acknowledged.map_err(|error| failed(&error))
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
