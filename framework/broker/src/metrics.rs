//! What the broker counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// API keys counted one by one.
const KEYS: usize = 96;

/// The broker's counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) connections: Counter,
    pub(crate) refused_connections: Counter,
    pub(crate) malformed_requests: Counter,
    pub(crate) successful_authentications: Counter,
    pub(crate) failed_authentications: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) produced_batches: Counter,
    pub(crate) produced_records: Counter,
    pub(crate) produced_bytes: Counter,
    pub(crate) refused_batches: Counter,
    pub(crate) fetched_bytes: Counter,
    pub(crate) removed_segments: Counter,
    pub(crate) removed_bytes: Counter,
    pub(crate) cleanings: Counter,
    pub(crate) cleaned_bytes: Counter,
    pub(crate) compacted_records: Counter,
    pub(crate) cleaner_failures: Counter,
    requests: Vec<Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            connections: Counter::default(),
            refused_connections: Counter::default(),
            malformed_requests: Counter::default(),
            successful_authentications: Counter::default(),
            failed_authentications: Counter::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            produced_batches: Counter::default(),
            produced_records: Counter::default(),
            produced_bytes: Counter::default(),
            refused_batches: Counter::default(),
            fetched_bytes: Counter::default(),
            removed_segments: Counter::default(),
            removed_bytes: Counter::default(),
            cleanings: Counter::default(),
            cleaned_bytes: Counter::default(),
            compacted_records: Counter::default(),
            cleaner_failures: Counter::default(),
            requests: (0..KEYS).map(|_| Counter::default()).collect(),
        }
    }
}

impl Metrics {
    pub(crate) fn request(&self, api_key: i16) {
        if let Some(counter) = usize::try_from(api_key)
            .ok()
            .and_then(|key| self.requests.get(key))
        {
            counter.add(1);
        }
    }

    pub(crate) fn requests(&self) -> BTreeMap<i16, u64> {
        (0i16..)
            .zip(&self.requests)
            .map(|(key, counter)| (key, counter.get()))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

/// The counters at one moment; all but `connections`, `active_groups`, `topics`,
/// `partitions`, `uncleanable_partitions` and `log_bytes` count from the start of the broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricsSnapshot {
    /// Connections open now.
    pub connections: u64,
    /// Connections closed because there were too many.
    pub refused_connections: u64,
    /// Requests that could not be read, for which the connection was closed.
    pub malformed_requests: u64,
    /// Logins and TLS handshakes that succeeded.
    pub successful_authentications: u64,
    /// Logins and TLS handshakes that failed.
    pub failed_authentications: u64,
    /// Bytes of requests.
    pub bytes_in: u64,
    /// Bytes of responses.
    pub bytes_out: u64,
    /// Record batches stored or recognised as duplicates.
    pub produced_batches: u64,
    /// Records in them.
    pub produced_records: u64,
    /// Bytes of them.
    pub produced_bytes: u64,
    /// Record batches refused with an error.
    pub refused_batches: u64,
    /// Places in logs that reads have found damaged since the start; the log names them.
    pub damaged_places: u64,
    /// Bytes of record batches handed to consumers.
    pub fetched_bytes: u64,
    /// Segments removed by retention and for deleted records.
    pub removed_segments: u64,
    /// Bytes of them.
    pub removed_bytes: u64,
    /// Times that a partition was compacted.
    pub cleanings: u64,
    /// Bytes that were read to compact.
    pub cleaned_bytes: u64,
    /// Records that compaction has removed.
    pub compacted_records: u64,
    /// Compactions that failed.
    pub cleaner_failures: u64,
    /// Partitions now that cannot be compacted until the next start; the log says why.
    pub uncleanable_partitions: u64,
    /// Requests by Kafka API key.
    pub requests: BTreeMap<i16, u64>,
    /// Groups with members now.
    pub active_groups: u64,
    /// Topics now.
    pub topics: u64,
    /// Partitions now.
    pub partitions: u64,
    /// Bytes of all segments now.
    pub log_bytes: u64,
}
