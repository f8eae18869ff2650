//! The aborted transactions of a segment, in Kafka's format: `<base>.txnindex` holds
//! (version, producer id, first offset, last offset, last stable offset) in 34 bytes, big
//! endian, in the order of the markers, and a checksum behind them. A transaction is in the
//! index of the segment that holds its marker; a segment without any has an empty index.

use std::io;
use std::path::PathBuf;
use std::sync::RwLock;

use bytes::{Buf, BufMut};

use super::index::{Entry, SparseIndex};
use crate::sync::{read, write};

const VERSION: i16 = 0;

/// An aborted transaction in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    /// The offset of the marker.
    pub(crate) last_offset: i64,
    /// The last stable offset when the marker had been written: no marker that comes later
    /// ends a transaction that begins before it.
    pub(crate) last_stable_offset: i64,
}

impl Entry for Aborted {
    const SIZE: usize = 34;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_i16(VERSION);
        out.put_i64(self.producer_id);
        out.put_i64(self.first_offset);
        out.put_i64(self.last_offset);
        out.put_i64(self.last_stable_offset);
    }

    fn decode(mut bytes: &[u8]) -> Self {
        bytes.advance(2);
        Self {
            producer_id: bytes.get_i64(),
            first_offset: bytes.get_i64(),
            last_offset: bytes.get_i64(),
            last_stable_offset: bytes.get_i64(),
        }
    }
}

/// The index of one segment: in memory while the segment is written to, else in its file.
#[derive(Debug)]
pub(crate) struct TxnIndex {
    path: PathBuf,
    entries: RwLock<SparseIndex<Aborted>>,
}

impl TxnIndex {
    /// An empty index that will be written to `path`.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            entries: RwLock::new(SparseIndex::empty()),
        }
    }

    /// The same index after its file has been moved.
    pub(crate) fn moved_to(self, path: PathBuf) -> Self {
        Self { path, ..self }
    }

    /// Loads the file; `false` when it is missing or not what was written: to take it as
    /// empty would show what was aborted.
    pub(crate) fn load(&self, for_appending: bool) -> io::Result<bool> {
        let loaded = match SparseIndex::open(&self.path)? {
            Some(entries) if for_appending => entries.into_memory()?,
            Some(entries) => entries,
            None => return Ok(false),
        };
        *write(&self.entries) = loaded;
        Ok(true)
    }

    /// Forgets all entries, to be filled again.
    pub(crate) fn clear(&self) {
        *write(&self.entries) = SparseIndex::empty();
    }

    pub(crate) fn push(&self, aborted: Aborted) {
        write(&self.entries).push(aborted);
    }

    /// Writes the file. A sealed segment's is searched there from then on.
    pub(crate) fn save(&self, sealed: bool) -> io::Result<()> {
        let mut entries = write(&self.entries);
        entries.save(&self.path)?;
        if sealed && let Some(file) = SparseIndex::open(&self.path)? {
            *entries = file;
        }
        Ok(())
    }

    /// Adds to `found` the transactions with records in `from..end`. `true` says that the
    /// segments behind this one cannot have more of them.
    pub(crate) fn search(&self, from: i64, end: i64, found: &mut Vec<Aborted>) -> io::Result<bool> {
        let entries = read(&self.entries);
        let first = entries.partition_point(|aborted| aborted.last_offset < from)?;
        for at in first..entries.len() {
            let aborted = entries.get(at)?;
            if aborted.first_offset < end {
                found.push(aborted);
            }
            if aborted.last_stable_offset >= end {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn aborted(first_offset: i64, last_offset: i64, last_stable_offset: i64) -> Aborted {
        Aborted {
            producer_id: first_offset * 7,
            first_offset,
            last_offset,
            last_stable_offset,
        }
    }

    #[test]
    fn a_span_finds_the_transactions_that_reach_into_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("00000000000000000000.txnindex");
        let index = TxnIndex::new(path.clone());
        // Three that overlap (the second began first and ends last), then one by itself.
        let all = [
            aborted(10, 20, 5),
            aborted(12, 25, 5),
            aborted(5, 30, 31),
            aborted(40, 45, 46),
        ];
        for entry in all {
            index.push(entry);
        }
        let search = |index: &TxnIndex, from, end| {
            let mut found = Vec::new();
            let complete = index.search(from, end, &mut found).unwrap();
            (found, complete)
        };
        for sealed in [false, true] {
            index.save(sealed).unwrap();
            assert_eq!(search(&index, 0, 100), (all.to_vec(), false));
            assert_eq!(search(&index, 0, 6), (vec![all[2]], true));
            assert_eq!(search(&index, 21, 26), (vec![all[1], all[2]], true));
            assert_eq!(search(&index, 31, 40), (vec![], true));
            assert_eq!(search(&index, 45, 46), (vec![all[3]], true));
            assert_eq!(search(&index, 46, 100), (vec![], false));
        }
        let length = std::fs::metadata(&path).unwrap().len();
        assert_eq!(length, 4 * 34 + crate::files::CHECKSUM_LEN as u64);
        let again = TxnIndex::new(path.clone());
        assert!(again.load(true).unwrap());
        again.push(aborted(50, 51, 52));
        assert_eq!(search(&again, 46, 100).0, [aborted(50, 51, 52)]);
        std::fs::write(&path, [0; 33]).unwrap();
        assert!(!again.load(false).unwrap());
        again.clear();
        again.save(true).unwrap();
        assert!(again.load(false).unwrap());
        assert_eq!(search(&again, 0, 100), (vec![], false));
        std::fs::remove_file(&path).unwrap();
        assert!(
            !again.load(false).unwrap(),
            "a missing index is not an empty one"
        );
    }
}
