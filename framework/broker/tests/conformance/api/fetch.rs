use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchResponse, PartitionData};
use kafka_protocol::records::Record;
use uuid::Uuid;

use super::produce::produce;
use crate::batch::{Batch, records, values};
use crate::check::{Cases, fails, ok};
use crate::support::{Raw, name};
use crate::target::{Target, Topic};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

pub(crate) fn request(version: i16, topic: &Topic, partition: i32, offset: i64) -> FetchRequest {
    let asked = FetchPartition::default()
        .with_partition(partition)
        .with_current_leader_epoch(-1)
        .with_fetch_offset(offset)
        .with_log_start_offset(-1)
        .with_partition_max_bytes(1 << 20);
    let topic = match version {
        13.. => FetchTopic::default().with_topic_id(topic.id),
        _ => FetchTopic::default().with_topic(name(&topic.name)),
    };
    FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(1)
        .with_max_bytes(50 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic.with_partitions(vec![asked])])
}

pub(crate) fn only(response: &FetchResponse) -> PartitionData {
    ok(response.error_code);
    response.responses[0].partitions[0].clone()
}

/// All records of a partition, in as many fetches as it takes.
pub(crate) fn read(target: &Target, topic: &Topic, partition: i32) -> Vec<Record> {
    read_at(target, topic, partition, 0)
}

/// All records, at an isolation level.
pub(crate) fn read_at(target: &Target, topic: &Topic, partition: i32, level: i8) -> Vec<Record> {
    let mut raw = target.leader(topic, partition);
    let mut all: Vec<Record> = Vec::new();
    loop {
        let offset = all.last().map_or(0, |record| record.offset + 1);
        let request = request(12, topic, partition, offset).with_isolation_level(level);
        let data = only(&raw.call(12, &request));
        ok(data.error_code);
        let aborted = data.aborted_transactions.clone().unwrap_or_default();
        assert!(aborted.is_empty(), "the reader here does not filter");
        let found = records(data.records.as_ref());
        let before = all.len();
        all.extend(found.into_iter().filter(|record| record.offset >= offset));
        if all.len() == before {
            return all;
        }
    }
}

fn filled(target: &Target) -> (Topic, Raw) {
    let topic = target.topic("fetch");
    let mut raw = target.leader(&topic, 0);
    for batch in [["a", "b"], ["c", "d"]] {
        ok(produce(&mut raw, 9, &topic, 0, &Batch::of(&batch)).error_code);
    }
    (topic, raw)
}

fn success(target: &Target, version: i16) {
    let (topic, mut raw) = filled(target);
    let response = raw.call(version, &request(version, &topic, 0, 0));
    assert_eq!(response.throttle_time_ms, 0);
    assert_eq!(response.session_id, 0);
    let data = only(&response);
    ok(data.error_code);
    assert_eq!((data.partition_index, data.high_watermark), (0, 4));
    assert_eq!(data.last_stable_offset, 4);
    if version >= 5 {
        assert_eq!(data.log_start_offset, 0);
    }
    let found = records(data.records.as_ref());
    assert_eq!(values(&found), ["a", "b", "c", "d"]);
    assert_eq!(found.iter().map(|record| record.offset).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

fn error(target: &Target, version: i16) {
    let (topic, mut raw) = filled(target);
    for offset in [5, -1] {
        let data = only(&raw.call(version, &request(version, &topic, 0, offset)));
        fails(data.error_code, ResponseError::OffsetOutOfRange);
        assert!(records(data.records.as_ref()).is_empty());
    }
    let nowhere = Topic {
        name: target.unique("nowhere"),
        id: Uuid::from_u128(0x1234_5678_1234_5678_1234_5678_1234_5678),
    };
    let data = only(&raw.call(version, &request(version, &nowhere, 0, 0)));
    fails(
        data.error_code,
        match version {
            13.. => ResponseError::UnknownTopicId,
            _ => ResponseError::UnknownTopicOrPartition,
        },
    );
    let data = only(&raw.call(version, &request(version, &topic, 7, 0)));
    fails(data.error_code, ResponseError::UnknownTopicOrPartition);
    if version >= 7 {
        let mut lost = request(version, &topic, 0, 0);
        lost.session_id = 77;
        lost.session_epoch = 3;
        let response = raw.call(version, &lost);
        fails(response.error_code, ResponseError::FetchSessionIdNotFound);
    }
    if version >= 9 {
        let mut ahead = request(version, &topic, 0, 0);
        ahead.topics[0].partitions[0].current_leader_epoch = 99;
        let data = only(&raw.call(version, &ahead));
        fails(data.error_code, ResponseError::UnknownLeaderEpoch);
    }
}

/// Whole batches, at least one, and a wait at the end of the log.
fn edge(target: &Target, version: i16) {
    let (topic, mut raw) = filled(target);
    let mut narrow = request(version, &topic, 0, 1);
    narrow.topics[0].partitions[0].partition_max_bytes = 1;
    let data = only(&raw.call(version, &narrow));
    let found = records(data.records.as_ref());
    assert_eq!(values(&found), ["a", "b"], "the whole batch with offset 1 in it");

    let mut waiting = request(version, &topic, 0, 4);
    waiting.max_wait_ms = 200;
    let asked = Instant::now();
    let data = only(&raw.call(version, &waiting));
    ok(data.error_code);
    assert_eq!(data.high_watermark, 4);
    assert!(records(data.records.as_ref()).is_empty());
    assert!(asked.elapsed() >= Duration::from_millis(190), "{:?}", asked.elapsed());

    // A record that comes ends the wait.
    waiting.max_wait_ms = 20_000;
    let asked = Instant::now();
    raw.send(version, &waiting);
    let mut other = target.leader(&topic, 0);
    ok(produce(&mut other, 9, &topic, 0, &Batch::of(&["e"])).error_code);
    let (_, response) = raw.receive::<FetchRequest>(version);
    assert_eq!(values(&records(only(&response).records.as_ref())), ["e"]);
    assert!(asked.elapsed() < Duration::from_secs(10));
}
