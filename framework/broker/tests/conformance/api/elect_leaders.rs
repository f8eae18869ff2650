use kafka_protocol::ResponseError;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use crate::check::{Cases, fails, ok};
use crate::support::name;
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn request(topic: &str, partition: i32) -> ElectLeadersRequest {
    let topic = TopicPartitions::default()
        .with_topic(name(topic))
        .with_partitions(vec![partition]);
    ElectLeadersRequest::default()
        .with_timeout_ms(10_000)
        .with_topic_partitions(Some(vec![topic]))
}

fn code(response: &ElectLeadersResponse) -> i16 {
    ok(response.error_code);
    response.replica_election_results[0].partition_result[0].error_code
}

/// The preferred leader leads already.
fn success(target: &Target, version: i16) {
    let topic = target.topic("elect");
    let response = target.any().call(version, &request(&topic.name, 0));
    fails(code(&response), ResponseError::ElectionNotNeeded);
    let result = &response.replica_election_results[0];
    assert_eq!(result.topic, name(&topic.name));
    assert_eq!(result.partition_result[0].partition_id, 0);
}

fn error(target: &Target, version: i16) {
    let topic = target.topic("elect");
    let nowhere = target.unique("nowhere");
    let mut raw = target.any();
    for (topic, partition) in [(topic.name.as_str(), 7), (nowhere.as_str(), 0)] {
        let response = raw.call(version, &request(topic, partition));
        fails(code(&response), ResponseError::UnknownTopicOrPartition);
    }
    if version >= 1 {
        let odd = request(&topic.name, 0).with_election_type(7);
        fails(raw.call(version, &odd).error_code, ResponseError::InvalidRequest);
    }
}

/// Without topics all partitions are meant; those that need nothing are not told of. Nor
/// does a partition with a leader need one that is out of sync.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("elect");
    let mut raw = target.any();
    let all = request(&topic.name, 0).with_topic_partitions(None);
    let response = raw.call(version, &all);
    ok(response.error_code);
    let mut results = response.replica_election_results.iter();
    assert!(results.all(|topic| topic.partition_result.is_empty()));
    if version >= 1 {
        let unclean = request(&topic.name, 0).with_election_type(1);
        let response = raw.call(version, &unclean);
        fails(code(&response), ResponseError::ElectionNotNeeded);
    }
}
