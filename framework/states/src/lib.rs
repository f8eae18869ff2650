//! State tables: of each state product the latest row per key, kept on disk beside whoever
//! asks for it, and brought up to date as its topic is written.
//!
//! Configured by [`StatesConfig`]; nothing is read from the environment here. Rows are kept
//! as they were written, in Confluent's framing, and decoded by who reads them.
//!
//! | to | use |
//! |---|---|
//! | open the store | [`States::open`] |
//! | have a topic followed | [`States::table`] |
//! | wait until it has what the topic has | [`StateTable::reach`] |
//! | read it as it is at one moment | [`StateTable::snapshot`] |
//! | look up a key | [`Snapshot::get`] |
//! | scan | [`Snapshot::rows`], [`Rows::fill`], [`Chunk::messages`], then [`mesh_stream::batch::ArrowDecoder`] |
//! | count | [`Snapshot::rows_in`] |
//!
//! ```no_run
//! # use mesh_states::{Chunk, States, StatesConfig};
//! # async fn run(config: StatesConfig, ends: &[(i32, i64)]) -> mesh_core::Result<()> {
//! let states = States::open(config).await?;
//! let table = states.table("bank.accounts.v1").await?;
//! table.reach(ends).await?;
//! let snapshot = table.snapshot()?;
//! let mut chunk = Chunk::new();
//! for (partition, _) in snapshot.ends() {
//!     let mut rows = snapshot.rows(*partition);
//!     while rows.fill(8192, 2 << 20, &mut chunk)? {
//!         let messages = chunk.messages();
//!         // decoder.decode(&messages).await?
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! # Guarantees
//!
//! - Rows, counts and offsets change together. After the death of a process at any point the
//!   table goes on behind the last record that is in it; none is left out or counted twice.
//! - Only committed records are applied.
//! - A [`Snapshot`] is of one moment over all partitions, and says of which.
//! - What can be read is never a part of a build: a table whose topic was made anew, lost
//!   records that were not read, or whose store was lost or damaged, is built from the topic
//!   first.

mod apply;
mod config;
mod fault;
mod follow;
mod home;
mod layout;
mod seen;
mod session;
mod snapshot;
mod states;
mod status;
mod store;
mod table;

pub use config::StatesConfig;
pub use snapshot::{Chunk, Row, Rows, Snapshot};
pub use states::States;
pub use status::{PartitionStatus, Phase, TableStatus};
pub use table::StateTable;
