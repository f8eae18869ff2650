//! Partitions and batches for the tests of the log.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::batch::{self, BatchHeader, HEADER_LEN};
use super::codec;
use super::partition::{Appended, LogSettings, Partition};
use super::records::put_varint;
use super::recovery::Recovered;
use crate::config::BrokerConfig;
use crate::sync::now_ms;
use crate::topic_config::{TopicConfigs, log_settings};

pub(super) fn settings(dir: &Path, configs: &[(&str, &str)]) -> LogSettings {
    let configs: TopicConfigs = configs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    log_settings(&BrokerConfig::new(dir, any), &configs)
}

/// A new partition with the settings of its topic.
pub(super) fn partition(dir: &Path, configs: &[(&str, &str)]) -> Partition {
    Partition::create("t", 0, dir, settings(dir, configs)).unwrap()
}

pub(super) fn opened(dir: &Path, configs: &[(&str, &str)], clean: bool) -> (Partition, Recovered) {
    Partition::open("t", 0, dir, settings(dir, configs), clean).unwrap()
}

/// A batch of (key, value) in a codec.
pub(super) fn batch_of(records: &[(&str, &str)], codec_id: i16) -> Vec<u8> {
    let mut body = Vec::new();
    for (at, (key, value)) in (0..).zip(records) {
        let mut record = vec![0, 0];
        put_varint(&mut record, at);
        for text in [key, value] {
            put_varint(&mut record, text.len() as i64);
            record.extend_from_slice(text.as_bytes());
        }
        record.push(0);
        put_varint(&mut body, record.len() as i64);
        body.extend_from_slice(&record);
    }
    let count = i32::try_from(records.len()).unwrap();
    batch_with(&codec::pack(codec_id, &body).unwrap(), codec_id, count)
}

/// A batch that says it holds `count` records, whatever its body is.
pub(super) fn batch_with(body: &[u8], codec_id: i16, count: i32) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN];
    bytes[16] = 2;
    bytes[22] = codec_id as u8;
    bytes[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    bytes[43..51].copy_from_slice(&(-1i64).to_be_bytes());
    bytes.extend_from_slice(body);
    batch::rewrite(&mut bytes, 0, now_ms(), now_ms(), None, count);
    bytes
}

/// The batch in the name of a producer.
pub(super) fn by(mut batch: Vec<u8>, id: i64, sequence: i32, transactional: bool) -> Vec<u8> {
    if transactional {
        batch[22] |= 0x10;
    }
    batch[43..51].copy_from_slice(&id.to_be_bytes());
    batch[51..53].copy_from_slice(&0i16.to_be_bytes());
    batch[53..57].copy_from_slice(&sequence.to_be_bytes());
    batch::seal(&mut batch);
    batch
}

pub(super) fn append(partition: &Partition, bytes: &[u8]) -> Appended {
    let header = BatchHeader::parse(bytes).unwrap();
    partition.append(bytes, &header, || Ok(())).unwrap()
}
