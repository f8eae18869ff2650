//! What several requests and clients do together.

mod clients;
mod compaction;
mod groups;
mod idempotence;
mod leader_epochs;
mod offsets_by_time;
mod offsets_forgotten;
mod rebalances;
mod static_members;
mod transactional_offsets;
mod transactions;
