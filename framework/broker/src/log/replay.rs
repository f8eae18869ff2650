//! Producer state at a start: the newest snapshot and the batches behind it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::batch::{self, BatchHeader};
use super::producers::Producers;
use super::segment::{Scanned, Segment};
use super::snapshots::load_producers;
use super::transactions::Marker;
use crate::sync::steady_ms;

/// What the opening of a partition knows when it comes to the producers.
#[derive(Debug)]
pub(super) struct Replay<'a> {
    pub(super) dir: &'a Path,
    /// The bases of segments whose index files are made again.
    pub(super) rebuilt: &'a [i64],
    /// Where compaction may have left gaps between batches: nowhere from here on.
    pub(super) gaps_before: i64,
    pub(super) expiry_ms: i64,
}

impl Replay<'_> {
    /// The state at `next_offset`. On the way the aborted transactions of rebuilt segments
    /// are found. Nothing is taken from a damaged batch but, where that is certain, the end
    /// of a transaction.
    pub(super) fn producers(
        &self,
        segments: &[Arc<Segment>],
        next_offset: i64,
    ) -> io::Result<Producers> {
        let upto = self.rebuilt.iter().min().copied().unwrap_or(next_offset);
        let (mut producers, snapshot) = load_producers(self.dir, next_offset, upto)?;
        producers.not_after(steady_ms());
        let from = snapshot.unwrap_or(0);
        for (at, segment) in segments.iter().enumerate() {
            let end = segments.get(at + 1).map_or(next_offset, |next| next.base());
            if end <= from {
                continue;
            }
            let (position, indexed) = segment.floor(from)?;
            let mut scanner = segment.scan(position, true);
            let mut expected = indexed.unwrap_or(segment.base());
            while let Some(scanned) = scanner.next()? {
                match scanned {
                    Scanned::Batch { header, position } => {
                        expected = header.next_offset();
                        if header.base_offset < from {
                            continue;
                        }
                        // Record time may be far from now; forgetting too early would let a
                        // retried batch in twice, so its age counts from this start.
                        producers.record(&header, steady_ms());
                        if header.is_control() {
                            let batch = segment.read_at(position, header.total_len())?;
                            let marker = Marker::parse(&batch);
                            self.end_transaction(&mut producers, segment, &header, marker);
                        }
                    }
                    Scanned::Bad { position, .. } => {
                        if let Some(batch) = damaged_batch(segment, position)?
                            && let Some(header) = BatchHeader::parse(&batch)
                            && header.base_offset >= from.max(expected)
                            && (header.base_offset == expected
                                || header.base_offset <= self.gaps_before)
                        {
                            let marker = damaged_marker(batch, &producers);
                            self.end_transaction(&mut producers, segment, &header, marker);
                        }
                        if !scanner.resync(position, expected)? {
                            break;
                        }
                    }
                }
            }
        }
        producers.expire(steady_ms(), self.expiry_ms);
        Ok(producers)
    }

    fn end_transaction(
        &self,
        producers: &mut Producers,
        segment: &Segment,
        header: &BatchHeader,
        marker: Option<Marker>,
    ) {
        let (offset, time) = (header.base_offset, header.max_timestamp);
        let ended =
            marker.and_then(|marker| producers.end_transaction(&marker, offset, time, steady_ms()));
        if let Some(aborted) = ended.and_then(|ended| ended.aborted)
            && self.rebuilt.contains(&segment.base())
        {
            segment.aborted().push(aborted);
        }
    }
}

/// The batch at a bad place, if its header can be one.
fn damaged_batch(segment: &Segment, position: u64) -> io::Result<Option<Vec<u8>>> {
    let left = segment.len().saturating_sub(position);
    if left < batch::HEADER_LEN as u64 {
        return Ok(None);
    }
    let header = BatchHeader::parse(&segment.read_at(position, batch::HEADER_LEN)?);
    match header.filter(|header| header.is_plausible() && header.total_len() as u64 <= left) {
        Some(header) => segment.read_at(position, header.total_len()).map(Some),
        None => Ok(None),
    }
}

/// What a damaged marker has said: only that the transaction has ended which its producer
/// has open in its epoch. A transaction whose marker is not believed stays open, and is the
/// coordinator's to end. The one bit that tells abort from commit is the other one if the
/// CRC is right then.
fn damaged_marker(mut batch: Vec<u8>, producers: &Producers) -> Option<Marker> {
    let found = Marker::parse(&batch)?;
    let coordinator_epoch =
        producers.coordinator_of_open(found.producer_id, found.producer_epoch)?;
    let kind = Marker::kind_at(&batch)?;
    *batch.get_mut(kind)? ^= 1;
    let flipped = batch::crc_matches(&batch);
    Some(Marker {
        coordinator_epoch,
        commit: found.commit != flipped,
        ..found
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::log::Aborted;
    use crate::log::testing::{append, batch_of, by, opened, partition};

    /// The byte of a marker that tells abort from commit.
    const KIND: usize = batch::HEADER_LEN + 8;

    struct Found {
        aborted: Vec<Aborted>,
        /// Producer, epoch and first offset of open transactions.
        open: Vec<(i64, i16, i64)>,
        /// Producers and their epochs.
        known: Vec<(i64, i16)>,
    }

    /// A transaction, its marker with a flipped bit and a batch behind it, opened as after a
    /// crash.
    fn opened_with(commit: bool, at: usize, bit: u8) -> Found {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("t-0");
        let partition = partition(&dir, &[]);
        let first = by(batch_of(&[("a", "1"), ("b", "2")], 0), 7, 0, true);
        append(&partition, &first);
        let marker = Marker {
            producer_id: 7,
            producer_epoch: 0,
            coordinator_epoch: 0,
            commit,
        };
        partition.append_marker(&marker).unwrap();
        append(&partition, &batch_of(&[("c", "3")], 0));
        let path = partition.segments()[0].path().to_owned();
        drop(partition);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[first.len() + at] ^= bit;
        std::fs::write(&path, bytes).unwrap();
        let (partition, recovered) = opened(&dir, &[], false);
        assert_eq!(recovered.findings.len(), 1);
        let aborted = partition.aborted_in(&partition.segments(), 0, 4).unwrap();
        let producers = partition.active_producers().into_iter();
        let known = producers.map(|producer| (producer.producer_id, producer.epoch));
        let found = Found {
            aborted,
            open: partition.open_transactions(),
            known: known.collect(),
        };
        assert!(
            partition.append_marker(&marker).is_ok(),
            "no epoch has moved"
        );
        found
    }

    #[test]
    fn a_damaged_marker_ends_its_transaction_as_it_did() {
        for commit in [true, false] {
            // Kind, CRC, a time, the coordinator's epoch.
            for (at, bit) in [(KIND, 1), (17, 0x40), (30, 4), (KIND + 6, 1)] {
                let found = opened_with(commit, at, bit);
                assert_eq!(found.aborted.len(), usize::from(!commit), "{commit} {at}");
                assert_eq!(found.open, [], "{commit} {at}");
                assert_eq!(found.known, [(7, 0)], "{commit} {at}");
            }
        }
    }

    #[test]
    fn a_marker_of_nobody_known_tells_nothing() {
        // The producer's id, its epoch, and whether it is a marker at all.
        for (at, bit) in [(50, 1), (51, 0x40), (52, 4), (22, 0x20)] {
            let found = opened_with(true, at, bit);
            assert_eq!(found.aborted, [], "{at}");
            assert_eq!(found.open, [(7, 0, 0)], "{at}");
            assert_eq!(found.known, [(7, 0)], "{at}");
        }
    }
}
