//! Finding offsets by time.

use std::sync::Arc;

use kafka_protocol::ResponseError;

use super::batch::{self, BatchHeader, HEADER_LEN};
use super::partition::Partition;
use super::records::{self, TimedOffset};
use super::segment::{Scanned, Segment};

impl Partition {
    /// The first record whose timestamp is `target` or later.
    pub(crate) fn offset_for_time(
        &self,
        target: i64,
    ) -> Result<Option<TimedOffset>, ResponseError> {
        let failed = |error| self.storage_error("read", &error);
        let high_watermark = self.high_watermark();
        let log_start = self.log_start();
        for segment in self.segments().iter() {
            if segment
                .largest_timestamp()
                .is_none_or(|(largest, _)| largest < target)
            {
                continue;
            }
            let position = segment.floor_time(target).map_err(failed)?;
            let mut scanner = segment.scan(position, false);
            while let Some(scanned) = scanner.next().map_err(failed)? {
                match scanned {
                    Scanned::Batch { header, position } => {
                        if header.base_offset >= high_watermark {
                            return Ok(None);
                        }
                        if header.max_timestamp >= target && header.last_offset() >= log_start {
                            let found = self.timed(segment, position, &header, target)?;
                            // A batch whose header promises more than its records hold.
                            if found.is_some() {
                                return Ok(found);
                            }
                        }
                    }
                    Scanned::Bad { position, why } => {
                        return Err(self.corrupt(segment, position, why));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The first record that has the largest timestamp.
    pub(crate) fn offset_of_max_time(&self) -> Result<Option<TimedOffset>, ResponseError> {
        let segments = self.segments();
        let log_start = self.log_start();
        let mut largest: Option<(i64, i64, &Arc<Segment>)> = None;
        for segment in segments.iter() {
            let found = match segment.base() < log_start {
                // Its index knows of records that were deleted.
                true => self.largest_from(segment, log_start)?,
                false => segment.largest_timestamp(),
            };
            if let Some((timestamp, offset)) = found
                && largest.is_none_or(|(best, ..)| timestamp > best)
            {
                largest = Some((timestamp, offset, segment));
            }
        }
        let Some((timestamp, offset, segment)) = largest else {
            return Ok(None);
        };
        let Some(position) = self.locate(segment, offset)? else {
            return Ok(None);
        };
        let head = segment
            .read_at(position, HEADER_LEN)
            .map_err(|error| self.storage_error("read", &error))?;
        match BatchHeader::parse(&head) {
            Some(header) => self.timed(segment, position, &header, timestamp),
            None => Ok(None),
        }
    }

    /// The largest timestamp of the batches that do not end before `from`, and the base
    /// offset of the first that has it.
    fn largest_from(
        &self,
        segment: &Segment,
        from: i64,
    ) -> Result<Option<(i64, i64)>, ResponseError> {
        let failed = |error| self.storage_error("read", &error);
        let (position, _) = segment.floor(from).map_err(failed)?;
        let mut scanner = segment.scan(position, false);
        let mut largest: Option<(i64, i64)> = None;
        while let Some(scanned) = scanner.next().map_err(failed)? {
            match scanned {
                Scanned::Batch { header, .. } => {
                    if header.last_offset() >= from
                        && largest.is_none_or(|(best, _)| header.max_timestamp > best)
                    {
                        largest = Some((header.max_timestamp, header.base_offset));
                    }
                }
                Scanned::Bad { position, why } => {
                    return Err(self.corrupt(segment, position, why));
                }
            }
        }
        Ok(largest)
    }

    fn timed(
        &self,
        segment: &Segment,
        position: u64,
        header: &BatchHeader,
        target: i64,
    ) -> Result<Option<TimedOffset>, ResponseError> {
        let batch = segment
            .read_at(position, header.total_len())
            .map_err(|error| self.storage_error("read", &error))?;
        if !batch::crc_matches(&batch) {
            return Err(self.corrupt(segment, position, "the CRC does not match"));
        }
        Ok(records::first_at_or_after(&batch, target, self.log_start()))
    }
}
