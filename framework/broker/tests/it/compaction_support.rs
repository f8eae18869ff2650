//! Keyed batches, and readers that cope with the gaps and empty batches of compacted logs.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use mesh_broker::{BrokerConfig, FlushPolicy};

use crate::support::{Raw, TestBroker, now_ms};

/// How long a background task may take until its work shows.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const CODECS: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

/// Lets the broker clean up at once, not every few minutes.
pub(crate) fn eager(config: &mut BrokerConfig) {
    config.flush = FlushPolicy::Interval(Duration::from_millis(20));
    config.log_cleaner_backoff = Duration::from_millis(20);
    config.log_retention_check_interval = Duration::from_millis(20);
}

/// A batch of records with keys.
#[derive(Clone)]
pub(crate) struct Keyed {
    pub(crate) records: Vec<(Option<String>, Option<String>)>,
    pub(crate) timestamp: i64,
    pub(crate) codec: Compression,
    pub(crate) producer: (i64, i16, i32),
    pub(crate) transactional: bool,
}

impl Keyed {
    pub(crate) fn of(records: &[(&str, Option<&str>)]) -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            records: records
                .iter()
                .map(|(key, value)| (Some(text(key)), value.map(text)))
                .collect(),
            timestamp: now_ms(),
            codec: Compression::None,
            producer: (-1, -1, -1),
            transactional: false,
        }
    }

    pub(crate) fn bytes(&self) -> Bytes {
        let (producer_id, producer_epoch, sequence) = self.producer;
        let bytes = |text: &Option<String>| text.clone().map(Bytes::from);
        let records: Vec<Record> = (0..)
            .zip(&self.records)
            .map(|(at, (key, value))| Record {
                transactional: self.transactional,
                control: false,
                delete_horizon: false,
                partition_leader_epoch: -1,
                producer_id,
                producer_epoch,
                timestamp_type: TimestampType::Creation,
                offset: i64::from(at),
                sequence: sequence.wrapping_add(at),
                timestamp: self.timestamp,
                key: bytes(key),
                value: bytes(value),
                headers: IndexMap::new(),
            })
            .collect();
        let mut encoded = BytesMut::new();
        let options = RecordEncodeOptions {
            version: 2,
            compression: self.codec,
        };
        RecordBatchEncoder::encode(&mut encoded, &records, &options).unwrap();
        encoded.freeze()
    }
}

/// A record as a consumer sees it: offset, key, value.
pub(crate) type Seen = (i64, String, Option<String>);

/// The batches of fetched bytes, each with the offset behind it.
pub(crate) fn batches(data: &PartitionData) -> Vec<(Bytes, i64)> {
    let mut left = data.records.clone().unwrap_or_default();
    let mut found = Vec::new();
    while left.len() >= 61 {
        let number = |at: usize| i32::from_be_bytes(left[at..at + 4].try_into().unwrap());
        let base = i64::from_be_bytes(left[..8].try_into().unwrap());
        let length = number(8) as usize + 12;
        let next = base + i64::from(number(23)) + 1;
        found.push((left.split_to(length), next));
    }
    assert!(left.is_empty(), "fetched bytes are whole batches");
    found
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a consumer is given from `offset` on, and where it stops.
pub(crate) fn consume(
    raw: &mut Raw,
    topic: &str,
    mut offset: i64,
    committed: bool,
    max_bytes: i32,
) -> (Vec<Seen>, i64) {
    let mut seen = Vec::new();
    loop {
        let data = match committed {
            true => raw.fetch_committed(topic, 0, offset, max_bytes),
            false => raw.fetch(topic, 0, offset),
        };
        assert_eq!(data.error_code, 0, "fetch at {offset}");
        let mut coming: Vec<(i64, i64)> = data
            .aborted_transactions
            .iter()
            .flatten()
            .map(|aborted| (aborted.first_offset, aborted.producer_id.0))
            .collect();
        coming.sort_unstable();
        let mut coming = coming.into_iter().peekable();
        let mut aborted = BTreeSet::new();
        let before = offset;
        for (bytes, next) in batches(&data) {
            let set = RecordBatchDecoder::decode(&mut bytes.clone()).unwrap();
            for record in set.records {
                while let Some((_, producer)) = coming.next_if(|(first, _)| *first <= record.offset)
                {
                    aborted.insert(producer);
                }
                if record.control {
                    if record.key.as_ref().unwrap()[2..4] == [0, 0] {
                        aborted.remove(&record.producer_id);
                    }
                    continue;
                }
                let hidden = record.transactional && aborted.contains(&record.producer_id);
                if record.offset >= offset && !(committed && hidden) {
                    let key = record.key.as_ref().map(text).unwrap_or_default();
                    seen.push((record.offset, key, record.value.as_ref().map(text)));
                }
            }
            assert!(next > offset, "batches go forward");
            offset = next;
        }
        if offset == before {
            return (seen, offset);
        }
    }
}

pub(crate) fn all(raw: &mut Raw, topic: &str) -> Vec<Seen> {
    let from = raw.list_offset(topic, 0, -2).offset;
    consume(raw, topic, from, false, 1 << 20).0
}

/// The newest record of each key.
pub(crate) fn newest(seen: &[Seen]) -> HashMap<String, (i64, Option<String>)> {
    let each = seen.iter().cloned();
    each.map(|(offset, key, value)| (key, (offset, value)))
        .collect()
}

#[track_caller]
pub(crate) fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Fills segments of up to 4 kB until the ones before are closed, with keys of its own.
pub(crate) fn push_out(raw: &mut Raw, topic: &str) -> usize {
    let mut sent = 0;
    for at in 0..8 {
        let filler = "f".repeat(900);
        let key = format!("filler {at}");
        let batch = Keyed::of(&[(&key, Some(&filler))]);
        sent += batch.bytes().len();
        assert_eq!(raw.produce(topic, 0, batch.bytes()).error_code, 0);
    }
    sent
}

/// Waits until none of these keys has more than one record.
pub(crate) fn until_cleaned(test: &TestBroker, topic: &str, keys: &[&str]) {
    let mut raw = test.raw();
    eventually("compacted", || {
        let seen = all(&mut raw, topic);
        keys.iter()
            .all(|key| seen.iter().filter(|(_, found, _)| found == key).count() <= 1)
    });
}
