//! What a produced batch must fulfil before it is stored, as Kafka checks it. Records in a
//! codec are looked at in compacted topics only: unpacking would cost every producer, and
//! what does not unpack does not for its consumers either.

use kafka_protocol::ResponseError;

use super::batch::{self, BatchHeader, HEADER_LEN};
use super::codec;
use super::partition::{LogSettings, TimestampType};
use super::records::{self, Fault};

/// The error for the client and its text.
pub(crate) type Refusal = (ResponseError, &'static str);

/// Why a compacted topic refuses a batch.
pub(crate) const WITHOUT_KEY: &str = "a compacted topic takes no record without a key";
/// Records without a key that a refusal names.
const NAMED: usize = 1_000;
/// Since this version of Produce clients may send zstd.
const ZSTD_SINCE: i16 = 7;

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
    let with_keys = settings.cleanup.compact;
    if header.codec() == codec::NONE || with_keys {
        records::check(&header, records, with_keys).map_err(|fault| {
            let why = match fault {
                Fault::Unreadable => "the batch does not hold the records that it says",
                Fault::OutOfLine => "the offsets of the records are not in line",
                Fault::WithoutKey => WITHOUT_KEY,
            };
            (InvalidRecord, why)
        })?;
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::log::records::put_varint;
    use crate::log::testing::{batch_of, batch_with, settings};
    use crate::sync::now_ms;

    /// A record without key, value or time, and what stands behind its value.
    fn record(delta: i64, behind: &[u8]) -> Vec<u8> {
        let mut body = vec![0, 0];
        put_varint(&mut body, delta);
        put_varint(&mut body, -1);
        put_varint(&mut body, -1);
        body.extend_from_slice(behind);
        let mut record = Vec::new();
        put_varint(&mut record, body.len() as i64);
        record.extend(body);
        record
    }

    fn outcome(body: &[u8], codec_id: i16, count: i32, policy: &str) -> Result<(), Refusal> {
        let settings = settings(std::path::Path::new("."), &[("cleanup.policy", policy)]);
        let body = codec::pack(codec_id, body).unwrap();
        let batch = batch_with(&body, codec_id, count);
        validate(&batch, 9, &settings, now_ms()).map(|_| ())
    }

    #[test]
    fn the_records_must_be_those_that_the_header_promises() {
        let two = [record(0, &[0]), record(1, &[0])].concat();
        // A header "k" without a value, and one without a key.
        let headers = record(0, &[2, 2, b'k', 1]);
        let keyless = record(0, &[2, 1, 1]);
        assert_eq!(outcome(&two, 0, 2, "delete"), Ok(()));
        assert_eq!(outcome(&headers, 0, 1, "delete"), Ok(()));
        let wrong: [(&str, &[u8], i32); 9] = [
            ("nothing", &[], 1),
            ("garbage", &[0xff; 40], 1),
            ("fewer", &two, 3),
            ("more", &two, 1),
            ("more than there can be", &two, i32::MAX),
            ("a gap", &[record(0, &[0]), record(2, &[0])].concat(), 2),
            ("not from 0", &record(1, &[0]), 1),
            ("bytes behind the headers", &record(0, &[0, 7]), 1),
            ("a header without a key", &keyless, 1),
        ];
        for (what, body, count) in wrong {
            let refused = outcome(body, 0, count, "delete").unwrap_err();
            assert_eq!(refused.0, ResponseError::InvalidRecord, "{what}");
        }
    }

    #[test]
    fn compacted_topics_look_into_every_codec() {
        let keyed = batch_of(&[("k", "v"), ("l", "w")], 0)[HEADER_LEN..].to_vec();
        let keyless = record(0, &[0]);
        for codec_id in 0..=4 {
            assert_eq!(outcome(&keyed, codec_id, 2, "compact"), Ok(()));
            let refused = |body: &[u8], count| outcome(body, codec_id, count, "compact");
            let invalid = ResponseError::InvalidRecord;
            assert_eq!(refused(&keyless, 1), Err((invalid, WITHOUT_KEY)));
            assert_eq!(refused(&keyed, 3).unwrap_err().0, invalid, "fewer");
            let second = keyed.len() / 2;
            assert_eq!(
                refused(&keyed[second..], 1).unwrap_err().0,
                invalid,
                "not from 0"
            );
        }
    }
}
