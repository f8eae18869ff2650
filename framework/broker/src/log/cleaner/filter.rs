//! What of a batch stays when its log is cleaned.

use std::collections::HashMap;
use std::io;

use super::super::batch::{self, BatchHeader, HEADER_LEN};
use super::super::codec;
use super::super::producers::LastOfProducer;
use super::super::records::{Record, Records, put_varint};
use super::super::txn_index::Aborted;
use super::offset_map::OffsetMap;
use super::transactions::{MarkerFate, Transactions};

/// What becomes of a batch.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It stays as it is.
    Same,
    /// This takes its place.
    Changed(Vec<u8>),
    Gone,
}

/// One cleaning: which records stay.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) newest: OffsetMap,
    /// The last offset that `newest` speaks of; behind it every record stays.
    pub(super) upto: i64,
    /// Where the range ends that could be cleaned. The last batch before it stays, without
    /// records if need be, so that the log ends where it did.
    pub(super) end: i64,
    pub(super) transactions: Transactions,
    pub(super) last_of_producers: HashMap<i64, LastOfProducer>,
    pub(super) now: i64,
    pub(super) delete_retention_ms: i64,
    /// Records that went.
    pub(super) removed: u64,
}

/// A retained record on its way into a new batch.
struct Kept {
    attributes: u8,
    timestamp: i64,
    offset_delta: i64,
    rest: Vec<u8>,
}

impl Filter {
    /// Decides about a batch. `aborted` is given what the index of the new segment has to
    /// remember.
    pub(super) fn filter(
        &mut self,
        header: &BatchHeader,
        bytes: &[u8],
        aborted: &mut Vec<Aborted>,
    ) -> io::Result<Outcome> {
        let (without_records, marker_of_nothing) = match header.is_control() {
            true => match self.transactions.marker(header, bytes) {
                MarkerFate::Needed(index) => {
                    aborted.extend(index);
                    (false, false)
                }
                MarkerFate::Unneeded => (self.is_past_horizon(header), true),
            },
            false => (self.transactions.is_aborted(header), false),
        };
        let stays_empty = self.is_last_of_producer(header) || header.next_offset() == self.end;
        if without_records && header.is_control() && stays_empty {
            // Kafka empties it and forgets the producer's epoch at its next start.
            return Ok(Outcome::Same);
        }
        if without_records {
            self.removed += u64::try_from(header.record_count).unwrap_or(0);
            return Ok(match stays_empty {
                true if header.record_count == 0 => Outcome::Same,
                true => Outcome::Changed(empty(header, bytes)),
                false => Outcome::Gone,
            });
        }
        let mut kept: Vec<Kept> = Vec::new();
        let mut tombstones = false;
        let mut records = Records::of(bytes)?;
        while let Some(record) = records.next()? {
            if !header.is_control() && !self.retains(header, &record) {
                continue;
            }
            tombstones |= !record.has_value;
            kept.push(Kept {
                attributes: record.attributes,
                timestamp: record.timestamp,
                offset_delta: record.offset - header.base_offset,
                rest: record.rest.to_vec(),
            });
        }
        let gone = i64::from(header.record_count) - kept.len() as i64;
        self.removed += u64::try_from(gone).unwrap_or(0);
        if kept.is_empty() {
            return Ok(match stays_empty {
                true if header.record_count == 0 => Outcome::Same,
                true => Outcome::Changed(empty(header, bytes)),
                false => Outcome::Gone,
            });
        }
        let sets_horizon = (tombstones || marker_of_nothing) && header.delete_horizon().is_none();
        if gone == 0 && !sets_horizon {
            return Ok(Outcome::Same);
        }
        let horizon = match sets_horizon {
            true => Some(self.now.saturating_add(self.delete_retention_ms)),
            false => header.delete_horizon(),
        };
        rebuilt(header, bytes, &kept, horizon).map(Outcome::Changed)
    }

    fn is_past_horizon(&self, header: &BatchHeader) -> bool {
        header
            .delete_horizon()
            .is_some_and(|horizon| horizon <= self.now)
    }

    /// As long as a producer is known, the batch stays that tells its last sequence; after a
    /// marker with a new epoch that is the marker.
    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        self.last_of_producers
            .get(&header.producer_id)
            .is_some_and(|last| match last.last_offset {
                Some(offset) => header.last_offset() == offset,
                None => header.is_control() && header.producer_epoch == last.epoch,
            })
    }

    fn retains(&self, header: &BatchHeader, record: &Record<'_>) -> bool {
        if record.offset > self.upto {
            return true;
        }
        let Some(key) = record.key else {
            // From before the topic was compacted; nothing can ever replace it.
            return false;
        };
        let newest = self.newest.get(key);
        newest.is_none_or(|newest| record.offset >= newest)
            && (record.has_value || !self.is_past_horizon(header))
    }
}

/// A batch that has only its header: offsets, producer and sequences.
fn empty(header: &BatchHeader, bytes: &[u8]) -> Vec<u8> {
    let mut empty = bytes[..HEADER_LEN].to_vec();
    batch::rewrite(
        &mut empty,
        header.codec(),
        -1,
        header.max_timestamp,
        None,
        0,
    );
    empty
}

fn rebuilt(
    header: &BatchHeader,
    bytes: &[u8],
    kept: &[Kept],
    horizon: Option<i64>,
) -> io::Result<Vec<u8>> {
    let first = kept.first().map_or(0, |record| record.timestamp);
    // The horizon stands in the place of the time that the records' times count from.
    let base = horizon.unwrap_or(first);
    let largest = kept.iter().map(|record| record.timestamp).max();
    let largest = largest.unwrap_or(header.max_timestamp);
    let mut records = Vec::with_capacity(bytes.len());
    let mut head = Vec::with_capacity(24);
    for record in kept {
        head.clear();
        head.push(record.attributes);
        put_varint(&mut head, record.timestamp.saturating_sub(base));
        put_varint(&mut head, record.offset_delta);
        put_varint(&mut records, (head.len() + record.rest.len()) as i64);
        records.extend_from_slice(&head);
        records.extend_from_slice(&record.rest);
    }
    let mut rebuilt = bytes[..HEADER_LEN].to_vec();
    rebuilt.extend(codec::pack(header.codec(), &records)?);
    let count = i32::try_from(kept.len()).map_err(io::Error::other)?;
    batch::rewrite(&mut rebuilt, 0, base, largest, horizon, count);
    Ok(rebuilt)
}
