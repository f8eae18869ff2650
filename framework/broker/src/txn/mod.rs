//! Transactions: the coordinator of transactional producers.
//!
//! What it knows is kept in a journal. A transaction ends in two steps, so that a crash at
//! any instant leaves it either open or ended alike in all its partitions: the decision is
//! journaled (`PrepareCommit`, `PrepareAbort`), then a marker is written to each partition
//! and the offsets are settled, then the end is journaled (`CompleteCommit`,
//! `CompleteAbort`). A start completes what was decided.

mod clock;
mod coordinator;
mod ending;
#[cfg(test)]
mod tests;
mod transaction;

pub(crate) use coordinator::Transactions;
pub(crate) use transaction::{Known, Producer, Transaction};
