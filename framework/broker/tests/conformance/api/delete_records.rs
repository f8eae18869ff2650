use kafka_protocol::ResponseError;
use kafka_protocol::messages::DeleteRecordsRequest;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};

use super::fetch::{only, request as fetch_request};
use super::list_offsets::list;
use super::produce::produce;
use crate::batch::Batch;
use crate::check::{Cases, fails, ok};
use crate::support::{Raw, name};
use crate::target::{Target, Topic};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

pub(crate) fn delete(raw: &mut Raw, version: i16, topic: &str, partition: i32, offset: i64) -> (i16, i64) {
    let asked = DeleteRecordsPartition::default()
        .with_partition_index(partition)
        .with_offset(offset);
    let topic = DeleteRecordsTopic::default()
        .with_name(name(topic))
        .with_partitions(vec![asked]);
    let request = DeleteRecordsRequest::default()
        .with_timeout_ms(10_000)
        .with_topics(vec![topic]);
    let response = raw.call(version, &request);
    let found = &response.topics[0].partitions[0];
    (found.error_code, found.low_watermark)
}

fn filled(target: &Target) -> (Topic, Raw) {
    let topic = target.topic("delete-records");
    let mut raw = target.leader(&topic, 0);
    for _ in 0..2 {
        ok(produce(&mut raw, 9, &topic, 0, &Batch::of(&["a", "b"])).error_code);
    }
    (topic, raw)
}

fn success(target: &Target, version: i16) {
    let (topic, mut raw) = filled(target);
    assert_eq!(delete(&mut raw, version, &topic.name, 0, 3), (0, 3));
    assert_eq!(list(&mut raw, 5, &topic, -2).offset, 3);
    let gone = only(&raw.call(12, &fetch_request(12, &topic, 0, 2)));
    fails(gone.error_code, ResponseError::OffsetOutOfRange);
    ok(only(&raw.call(12, &fetch_request(12, &topic, 0, 3))).error_code);
}

fn error(target: &Target, version: i16) {
    let (topic, mut raw) = filled(target);
    let nowhere = target.unique("nowhere");
    for (topic, partition, offset, error) in [
        (nowhere.as_str(), 0, 1, ResponseError::UnknownTopicOrPartition),
        (topic.name.as_str(), 7, 1, ResponseError::UnknownTopicOrPartition),
        (topic.name.as_str(), 0, 5, ResponseError::OffsetOutOfRange),
        (topic.name.as_str(), 0, -2, ResponseError::OffsetOutOfRange),
    ] {
        let (code, low) = delete(&mut raw, version, topic, partition, offset);
        fails(code, error);
        assert_eq!(low, -1);
    }
    let compacted = target.topic_with("delete-records", 1, &[("cleanup.policy", "compact")]);
    let (code, _) = delete(&mut target.leader(&compacted, 0), version, &compacted.name, 0, 0);
    fails(code, ResponseError::PolicyViolation);
}

/// -1 means all there is; what is gone already is no error.
fn edge(target: &Target, version: i16) {
    let (topic, mut raw) = filled(target);
    assert_eq!(delete(&mut raw, version, &topic.name, 0, -1), (0, 4));
    assert_eq!(delete(&mut raw, version, &topic.name, 0, 2), (0, 4));
    let stored = produce(&mut raw, 9, &topic, 0, &Batch::of(&["new"]));
    assert_eq!((stored.error_code, stored.base_offset), (0, 4));
}
