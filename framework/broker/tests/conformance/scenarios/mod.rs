//! What several requests and clients do together.

mod groups;
mod idempotence;
