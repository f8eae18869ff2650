//! Sparse indexes in Kafka's format: `<base>.index` holds (relative offset, position) in
//! 8 bytes, `<base>.timeindex` (timestamp, relative offset) in 12, big endian. Behind the
//! entries stands a checksum, unlike in Kafka.
//!
//! The index of the active segment lives in memory and is written when the segment is
//! sealed or the broker stops; that of a sealed segment stays in its file and is searched
//! there, so that memory does not grow with the log.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::files;

/// An entry of fixed size.
pub(crate) trait Entry: Copy {
    const SIZE: usize;
    fn encode(&self, out: &mut Vec<u8>);
    fn decode(bytes: &[u8]) -> Self;
}

/// Where in the segment the batch with this offset begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    pub(crate) relative: u32,
    pub(crate) position: u32,
}

/// The largest timestamp up to a place in the segment, and the first batch that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    pub(crate) timestamp: i64,
    pub(crate) relative: u32,
}

fn be_u32(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |all, byte| (all << 8) | u32::from(*byte))
}

impl Entry for OffsetEntry {
    const SIZE: usize = 8;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.relative.to_be_bytes());
        out.extend_from_slice(&self.position.to_be_bytes());
    }

    fn decode(bytes: &[u8]) -> Self {
        Self {
            relative: be_u32(&bytes[..4]),
            position: be_u32(&bytes[4..8]),
        }
    }
}

impl Entry for TimeEntry {
    const SIZE: usize = 12;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.relative.to_be_bytes());
    }

    fn decode(bytes: &[u8]) -> Self {
        let high = u64::from(be_u32(&bytes[..4]));
        let low = u64::from(be_u32(&bytes[4..8]));
        Self {
            timestamp: ((high << 32) | low) as i64,
            relative: be_u32(&bytes[8..12]),
        }
    }
}

/// A sorted list of entries, in memory or in a file.
#[derive(Debug)]
pub(crate) enum SparseIndex<E> {
    Memory(Vec<E>),
    File { file: File, count: usize },
}

impl<E: Entry> SparseIndex<E> {
    pub(crate) fn empty() -> Self {
        Self::Memory(Vec::new())
    }

    /// Opens an index file; `None` when it is missing or not what was written.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // An index is a thousandth of its log: reading it costs less than a wrong answer.
        let mut whole = Vec::new();
        file.read_to_end(&mut whole)?;
        let length = match files::checked(&whole) {
            Some(entries) if entries.len().is_multiple_of(E::SIZE) => entries.len(),
            _ => return Ok(None),
        };
        Ok(Some(Self::File {
            file,
            count: length / E::SIZE,
        }))
    }

    /// Writes the entries to `path`, synced.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        if let Self::Memory(entries) = self {
            let mut bytes = Vec::with_capacity(entries.len() * E::SIZE);
            for entry in entries {
                entry.encode(&mut bytes);
            }
            files::write_checked(path, &bytes)?;
        }
        Ok(())
    }

    /// Brings all entries into memory, so that more can be added.
    pub(crate) fn into_memory(self) -> io::Result<Self> {
        match self {
            Self::Memory(entries) => Ok(Self::Memory(entries)),
            Self::File { file, count } => {
                let mut bytes = vec![0; count * E::SIZE];
                file.read_exact_at(&mut bytes, 0)?;
                Ok(Self::Memory(
                    bytes.chunks_exact(E::SIZE).map(E::decode).collect(),
                ))
            }
        }
    }

    pub(crate) fn push(&mut self, entry: E) {
        if let Self::Memory(entries) = self {
            entries.push(entry);
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Memory(entries) => entries.len(),
            Self::File { count, .. } => *count,
        }
    }

    pub(crate) fn get(&self, at: usize) -> io::Result<E> {
        match self {
            Self::Memory(entries) => Ok(entries[at]),
            Self::File { file, .. } => {
                let mut bytes = [0u8; 40];
                let bytes = &mut bytes[..E::SIZE];
                file.read_exact_at(bytes, (at * E::SIZE) as u64)?;
                Ok(E::decode(bytes))
            }
        }
    }

    pub(crate) fn last(&self) -> io::Result<Option<E>> {
        match self.len() {
            0 => Ok(None),
            count => self.get(count - 1).map(Some),
        }
    }

    /// The last entry for which `is_at_or_before` holds; entries are sorted by it.
    pub(crate) fn floor(&self, is_at_or_before: impl Fn(&E) -> bool) -> io::Result<Option<E>> {
        match self.partition_point(is_at_or_before)? {
            0 => Ok(None),
            found => self.get(found - 1).map(Some),
        }
    }

    /// How many entries at the start `is_before` holds for; entries are sorted by it.
    pub(crate) fn partition_point(&self, is_before: impl Fn(&E) -> bool) -> io::Result<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(&self.get(middle)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_index_answers_as_the_memory_index_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.timeindex");
        let mut memory = SparseIndex::empty();
        for at in 0..100u32 {
            memory.push(TimeEntry {
                timestamp: -50 + i64::from(at) * 10,
                relative: at * 3,
            });
        }
        memory.save(&path).unwrap();
        let file = SparseIndex::<TimeEntry>::open(&path).unwrap().unwrap();
        for target in -60..1_000 {
            let wanted = memory.floor(|entry| entry.timestamp <= target).unwrap();
            assert_eq!(
                file.floor(|entry| entry.timestamp <= target).unwrap(),
                wanted
            );
        }
        assert_eq!(file.last().unwrap().unwrap().relative, 297);
        std::fs::write(&path, [0u8; 13]).unwrap();
        assert!(SparseIndex::<TimeEntry>::open(&path).unwrap().is_none());
    }
}
