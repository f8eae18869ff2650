//! What the scans of one query share.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use mesh_core::contract::ProductKind;
use mesh_core::{Error, ErrorKind, Result};
use mesh_history::{At, History, HistorySnapshot, ProductRef};
use mesh_states::{Snapshot as StateSnapshot, States};
use mesh_stream::{Admin, RegistryClient, StreamConfig};
use tokio::sync::OnceCell;

use crate::product::Product;
use crate::settings::CorruptRecords;

/// What every scan of the engine needs.
pub(crate) struct ScanEnv {
    pub(crate) stream: StreamConfig,
    pub(crate) registry: RegistryClient,
    pub(crate) admin: Admin,
    pub(crate) state_memory_bytes: usize,
    pub(crate) spill_dir: Option<PathBuf>,
    pub(crate) spill_bytes: u64,
    /// The tables that are kept of state products, if they are.
    pub(crate) states: Option<States>,
    /// The history of event products, if it is kept.
    pub(crate) history: Option<History>,
}

/// The offsets of a partition that a query sees: from the first to before the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) partition: i32,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Extent {
    pub(crate) fn len(&self) -> i64 {
        (self.end - self.start).max(0)
    }
}

/// What the scans of a query find out once.
type Shared<T> = Arc<OnceCell<T>>;
type Snapshot = Shared<Arc<Vec<Extent>>>;

/// How a query looks at topics.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct View {
    pub(crate) corrupt: CorruptRecords,
    /// Only what was published before this instant.
    pub(crate) as_of: Option<DateTime<Utc>>,
}

/// One query: a topic has the same end wherever and however often the query names it.
pub(crate) struct QueryRun {
    pub(crate) env: Arc<ScanEnv>,
    pub(crate) view: View,
    snapshots: Mutex<HashMap<String, Snapshot>>,
    /// Topics of which the query sees a part that was told.
    presets: Mutex<BTreeSet<String>>,
    histories: Mutex<HashMap<String, Shared<Option<Arc<HistorySnapshot>>>>>,
    states: Mutex<HashMap<String, Shared<Arc<StateSnapshot>>>>,
    records: AtomicU64,
    bytes: AtomicU64,
    skipped: AtomicU64,
    most_bytes: u64,
    /// Records that the scans of the plan are to read at most.
    expected: AtomicU64,
    rows: AtomicU64,
    notices: Mutex<BTreeSet<String>>,
}

impl QueryRun {
    pub(crate) fn new(env: Arc<ScanEnv>, view: View) -> Self {
        Self {
            env,
            view,
            snapshots: Mutex::default(),
            presets: Mutex::default(),
            states: Mutex::default(),
            histories: Mutex::default(),
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            most_bytes: u64::MAX,
            expected: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            notices: Mutex::default(),
        }
    }

    /// Has the query see these parts of `topic`, whatever is there by now.
    pub(crate) fn preset(&self, topic: &str, extents: Vec<Extent>) {
        let mut snapshots = self
            .snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let cell = OnceCell::new_with(Some(Arc::new(extents)));
        snapshots.insert(topic.to_owned(), Arc::new(cell));
        let mut presets = self.presets.lock().unwrap_or_else(PoisonError::into_inner);
        presets.insert(topic.to_owned());
    }

    fn is_preset(&self, topic: &str) -> bool {
        let presets = self.presets.lock().unwrap_or_else(PoisonError::into_inner);
        presets.contains(topic)
    }

    /// Fails when it has read more than `bytes`, if that is given.
    pub(crate) fn reading_at_most(mut self, bytes: Option<u64>) -> Self {
        self.most_bytes = bytes.unwrap_or(u64::MAX);
        self
    }

    /// Has whoever asked be told something about what the query reads; once.
    pub(crate) fn notice(&self, text: String) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.insert(text);
    }

    /// What whoever asked is to be told, in the order of the texts.
    pub(crate) fn notices(&self) -> Vec<String> {
        let notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.iter().cloned().collect()
    }

    /// The partitions of `topic` with their ends as they were when the query first asked.
    pub(crate) async fn snapshot(&self, topic: &str) -> Result<Arc<Vec<Extent>>> {
        let cell = {
            let mut snapshots = self
                .snapshots
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(snapshots.entry(topic.to_owned()).or_default())
        };
        cell.get_or_try_init(|| async {
            let partitions = self.env.admin.partitions(topic).await?;
            let mut extents = try_join_all((0..partitions).map(|partition| async move {
                let (start, end) = self.env.admin.watermarks(topic, partition).await?;
                Ok::<_, Error>(Extent {
                    partition,
                    start,
                    end,
                })
            }))
            .await?;
            if let Some(instant) = self.view.as_of {
                let millis = instant.timestamp_millis();
                let ends = self
                    .env
                    .admin
                    .offsets_since(topic, partitions, millis)
                    .await?;
                for (extent, end) in extents.iter_mut().zip(ends) {
                    extent.end = end.map_or(extent.end, |end| end.clamp(extent.start, extent.end));
                }
            }
            Ok(Arc::new(extents))
        })
        .await
        .cloned()
    }

    /// The history of an event product as it was when the query first asked; nothing if there
    /// is none, or the query sees a part of the topic alone.
    pub(crate) async fn history(&self, product: &Product) -> Result<Option<Arc<HistorySnapshot>>> {
        let Some(history) = &self.env.history else {
            return Ok(None);
        };
        if product.kind != ProductKind::Event || self.is_preset(&product.topic) {
            return Ok(None);
        }
        let cell = {
            let mut held = self
                .histories
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(held.entry(product.topic.clone()).or_default())
        };
        let found = cell.get_or_try_init(|| async {
            let contract = &product.contract;
            let table = ProductRef::new(
                contract.domain.clone(),
                contract.product.clone(),
                contract.version.major,
            );
            let found = history.snapshot(&table, At::Latest).await?;
            if let Some(found) = &found {
                self.unreadable(product, found)?;
                let lost: u64 = found.missing.iter().map(|absent| absent.count).sum();
                if lost > 0 {
                    self.notice(format!(
                        "{}: {lost} offsets were removed from the topic before its history had them",
                        product.resource
                    ));
                }
            }
            Ok::<_, Error>(found.map(Arc::new))
        });
        found.await.cloned()
    }

    /// What follows from records that the history could not take in.
    fn unreadable(&self, product: &Product, history: &HistorySnapshot) -> Result<()> {
        let Some(first) = history.unreadable.first() else {
            return Ok(());
        };
        match self.view.corrupt {
            CorruptRecords::Skip => {
                self.skip(history.unreadable.iter().map(|absent| absent.count).sum());
                Ok(())
            }
            CorruptRecords::Fail => Err(Error::new(
                ErrorKind::Corrupt,
                "the topic had a record that cannot be read",
            )
            .with("topic", &product.topic)
            .with("partition", first.range.partition)
            .with("offset", first.range.first)
            .mend(
                "tell the owner of the product; to read the rest meanwhile, \
                 SET mesh.corrupt_records = 'skip'",
            )),
        }
    }

    /// The table that is kept of `topic`, with all that was published before the query first
    /// asked; nothing if there is none, or the query looks at another time.
    pub(crate) async fn state(&self, topic: &str) -> Result<Option<Arc<StateSnapshot>>> {
        let Some(states) = self
            .env
            .states
            .as_ref()
            .filter(|_| self.view.as_of.is_none())
        else {
            return Ok(None);
        };
        let cell = {
            let mut held = self.states.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(held.entry(topic.to_owned()).or_default())
        };
        let snapshot = cell.get_or_try_init(|| async {
            let ends: Vec<(i32, i64)> = self
                .snapshot(topic)
                .await?
                .iter()
                .map(|extent| (extent.partition, extent.end))
                .collect();
            let table = states.table(topic).await?;
            table.reach(&ends).await?;
            table.snapshot().map(Arc::new)
        });
        snapshot.await.cloned().map(Some)
    }

    /// Counts what a scan has read.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceExhausted`] if it is more than the query may read.
    pub(crate) fn count(&self, records: u64, bytes: u64) -> Result<()> {
        self.records.fetch_add(records, Ordering::Relaxed);
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.most_bytes {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                "the query reads more bytes than it may",
            )
            .retryable(false)
            .with("most_bytes", self.most_bytes)
            .mend("read less of the topic, by `_timestamp`, `_partition` or `_offset`, or ask for a higher limit"));
        }
        Ok(())
    }

    /// Adds to what the scans of the plan are to read.
    pub(crate) fn expect(&self, records: u64) {
        self.expected.fetch_add(records, Ordering::Relaxed);
    }

    /// Counts rows of the answer.
    pub(crate) fn answered(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Counts records that cannot be read and were left out.
    pub(crate) fn skip(&self, records: u64) {
        self.skipped.fetch_add(records, Ordering::Relaxed);
    }

    /// Records left out so far.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Records and bytes read from Kafka so far.
    pub(crate) fn read(&self) -> (u64, u64) {
        (
            self.records.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed),
        )
    }
}

impl std::fmt::Debug for QueryRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryRun").finish_non_exhaustive()
    }
}

/// How far a query has come, for whoever does not read its answer.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    run: Arc<QueryRun>,
    started: Instant,
}

impl Progress {
    pub(crate) fn new(run: Arc<QueryRun>, started: Instant) -> Self {
        Self { run, started }
    }

    /// Rows of the answer so far.
    pub(crate) fn rows(&self) -> u64 {
        self.run.rows.load(Ordering::Relaxed)
    }

    /// Records and bytes read so far.
    pub(crate) fn read(&self) -> (u64, u64) {
        self.run.read()
    }

    /// Records that its scans are to read at most; none if it scans nothing.
    pub(crate) fn expected(&self) -> Option<u64> {
        Some(self.run.expected.load(Ordering::Relaxed)).filter(|expected| *expected > 0)
    }

    /// Since it came.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
