//! How the state tables are configured.

use std::path::PathBuf;
use std::time::Duration;

use mesh_stream::StreamConfig;

/// Where state tables lie, which Kafka they follow, and what they may take.
///
/// The memory of a process that follows `n` topics is about `cache_bytes` + `memtable_bytes`
/// + `n` times `ahead_bytes`, and what librdkafka's threads take.
#[derive(Debug, Clone)]
pub struct StatesConfig {
    /// The folder of the store; of one process at a time.
    pub dir: PathBuf,
    /// Kafka. The registry is not asked: rows are kept as they were written.
    pub stream: StreamConfig,
    /// Memory for blocks that were read from disk, of all tables together.
    pub cache_bytes: u64,
    /// Memory for rows that are not yet sorted to disk, of all tables together; at least
    /// 4 MiB. Who writes faster than the disk waits at this limit.
    pub memtable_bytes: u64,
    /// Memory for records that are read ahead, of each topic that is followed.
    pub ahead_bytes: usize,
    /// Bytes on disk of all tables together; beyond that nothing more is applied, and
    /// readers who wait for it are told. `None`: as many as the disk has.
    pub max_disk_bytes: Option<u64>,
    /// A topic that nobody asked for so long is no longer followed. What is on disk stays,
    /// and is brought up to date at the next use.
    pub idle: Duration,
    /// How often a topic is looked at: whether it is still the same, has new partitions, or
    /// was trimmed.
    pub check: Duration,
}

impl StatesConfig {
    /// A configuration that is at home in a process of 512 MB.
    pub fn new(dir: impl Into<PathBuf>, stream: StreamConfig) -> Self {
        Self {
            dir: dir.into(),
            stream,
            cache_bytes: 64 << 20,
            memtable_bytes: 48 << 20,
            ahead_bytes: 8 << 20,
            max_disk_bytes: None,
            idle: Duration::from_secs(15 * 60),
            check: Duration::from_secs(1),
        }
    }
}
