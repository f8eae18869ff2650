use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId, DescribeTopicPartitionsRequest,
};

use super::describe_topic_partitions::asked;
use crate::check::{Cases, fails, ok};
use crate::support::name;
use crate::target::{Target, Topic};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn move_to(
    target: &Target,
    version: i16,
    (topic, partition): (&str, i32),
    replicas: Option<Vec<BrokerId>>,
) -> i16 {
    let partition = ReassignablePartition::default()
        .with_partition_index(partition)
        .with_replicas(replicas);
    let topic = ReassignableTopic::default()
        .with_name(name(topic))
        .with_partitions(vec![partition]);
    let request = AlterPartitionReassignmentsRequest::default()
        .with_timeout_ms(10_000)
        .with_topics(vec![topic]);
    let response = target.any().call(version, &request);
    ok(response.error_code);
    response.responses[0].partitions[0].error_code
}

fn replicas(target: &Target, topic: &Topic) -> Vec<BrokerId> {
    let request = DescribeTopicPartitionsRequest::default().with_topics(asked(&[&topic.name]));
    let response = target.any().call(0, &request);
    response.topics[0].partitions[0].replica_nodes.clone()
}

/// To where it is already a partition may be moved.
fn success(target: &Target, version: i16) {
    let topic = target.topic("move");
    let here = replicas(target, &topic);
    ok(move_to(target, version, (&topic.name, 0), Some(here)));
}

fn error(target: &Target, version: i16) {
    use ResponseError::{InvalidReplicaAssignment, UnknownTopicOrPartition};
    let topic = target.topic("move");
    let here = replicas(target, &topic)[0];
    let nowhere = target.unique("nowhere");
    for (partition, replicas, error) in [
        ((topic.name.as_str(), 0), vec![9_999.into()], InvalidReplicaAssignment),
        ((topic.name.as_str(), 0), vec![here, here], InvalidReplicaAssignment),
        ((topic.name.as_str(), 0), vec![], InvalidReplicaAssignment),
        ((topic.name.as_str(), 7), vec![here], UnknownTopicOrPartition),
        ((nowhere.as_str(), 0), vec![here], UnknownTopicOrPartition),
    ] {
        fails(move_to(target, version, partition, Some(replicas)), error);
    }
}

/// What is not under way cannot be called off.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("move");
    let code = move_to(target, version, (&topic.name, 0), None);
    fails(code, ResponseError::NoReassignmentInProgress);
}
