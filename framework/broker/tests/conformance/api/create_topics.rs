use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::{BrokerId, CreateTopicsRequest, MetadataRequest};
use uuid::Uuid;

use crate::check::{Cases, fails, ok};
use crate::support::{name, string};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn topic(topic: &str, partitions: i32) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
}

fn with(topic: CreatableTopic, key: &str, value: &str) -> CreatableTopic {
    let config = CreatableTopicConfig::default()
        .with_name(string(key))
        .with_value(Some(string(value)));
    topic.with_configs(vec![config])
}

fn create(
    target: &Target,
    version: i16,
    topics: Vec<CreatableTopic>,
    validate_only: bool,
) -> Vec<CreatableTopicResult> {
    let request = CreateTopicsRequest::default()
        .with_timeout_ms(10_000)
        .with_validate_only(validate_only)
        .with_topics(topics);
    target.any().call(version, &request).topics
}

fn success(target: &Target, version: i16) {
    let wanted = target.unique("create");
    let new = with(topic(&wanted, 3), "retention.ms", "7000");
    let created = create(target, version, vec![new], false).remove(0);
    ok(created.error_code);
    assert_eq!(created.name, name(&wanted));
    if version >= 5 {
        assert_eq!((created.num_partitions, created.replication_factor), (3, 1));
        let configs = created.configs.unwrap();
        let found = configs.iter().find(|config| config.name.as_str() == "retention.ms");
        assert_eq!(found.unwrap().value, Some(string("7000")));
    }
    if version >= 7 {
        assert!(!created.topic_id.is_nil());
    }
}

fn error(target: &Target, version: i16) {
    let there = target.topic("create");
    let fresh = target.unique("create");
    let refused = |new: CreatableTopic, error| {
        let created = create(target, version, vec![new], false).remove(0);
        fails(created.error_code, error);
        assert!(created.error_message.is_some_and(|text| !text.is_empty()));
        if version >= 7 {
            assert_eq!(created.topic_id, Uuid::nil());
        }
    };
    refused(topic(&there.name, 1), ResponseError::TopicAlreadyExists);
    refused(topic(&fresh, 0), ResponseError::InvalidPartitions);
    refused(topic("not/good", 1), ResponseError::InvalidTopicException);
    refused(topic("", 1), ResponseError::InvalidTopicException);
    refused(topic("..", 1), ResponseError::InvalidTopicException);
    refused(topic(&"x".repeat(250), 1), ResponseError::InvalidTopicException);
    refused(
        topic(&fresh, 1).with_replication_factor(99),
        ResponseError::InvalidReplicationFactor,
    );
    refused(
        topic(&fresh, 1).with_replication_factor(0),
        ResponseError::InvalidReplicationFactor,
    );
    refused(with(topic(&fresh, 1), "retention.ms", "soon"), ResponseError::InvalidConfig);
    refused(with(topic(&fresh, 1), "no.such.setting", "1"), ResponseError::InvalidConfig);
    let assigned = |broker: i32| {
        CreatableReplicaAssignment::default()
            .with_partition_index(0)
            .with_broker_ids(vec![BrokerId(broker)])
    };
    refused(
        topic(&fresh, -1)
            .with_replication_factor(-1)
            .with_assignments(vec![assigned(999)]),
        ResponseError::InvalidReplicaAssignment,
    );
    refused(
        topic(&fresh, 1).with_assignments(vec![assigned(1)]),
        ResponseError::InvalidRequest,
    );
}

/// Only checked, named twice, with the cluster's own numbers, and assigned by hand.
fn edge(target: &Target, version: i16) {
    let fresh = target.unique("create");
    let checked = create(target, version, vec![topic(&fresh, 2)], true).remove(0);
    ok(checked.error_code);
    if version >= 5 {
        assert_eq!(checked.num_partitions, 2);
    }
    let twice = vec![topic(&fresh, 1), topic(&fresh, 2)];
    let results = create(target, version, twice, false);
    assert_eq!(results.len(), 1);
    fails(results[0].error_code, ResponseError::InvalidRequest);

    // Two names that become one name of a metric.
    let dotted = format!("{fresh}.a_b");
    ok(create(target, version, vec![topic(&dotted, 1)], false)[0].error_code);
    let under = format!("{fresh}.a.b");
    fails(
        create(target, version, vec![topic(&under, 1)], false)[0].error_code,
        ResponseError::InvalidTopicException,
    );

    let brokers = target.any().call(9, &MetadataRequest::default()).brokers;
    let assigned = |partition: i32| {
        CreatableReplicaAssignment::default()
            .with_partition_index(partition)
            .with_broker_ids(vec![brokers[0].node_id])
    };
    let by_hand = topic(&fresh, -1)
        .with_replication_factor(-1)
        .with_assignments(vec![assigned(0), assigned(1)]);
    let created = create(target, version, vec![by_hand], false).remove(0);
    ok(created.error_code);
    if version >= 5 {
        assert_eq!((created.num_partitions, created.replication_factor), (2, 1));
    }
    if version >= 4 {
        let by_default = topic(&target.unique("create"), -1).with_replication_factor(-1);
        ok(create(target, version, vec![by_default], false)[0].error_code);
    }
}
