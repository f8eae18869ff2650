//! Reading batches by offset.
//!
//! Reads are plain `pread`s on the thread of the request: of pages in memory they take
//! microseconds, less than a hop to another thread and back, and the broker's runtime has
//! threads to spare for the few that wait for the disk.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::batch::{self, BatchHeader, HEADER_LEN};
use super::partition::Partition;
use super::segment::{Scanned, Segment};
use super::txn_index::Aborted;
use crate::buffers::Buffers;

/// How much is read at once to find a batch: it lies within `index.interval.bytes` of an
/// indexed one.
const LOCATE_CHUNK: usize = 8 * 1024;

impl Partition {
    /// Whole batches from the one that holds `offset` on, at most `max_bytes` of them, but
    /// at least one where `at_least_one` asks for it, and all before `upto`. Every batch's
    /// CRC is checked before it is handed out; a bad one ends the answer, and is an error
    /// when it is the first.
    pub(crate) fn read(
        &self,
        buffers: &Buffers,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
        upto: i64,
    ) -> Result<Bytes, ResponseError> {
        // In this order: what lies before the high watermark is in the list, which a roll
        // makes longer.
        let upto = upto.min(self.high_watermark());
        let limits = (max_bytes, at_least_one, upto);
        self.read_from(&self.segments(), buffers, offset, limits)
    }

    /// As [`Partition::read`] up to the last stable offset, with the aborted transactions
    /// among what has been read. Both come from one list of segments: a cleaned segment
    /// neither has the records of an aborted transaction nor, later, knows of it.
    pub(crate) fn read_committed(
        &self,
        buffers: &Buffers,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<(Bytes, Vec<Aborted>), ResponseError> {
        // In this order, as in `read`.
        let limits = (max_bytes, at_least_one, self.last_stable_offset());
        let segments = self.segments();
        let bytes = self.read_from(&segments, buffers, offset, limits)?;
        let mut end = offset;
        let mut batches = &bytes[..];
        while let Some(header) = BatchHeader::parse(batches) {
            end = header.next_offset();
            batches = batches.get(header.total_len()..).unwrap_or_default();
        }
        let aborted = match end > offset {
            true => self.aborted_in(&segments, offset, end)?,
            false => Vec::new(),
        };
        Ok((bytes, aborted))
    }

    /// Reads from segments that hold all before `upto`.
    fn read_from(
        &self,
        segments: &[Arc<Segment>],
        buffers: &Buffers,
        offset: i64,
        (max_bytes, at_least_one, upto): (usize, bool, i64),
    ) -> Result<Bytes, ResponseError> {
        if !self.is_alive() {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        if offset < self.log_start() || offset > self.high_watermark() {
            // In durable mode a consumer may know of offsets that are not shown any more
            // only after a crash, so there is nothing between the two to be lenient about.
            return Err(ResponseError::OffsetOutOfRange);
        }
        if offset >= upto {
            return Ok(Bytes::new());
        }
        let after = segments.partition_point(|segment| segment.base() <= offset);
        let first = after
            .checked_sub(1)
            .ok_or(ResponseError::OffsetOutOfRange)?;
        for segment in &segments[first..] {
            // Nothing at or after the offset there: the next segment begins behind it.
            if let Some(position) = self.locate(segment, offset)? {
                return self.batches(segment, position, buffers, (max_bytes, at_least_one, upto));
            }
        }
        match segments.last() {
            // Below the high watermark something has been: it was lost.
            Some(last) if !self.may_follow_gap(offset + 1) => {
                Err(self.corrupt(last, last.len(), "the log ends too early"))
            }
            _ => Ok(Bytes::new()),
        }
    }

    /// Whether compaction may have removed what lies before a batch that begins at `offset`.
    pub(super) fn may_follow_gap(&self, offset: i64) -> bool {
        offset <= self.gaps_before.load(Ordering::Acquire)
    }

    /// The position of the first batch that ends at `offset` or later.
    pub(super) fn locate(
        &self,
        segment: &Segment,
        offset: i64,
    ) -> Result<Option<u64>, ResponseError> {
        let failed = |error| self.storage_error("read", &error);
        let (position, exact) = segment.floor(offset).map_err(failed)?;
        if exact == Some(offset) {
            return Ok(Some(position));
        }
        let mut scanner = segment.scan(position, false).in_steps(LOCATE_CHUNK);
        while let Some(scanned) = scanner.next().map_err(failed)? {
            match scanned {
                // The CRC does not cover the offset; but offsets have no gaps in a log that is
                // not compacted, so a batch that begins too late shows that it is wrong.
                Scanned::Batch { header, .. }
                    if header.base_offset > offset && !self.may_follow_gap(header.base_offset) =>
                {
                    return self.locate_past_damage(segment, position, offset);
                }
                Scanned::Batch {
                    header,
                    position: at,
                } if header.last_offset() >= offset => {
                    // A damaged count of records may claim offsets of the batches behind it.
                    if header.base_offset < offset
                        && let Some(Scanned::Batch { header: next, .. }) =
                            scanner.next().map_err(failed)?
                        && next.base_offset <= offset
                    {
                        return self.locate_past_damage(segment, position, offset);
                    }
                    return Ok(Some(at));
                }
                Scanned::Batch { .. } => {}
                Scanned::Bad { .. } => return self.locate_past_damage(segment, position, offset),
            }
        }
        Ok(None)
    }

    fn batches(
        &self,
        segment: &Segment,
        position: u64,
        buffers: &Buffers,
        (max_bytes, at_least_one, upto): (usize, bool, i64),
    ) -> Result<Bytes, ResponseError> {
        let failed = |error| self.storage_error("read", &error);
        let left = segment.len().saturating_sub(position);
        let fits = |len: usize| (len as u64).min(left) as usize;
        if !at_least_one && left >= HEADER_LEN as u64 {
            // In a fetch of many partitions that is nearly full, most have no batch that fits:
            // a look at the header saves reading what would be thrown away.
            let mut header = [0; HEADER_LEN];
            segment.read_into(position, &mut header).map_err(failed)?;
            let header = BatchHeader::parse(&header);
            let header = header.filter(BatchHeader::is_plausible);
            if header.is_some_and(|header| header.total_len() > max_bytes) {
                return Ok(Bytes::new());
            }
        }
        let get = |len: usize| {
            let mut buffer = buffers.take(len);
            segment.read_into(position, buffer.bytes_mut())?;
            Ok(buffer)
        };
        let mut buffer = get(fits(max_bytes.max(HEADER_LEN))).map_err(failed)?;
        let mut good = 0;
        let mut expected = None;
        while let Some(header) = BatchHeader::parse(&buffer.as_ref()[good..]) {
            let out_of_line = expected.is_some_and(|offset| {
                header.base_offset != offset
                    && (header.base_offset < offset || !self.may_follow_gap(header.base_offset))
            });
            if !header.is_plausible()
                || out_of_line
                || header.total_len() as u64 > left - good as u64
            {
                if good == 0 {
                    return Err(self.corrupt(segment, position, "the batch header is not one"));
                }
                break;
            }
            if header.last_offset() >= upto {
                // No batch lies across what readers see, so this one is not what it says; behind
                // a gap it may be the first that they do not see.
                let unseen = header.base_offset >= upto && self.may_follow_gap(header.base_offset);
                if good == 0 && !unseen {
                    return Err(self.corrupt(segment, position, "it ends behind the log"));
                }
                break;
            }
            let total = header.total_len();
            if good + total > buffer.as_ref().len() || good + total > max_bytes {
                if good > 0 || !at_least_one {
                    break;
                }
                if total > buffer.as_ref().len() {
                    buffer = get(total).map_err(failed)?;
                }
            }
            if !batch::crc_matches(&buffer.as_ref()[good..good + total]) {
                if good == 0 {
                    return Err(self.corrupt(segment, position, "the CRC does not match"));
                }
                break;
            }
            good += total;
            expected = Some(header.next_offset());
        }
        let mut bytes = buffer.freeze();
        bytes.truncate(good);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::*;
    use crate::log::testing::{append, batch_of, opened, partition};
    use crate::sync::write;

    /// Found by fuzzing: the records behind a batch whose count of records is damaged.
    #[test]
    fn a_batch_that_claims_the_offsets_behind_it_hides_none_of_them() {
        use std::os::unix::fs::FileExt;

        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("t-0");
        let partition = partition(&dir, &[]);
        let batch = batch_of(&[("k", "v")], 0);
        for _ in 0..4 {
            append(&partition, &batch);
        }
        let log = dir.join("00000000000000000000.log");
        let log = std::fs::OpenOptions::new().write(true).open(log).unwrap();
        // The last offset's distance, of the second batch (KIP-98: bytes 23 to 26).
        let place = batch.len() as u64 + 23;
        log.write_all_at(&[0, 0, 0x67, 0], place).unwrap();
        let read = |offset| partition.read(&Buffers::default(), offset, 1 << 20, false, i64::MAX);
        assert_eq!(read(0).map(|bytes| bytes.len()), Ok(batch.len()));
        assert_eq!(read(1), Err(ResponseError::CorruptMessage));
        for offset in [2, 3] {
            let left = batch.len() * (4 - offset as usize);
            assert_eq!(read(offset).map(|bytes| bytes.len()), Ok(left), "{offset}");
        }
    }

    /// Found by fuzzing: the log was stopped in order, and then its file lost bytes that are
    /// zeros, as the next batch begins with.
    #[tokio::test]
    async fn what_comes_behind_a_damaged_end_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("t-0");
        let batch = batch_of(&[("k", "\0\0\0\0\0\0")], 0);
        let log = std::sync::Arc::new(partition(&dir, &[]));
        append(&log, &batch);
        append(&log, &batch);
        log.close().await.unwrap();
        drop(log);
        let file = dir.join("00000000000000000000.log");
        let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
        file.set_len(2 * batch.len() as u64 - 6).unwrap();
        for clean in [true, false, true] {
            let (log, _) = opened(&dir, &[], clean);
            let end = log.high_watermark();
            append(&log, &batch);
            assert!(end >= 2, "what was synced is not forgotten: {end}");
            for offset in 2..=end {
                let read = log.read(&Buffers::default(), offset, 1, true, i64::MAX);
                assert_eq!(read.map(|bytes| bytes.len()), Ok(batch.len()), "{offset}");
            }
            let log = std::sync::Arc::new(log);
            log.close().await.unwrap();
        }
    }

    /// The reader gets the list of segments from before the roll, and the record behind it
    /// is shown while the reader waits for the list.
    #[test]
    fn a_read_at_the_end_beside_a_roll_finds_nothing_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let configs = [("segment.bytes", "1024")];
        let partition = partition(&folder.path().join("t-0"), &configs);
        let batch = batch_of(&[("k", &"v".repeat(600))], 0);
        append(&partition, &batch);
        let before = partition.segments();
        append(&partition, &batch);
        assert_eq!(partition.segments().len(), 2);
        let mut list = write(&partition.segments);
        *list = before;
        partition.high_watermark.store(1, Ordering::Release);
        let begun = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                begun.store(true, Ordering::Release);
                partition.read(&Buffers::default(), 1, 1 << 20, true, i64::MAX)
            });
            while !begun.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(500));
            partition.high_watermark.store(2, Ordering::Release);
            drop(list);
            assert_eq!(reader.join().unwrap(), Ok(Bytes::new()));
        });
    }
}
