//! The only place that looks behind a batch header: finding the record that a question
//! about time means, as Kafka answers it (exact record, not batch). One batch is unpacked
//! for each question; nothing else in the broker decompresses.

use bytes::{Buf, Bytes};
use kafka_protocol::compression::{Decompressor, Gzip, Lz4, Snappy, Zstd};

use super::batch::{BatchHeader, HEADER_LEN};

/// A record's time and offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimedOffset {
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
}

/// The first record of the batch whose timestamp is `target` or later. `None` when there
/// is none, or when the records cannot be unpacked.
pub(crate) fn first_at_or_after(batch: &Bytes, target: i64) -> Option<TimedOffset> {
    let header = BatchHeader::parse(batch)?;
    if header.is_log_append_time() {
        return (header.max_timestamp >= target).then_some(TimedOffset {
            timestamp: header.max_timestamp,
            offset: header.base_offset,
        });
    }
    // The first record's timestamp may differ from the base timestamp, which is only what
    // the deltas count from; so the records are looked at in any case.
    let payload = batch.slice(HEADER_LEN..);
    let find = |records: &mut dyn Buf| walk(&header, records, target);
    match header.codec() {
        0 => find(&mut payload.clone()),
        1 => Gzip::decompress(&mut payload.clone(), |buffer| Ok(find(buffer))).ok()?,
        2 => Snappy::decompress(&mut payload.clone(), |buffer| Ok(find(buffer))).ok()?,
        3 => Lz4::decompress(&mut payload.clone(), |buffer| Ok(find(buffer))).ok()?,
        4 => Zstd::decompress(&mut payload.clone(), |buffer| Ok(find(buffer))).ok()?,
        _ => None,
    }
}

fn walk(header: &BatchHeader, records: &mut dyn Buf, target: i64) -> Option<TimedOffset> {
    for _ in 0..header.record_count {
        let length = usize::try_from(varint(records)?).ok()?;
        let before = records.remaining();
        if before < length || length < 1 {
            return None;
        }
        records.advance(1);
        let timestamp = header.base_timestamp.checked_add(varint(records)?)?;
        let offset = header.base_offset.checked_add(varint(records)?)?;
        if timestamp >= target {
            return Some(TimedOffset { timestamp, offset });
        }
        let read = before - records.remaining();
        records.advance(length.checked_sub(read)?);
    }
    None
}

/// A zig-zag variable length integer of at most ten bytes.
pub(super) fn varint(buffer: &mut dyn Buf) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        if !buffer.has_remaining() {
            return None;
        }
        let byte = buffer.get_u8();
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(((value >> 1) as i64) ^ -((value & 1) as i64));
        }
    }
    None
}
