//! The log of one partition: segments, indexes, producer state, recovery.

pub(crate) mod batch;
mod damage;
mod flush;
mod index;
mod partition;
mod producers;
mod read;
mod read_by_time;
mod records;
mod recovery;
mod segment;
mod snapshots;
mod transactions;
mod txn_index;
mod validate;
mod waiters;

pub(crate) use partition::{Appended, LEADER_EPOCH, LogSettings, Partition, TimestampType};
pub(crate) use records::TimedOffset;
pub(crate) use segment::MAX_SEGMENT_BYTES;
pub(crate) use transactions::Marker;
pub(crate) use txn_index::Aborted;
pub(crate) use validate::validate;
pub(crate) use waiters::Waiter;
