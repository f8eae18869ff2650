//! What a produced batch must fulfil before it is stored, as Kafka checks it.

use kafka_protocol::ResponseError;

use super::batch::{self, BatchHeader, HEADER_LEN};
use super::partition::{LogSettings, TimestampType};
use super::records;

/// The error for the client and its text.
pub(crate) type Refusal = (ResponseError, &'static str);

/// Why a compacted topic refuses a batch.
pub(crate) const WITHOUT_KEY: &str = "a compacted topic takes no record without a key";
/// Records without a key that a refusal names.
const NAMED: usize = 1_000;
/// Since this version of Produce clients may send zstd.
const ZSTD_SINCE: i16 = 7;
/// A record has at least this many bytes: length, attributes, two deltas, key, value, headers.
const MIN_RECORD_LEN: i64 = 7;

/// The places in a refused batch of the records without a key, a thousand at most.
pub(crate) fn records_without_key(batch: &[u8]) -> Vec<i32> {
    records::without_key(batch, NAMED).unwrap_or_default()
}

/// Checks the one batch of a partition in a Produce request.
pub(crate) fn validate(
    records: &[u8],
    version: i16,
    settings: &LogSettings,
    now_ms: i64,
) -> Result<BatchHeader, Refusal> {
    use ResponseError::{
        CorruptMessage, InvalidRecord, InvalidTimestamp, MessageTooLarge,
        UnsupportedCompressionType,
    };
    // Magic stands at the same place in all message formats.
    match records.get(16).map(|magic| *magic as i8) {
        Some(2) => {}
        Some(0 | 1) => return Err((InvalidRecord, "only record batches of magic 2 are taken")),
        Some(_) => return Err((CorruptMessage, "the magic of the batch is unknown")),
        None => return Err((InvalidRecord, "there is no record batch")),
    }
    let Some(header) = BatchHeader::parse(records) else {
        return Err((CorruptMessage, "the batch is shorter than its header"));
    };
    if header.batch_length < (HEADER_LEN - batch::PREFIX_LEN) as i32
        || header.total_len() > records.len()
    {
        return Err((CorruptMessage, "the length of the batch is wrong"));
    }
    if header.total_len() < records.len() {
        return Err((
            InvalidRecord,
            "a partition takes one record batch a request",
        ));
    }
    if records.len() as u64 > settings.max_message_bytes {
        return Err((
            MessageTooLarge,
            "the batch is larger than max.message.bytes",
        ));
    }
    if !batch::crc_matches(records) {
        return Err((CorruptMessage, "the CRC of the batch does not match"));
    }
    if header.base_offset != 0 {
        return Err((InvalidRecord, "the base offset of a new batch is 0"));
    }
    if header.record_count <= 0
        || i64::from(header.last_offset_delta) + 1 != i64::from(header.record_count)
    {
        return Err((InvalidRecord, "record count and last offset do not agree"));
    }
    match header.codec() {
        0 if i64::from(header.record_count) * MIN_RECORD_LEN
            > (records.len() - HEADER_LEN) as i64 =>
        {
            return Err((InvalidRecord, "the batch holds fewer records than it says"));
        }
        0..=3 => {}
        4 if version >= ZSTD_SINCE => {}
        4 => return Err((UnsupportedCompressionType, "zstd needs Produce version 7")),
        _ => return Err((UnsupportedCompressionType, "the codec is unknown")),
    }
    if header.is_control() {
        return Err((InvalidRecord, "clients may not write control records"));
    }
    if header.is_transactional() && header.producer_id < 0 {
        return Err((InvalidRecord, "a transactional batch has a producer id"));
    }
    if header.producer_id >= 0 && (header.base_sequence < 0 || header.producer_epoch < 0) {
        return Err((
            InvalidRecord,
            "a producer id comes with an epoch and a sequence",
        ));
    }
    if settings.timestamp_type == TimestampType::CreateTime
        && (header.max_timestamp.saturating_sub(now_ms) > settings.timestamp_after_max_ms
            || (header.base_timestamp >= 0
                && now_ms.saturating_sub(header.base_timestamp) > settings.timestamp_before_max_ms))
    {
        return Err((InvalidTimestamp, "a timestamp is out of the topic's range"));
    }
    if settings.cleanup.compact {
        match records::without_key(records, 1) {
            Ok(found) if found.is_empty() => {}
            Ok(_) => {
                return Err((InvalidRecord, WITHOUT_KEY));
            }
            Err(_) => return Err((CorruptMessage, "the records of the batch cannot be read")),
        }
    }
    Ok(header)
}
