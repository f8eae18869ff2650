//! The history of products: topics as Delta Lake tables, one for each major version.
//!
//! Configured by [`HistoryConfig`]: a directory, or the address of a place in an object
//! store. The table of `bank.payments` v1 is the folder `bank/payments_v1` there, and any
//! Delta reader opens it. `docs/history.md` tells the layout and what is guaranteed.
//!
//! | to | use |
//! |---|---|
//! | write topics into their tables | [`HistoryWriter::follow`], [`HistoryWriter::run`] |
//! | write what is there now | [`HistoryWriter::pass`] |
//! | read a table | [`History::snapshot`], then the Parquet files that it names |
//! | leave out files | [`HistorySnapshot::files_matching`] |
//! | merge, expire, clean up | [`History::maintain`] |
//!
//! Every record of a topic is in its table once or told as absent: the offsets stand in the
//! same commit as the files, as Delta's application transactions. What follows on
//! [`HistorySnapshot::ends`] is read from the topic, so that together nothing is missing and
//! nothing double.

mod absent;
mod choose;
mod columns;
mod config;
mod decode;
mod fault;
mod file;
mod history;
mod keys;
mod maintain;
mod merge;
mod pass;
mod place;
mod read;
mod schema;
mod snapshot;
mod sort;
mod source;
mod state;
mod stats;
mod table;
mod value;
mod writer;

pub use config::HistoryConfig;
pub use history::History;
pub use maintain::Maintained;
pub use pass::Passed;
pub use place::ProductRef;
pub use schema::{DELETED, OFFSET, PARTITION, TIMESTAMP};
pub use snapshot::{Absent, At, ColumnRange, DataFile, HistorySnapshot, OffsetRange};
pub use source::Source;
pub use stats::ColumnStats;
pub use value::Value;
pub use writer::{HistoryWriter, Progress};
