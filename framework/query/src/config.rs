//! How the engine is configured.

use std::path::PathBuf;
use std::time::Duration;

use mesh_stream::StreamConfig;

use crate::limits::Limits;
use crate::statements::Keeping;

/// The configuration of an [`Engine`](crate::Engine). [`QueryConfig::new`] fills in the
/// defaults.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct QueryConfig {
    /// Kafka and the schema registry.
    pub stream: StreamConfig,
    /// The root of the catalog's REST API, `http://127.0.0.1:8080`.
    pub catalog_url: String,
    /// Bytes of memory for all queries together: hash tables, sorts, key sets and batches
    /// under way. What can spill does so before it exceeds them; what cannot fails with
    /// [`ResourceExhausted`](mesh_core::ErrorKind::ResourceExhausted). What librdkafka
    /// prefetches comes on top: see [`QueryConfig::prefetch_bytes`].
    /// The resident memory of the process is more than both by what its allocator keeps; with
    /// glibc's, `MALLOC_ARENA_MAX=2` holds that down.
    pub memory_bytes: usize,
    /// Bytes that each partition read at the same time may hold prefetched.
    pub prefetch_bytes: usize,
    /// The most bytes of memory that the keys of one state product take in one query before
    /// they spill to disk.
    pub state_memory_bytes: usize,
    /// Where to spill; a directory of the operating system's choice if there is none.
    pub spill_dir: Option<PathBuf>,
    /// Bytes on disk that all queries together may spill, and that the keys of one scan may.
    pub spill_bytes: u64,
    /// Streams that a query reads and computes in parallel; the number of processors by
    /// default.
    pub target_partitions: usize,
    /// Rows of a batch at most; fewer where `memory_bytes` is little.
    pub batch_rows: usize,
    /// Queries that run at a time; more are refused.
    pub max_queries: usize,
    /// What the queries of one principal may use of all this.
    pub per_principal: Limits,
    /// How answers are kept that are fetched later.
    pub keeping: Keeping,
    /// How long a query may take, from its arrival to its last row.
    pub timeout: Duration,
    /// How long the list of products is used before the catalog is asked again.
    pub catalog_max_age: Duration,
}

impl QueryConfig {
    /// The defaults: half a gigabyte of memory, 32 GB on disk, five minutes a query.
    pub fn new(stream: StreamConfig, catalog_url: impl Into<String>) -> Self {
        Self {
            stream,
            catalog_url: catalog_url.into(),
            memory_bytes: 512 << 20,
            prefetch_bytes: 16 << 20,
            state_memory_bytes: 128 << 20,
            spill_dir: None,
            spill_bytes: 32 << 30,
            target_partitions: std::thread::available_parallelism()
                .map_or(2, std::num::NonZero::get),
            batch_rows: 8192,
            max_queries: 32,
            per_principal: Limits::default(),
            keeping: Keeping::default(),
            timeout: Duration::from_secs(300),
            catalog_max_age: Duration::from_secs(1),
        }
    }
}
