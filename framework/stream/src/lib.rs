//! Data products on Kafka: typed producers and consumers, Confluent framing, the registry's
//! client, and batches of Arrow for SQL.
//!
//! Configured by [`StreamConfig`] (bootstrap address, registry address, client id and any
//! librdkafka setting by its own name); nothing is read from the environment here.
//!
//! | to | use |
//! |---|---|
//! | register a product's schemas | [`RegistryClient`], [`register_product`] |
//! | make its topic | [`Admin::ensure_topic`] with [`TopicSpec::from`] a descriptor |
//! | see and change topics and subjects | [`Admin`], [`RegistryClient`] |
//! | make it known | [`CatalogClient::register_product`] |
//! | publish records | [`TypedProducer::send`], or [`Encoder`] and [`Producer::send`] |
//! | publish records and a group's offsets at once | [`TransactionalProducer`] |
//! | read as a member of a group | [`GroupConsumer::recv`], then [`Decoder::decode`] |
//! | read a partition in bulk | [`batch::PartitionReader`], then [`batch::ArrowDecoder`] |
//! | read a topic as it is written | [`batch::TopicFollower`] |
//!
//! A record on the wire is: key and value in Confluent's framing (a zero byte, the schema's
//! id in four big-endian bytes, Avro binary), and the headers of [`Headers`]. A null value is
//! a tombstone.
//!
//! # Guarantees
//!
//! - A producer is idempotent and waits for all replicas; it goes on trying for as long as
//!   it lives, so a broker that dies and comes back loses nothing. What is still queued
//!   when the process dies is lost, which is why domains publish from an outbox.
//! - What a transaction writes is seen by readers when it is committed and never before;
//!   every reader here is `read_committed`. The end of a partition, as [`Admin::watermarks`]
//!   tells it, is therefore where the first open transaction begins, and some offsets
//!   before it are no records but the marks of transactions.
//! - A consumer commits only what it is told to.
//! - Bytes that are not what their writer's schema says are refused, each record on its
//!   own: its structure is checked to the last byte before it is decoded, and a schema
//!   that cannot be read as the contract says is refused once per schema id.
//! - Errors and log lines of librdkafka go to `tracing`; no row value is in any of them.

mod accord;
mod acl;
mod admin;
pub mod batch;
mod catalog;
mod client;
mod config;
mod consumer;
mod decode;
mod describe;
mod encode;
mod ends;
mod fault;
mod frame;
mod headers;
mod partition;
mod place;
mod producer;
mod registry;
mod registry_login;
mod request;
mod rows;
mod shape;
mod subjects;
mod topic_id;
mod topics;
mod transaction;
mod typed;

pub use accord::check_readable;
pub use acl::{Acl, AclOperation, AclResource, allow};
pub use admin::{Admin, Ensured, TopicSpec};
pub use catalog::{CatalogClient, CatalogLife, CatalogVersion, Reads, VersionTexts};
pub use config::StreamConfig;
pub use consumer::{GroupConsumer, Lag, RawRecord, RebalanceListener};
pub use decode::{Decoder, Received};
pub use describe::TopicDescription;
pub use encode::Encoder;
pub use ends::{DEPRECATION_HEADER, Ends, SUCCESSOR_HEADER, SUNSET_HEADER};
pub use frame::{FRAME_BYTES, put_frame, split_frame};
pub use headers::{
    CONTRACT_VERSION_HEADER, EVENT_ID_HEADER, Headers, OUTBOX_HEADER, OutboxMark,
    TRACEPARENT_HEADER,
};
pub use partition::partition_for;
pub use producer::{Delivery, Outgoing, Producer};
pub use registry::{Latest, Registered, RegistryClient, WriterSchema, register_product};
pub use registry_login::RegistryLogin;
pub use rows::{ReceivedRow, RowDecoder};
pub use subjects::{Compatibility, Found};
pub use topics::TopicSetting;
pub use transaction::{Failed, GroupMetadata, GroupOffsets, Remedy, TransactionalProducer};
pub use typed::TypedProducer;
