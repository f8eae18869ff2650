//! SQL over the data products of the mesh: the one crate that names DataFusion.
//!
//! ```no_run
//! # async fn run() -> mesh_core::Result<()> {
//! use mesh_enforcement::Access;
//! use mesh_query::{Engine, QueryConfig};
//! use mesh_stream::StreamConfig;
//!
//! let stream = StreamConfig::new("127.0.0.1:9092", "http://127.0.0.1:8081", "sql");
//! let engine = Engine::new(QueryConfig::new(stream, "http://127.0.0.1:8080"))?;
//! let access = Access::new("anna".parse()?, "analysis".parse()?);
//! let session = engine.session(access).await?;
//! let mut answer = session.query("SELECT count(*) FROM customer.profiles").await?;
//! while let Some(batch) = answer.next_batch().await? {
//!     println!("{} rows", batch.num_rows());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Configured by [`QueryConfig`]. [`query_router`] is the HTTP door, [`render`] turns
//! answers into text for it and for the command line.
//!
//! # Names
//!
//! A schema is a domain, a table one of its products: `customer.profiles` is the version
//! that stands for the product, `customer.profiles_v2` the newest of major version 2. An
//! event product is its log, a state product the latest row of each key, without those that
//! were deleted.
//!
//! Every table also has `_partition` (INT), `_offset` (BIGINT) and `_timestamp` (when the
//! record was published, in milliseconds). As with the system columns of PostgreSQL, `*`
//! leaves them out: a table shows those of the three that the statement names somewhere, and
//! shows them last. So `SELECT *`, `DISTINCT`, `UNION` and `NATURAL JOIN` compare the
//! product's own columns, and `SELECT * FROM t WHERE _offset > 5` shows `_offset` too.
//!
//! # Guarantees
//!
//! - A query sees of each topic what was published before it was planned, however often it
//!   names the topic, and nothing later. If retention or compaction takes away what it has
//!   yet to read, it fails and says so. A row of a state product that was replaced after the
//!   query began, and compacted away before the query came to it, cannot be told from one
//!   that never was: `min.compaction.lag.ms` of the topic must be longer than a query.
//! - Memory is bounded by configuration, whatever the size of a topic.
//! - Statements that read, and nothing else: see `statement`. No statement opens a file or
//!   an address.
//! - A session's catalog holds what its principal may read for its purpose. Each product is
//!   one opaque node of a plan, which takes in no expression of the user and shows its name
//!   alone.
//! - No error and no log line holds a row's value or a statement's text.

mod basic;
mod cancel;
mod catalog_client;
mod command;
mod config;
mod connection;
mod continuous;
mod engine;
mod failure;
mod flight;
mod http;
mod http_follow;
mod information;
mod life;
mod limits;
mod lineage;
mod parameter_types;
mod parameters;
mod postgres;
mod product;
mod provider;
pub mod render;
mod run;
mod scan;
mod session;
mod settings;
mod sound;
mod spool;
mod statement;
mod statements;
mod threads;
mod wire;

pub use config::QueryConfig;
pub use connection::{Answer, Connection, Described};
pub use continuous::{Follow, FollowFrom, FollowOptions, Position, Round};
pub use datafusion::common::ScalarValue;
pub use engine::{Engine, Parts};
pub use flight::{FlightOptions, FlightTls, serve_flight};
pub use http::{openapi, query_router};
pub use limits::Limits;
pub use lineage::{LineageSink, LineageTopic};
pub use postgres::{DoorOptions, serve_postgres};
pub use session::{QueryOptions, QueryResult, QueryStats, Session};
pub use settings::{CorruptRecords, Settings};
pub use statements::Keeping;
