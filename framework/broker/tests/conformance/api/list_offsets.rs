use kafka_protocol::ResponseError;
use kafka_protocol::messages::ListOffsetsRequest;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;

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

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

fn request(topic: &str, partition: i32, timestamp: i64, epoch: i32) -> ListOffsetsRequest {
    let asked = ListOffsetsPartition::default()
        .with_partition_index(partition)
        .with_current_leader_epoch(epoch)
        .with_timestamp(timestamp);
    ListOffsetsRequest::default()
        .with_replica_id((-1).into())
        .with_topics(vec![
            ListOffsetsTopic::default()
                .with_name(name(topic))
                .with_partitions(vec![asked]),
        ])
}

pub(crate) fn list(
    raw: &mut Raw,
    version: i16,
    topic: &Topic,
    timestamp: i64,
) -> ListOffsetsPartitionResponse {
    let response = raw.call(version, &request(&topic.name, 0, timestamp, -1));
    response.topics[0].partitions[0].clone()
}

/// As [`list`], at an isolation level.
pub(crate) fn list_at(
    raw: &mut Raw,
    version: i16,
    topic: &Topic,
    timestamp: i64,
    level: i8,
) -> ListOffsetsPartitionResponse {
    let request = request(&topic.name, 0, timestamp, -1).with_isolation_level(level);
    raw.call(version, &request).topics[0].partitions[0].clone()
}

fn filled(target: &Target) -> (Topic, Raw) {
    // The records are old by their times, and must not be deleted for it.
    let topic = target.topic_with("offsets", 1, &[("retention.ms", "-1")]);
    let mut raw = target.leader(&topic, 0);
    // Times need not rise: the second batch holds the latest.
    for times in [[1_000, 3_000], [9_000, 5_000]] {
        let batch = Batch::of(&["a", "b"]).at(&times);
        ok(produce(&mut raw, 9, &topic, 0, &batch).error_code);
    }
    (topic, raw)
}

fn success(target: &Target, version: i16) {
    let (topic, mut raw) = filled(target);
    // (asked, time, offset): the first record that is not older.
    for (asked, time, offset) in [
        (LATEST, -1, 4),
        (EARLIEST, -1, 0),
        (0, 1_000, 0),
        (1_000, 1_000, 0),
        (1_001, 3_000, 1),
        (3_001, 9_000, 2),
        (9_000, 9_000, 2),
    ] {
        let found = list(&mut raw, version, &topic, asked);
        ok(found.error_code);
        assert_eq!((found.timestamp, found.offset), (time, offset), "for {asked}");
    }
    if version >= 7 {
        let found = list(&mut raw, version, &topic, MAX_TIMESTAMP);
        assert_eq!((found.timestamp, found.offset), (9_000, 2));
    }
    if version >= 8 {
        assert_eq!(list(&mut raw, version, &topic, EARLIEST_LOCAL).offset, 0);
    }
}

fn error(target: &Target, version: i16) {
    let (topic, mut raw) = filled(target);
    let nowhere = target.unique("nowhere");
    let unknown = [(nowhere.as_str(), 0), (topic.name.as_str(), 7)];
    for (topic, partition) in unknown {
        let response = raw.call(version, &request(topic, partition, LATEST, -1));
        let found = &response.topics[0].partitions[0];
        fails(found.error_code, ResponseError::UnknownTopicOrPartition);
        assert_eq!((found.timestamp, found.offset), (-1, -1));
    }
    if version >= 4 {
        let response = raw.call(version, &request(&topic.name, 0, LATEST, 99));
        let found = &response.topics[0].partitions[0];
        fails(found.error_code, ResponseError::UnknownLeaderEpoch);
    }
    if version < 7 {
        let found = list(&mut raw, version, &topic, MAX_TIMESTAMP);
        fails(found.error_code, ResponseError::UnsupportedVersion);
    }
}

/// Past the end there is no record, which is no error; an empty log has its ends.
fn edge(target: &Target, version: i16) {
    let (topic, mut raw) = filled(target);
    let found = list(&mut raw, version, &topic, 9_001);
    ok(found.error_code);
    assert_eq!((found.timestamp, found.offset), (-1, -1));

    let empty = target.topic("empty");
    let mut raw = target.leader(&empty, 0);
    for (asked, offset) in [(LATEST, 0), (EARLIEST, 0), (0, -1)] {
        let found = list(&mut raw, version, &empty, asked);
        ok(found.error_code);
        assert_eq!((found.timestamp, found.offset), (-1, offset));
    }
    if version >= 7 {
        let found = list(&mut raw, version, &empty, MAX_TIMESTAMP);
        assert_eq!((found.timestamp, found.offset), (-1, -1));
    }
    if version >= 9 {
        let found = list(&mut raw, version, &empty, LATEST_TIERED);
        ok(found.error_code);
        assert_eq!(found.offset, -1, "nothing is tiered");
    }
}
