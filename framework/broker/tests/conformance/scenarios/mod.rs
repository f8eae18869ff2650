//! What several requests and clients do together.

mod clients;
mod compaction;
mod groups;
mod idempotence;
