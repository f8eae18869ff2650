use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    DescribeClientQuotasRequest, DescribeClusterRequest, DescribeLogDirsRequest,
    DescribeTopicPartitionsRequest, OffsetForLeaderEpochRequest,
};

use crate::support::{BatchOf, TestBroker, name, string};

#[test]
fn the_cluster_is_one_broker() {
    let test = TestBroker::start();
    let mut raw = test.raw();
    let metadata = crate::topics::metadata(&mut raw, 9, None);
    let port = i32::from(test.broker().local_addr().port());
    for version in 0..=2 {
        let request = DescribeClusterRequest::default()
            .with_include_cluster_authorized_operations(true)
            .with_endpoint_type(1);
        let response = raw.call(version, &request);
        assert_eq!(response.error_code, 0);
        assert_eq!(Some(&response.cluster_id), metadata.cluster_id.as_ref());
        assert_eq!(response.controller_id.0, 1);
        let brokers: Vec<(i32, i32)> = response
            .brokers
            .iter()
            .map(|broker| (broker.broker_id.0, broker.port))
            .collect();
        assert_eq!(brokers, [(1, port)]);
        assert!(response.cluster_authorized_operations > 0);
        if version > 0 {
            let mut code = |kind| {
                let request = DescribeClusterRequest::default().with_endpoint_type(kind);
                raw.call(version, &request).error_code
            };
            assert_eq!(code(2), ResponseError::MismatchedEndpointType.code());
            assert_eq!(code(7), ResponseError::UnsupportedEndpointType.code());
        }
    }
}

#[test]
fn topics_are_described_page_by_page() {
    let test = TestBroker::start();
    test.topic("a", 2, &[]);
    test.topic("b", 3, &[]);
    let mut raw = test.raw();
    let mut ask = |topics: &[&str], limit, cursor: Option<(&str, i32)>| {
        let request = DescribeTopicPartitionsRequest::default()
            .with_topics(
                topics
                    .iter()
                    .map(|topic| TopicRequest::default().with_name(name(topic)))
                    .collect(),
            )
            .with_response_partition_limit(limit)
            .with_cursor(cursor.map(|(topic, index)| {
                Cursor::default()
                    .with_topic_name(name(topic))
                    .with_partition_index(index)
            }));
        let response = raw.call(0, &request);
        let found: Vec<(String, i16, Vec<i32>)> = response
            .topics
            .iter()
            .map(|topic| {
                let indexes = topic.partitions.iter().map(|found| found.partition_index);
                let name = topic.name.as_ref().unwrap().to_string();
                (name, topic.error_code, indexes.collect())
            })
            .collect();
        let next = response
            .next_cursor
            .map(|cursor| (cursor.topic_name.to_string(), cursor.partition_index));
        (found, next)
    };
    let topic = |name: &str, indexes: &[i32]| (name.to_owned(), 0, indexes.to_vec());
    let (all, next) = ask(&[], 2_000, None);
    assert_eq!(all, [topic("a", &[0, 1]), topic("b", &[0, 1, 2])]);
    assert_eq!(next, None);
    let (first, next) = ask(&["b", "a"], 3, None);
    assert_eq!(first, [topic("a", &[0, 1]), topic("b", &[0])]);
    assert_eq!(next, Some(("b".to_owned(), 1)));
    let (rest, next) = ask(&["b", "a"], 3, Some(("b", 1)));
    assert_eq!((rest, next), (vec![topic("b", &[1, 2])], None));
    // The limit ends just between two topics.
    let (first, next) = ask(&[], 2, None);
    assert_eq!(
        (first, next),
        (vec![topic("a", &[0, 1])], Some(("b".to_owned(), 0)))
    );
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    let invalid = ResponseError::InvalidTopicException.code();
    let (odd, _) = ask(&["nowhere", "a b"], 10, None);
    let wanted = [
        ("a b".to_owned(), invalid, vec![]),
        ("nowhere".to_owned(), unknown, vec![]),
    ];
    assert_eq!(odd, wanted);
}

#[test]
fn the_log_folder_is_described_with_what_each_partition_takes() {
    let test = TestBroker::start();
    test.topic("a", 2, &[]);
    test.topic("b", 1, &[]);
    let mut raw = test.raw();
    raw.produce("a", 1, BatchOf::values(&["x".repeat(1_000)]).bytes());
    for version in 1..=4 {
        let all = raw.call(
            version,
            &DescribeLogDirsRequest::default().with_topics(None),
        );
        assert_eq!((all.error_code, all.results.len()), (0, 1));
        let folder = &all.results[0];
        assert_eq!(folder.error_code, 0);
        assert_eq!(&*folder.log_dir, test.dir().display().to_string());
        let sizes: Vec<(&str, Vec<bool>)> = folder
            .topics
            .iter()
            .map(|topic| {
                let sizes = topic.partitions.iter();
                (
                    &**topic.name,
                    sizes.map(|found| found.partition_size > 1_000).collect(),
                )
            })
            .collect();
        assert_eq!(sizes, [("a", vec![false, true]), ("b", vec![false])]);
        if version == 4 {
            assert!(folder.total_bytes >= folder.usable_bytes && folder.usable_bytes > 0);
        }
        let some = DescribeLogDirsRequest::default().with_topics(Some(vec![
            DescribableLogDirTopic::default()
                .with_topic(name("a"))
                .with_partitions(vec![1, 9]),
            DescribableLogDirTopic::default()
                .with_topic(name("nowhere"))
                .with_partitions(vec![0]),
        ]));
        let topics = &raw.call(version, &some).results[0].topics;
        assert_eq!((topics.len(), topics[0].partitions.len()), (1, 1));
        assert_eq!(topics[0].partitions[0].partition_index, 1);
    }
}

#[test]
fn the_one_leader_epoch_ends_where_the_log_does() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    raw.produce("t", 0, BatchOf::values(&["1", "2", "3"]).bytes());
    for version in 2..=4 {
        let mut ask = |topic: &str, partition, current, epoch| {
            let request = OffsetForLeaderEpochRequest::default()
                .with_replica_id((-1).into())
                .with_topics(vec![
                    OffsetForLeaderTopic::default()
                        .with_topic(name(topic))
                        .with_partitions(vec![
                            OffsetForLeaderPartition::default()
                                .with_partition(partition)
                                .with_current_leader_epoch(current)
                                .with_leader_epoch(epoch),
                        ]),
                ]);
            let found = raw.call(version, &request).topics[0].partitions[0].clone();
            (found.error_code, found.leader_epoch, found.end_offset)
        };
        assert_eq!(ask("t", 0, -1, 0), (0, 0, 3));
        assert_eq!(ask("t", 0, 0, 0), (0, 0, 3));
        assert_eq!(ask("t", 0, -1, 5), (0, -1, -1), "an epoch that never was");
        let newer = ResponseError::UnknownLeaderEpoch.code();
        assert_eq!(ask("t", 0, 1, 0), (newer, -1, -1));
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        assert_eq!(ask("t", 7, -1, 0), (unknown, -1, -1));
        assert_eq!(ask("nowhere", 0, -1, 0), (unknown, -1, -1));
    }
}

#[test]
fn there_are_no_quotas() {
    let test = TestBroker::start();
    let mut raw = test.raw();
    for version in 0..=1 {
        let mut ask = |components: &[(&str, i8, Option<&str>)]| {
            let components = components
                .iter()
                .map(|(entity, kind, name)| {
                    ComponentData::default()
                        .with_entity_type(string(entity))
                        .with_match_type(*kind)
                        .with_match(name.map(string))
                })
                .collect();
            let request = DescribeClientQuotasRequest::default().with_components(components);
            let response = raw.call(version, &request);
            (
                response.error_code,
                response.entries.map(|entries| entries.len()),
            )
        };
        assert_eq!(ask(&[]), (0, Some(0)));
        assert_eq!(
            ask(&[("user", 2, None), ("client-id", 0, Some("c"))]),
            (0, Some(0))
        );
        let invalid = ResponseError::InvalidRequest.code();
        assert_eq!(ask(&[("user", 0, None)]), (invalid, None));
        assert_eq!(
            ask(&[("user", 2, None), ("user", 2, None)]),
            (invalid, None)
        );
        assert_eq!(ask(&[("user", 9, None)]), (invalid, None));
        let unsupported = ResponseError::UnsupportedVersion.code();
        assert_eq!(ask(&[("planet", 2, None)]), (unsupported, None));
    }
}
