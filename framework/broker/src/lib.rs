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
//! - A transaction is committed or aborted in all its partitions and groups alike, also when
//!   the process is killed at any instant; read_committed readers see nothing of one that is
//!   open or aborted. Its producer's predecessors are fenced. A power failure can, under
//!   another policy than `Always`, take the end of a transaction as it can take records; what
//!   it leaves open and unknown to the coordinator is aborted at the next start.
//! - After a crash only what may not have been synced is read and checked. A torn tail is
//!   cut off, damage elsewhere is kept and fenced in; both are in [`RecoveryReport`].
//! - When an fsync fails, the partition takes no more records until the next start.
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
//! - Compaction and retention, static group members, and the admin calls
//!   that change what exists (AlterConfigs, CreatePartitions, DeleteRecords, DeleteGroups,
//!   ...) are not built yet. They are not advertised in ApiVersions; `group.instance.id` is
//!   answered with UNSUPPORTED_VERSION.
//! - Of transactions: two-phase commit with an outside coordinator (KIP-939), and the regular
//!   expression of ListTransactions version 2.
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
mod config;
mod files;
mod group;
mod journal;
mod listeners;
mod log;
mod metrics;
mod producer_ids;
mod report;
mod security;
mod server;
mod shared;
mod sync;
mod topic_config;
mod topic_folders;
mod topics;
mod txn;
mod wire;

pub use broker::Broker;
pub use config::{BrokerConfig, FlushPolicy};
pub use metrics::MetricsSnapshot;
pub use report::{Finding, FindingKind, RecoveryReport};
pub use security::{
    AuthorizerConfig, ClientAuth, Listener, Protocol, SaslMechanism, SecurityConfig, TlsConfig,
    set_password,
};
