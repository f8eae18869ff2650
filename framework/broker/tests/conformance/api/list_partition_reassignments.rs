use kafka_protocol::messages::ListPartitionReassignmentsRequest;
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;

use crate::check::{Cases, cut_off, ok};
use crate::support::name;
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn request(topic: &str, partition: i32) -> ListPartitionReassignmentsRequest {
    let topic = ListPartitionReassignmentsTopics::default()
        .with_name(name(topic))
        .with_partition_indexes(vec![partition]);
    ListPartitionReassignmentsRequest::default()
        .with_timeout_ms(10_000)
        .with_topics(Some(vec![topic]))
}

/// A partition that rests is not listed.
fn success(target: &Target, version: i16) {
    let topic = target.topic("moves");
    let response = target.any().call(version, &request(&topic.name, 0));
    ok(response.error_code);
    assert!(response.topics.is_empty());
}

/// What is not there is not listed either; only what cannot be read is refused.
fn error(target: &Target, version: i16) {
    let topic = target.topic("moves");
    let nowhere = target.unique("nowhere");
    let mut raw = target.any();
    for (topic, partition) in [(topic.name.as_str(), 7), (nowhere.as_str(), 0)] {
        let response = raw.call(version, &request(topic, partition));
        ok(response.error_code);
        assert!(response.topics.is_empty());
    }
    cut_off(&mut raw, version, &request(&topic.name, 0));
}

/// Without topics all that move are listed.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("moves");
    let all = request(&topic.name, 0).with_topics(None);
    let response = target.any().call(version, &all);
    ok(response.error_code);
    assert!(response.topics.iter().all(|moving| moving.name != name(&topic.name)));
}
