//! Transactions in a partition: the markers that end them, the last stable offset, and
//! which of them were aborted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Buf, BufMut};
use kafka_protocol::ResponseError;

use super::batch::{self, BatchHeader, HEADER_LEN};
use super::partition::{Appended, LEADER_EPOCH, Partition, TimestampType, Writer};
use super::producers::Producers;
use super::records::varint;
use super::segment::Segment;
use super::txn_index::Aborted;
use crate::sync::{lock, now_ms, steady_ms};

/// No transaction is open.
pub(super) const NONE_OPEN: i64 = i64::MAX;

const TRANSACTIONAL_CONTROL: i16 = 0x30;
const ABORT: i16 = 0;
const COMMIT: i16 = 1;
const MARKER_VERSION: i16 = 0;
/// The one record of a marker: a key of version and type, a value of version and epoch.
const MARKER_RECORD_LEN: usize = 17;

/// The end of a producer's transaction in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) coordinator_epoch: i32,
    pub(crate) commit: bool,
}

impl Marker {
    /// The control batch as Kafka writes it.
    fn batch(&self, now: i64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN + MARKER_RECORD_LEN);
        bytes.put_i64(0);
        bytes.put_i32((HEADER_LEN - batch::PREFIX_LEN + MARKER_RECORD_LEN) as i32);
        bytes.put_i32(LEADER_EPOCH);
        bytes.put_i8(2);
        bytes.put_u32(0);
        bytes.put_i16(TRANSACTIONAL_CONTROL);
        bytes.put_i32(0);
        bytes.put_i64(now);
        bytes.put_i64(now);
        bytes.put_i64(self.producer_id);
        bytes.put_i16(self.producer_epoch);
        bytes.put_i32(-1);
        bytes.put_i32(1);
        // Lengths are zig-zag numbers: twice their value.
        bytes.put_u8(2 * (MARKER_RECORD_LEN as u8 - 1));
        // No attributes, and no distance from the batch's time and offset.
        bytes.put_slice(&[0, 0, 0]);
        bytes.put_u8(2 * 4);
        bytes.put_i16(MARKER_VERSION);
        bytes.put_i16(if self.commit { COMMIT } else { ABORT });
        bytes.put_u8(2 * 6);
        bytes.put_i16(MARKER_VERSION);
        bytes.put_i32(self.coordinator_epoch);
        bytes.put_u8(0);
        batch::seal(&mut bytes);
        bytes
    }

    /// Reads a control batch; `None` when it is not the end of a transaction.
    pub(super) fn parse(batch: &[u8]) -> Option<Self> {
        let header = BatchHeader::parse(batch)?;
        if !header.is_control() || !header.is_transactional() {
            return None;
        }
        let mut record = kind_and_behind(batch)?;
        let kind = record.try_get_i16().ok()?;
        varint(&mut record)?;
        record.try_get_i16().ok()?;
        let coordinator_epoch = record.try_get_i32().ok()?;
        matches!(kind, ABORT | COMMIT).then_some(Self {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            coordinator_epoch,
            commit: kind == COMMIT,
        })
    }

    /// Where in a control batch the byte stands whose lowest bit tells abort from commit.
    pub(super) fn kind_at(batch: &[u8]) -> Option<usize> {
        let behind = kind_and_behind(batch)?.len();
        Some(batch.len() - behind + 1)
    }
}

/// The record of a control batch from the kind of the marker on.
fn kind_and_behind(batch: &[u8]) -> Option<&[u8]> {
    let mut record = batch.get(HEADER_LEN..)?;
    varint(&mut record)?;
    record.try_get_i8().ok()?;
    varint(&mut record)?;
    varint(&mut record)?;
    varint(&mut record)?;
    record.try_get_i16().ok()?;
    Some(record)
}

impl Producers {
    /// Takes a marker at `offset` in; if it ended a transaction that was aborted, what the
    /// index has to remember of it.
    pub(super) fn end_transaction(
        &mut self,
        marker: &Marker,
        offset: i64,
        timestamp: i64,
        now_ms: i64,
    ) -> Option<Ended> {
        let first_offset = self.close(marker, timestamp, now_ms)?;
        Some(Ended {
            first_offset,
            marker_offset: offset,
            aborted: (!marker.commit).then(|| Aborted {
                producer_id: marker.producer_id,
                first_offset,
                last_offset: offset,
                last_stable_offset: self.first_open().unwrap_or(offset + 1),
            }),
        })
    }
}

/// A transaction that had records in the partition and has been ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) first_offset: i64,
    pub(super) marker_offset: i64,
    pub(super) aborted: Option<Aborted>,
}

impl Partition {
    /// One past the last offset that a read_committed reader sees: the first record of the
    /// first transaction that is open, or whose marker is not shown yet; without one, the
    /// high watermark.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        // In this order: a record of a transaction is counted as unstable before it is shown.
        let high_watermark = self.high_watermark();
        let first = self.first_open_transaction();
        // A transaction may have begun with records that were deleted.
        let first = first.map(|first| first.max(self.log_start()));
        first.map_or(high_watermark, |first| first.min(high_watermark))
    }

    /// The first record of the first open transaction. Nothing from there on may be
    /// compacted.
    pub(crate) fn first_open_transaction(&self) -> Option<i64> {
        match self.first_unstable.load(Ordering::Acquire) {
            NONE_OPEN => None,
            offset => Some(offset),
        }
    }

    /// The aborted transactions with records in `from..end`, in the order of their markers,
    /// as these segments know them.
    pub(super) fn aborted_in(
        &self,
        segments: &[Arc<Segment>],
        from: i64,
        end: i64,
    ) -> Result<Vec<Aborted>, ResponseError> {
        let mut found = Vec::new();
        let first = segments
            .partition_point(|segment| segment.base() <= from)
            .saturating_sub(1);
        for segment in &segments[first..] {
            let complete = segment
                .aborted()
                .search(from, end, &mut found)
                .map_err(|error| self.storage_error("read the index of transactions", &error))?;
            if complete {
                break;
            }
        }
        Ok(found)
    }

    /// Ends a producer's transaction. A marker is written, and its epoch counts, even when
    /// the producer has no records here: it fences those that are still on their way.
    pub(crate) fn append_marker(&self, marker: &Marker) -> Result<Appended, ResponseError> {
        let settings = self.settings();
        let now = now_ms();
        let append_time = (settings.timestamp_type == TimestampType::LogAppendTime).then_some(now);
        let batch = marker.batch(now);
        let stored = batch::stored_header(&batch, 0, LEADER_EPOCH, append_time)
            .ok_or(ResponseError::CorruptMessage)?;
        let mut writer = self.writable()?;
        writer.producers.check_marker(marker)?;
        let header = self.write(&mut writer, &settings, &batch, stored)?;
        let ended = writer
            .producers
            .end_transaction(marker, header.base_offset, now, steady_ms());
        if let Some(ended) = ended {
            // Known as aborted before it counts as stable.
            if let Some(aborted) = ended.aborted {
                writer.active.aborted().push(aborted);
            }
            writer.ended.push((ended.first_offset, ended.marker_offset));
        }
        let woke = self.written(&settings, &header);
        self.settle(&mut writer);
        Ok(Appended {
            base_offset: header.base_offset,
            log_append_time: append_time.unwrap_or(-1),
            acknowledged_at: header.next_offset(),
            woke,
        })
    }

    /// Brings the last stable offset in line with the open transactions and with what is
    /// shown.
    pub(super) fn settle(&self, writer: &mut Writer) {
        let high_watermark = self.high_watermark();
        writer.ended.retain(|(_, marker)| *marker >= high_watermark);
        let ended = writer.ended.iter().map(|(first, _)| *first).min();
        let first = [writer.producers.first_open(), ended]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(NONE_OPEN);
        let before = self.first_unstable.swap(first, Ordering::AcqRel);
        if first > before {
            self.waiters.wake();
        }
    }

    /// Forgets producers that have been silent for longer than `producer.id.expiration.ms`.
    pub(crate) fn forget_silent_producers(&self) {
        let expiry_ms = self.settings().producer_expiry_ms;
        lock(&self.writer).producers.expire(steady_ms(), expiry_ms);
    }

    /// What is known of producers, for whoever administers the broker.
    pub(crate) fn active_producers(&self) -> Vec<ActiveProducer> {
        lock(&self.writer).producers.active()
    }

    /// The producers with an open transaction: id, epoch, and its first offset.
    pub(crate) fn open_transactions(&self) -> Vec<(i64, i16, i64)> {
        self.active_producers()
            .into_iter()
            .filter_map(|producer| {
                let since = producer.open_since?;
                Some((producer.producer_id, producer.epoch, since))
            })
            .collect()
    }
}

/// What a partition knows of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ActiveProducer {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    /// -1 when none is known.
    pub(crate) last_sequence: i32,
    /// -1 when none is known.
    pub(crate) last_timestamp: i64,
    /// That of the last marker, or -1.
    pub(crate) coordinator_epoch: i32,
    /// Where its open transaction begins.
    pub(crate) open_since: Option<i64>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;
    use kafka_protocol::records::RecordBatchDecoder;

    #[test]
    fn a_marker_is_a_batch_that_others_can_read() {
        for commit in [true, false] {
            let marker = Marker {
                producer_id: 77,
                producer_epoch: 5,
                coordinator_epoch: 3,
                commit,
            };
            let batch = marker.batch(123_456);
            assert!(batch::crc_matches(&batch));
            assert_eq!(BatchHeader::parse(&batch).unwrap().total_len(), batch.len());
            assert_eq!(Marker::parse(&batch), Some(marker));
            let set = RecordBatchDecoder::decode(&mut Bytes::from(batch)).unwrap();
            let record = &set.records[0];
            assert!(record.control && record.transactional);
            assert_eq!((record.producer_id, record.producer_epoch), (77, 5));
            assert_eq!(record.timestamp, 123_456);
            let key = record.key.as_ref().unwrap();
            assert_eq!(&key[..], [0, 0, 0, u8::from(commit)]);
            assert_eq!(&record.value.as_ref().unwrap()[..], [0, 0, 0, 0, 0, 3]);
        }
    }
}
