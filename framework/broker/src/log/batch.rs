//! The header of a record batch (Kafka's message format, magic 2).
//!
//! The broker works with the 61 bytes of the header; [`super::records`] looks behind it.

use bytes::Buf;

/// Bytes of the header of a magic 2 batch.
pub(crate) const HEADER_LEN: usize = 61;
/// Bytes before those that the batch's own length counts: base offset and length.
pub(crate) const PREFIX_LEN: usize = 12;
/// Where the CRC begins to count: after the CRC itself.
const CRC_START: usize = 21;
const MAGIC_AT: usize = 16;
const ATTRIBUTES_AT: usize = 21;
const BASE_TIMESTAMP_AT: usize = 27;
const MAX_TIMESTAMP_AT: usize = 35;
const RECORD_COUNT_AT: usize = 57;

const CODEC_MASK: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
/// The base timestamp is the time from which on tombstones and markers may go.
const DELETE_HORIZON: i16 = 0x40;

/// A parsed batch header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) base_offset: i64,
    pub(crate) batch_length: i32,
    pub(crate) magic: i8,
    pub(crate) crc: u32,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) record_count: i32,
}

impl BatchHeader {
    /// Parses the header at the start of `bytes`; `None` when there are too few bytes.
    /// Says nothing about whether the values make sense.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut at = bytes.get(..HEADER_LEN)?;
        let base_offset = at.get_i64();
        let batch_length = at.get_i32();
        at.advance(4);
        let magic = at.get_i8();
        Some(Self {
            base_offset,
            batch_length,
            magic,
            crc: at.get_u32(),
            attributes: at.get_i16(),
            last_offset_delta: at.get_i32(),
            base_timestamp: at.get_i64(),
            max_timestamp: at.get_i64(),
            producer_id: at.get_i64(),
            producer_epoch: at.get_i16(),
            base_sequence: at.get_i32(),
            record_count: at.get_i32(),
        })
    }

    /// Whether length, magic and offsets can be those of a stored batch.
    pub(crate) fn is_plausible(&self) -> bool {
        self.magic == 2
            && self.batch_length >= (HEADER_LEN - PREFIX_LEN) as i32
            && self.last_offset_delta >= 0
            && self.base_offset >= 0
            && self
                .base_offset
                .checked_add(i64::from(self.last_offset_delta))
                .is_some_and(|last| last < i64::MAX)
    }

    /// Bytes of the whole batch, header included; only for plausible headers.
    pub(crate) fn total_len(&self) -> usize {
        PREFIX_LEN + self.batch_length.max(0) as usize
    }

    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset
            .saturating_add(i64::from(self.last_offset_delta))
    }

    pub(crate) fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    pub(crate) fn codec(&self) -> i16 {
        self.attributes & CODEC_MASK
    }

    pub(crate) fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    pub(crate) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// When the batch's tombstones, or the marker that it is, may be removed.
    pub(crate) fn delete_horizon(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// The sequence of the last record; sequences wrap from `i32::MAX` to 0.
    pub(crate) fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return self.base_sequence;
        }
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        (last % (i64::from(i32::MAX) + 1)) as i32
    }
}

/// Whether the CRC32C of a whole batch is the one its header states.
pub(crate) fn crc_matches(batch: &[u8]) -> bool {
    match (BatchHeader::parse(batch), batch.get(CRC_START..)) {
        (Some(header), Some(counted)) => crc32c::crc32c(counted) == header.crc,
        _ => false,
    }
}

/// Writes the CRC of a batch into its header.
pub(crate) fn seal(batch: &mut [u8]) {
    if batch.len() >= HEADER_LEN {
        let crc = crc32c::crc32c(&batch[CRC_START..]);
        batch[17..CRC_START].copy_from_slice(&crc.to_be_bytes());
    }
}

/// Makes the header of a batch right whose records have changed: length, times, delete
/// horizon, count and CRC. Offsets, producer and sequences stay. `uncodec` takes bits of the
/// codec away, for a batch that has no records.
pub(super) fn rewrite(
    batch: &mut [u8],
    uncodec: i16,
    base_timestamp: i64,
    max_timestamp: i64,
    delete_horizon: Option<i64>,
    count: i32,
) {
    if batch.len() < HEADER_LEN {
        return;
    }
    let length = (batch.len() - PREFIX_LEN) as i32;
    batch[8..PREFIX_LEN].copy_from_slice(&length.to_be_bytes());
    let attributes = i16::from_be_bytes([batch[ATTRIBUTES_AT], batch[ATTRIBUTES_AT + 1]]);
    let horizon = if delete_horizon.is_some() {
        DELETE_HORIZON
    } else {
        0
    };
    let attributes = (attributes & !DELETE_HORIZON & !(uncodec & CODEC_MASK)) | horizon;
    let mut put = |at: usize, bytes: &[u8]| batch[at..at + bytes.len()].copy_from_slice(bytes);
    put(ATTRIBUTES_AT, &attributes.to_be_bytes());
    put(BASE_TIMESTAMP_AT, &base_timestamp.to_be_bytes());
    put(MAX_TIMESTAMP_AT, &max_timestamp.to_be_bytes());
    put(RECORD_COUNT_AT, &count.to_be_bytes());
    seal(batch);
}

/// The header as it is stored: with its offset and leader epoch (which the CRC does not
/// cover), and with the broker's time where the topic asks for it (which it does).
pub(crate) fn stored_header(
    batch: &[u8],
    base_offset: i64,
    leader_epoch: i32,
    log_append_time: Option<i64>,
) -> Option<[u8; HEADER_LEN]> {
    let mut header: [u8; HEADER_LEN] = batch.get(..HEADER_LEN)?.try_into().ok()?;
    header[0..8].copy_from_slice(&base_offset.to_be_bytes());
    header[12..MAGIC_AT].copy_from_slice(&leader_epoch.to_be_bytes());
    if let Some(now) = log_append_time {
        let attributes = i16::from_be_bytes([header[ATTRIBUTES_AT], header[ATTRIBUTES_AT + 1]])
            | LOG_APPEND_TIME;
        header[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&attributes.to_be_bytes());
        header[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&now.to_be_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&header[CRC_START..]), &batch[HEADER_LEN..]);
        header[17..CRC_START].copy_from_slice(&crc.to_be_bytes());
    }
    Some(header)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn batch() -> Vec<u8> {
        let mut bytes = vec![0u8; HEADER_LEN + 9];
        bytes[8..12].copy_from_slice(&58i32.to_be_bytes());
        bytes[MAGIC_AT] = 2;
        bytes[35..43].copy_from_slice(&77i64.to_be_bytes());
        bytes[57..61].copy_from_slice(&1i32.to_be_bytes());
        let crc = crc32c::crc32c(&bytes[CRC_START..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    #[test]
    fn offset_and_epoch_are_outside_the_crc_and_append_time_renews_it() {
        let original = batch();
        assert!(crc_matches(&original));
        for time in [None, Some(1_234)] {
            let mut stored = original.clone();
            let header = stored_header(&original, 42, 3, time).unwrap();
            stored[..HEADER_LEN].copy_from_slice(&header);
            assert!(crc_matches(&stored));
            let parsed = BatchHeader::parse(&stored).unwrap();
            assert_eq!(parsed.base_offset, 42);
            assert_eq!(parsed.is_log_append_time(), time.is_some());
            assert_eq!(parsed.max_timestamp, time.unwrap_or(77));
            assert_eq!(parsed.total_len(), stored.len());
        }
        let mut flipped = original;
        flipped[65] ^= 1;
        assert!(!crc_matches(&flipped));
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let mut header = BatchHeader::parse(&batch()).unwrap();
        header.base_sequence = i32::MAX - 1;
        header.last_offset_delta = 3;
        assert_eq!(header.last_sequence(), 1);
    }
}
