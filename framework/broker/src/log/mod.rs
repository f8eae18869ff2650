//! The log of one partition: segments, indexes, producer state, recovery.

pub(crate) mod batch;
mod cleaner;
mod cleanup_settings;
mod codec;
mod damage;
mod flush;
mod index;
mod partition;
mod producers;
mod read;
mod read_by_time;
mod records;
mod recovery;
mod replay;
mod retention;
mod segment;
mod snapshots;
#[cfg(test)]
mod testing;
mod transactions;
mod txn_index;
mod validate;
mod waiters;

pub(crate) use cleaner::{CleanFailure, Cleaned, CleanerLimits, Dirt};
pub(crate) use cleanup_settings::CleanupSettings;
pub(crate) use partition::{Appended, LEADER_EPOCH, LogSettings, Partition, TimestampType};
pub(crate) use records::TimedOffset;
pub(crate) use segment::MAX_SEGMENT_BYTES;
pub(crate) use transactions::Marker;
pub(crate) use txn_index::Aborted;
pub(crate) use validate::{WITHOUT_KEY, records_without_key, validate};
pub(crate) use waiters::Waiter;
