//! How a broker is configured.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::security::{Listener, SecurityConfig};
use crate::surroundings::Surroundings;

/// When written batches are made durable (fsync), and with that what an acknowledgement
/// with `acks=all` promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlushPolicy {
    /// Before the acknowledgement, and before consumers see the batch; concurrent requests
    /// share one fsync. Nothing acknowledged is lost even when the machine loses power.
    Always,
    /// In the background, this often. Nothing acknowledged is lost when the process is
    /// killed; a power failure can take what came since the last fsync.
    Interval(Duration),
    /// When the operating system sees fit, and at a clean stop. As `Interval`, with no
    /// bound on what a power failure can take. This is what Apache Kafka does, which
    /// relies on replicas instead.
    Os,
}

/// The configuration of a [`Broker`](crate::Broker). [`BrokerConfig::new`] fills in the
/// defaults, which are Kafka's unless a field says otherwise.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BrokerConfig {
    /// Where everything is stored; made when missing, and used by one process at a time.
    pub data_dir: PathBuf,
    /// The address of the one PLAINTEXT listener there is when `listeners` is empty; port 0
    /// takes any free port.
    pub listen: SocketAddr,
    /// The host and port that its clients are told to connect to; by default the address
    /// they have reached the broker at.
    pub advertised: Option<(String, u16)>,
    /// The listeners, when there is more to say than `listen` and `advertised` do, which
    /// then count for nothing. Each answers with its own address.
    pub listeners: Vec<Listener>,
    /// TLS, logins and access control.
    pub security: SecurityConfig,
    /// The id of the one node.
    pub node_id: i32,
    /// Partitions of a topic that is created without saying how many.
    pub default_partitions: i32,
    /// Whether asking for the metadata of an unknown topic creates it. Off, unlike in
    /// Kafka: a topic belongs to a contract, and a misspelt name should fail.
    pub auto_create_topics: bool,
    /// When data become durable. Every second by default, unlike in Kafka, because there
    /// is no replica.
    pub flush: FlushPolicy,
    /// Bytes at which a new segment is begun (`log.segment.bytes`).
    pub segment_bytes: u64,
    /// Bytes of log for each index entry (`log.index.interval.bytes`).
    pub index_interval_bytes: u64,
    /// How often segments are looked for that retention lets go
    /// (`log.retention.check.interval.ms`).
    pub log_retention_check_interval: Duration,
    /// How long the cleaner waits when no partition needs compaction
    /// (`log.cleaner.backoff.ms`); also the first pause after a failure.
    pub log_cleaner_backoff: Duration,
    /// Bytes of memory that a compaction takes for keys at most, 25 for each
    /// (`log.cleaner.dedupe.buffer.size`). What does not fit is compacted in parts.
    pub log_cleaner_dedupe_buffer_bytes: usize,
    /// Bytes a second that the cleaner reads at most
    /// (`log.cleaner.io.max.bytes.per.second`).
    pub log_cleaner_max_bytes_per_second: u64,
    /// The largest record batch (`message.max.bytes`).
    pub max_message_bytes: u64,
    /// The largest request (`socket.request.max.bytes`).
    pub max_request_bytes: usize,
    /// Bytes that one fetch is answered with at most (`fetch.max.bytes`).
    pub max_fetch_bytes: usize,
    /// Connections open at a time; more are closed at once.
    pub max_connections: usize,
    /// Partitions of all topics together; each holds a file open.
    pub max_partitions: usize,
    /// How long an empty group waits for more members after the first has joined. 200 ms,
    /// not Kafka's 3 s: on one machine the members of a group start within milliseconds of
    /// each other, and who comes later costs one rebalance.
    pub group_initial_rebalance_delay: Duration,
    /// The shortest session time-out that a group member may ask for.
    pub group_min_session_timeout: Duration,
    /// The longest session time-out that a group member may ask for.
    pub group_max_session_timeout: Duration,
    /// Bytes of metadata that may be committed with an offset.
    pub offset_metadata_max_bytes: usize,
    /// How long committed offsets are kept that nobody uses (`offsets.retention.minutes`).
    pub offsets_retention: Duration,
    /// How often expired offsets are looked for (`offsets.retention.check.interval.ms`).
    pub offsets_retention_check_interval: Duration,
    /// How long a silent idempotent producer is remembered (`producer.id.expiration.ms`).
    pub producer_id_expiry: Duration,
    /// The longest time-out that a transaction may ask for (`transaction.max.timeout.ms`).
    pub transaction_max_timeout: Duration,
    /// How long a silent transactional id is remembered (`transactional.id.expiration.ms`).
    pub transactional_id_expiry: Duration,
    /// How often transactions are looked at that may have taken too long. 1 s, not Kafka's
    /// 10 s: there are few of them on one node, and looking is cheap.
    pub transaction_check_interval: Duration,
    /// Threads of the broker's own runtime. Two more than there are processors by default,
    /// since file reads and writes run on them and may wait for the disk.
    pub worker_threads: usize,
    /// The clock and the disk that tests stage.
    #[doc(hidden)]
    pub surroundings: Surroundings,
}

impl BrokerConfig {
    /// The default configuration for a data folder and an address.
    pub fn new(data_dir: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, |count| count.get());
        Self {
            data_dir: data_dir.into(),
            listen,
            advertised: None,
            listeners: Vec::new(),
            security: SecurityConfig::default(),
            node_id: 1,
            default_partitions: 1,
            auto_create_topics: false,
            flush: FlushPolicy::Interval(Duration::from_secs(1)),
            segment_bytes: 1 << 30,
            index_interval_bytes: 4096,
            log_retention_check_interval: Duration::from_secs(300),
            log_cleaner_backoff: Duration::from_secs(15),
            log_cleaner_dedupe_buffer_bytes: 128 << 20,
            log_cleaner_max_bytes_per_second: u64::MAX,
            max_message_bytes: 1_048_588,
            max_request_bytes: 100 << 20,
            max_fetch_bytes: 55 << 20,
            max_connections: 2_000,
            max_partitions: 4_000,
            group_initial_rebalance_delay: Duration::from_millis(200),
            group_min_session_timeout: Duration::from_secs(6),
            group_max_session_timeout: Duration::from_secs(1_800),
            offset_metadata_max_bytes: 4096,
            offsets_retention: Duration::from_secs(7 * 86_400),
            offsets_retention_check_interval: Duration::from_secs(600),
            producer_id_expiry: Duration::from_secs(86_400),
            transaction_max_timeout: Duration::from_secs(900),
            transactional_id_expiry: Duration::from_secs(7 * 86_400),
            transaction_check_interval: Duration::from_secs(1),
            worker_threads: processors + 2,
            surroundings: Surroundings::default(),
        }
    }
}
