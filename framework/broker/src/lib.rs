//! An embedded Kafka broker of one node: the wire protocol of Apache Kafka over segment
//! files, for tests, demos and small installations that have no cluster.
//!
//! ```no_run
//! # async fn run() -> mesh_core::Result<()> {
//! use mesh_broker::{Broker, BrokerConfig};
//!
//! let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
//! let broker = Broker::start(BrokerConfig::new("data", listen)).await?;
//! let bootstrap = broker.bootstrap(); // for any Kafka client
//! broker.shutdown().await
//! # }
//! ```
//!
//! Configured by [`BrokerConfig`]; several brokers run in one process on port 0, each with
//! its own data folder.
//!
//! # Guarantees
//!
//! - A record batch is stored byte for byte as the client sent it (offset and leader epoch
//!   apart, and the time where the topic says `LogAppendTime`), whatever its codec. Its
//!   CRC32C is checked when it comes and each time before it is handed out; a batch that
//!   fails is answered with `CORRUPT_MESSAGE` and never served.
//! - What an acknowledgement means is the [`FlushPolicy`]. Under every policy nothing
//!   acknowledged is lost when the process is killed; under `Always` neither when the
//!   machine loses power, and consumers see nothing that is not durable. Committed offsets
//!   follow the same policy. Topics and producer ids are durable before they are answered.
//! - An idempotent producer's batch is stored once: five batches of each producer and
//!   partition are remembered, over restarts too.
//! - After a crash only what may not have been synced is read and checked. A torn tail is
//!   cut off, damage elsewhere is kept and fenced in; both are in [`RecoveryReport`].
//! - When an fsync fails, the partition takes no more records until the next start.
//!
//! # What is not here
//!
//! - Transactions, compaction and retention, ACLs, TLS and SASL, static group members, and
//!   the admin calls that change what exists (AlterConfigs, CreatePartitions, DeleteRecords,
//!   DeleteGroups, ...) are not built yet. They are not advertised in ApiVersions; a
//!   transactional id is answered with UNSUPPORTED_VERSION, a transactional batch with
//!   INVALID_TXN_STATE, `group.instance.id` with UNSUPPORTED_VERSION.
//! - Deliberately absent: replication and the inter-broker protocol, KRaft, share groups,
//!   the consumer group protocol of KIP-848, tiered storage, delegation tokens, quotas,
//!   record formats before magic 2, recompression to a topic's `compression.type`,
//!   incremental fetch sessions (every fetch is a full one).
//! - A record without a key is taken into a topic with `cleanup.policy=compact`, which Kafka
//!   refuses: that check comes with compaction, since it has to unpack the records.
//! - `segment.ms`, `flush.messages` and `flush.ms` are stored and described only; segments
//!   roll by size, and the broker's flush policy decides about fsyncs.
//! - Membership of groups is not stored: after a restart members are told to join again.
//!   Their committed offsets are.

mod api;
mod broker;
mod broker_settings;
mod config;
mod files;
mod group;
mod log;
mod metrics;
mod producer_ids;
mod report;
mod server;
mod shared;
mod sync;
mod topic_config;
mod topic_folders;
mod topics;
mod wire;

pub use broker::Broker;
pub use config::{BrokerConfig, FlushPolicy};
pub use metrics::MetricsSnapshot;
pub use report::{Finding, FindingKind, RecoveryReport};
