use kafka_protocol::ResponseError;
use kafka_protocol::messages::OffsetForLeaderEpochRequest;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::EpochEndOffset;

use super::produce::produce;
use crate::batch::Batch;
use crate::check::{Cases, fails, ok};
use crate::support::{Raw, name};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

pub(crate) fn ask(raw: &mut Raw, version: i16, topic: &str, current: i32, epoch: i32) -> EpochEndOffset {
    let partition = OffsetForLeaderPartition::default()
        .with_partition(0)
        .with_current_leader_epoch(current)
        .with_leader_epoch(epoch);
    let topic = OffsetForLeaderTopic::default()
        .with_topic(name(topic))
        .with_partitions(vec![partition]);
    let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
    let request = match version {
        3.. => request.with_replica_id((-1).into()),
        _ => request,
    };
    raw.call(version, &request).topics[0].partitions[0].clone()
}

fn success(target: &Target, version: i16) {
    let topic = target.topic("epoch");
    let mut raw = target.leader(&topic, 0);
    ok(produce(&mut raw, 9, &topic, 0, &Batch::of(&["a", "b"])).error_code);
    let found = ask(&mut raw, version, &topic.name, -1, 0);
    ok(found.error_code);
    assert_eq!((found.leader_epoch, found.end_offset), (0, 2));
}

fn error(target: &Target, version: i16) {
    let topic = target.topic("epoch");
    let mut raw = target.leader(&topic, 0);
    let nowhere = target.unique("nowhere");
    fails(
        ask(&mut raw, version, &nowhere, -1, 0).error_code,
        ResponseError::UnknownTopicOrPartition,
    );
    fails(
        ask(&mut raw, version, &topic.name, 99, 0).error_code,
        ResponseError::UnknownLeaderEpoch,
    );
}

/// An epoch that has not been yet has no end.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("epoch");
    let mut raw = target.leader(&topic, 0);
    ok(produce(&mut raw, 9, &topic, 0, &Batch::of(&["a", "b"])).error_code);
    let found = ask(&mut raw, version, &topic.name, -1, 7);
    ok(found.error_code);
    assert_eq!((found.leader_epoch, found.end_offset), (-1, -1));
}
