//! What several requests and clients do together.

mod clients;
mod groups;
mod idempotence;
