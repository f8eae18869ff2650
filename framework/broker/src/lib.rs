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
//!   apart, and the time where the topic says `LogAppendTime`), whatever its codec, until
//!   compaction takes records out of it. Its CRC32C is checked when it comes and each time
//!   before it is handed out; a batch that fails is answered with `CORRUPT_MESSAGE` and never
//!   served.
//! - What an acknowledgement means is the [`FlushPolicy`]. Under every policy nothing
//!   acknowledged is lost when the process is killed; under `Always` neither when the
//!   machine loses power, and consumers see nothing that is not durable. Committed offsets
//!   and the members of groups follow the same policy. Topics, settings and producer ids are
//!   durable before they are answered.
//! - Members of a group go on after a restart as if nothing had happened, static members too;
//!   offsets that nobody uses are forgotten after `offsets_retention`.
//! - An idempotent producer's batch is stored once: five batches of each producer and
//!   partition are remembered, over restarts too.
//! - A transaction is committed or aborted in all its partitions and groups alike, also when
//!   the process is killed at any instant; read_committed readers see nothing of one that is
//!   open or aborted. Its producer's predecessors are fenced. A power failure can, under
//!   another policy than `Always`, take the end of a transaction as it can take records; what
//!   it leaves open and unknown to the coordinator is aborted at the next start, offsets too.
//! - Old segments go by time and size, and compaction keeps the newest record of each key, as
//!   in Kafka and by the topic's settings, in the background: readers and writers go on, and a
//!   kill at any instant leaves the log as it was or as it is to be. What is removed is never
//!   removed for the sake of a record that is not durable or not committed. A log that holds
//!   damage is not compacted; the log and [`MetricsSnapshot`] say so.
//! - Deleted records (DeleteRecords) stay deleted: the beginning of a log is durable before
//!   it is answered.
//! - After a crash only what may not have been synced is read and checked. A torn tail is
//!   cut off, damage elsewhere is kept and fenced in; both are in [`RecoveryReport`].
//! - When an fsync fails, the partition takes no more records until the next start. A full
//!   disk refuses writes as long as it is full. `docs/broker-faults.md` tells more.
//!
//! # Security
//!
//! A broker has one PLAINTEXT listener, or several of [`Listener`], each PLAINTEXT, SSL,
//! SASL_PLAINTEXT or SASL_SSL; clients are answered with the address of the listener they
//! came by. What [`SecurityConfig`] sets, as Apache Kafka names it:
//!
//! - **TLS** 1.2 and 1.3 with certificates in PEM files, read again when they change (for new
//!   connections). A client's certificate is asked for or required as [`ClientAuth`] says;
//!   the principal is `User:` and its distinguished name as RFC 2253 writes it.
//! - **Logins** by SCRAM-SHA-256, SCRAM-SHA-512 and, where it is named, PLAIN. The users stand
//!   in a file of salted hashes, which [`set_password`], `kafka-configs --entity-type users`
//!   or the example `set_password` write; PLAIN is verified against the same hashes:
//!
//!   ```json
//!   {"version": 1, "users": {"alice": {"SCRAM-SHA-256": {"iterations": 8192,
//!    "salt": "<base64>", "stored_key": "<base64>", "server_key": "<base64>"}}}}
//!   ```
//!
//!   The file is read again when it changes; one that others may write is refused. A failed
//!   login is answered late and alike, whether the user exists or not. Logins can be given a
//!   lifetime, after which the client renews them (KIP-368).
//! - **Access control** is off by default, and everybody may do everything. With an
//!   [`AuthorizerConfig`], only super users and what the lists allow: `kafka-acls` creates,
//!   lists and deletes entries, which are durable when they are answered. A denial wins. The
//!   rules for each API are Kafka's; an API without a rule is closed.
//! - GSSAPI, OAUTHBEARER, delegation tokens, `ssl.principal.mapping.rules` and lists of revoked
//!   certificates are not here.
//!
//! # What is not here
//!
//! - Of transactions: two-phase commit with an outside coordinator (KIP-939).
//! - Versions that Apache Kafka 4.3 has and its clients do without: EndTxn 5 and TxnOffsetCommit
//!   5 (`transaction.version` 2 of KIP-890; no feature is finalised here, so that clients add
//!   partitions before they write to them), OffsetCommit and OffsetFetch 10 (topics by their
//!   ids), ListOffsets 11 (tiering), ListTransactions 2 (ids by a regular expression),
//!   DescribeLogDirs 5 (cordoned folders), WriteTxnMarkers 2 (between brokers).
//! - `flush.messages`, `flush.ms`, `file.delete.delay.ms` and `segment.index.bytes` are stored
//!   and described only: the broker's flush policy decides about fsyncs, and files are removed
//!   at once, from under readers that still have them open.
//!
//! Deliberately absent:
//!
//! | What | How it is answered |
//! |---|---|
//! | Replication, the inter-broker protocol | not advertised; a replication factor above 1 is INVALID_REPLICATION_FACTOR, an assignment to another broker INVALID_REPLICA_ASSIGNMENT |
//! | Elections, reassignments | ElectLeaders: ELECTION_NOT_NEEDED; AlterPartitionReassignments: taken where a partition is already, NO_REASSIGNMENT_IN_PROGRESS for a cancellation; none is ever listed |
//! | KRaft (DescribeQuorum, UpdateFeatures, ...) | not advertised; DescribeCluster for controllers is MISMATCHED_ENDPOINT_TYPE |
//! | The consumer group protocol of KIP-848, share groups, streams groups | not advertised, so that clients take the classic protocol; FindCoordinator for share groups is UNSUPPORTED_VERSION; every group is of type `classic` |
//! | Tiered storage | `remote.storage.enable=true` is INVALID_CONFIG; ListOffsets of the tiered end finds nothing |
//! | Quotas | DescribeClientQuotas finds none; AlterClientQuotas is not advertised |
//! | Delegation tokens, client metrics, log folders to move to | not advertised |
//! | Log levels by DescribeConfigs | there are no loggers; naming one in IncrementalAlterConfigs is INVALID_CONFIG |
//! | Settings fixed at the start (`num.partitions`, ...) | AlterConfigs: INVALID_REQUEST; those that topics take as defaults (`log.retention.ms`, ...) can be altered, except `log.flush.interval.ms`, which is the flush policy. A name that no broker knows is INVALID_CONFIG, where Kafka stores it |
//! | Settings of groups and of client metrics | INVALID_REQUEST; ListConfigResources is not advertised |
//! | Record formats before magic 2 | INVALID_RECORD |
//! | A look at records in a codec | only in compacted topics, and offsets by time unpack them; elsewhere a batch with a right CRC is stored, where Kafka unpacks it and refuses what is no record |
//! | `segment.bytes` from a megabyte on | taken from 1,024 on, where Kafka answers INVALID_CONFIG; a batch larger than that gets a segment for itself, where Kafka answers RECORD_LIST_TOO_LARGE |
//! | Recompression to a topic's `compression.type` | batches are kept in the codec they come in |
//! | The same group, resource or partition many times in a request that describes | answered once |
//! | An offset by a time before records that DeleteRecords took | the first record left; Kafka finds none as long as a segment with such records only is not removed yet |
//! | Incremental fetch sessions | every fetch is a full one |
//!
//! A call that is not advertised closes the connection, as in Kafka.

mod api;
mod broker;
mod broker_settings;
mod buffers;
mod cleanup;
mod config;
mod connection;
mod files;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod group;
mod journal;
mod listeners;
mod log;
mod metrics;
mod outbox;
mod producer_ids;
mod report;
mod security;
mod server;
mod shared;
mod surroundings;
mod sync;
mod topic_config;
mod topic_folders;
mod topic_name;
mod topics;
mod txn;
mod wire;

pub use broker::Broker;
pub use config::{BrokerConfig, FlushPolicy};
pub use metrics::MetricsSnapshot;
pub use report::{Finding, FindingKind, RecoveryReport};
pub use security::{
    AuthorizerConfig, ClientAuth, Listener, Protocol, SaslMechanism, ScramKeys, SecurityConfig,
    TlsConfig, UsersFile, remove_user, set_password, user_names,
};
#[doc(hidden)]
pub use surroundings::Surroundings;
