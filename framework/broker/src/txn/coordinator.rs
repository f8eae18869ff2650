//! The transactional ids of the broker.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use kafka_protocol::ResponseError;
use mesh_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;

use super::ending::Ending;
use super::transaction::{Init, Known, NO_EPOCH, Producer, Transaction};
use crate::group::Offsets;
use crate::journal::{self, Journal};
use crate::producer_ids::ProducerIds;
use crate::report::RecoveryReport;
use crate::sync::{lock, steady_ms};
use crate::topics::Topics;

/// A line of the journal.
#[derive(Debug, Serialize, Deserialize)]
enum Line {
    Set(Transaction),
    /// The id has been silent for so long that it is forgotten.
    Dead(String),
}

/// A transactional id. Its requests take turns; what it is at the moment can be asked
/// without one, also under the lock of a partition.
#[derive(Debug)]
pub(super) struct Entry {
    current: Mutex<Transaction>,
    /// Held while the id changes; inside is what is left to do for its decided transaction.
    pub(super) turn: Arc<tokio::sync::Mutex<Option<Ending>>>,
}

impl Entry {
    fn new(transaction: Transaction) -> Self {
        Self {
            current: Mutex::new(transaction),
            turn: Arc::new(tokio::sync::Mutex::new(None)),
        }
    }

    pub(super) fn current(&self) -> Transaction {
        lock(&self.current).clone()
    }
}

type Entries = BTreeMap<String, Arc<Entry>>;

/// The coordinator of all transactional ids.
#[derive(Debug)]
pub(crate) struct Transactions {
    entries: Mutex<Entries>,
    journal: Arc<Journal>,
    producer_ids: Arc<ProducerIds>,
    pub(super) topics: Arc<Topics>,
    pub(super) offsets: Arc<Offsets>,
}

impl Transactions {
    pub(crate) fn open(
        path: &Path,
        durable_before_ack: bool,
        producer_ids: Arc<ProducerIds>,
        topics: Arc<Topics>,
        offsets: Arc<Offsets>,
        report: &mut RecoveryReport,
    ) -> mesh_core::Result<Self> {
        let unreadable = |error: io::Error| {
            Error::new(ErrorKind::Corrupt, "the transactions cannot be read")
                .with("file", path.display())
                .mend("check the disk; moving the file away aborts all open transactions")
                .because(error)
        };
        let now = steady_ms();
        let mut entries = Entries::new();
        for line in journal::read(path, "__transaction_state", report).map_err(unreadable)? {
            match line {
                Line::Set(transaction) => {
                    let transaction = transaction.not_after(now);
                    let id = transaction.id.clone();
                    entries.insert(id, Arc::new(Entry::new(transaction)));
                }
                Line::Dead(id) => {
                    entries.remove(&id);
                }
            }
        }
        let journal = Journal::begin(path, durable_before_ack, &snapshot(&entries))
            .map_err(|error| journal::unwritable(path, error))?;
        Ok(Self {
            entries: Mutex::new(entries),
            journal: Arc::new(journal),
            producer_ids,
            topics,
            offsets,
        })
    }

    fn entry(&self, id: &str) -> Option<Arc<Entry>> {
        lock(&self.entries).get(id).map(Arc::clone)
    }

    /// The id and the right to change it.
    async fn take_turn(&self, id: &str) -> Option<(Arc<Entry>, OwnedMutexGuard<Option<Ending>>)> {
        loop {
            let entry = self.entry(id)?;
            let turn = Arc::clone(&entry.turn).lock_owned().await;
            // It may have been forgotten while others had their turns.
            if self.entry(id).is_some_and(|now| Arc::ptr_eq(&now, &entry)) {
                return Some((entry, turn));
            }
        }
    }

    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        lock(&self.entries).values().map(Arc::clone).collect()
    }

    /// What is known of an id.
    pub(crate) fn get(&self, id: &str) -> Option<Transaction> {
        self.entry(id).map(|entry| entry.current())
    }

    /// All ids, in order.
    pub(crate) fn all(&self) -> Vec<Transaction> {
        self.entries().iter().map(|entry| entry.current()).collect()
    }

    /// Hands out a producer id to whoever needs one.
    pub(crate) fn fresh_producer_id(&self) -> Result<i64, ResponseError> {
        self.producer_ids.next().map_err(|error| {
            tracing::error!(%error, "cannot store a block of producer ids");
            ResponseError::CoordinatorNotAvailable
        })
    }

    /// Gives a producer its id and epoch, and so fences all that had the same
    /// transactional id. While an open transaction of theirs is aborted the answer is
    /// CONCURRENT_TRANSACTIONS, as in Kafka: the producer asks again.
    pub(crate) async fn init(
        &self,
        id: &str,
        given: Option<Producer>,
        timeout_ms: i32,
    ) -> Result<Producer, ResponseError> {
        let (entry, mut turn) = loop {
            if let Some(taken) = self.take_turn(id).await {
                break taken;
            }
            let producer_id = self.fresh_producer_id()?;
            let new = Transaction::new(id, producer_id, timeout_ms, steady_ms());
            let mut entries = lock(&self.entries);
            let entry = entries.entry(id.to_owned());
            entry.or_insert_with(|| Arc::new(Entry::new(new)));
        };
        let init = entry
            .current()
            .init(given, timeout_ms, steady_ms(), || self.fresh_producer_id())?;
        match init {
            Init::Ready(next) => {
                let producer = next.producer();
                self.store(&entry, next).await?;
                Ok(producer)
            }
            Init::Fence(fenced) => {
                self.decide(&entry, &mut turn, fenced.decided(false, steady_ms()))
                    .await?;
                Err(ResponseError::ConcurrentTransactions)
            }
        }
    }

    /// Adds partitions or groups to a producer's transaction.
    pub(crate) async fn add(
        &self,
        id: &str,
        producer: Producer,
        added: &[Known<'_>],
    ) -> Result<(), ResponseError> {
        let (entry, _turn) = self
            .take_turn(id)
            .await
            .ok_or(ResponseError::InvalidProducerIdMapping)?;
        let next = entry.current().add(producer, added, steady_ms())?;
        match next {
            Some(next) => self.store(&entry, next).await,
            None => Ok(()),
        }
    }

    /// Whether the producer may write there now. Takes no turn, so it may be asked under
    /// any lock.
    pub(crate) fn verify(
        &self,
        id: &str,
        producer: Producer,
        known: Known<'_>,
    ) -> Result<(), ResponseError> {
        let entry = self
            .entry(id)
            .ok_or(ResponseError::InvalidProducerIdMapping)?;
        lock(&entry.current).verify(producer, known)
    }

    /// Ends a producer's transaction. When this returns its records are visible, or count
    /// as aborted; should a partition's disk fail, that comes as soon as it can.
    pub(crate) async fn end(
        &self,
        id: &str,
        producer: Producer,
        commit: bool,
    ) -> Result<(), ResponseError> {
        let (entry, mut turn) = self
            .take_turn(id)
            .await
            .ok_or(ResponseError::InvalidProducerIdMapping)?;
        match entry.current().end(producer, commit, steady_ms())? {
            Some(decided) => self.decide(&entry, &mut turn, decided).await,
            None => Ok(()),
        }
    }

    /// Journals a transaction and makes it the current one.
    pub(super) async fn store(
        &self,
        entry: &Entry,
        next: Transaction,
    ) -> Result<(), ResponseError> {
        let at = {
            let mut turn = self.journal.turn();
            turn.append(&[Line::Set(next.clone())]).and_then(|at| {
                *lock(&entry.current) = next;
                turn.rewrite_if_grown(|| snapshot(&lock(&self.entries)))?;
                Ok(at)
            })
        };
        self.acknowledge(at).await
    }

    /// Forgets an id.
    pub(super) async fn forget(&self, id: &str) -> Result<(), ResponseError> {
        let at = {
            let mut turn = self.journal.turn();
            turn.append(&[Line::Dead(id.to_owned())]).inspect(|_| {
                lock(&self.entries).remove(id);
            })
        };
        self.acknowledge(at).await
    }

    async fn acknowledge(&self, at: io::Result<u64>) -> Result<(), ResponseError> {
        let acknowledged = match at {
            Ok(at) => self.journal.wait_acknowledged(at).await,
            Err(error) => Err(error),
        };
        acknowledged.map_err(|error| {
            tracing::error!(%error, "cannot store a transaction");
            ResponseError::CoordinatorNotAvailable
        })
    }

    /// Makes all that is stored durable.
    pub(crate) async fn flush_pending(&self) -> io::Result<()> {
        self.journal.flush_pending().await
    }
}

fn snapshot(entries: &Entries) -> Vec<Line> {
    entries
        .values()
        .map(|entry| entry.current())
        // An id whose first epoch could not be stored has never been given out.
        .filter(|transaction| transaction.epoch != NO_EPOCH)
        .map(Line::Set)
        .collect()
}
