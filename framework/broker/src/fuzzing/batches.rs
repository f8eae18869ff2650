//! A produced batch: validation, the append, and every way to read it.

use bytes::Bytes;
use kafka_protocol::compression::{Compressor, Gzip, Lz4, Snappy, Zstd};

use super::checks::{ask, read_to_the_end, settings};
use super::{Input, Scratch};
use crate::log::batch::{self, HEADER_LEN};
use crate::log::{Partition, validate};

/// Flags, three times to look for, then the batch. The flags make parts of it right, so that
/// the rest is looked at.
pub fn batches(data: &[u8]) {
    let mut input = Input(data);
    let flags = input.u8();
    let times = [input.i64(), i64::from(input.u16()), i64::MIN, 0];
    let mut bytes = input.rest().to_vec();
    if flags & 1 != 0 && bytes.len() >= HEADER_LEN {
        bytes = repaired(bytes, flags);
    }
    let scratch = Scratch::new();
    let dir = scratch.0.join("t-0");
    let mut settings = settings(&scratch.0);
    if flags & 0x40 != 0 {
        settings.timestamp_type = crate::log::TimestampType::LogAppendTime;
    }
    let partition = Partition::create("t", 0, &dir, settings).expect("a partition");
    let Ok(header) = validate(&bytes, 9, &settings, crate::sync::now_ms()) else {
        return;
    };
    let records = i64::from(header.record_count);
    for round in 0..2 {
        let Ok(appended) = partition.append(&bytes, &header, || Ok(())) else {
            assert!(header.producer_id >= 0, "a valid batch is taken");
            break;
        };
        // The second time a producer's batch is a duplicate of the first.
        let again = round > 0 && header.producer_id >= 0;
        assert_eq!(
            appended.base_offset,
            if again { 0 } else { round * records }
        );
    }
    let starts = read_to_the_end(&partition, false);
    assert!(!starts.is_empty());
    ask(&partition, &times, false);
    let (end, producers) = (partition.high_watermark(), partition.open_transactions());
    drop(partition);
    let (partition, recovered) =
        Partition::open("t", 0, &dir, settings, false).expect("what was stored opens");
    assert_eq!(recovered.findings, [], "what was stored is whole");
    assert_eq!(partition.high_watermark(), end);
    assert_eq!(partition.open_transactions(), producers);
    assert_eq!(read_to_the_end(&partition, false), starts);
    ask(&partition, &times, false);
}

fn repaired(mut bytes: Vec<u8>, flags: u8) -> Vec<u8> {
    if flags & 2 != 0 {
        let mut packed = bytes[..HEADER_LEN].to_vec();
        let codec = bytes[22] & 7;
        let records = Bytes::copy_from_slice(&bytes[HEADER_LEN..]);
        let mut body = bytes::BytesMut::new();
        let fill = |buffer: &mut bytes::BytesMut| {
            buffer.extend_from_slice(&records);
            Ok(())
        };
        match codec {
            1 => Gzip::compress(&mut body, fill).expect("gzip"),
            2 => Snappy::compress(&mut body, fill).expect("snappy"),
            3 => Lz4::compress(&mut body, fill).expect("lz4"),
            4 => Zstd::compress(&mut body, fill).expect("zstd"),
            _ => body.extend_from_slice(&records),
        }
        packed.extend_from_slice(&body);
        bytes = packed;
    }
    if flags & 4 != 0 {
        bytes[..8].fill(0);
        let len = i32::try_from(bytes.len() - batch::PREFIX_LEN).unwrap_or(i32::MAX);
        bytes[8..12].copy_from_slice(&len.to_be_bytes());
        bytes[16] = 2;
    }
    if flags & 8 != 0 {
        // Few records, and a count that agrees with the last offset.
        let count = i32::from(bytes[60]) + 1;
        bytes[23..27].copy_from_slice(&(count - 1).to_be_bytes());
        bytes[57..61].copy_from_slice(&count.to_be_bytes());
    }
    if flags & 16 != 0 {
        // No producer.
        bytes[43..57].fill(0xff);
        bytes[22] &= 0x0f;
    }
    batch::seal(&mut bytes);
    bytes
}
