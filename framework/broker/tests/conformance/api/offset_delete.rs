use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::group::committed;
use super::offset_commit::commit_alone;
use super::txn::Txn;
use crate::check::{Cases, fails, ok};
use crate::support::{Raw, name, string};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

pub(crate) fn delete(raw: &mut Raw, version: i16, group: &str, topic: &str, partition: i32) -> OffsetDeleteResponse {
    let partition = OffsetDeleteRequestPartition::default().with_partition_index(partition);
    let topic = OffsetDeleteRequestTopic::default()
        .with_name(name(topic))
        .with_partitions(vec![partition]);
    let request = OffsetDeleteRequest::default()
        .with_group_id(string(group).into())
        .with_topics(vec![topic]);
    raw.call(version, &request)
}

fn success(target: &Target, version: i16) {
    let topic = target.topic("offset-delete");
    let group = target.unique("offset-delete");
    let mut raw = target.coordinator(&group);
    commit_alone(&mut raw, 8, &group, &topic.name, 1);
    let response = delete(&mut raw, version, &group, &topic.name, 0);
    ok(response.error_code);
    ok(response.topics[0].partitions[0].error_code);
    let (_, found) = committed(&mut raw, 7, &group, Some(&[(&topic.name, 0)]));
    assert_eq!(found[0].1.committed_offset, -1);
}

fn error(target: &Target, version: i16) {
    let topic = target.topic("offset-delete");
    let nobody = target.unique("nobody");
    let response = delete(&mut target.coordinator(&nobody), version, &nobody, &topic.name, 0);
    fails(response.error_code, ResponseError::GroupIdNotFound);
    let group = target.unique("offset-delete");
    let mut raw = target.coordinator(&group);
    commit_alone(&mut raw, 8, &group, &topic.name, 1);
    let response = delete(&mut raw, version, &group, &topic.name, 7);
    ok(response.error_code);
    fails(
        response.topics[0].partitions[0].error_code,
        ResponseError::UnknownTopicOrPartition,
    );
}

/// What was never committed is deleted already, and what an open transaction has committed
/// is deleted with the rest.
fn edge(target: &Target, version: i16) {
    let topic = target.topic_with("offset-delete", 2, &[]);
    let group = target.unique("offset-delete");
    let mut raw = target.coordinator(&group);
    commit_alone(&mut raw, 8, &group, &topic.name, 1);
    let response = delete(&mut raw, version, &group, &topic.name, 1);
    ok(response.error_code);
    ok(response.topics[0].partitions[0].error_code);
    let (_, found) = committed(&mut raw, 7, &group, Some(&[(&topic.name, 0)]));
    assert_eq!(found[0].1.committed_offset, 1);

    let mut txn = Txn::new(target);
    ok(txn.add_offsets(3, &group));
    let request = txn.offset_commit_request(3, &group, &topic.name, 9);
    ok(raw.call(3, &request).topics[0].partitions[0].error_code);
    let response = delete(&mut raw, version, &group, &topic.name, 0);
    ok(response.topics[0].partitions[0].error_code);
    ok(txn.end(4, true).error_code);
    // The next transaction can begin when that one has been carried out.
    ok(txn.add_offsets(3, &group));
    let (_, found) = committed(&mut raw, 7, &group, Some(&[(&topic.name, 0)]));
    assert_eq!(found[0].1.committed_offset, -1);
}
