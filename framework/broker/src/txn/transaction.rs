//! What the coordinator knows of one transactional id, and how it changes (Kafka's
//! TransactionMetadata): no clock, no file and no lock, so that tests drive it step by step.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;
use serde::{Deserialize, Serialize};

/// No epoch has been given out yet, or the last one is not known.
pub(crate) const NO_EPOCH: i16 = -1;
pub(crate) const NO_PRODUCER: i64 = -1;
const NO_TIME: i64 = -1;

/// The states of a transactional id. Kafka's `Dead`, an id that is being forgotten, is one
/// that is no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum State {
    Empty,
    Ongoing,
    PrepareCommit,
    PrepareAbort,
    CompleteCommit,
    CompleteAbort,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
        }
    }
}

/// A producer as it names itself in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

impl Producer {
    fn has_last_epoch(self) -> bool {
        is_exhausted(self.epoch)
    }
}

/// Kafka keeps the very last epoch for fencing.
fn is_exhausted(epoch: i16) -> bool {
    epoch >= i16::MAX - 1
}

/// What takes part in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known<'a> {
    Partition(&'a str, i32),
    /// The committed offsets of a group.
    Group(&'a str),
}

/// A transactional id and its transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) id: String,
    pub(crate) producer_id: i64,
    /// The producer id before the epochs of one were used up.
    pub(crate) previous_producer_id: i64,
    pub(crate) epoch: i16,
    /// The epoch before a bump that the producer asked for, to know its request again.
    pub(crate) last_epoch: i16,
    pub(crate) timeout_ms: i32,
    pub(crate) state: State,
    pub(crate) partitions: BTreeSet<(String, i32)>,
    /// Groups whose offsets are committed with the transaction.
    pub(crate) groups: BTreeSet<String>,
    /// -1 when there has been none.
    pub(crate) started_ms: i64,
    pub(crate) updated_ms: i64,
}

/// What a producer's wish to begin leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Init {
    /// It has this id and epoch from now on.
    Ready(Transaction),
    /// The open transaction is to be aborted first, under an epoch that nobody is given.
    Fence(Transaction),
}

impl Transaction {
    /// An id that has never been used.
    pub(crate) fn new(id: &str, producer_id: i64, timeout_ms: i32, now_ms: i64) -> Self {
        Self {
            id: id.to_owned(),
            producer_id,
            previous_producer_id: NO_PRODUCER,
            epoch: NO_EPOCH,
            last_epoch: NO_EPOCH,
            timeout_ms,
            state: State::Empty,
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
            started_ms: NO_TIME,
            updated_ms: now_ms,
        }
    }

    pub(crate) fn producer(&self) -> Producer {
        Producer {
            id: self.producer_id,
            epoch: self.epoch,
        }
    }

    /// Gives the producer an epoch of its own. `given` is what a producer that goes on
    /// after an error says it has (KIP-360); `fresh_id` hands out a producer id.
    pub(crate) fn init<E: From<ResponseError>>(
        &self,
        given: Option<Producer>,
        timeout_ms: i32,
        now_ms: i64,
        fresh_id: impl FnOnce() -> Result<i64, E>,
    ) -> Result<Init, E> {
        let is_ours = |given: Producer| {
            self.epoch == NO_EPOCH
                || given.id == self.producer_id
                || (given.id == self.previous_producer_id && given.has_last_epoch())
        };
        if !given.is_none_or(is_ours) {
            return Err(ResponseError::ProducerFenced.into());
        }
        match self.state {
            State::PrepareCommit | State::PrepareAbort => {
                return Err(ResponseError::ConcurrentTransactions.into());
            }
            State::Ongoing => return Ok(Init::Fence(self.fenced())),
            State::Empty | State::CompleteCommit | State::CompleteAbort => {}
        }
        let mut next = Self {
            timeout_ms,
            state: State::Empty,
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
            started_ms: NO_TIME,
            updated_ms: now_ms,
            ..self.clone()
        };
        let exhausted = is_exhausted(self.epoch);
        if exhausted && given.is_none_or(|given| given.epoch == self.epoch) {
            next.previous_producer_id = self.producer_id;
            next.producer_id = fresh_id()?;
            next.epoch = 0;
            next.last_epoch = given.map_or(NO_EPOCH, |_| self.epoch);
            return Ok(Init::Ready(next));
        }
        match given {
            None => {
                next.epoch = self.epoch + 1;
                next.last_epoch = NO_EPOCH;
            }
            Some(given) if self.epoch == NO_EPOCH || given.epoch == self.epoch => {
                next.epoch = self.epoch + 1;
                next.last_epoch = self.epoch;
            }
            // The answer to the same request got lost.
            Some(given) if given.epoch == self.last_epoch => {}
            Some(_) => return Err(ResponseError::ProducerFenced.into()),
        }
        Ok(Init::Ready(next))
    }

    /// Takes the transaction away from its producer.
    pub(crate) fn fenced(&self) -> Self {
        Self {
            epoch: self.epoch.saturating_add(1),
            last_epoch: NO_EPOCH,
            ..self.clone()
        }
    }

    fn check_producer(&self, producer: Producer) -> Result<(), ResponseError> {
        if producer.id != self.producer_id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if producer.epoch != self.epoch {
            return Err(ResponseError::ProducerFenced);
        }
        Ok(())
    }

    fn contains(&self, known: Known<'_>) -> bool {
        match known {
            Known::Partition(topic, index) => self.partitions.contains(&(topic.to_owned(), index)),
            Known::Group(group) => self.groups.contains(group),
        }
    }

    /// Adds to the transaction, which begins with it if none is open. `None` says that all
    /// was in there.
    pub(crate) fn add(
        &self,
        producer: Producer,
        added: &[Known<'_>],
        now_ms: i64,
    ) -> Result<Option<Self>, ResponseError> {
        self.check_producer(producer)?;
        let started_ms = match self.state {
            State::PrepareCommit | State::PrepareAbort => {
                return Err(ResponseError::ConcurrentTransactions);
            }
            State::Ongoing if added.iter().all(|known| self.contains(*known)) => return Ok(None),
            State::Ongoing => self.started_ms,
            State::Empty | State::CompleteCommit | State::CompleteAbort => now_ms,
        };
        let mut next = Self {
            state: State::Ongoing,
            started_ms,
            updated_ms: now_ms,
            ..self.clone()
        };
        for known in added {
            match known {
                Known::Partition(topic, index) => {
                    next.partitions.insert(((*topic).to_owned(), *index));
                }
                Known::Group(group) => {
                    next.groups.insert((*group).to_owned());
                }
            }
        }
        Ok(Some(next))
    }

    /// Whether the producer may write there now.
    pub(crate) fn verify(&self, producer: Producer, known: Known<'_>) -> Result<(), ResponseError> {
        self.check_producer(producer)?;
        match self.state {
            State::PrepareCommit | State::PrepareAbort => {
                Err(ResponseError::ConcurrentTransactions)
            }
            State::Ongoing if self.contains(known) => Ok(()),
            _ => Err(ResponseError::TransactionAbortable),
        }
    }

    /// Decides the transaction as its producer wants. `None` says that it has ended so
    /// already.
    pub(crate) fn end(
        &self,
        producer: Producer,
        commit: bool,
        now_ms: i64,
    ) -> Result<Option<Self>, ResponseError> {
        self.check_producer(producer)?;
        match (self.state, commit) {
            (State::Ongoing, _) => Ok(Some(self.decided(commit, now_ms))),
            (State::CompleteCommit, true) | (State::CompleteAbort, false) => Ok(None),
            (State::PrepareCommit, true) | (State::PrepareAbort, false) => {
                Err(ResponseError::ConcurrentTransactions)
            }
            _ => Err(ResponseError::InvalidTxnState),
        }
    }

    pub(crate) fn decided(&self, commit: bool, now_ms: i64) -> Self {
        Self {
            state: match commit {
                true => State::PrepareCommit,
                false => State::PrepareAbort,
            },
            updated_ms: now_ms,
            ..self.clone()
        }
    }

    /// How the transaction has been decided, while it is not complete.
    pub(crate) fn decision(&self) -> Option<bool> {
        match self.state {
            State::PrepareCommit => Some(true),
            State::PrepareAbort => Some(false),
            _ => None,
        }
    }

    /// All markers are written.
    pub(crate) fn completed(&self, commit: bool, now_ms: i64) -> Self {
        Self {
            state: match commit {
                true => State::CompleteCommit,
                false => State::CompleteAbort,
            },
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
            updated_ms: now_ms,
            ..self.clone()
        }
    }

    /// The same with no time after `now`: what was stored while the clock was ahead ages
    /// from now on.
    pub(crate) fn not_after(self, now_ms: i64) -> Self {
        Self {
            started_ms: self.started_ms.min(now_ms),
            updated_ms: self.updated_ms.min(now_ms),
            ..self
        }
    }

    pub(crate) fn is_timed_out(&self, now_ms: i64) -> bool {
        self.state == State::Ongoing
            && self.started_ms.saturating_add(i64::from(self.timeout_ms)) < now_ms
    }

    pub(crate) fn is_expired(&self, now_ms: i64, expiry_ms: i64) -> bool {
        matches!(
            self.state,
            State::Empty | State::CompleteCommit | State::CompleteAbort
        ) && self.updated_ms.saturating_add(expiry_ms) <= now_ms
    }
}
