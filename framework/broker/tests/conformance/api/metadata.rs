use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use uuid::Uuid;

use crate::check::{Cases, fails, ok};
use crate::support::name;
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn ask(target: &Target, version: i16, topics: Option<Vec<MetadataRequestTopic>>) -> MetadataResponse {
    let request = MetadataRequest::default()
        .with_topics(topics)
        // Before version 4 the cluster decides.
        .with_allow_auto_topic_creation(version < 4);
    target.any().call(version, &request)
}

fn named(topic: &str) -> MetadataRequestTopic {
    MetadataRequestTopic::default().with_name(Some(name(topic)))
}

fn by_id(id: Uuid) -> MetadataRequestTopic {
    MetadataRequestTopic::default().with_name(None).with_topic_id(id)
}

fn name_of(topic: &MetadataResponseTopic) -> &str {
    topic.name.as_ref().map_or("", |name| name.as_str())
}

fn success(target: &Target, version: i16) {
    let topic = target.topic_with("metadata", 3, &[]);
    let response = ask(target, version, Some(vec![named(&topic.name)]));
    assert!(!response.brokers.is_empty());
    if version >= 1 {
        let ids: Vec<_> = response.brokers.iter().map(|broker| broker.node_id).collect();
        assert!(ids.contains(&response.controller_id), "the controller is a broker");
    }
    if version >= 2 {
        assert!(response.cluster_id.is_some());
    }
    let found = &response.topics[0];
    ok(found.error_code);
    assert_eq!(name_of(found), topic.name);
    assert!(!found.is_internal);
    if version >= 10 {
        assert_eq!(found.topic_id, topic.id);
    }
    let mut partitions = found.partitions.clone();
    partitions.sort_by_key(|partition| partition.partition_index);
    assert_eq!(partitions.len(), 3);
    for (at, partition) in (0..).zip(&partitions) {
        ok(partition.error_code);
        assert_eq!(partition.partition_index, at);
        assert!(partition.replica_nodes.contains(&partition.leader_id));
        assert!(partition.isr_nodes.contains(&partition.leader_id));
        assert!(version < 7 || partition.leader_epoch >= 0);
    }
    if version >= 12 {
        let response = ask(target, version, Some(vec![by_id(topic.id)]));
        let found = &response.topics[0];
        ok(found.error_code);
        assert_eq!(name_of(found), topic.name);
    }
}

fn error(target: &Target, version: i16) {
    let nowhere = target.unique("nowhere");
    let response = ask(target, version, Some(vec![named(&nowhere)]));
    let found = &response.topics[0];
    fails(found.error_code, ResponseError::UnknownTopicOrPartition);
    assert_eq!(name_of(found), nowhere);
    assert!(found.partitions.is_empty());
    if version >= 12 {
        let id = Uuid::from_u128(0x1234_5678_1234_5678_1234_5678_1234_5678);
        let response = ask(target, version, Some(vec![by_id(id)]));
        let found = &response.topics[0];
        fails(found.error_code, ResponseError::UnknownTopicId);
        assert_eq!((name_of(found), found.topic_id), ("", id));
    }
}

/// What is asked for by no name at all: everything or nothing, as the version has it.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("metadata");
    let everything = match version {
        0 => Some(Vec::new()),
        _ => None,
    };
    let response = ask(target, version, everything);
    assert!(response.topics.iter().any(|found| name_of(found) == topic.name));
    if version >= 1 {
        let response = ask(target, version, Some(Vec::new()));
        assert!(response.topics.is_empty());
        assert!(!response.brokers.is_empty());
    }
    for wrong in ["", "a/b", &"x".repeat(250)] {
        let response = ask(target, version, Some(vec![named(wrong)]));
        fails(response.topics[0].error_code, ResponseError::InvalidTopicException);
    }
}
