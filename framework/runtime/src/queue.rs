//! What waits for the worker of a partition: counted, so that it is bounded.

use std::sync::atomic::{AtomicUsize, Ordering};

use mesh_stream::RawRecord;

/// Records waiting for a worker at which its partition is paused, and taken up again.
const RECORDS_HIGH: usize = 4_000;
const RECORDS_LOW: usize = 1_000;
/// The same in bytes of keys, values and headers.
const BYTES_HIGH: usize = 64 << 20;
const BYTES_LOW: usize = 16 << 20;

/// Counts the records that a worker was given and has not handled.
#[derive(Debug, Default)]
pub(crate) struct Queued {
    records: AtomicUsize,
    bytes: AtomicUsize,
}

impl Queued {
    /// Counts a record that a worker is given.
    pub(crate) fn add(&self, record: &RawRecord) {
        self.records.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(record.size(), Ordering::AcqRel);
    }

    /// Counts records no more.
    pub(crate) fn remove(&self, records: usize, bytes: usize) {
        self.records.fetch_sub(records, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.load(Ordering::Acquire) == 0
    }

    /// Whether so much waits that no more is to come.
    pub(crate) fn is_high(&self) -> bool {
        self.records.load(Ordering::Acquire) >= RECORDS_HIGH
            || self.bytes.load(Ordering::Acquire) >= BYTES_HIGH
    }

    /// Whether so little waits that more may come.
    pub(crate) fn is_low(&self) -> bool {
        self.records.load(Ordering::Acquire) <= RECORDS_LOW
            && self.bytes.load(Ordering::Acquire) <= BYTES_LOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(bytes: usize) -> RawRecord {
        RawRecord {
            topic: "shop.orders.v1".into(),
            partition: 0,
            offset: 0,
            timestamp: -1,
            key: None,
            value: Some(vec![0_u8; bytes].into()),
            headers: Vec::new(),
        }
    }

    #[test]
    fn many_records_and_large_ones_are_too_many() {
        let small = record(1);
        let queued = Queued::default();
        assert!(queued.is_empty() && queued.is_low());
        for _ in 0..RECORDS_HIGH {
            assert!(!queued.is_high());
            queued.add(&small);
        }
        assert!(queued.is_high());
        queued.remove(RECORDS_HIGH - RECORDS_LOW, RECORDS_HIGH - RECORDS_LOW);
        assert!(!queued.is_high() && queued.is_low());

        let large = record(1 << 20);
        let queued = Queued::default();
        for _ in 0..(BYTES_HIGH >> 20) {
            assert!(!queued.is_high());
            queued.add(&large);
        }
        assert!(queued.is_high() && !queued.is_low());
        let done = (BYTES_HIGH - BYTES_LOW) >> 20;
        queued.remove(done, done << 20);
        assert!(!queued.is_high() && queued.is_low());
        assert!(!queued.is_empty());
    }
}
