//! Hosts a domain: one process that produces, consumes and answers.
//!
//! A domain describes itself as a [`Domain`] (products, handlers, sources, API routes) and
//! calls [`run`]. The host keeps the domain's documents, the inbox and the outbox in one
//! SQLite file, or in a schema of a Postgres database, and commits what an event caused in one local transaction; a relay then
//! publishes the outbox to Kafka in order, in transactions that carry the outbox's position,
//! so that nothing is lost and nothing is published twice. A Kafka-to-Kafka handler has no
//! outbox: it consumes, publishes and commits in one Kafka transaction. What each guarantees
//! is told in docs/exactly-once.md. A new version of a handler is run beside the old one and
//! put in its place as a [`Replay`]. The platform may be missing at the start or go away at any time: the host waits, tries again and says so in
//! `/readyz` and `/status`.
//!
//! Configured by [`Config`]: defaults, then a TOML file (`MESH_CONFIG`), then environment
//! variables, then arguments (`--help` lists them).

mod api;
mod backoff;
mod config;
mod consume;
mod context;
mod domain;
mod effects;
mod ends;
mod failpoint;
mod handler;
mod health;
mod host;
mod http;
mod import;
mod ingest;
mod keep;
mod metrics;
mod partition;
mod peer;
mod queue;
mod rebuild;
mod relay;
mod replay;
mod run;
mod running;
mod setup;
mod source;
mod sql;
mod state;
mod status;
mod store;
mod store_url;
mod table;
mod task;
mod transform;
mod unit;

pub use api::{Api, Reply, Request};
pub use config::Config;
pub use context::Context;
pub use domain::Domain;
pub use effects::Effects;
#[doc(hidden)]
pub use failpoint::failpoints;
pub use handler::{Handler, RowHandler};
pub use peer::Peer;
pub use replay::Replay;
pub use run::{run, run_with};
pub use running::Running;
pub use source::{Source, SourceBatch};
pub use sql::{Followed, FollowedLine, Sql};
pub use state::{StateValue, Stored};
pub use store_url::{StoreUrl, WrongStoreUrl};
pub use table::{Place, Row, Table};
