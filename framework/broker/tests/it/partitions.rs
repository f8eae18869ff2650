use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, CreatePartitionsRequest, ElectLeadersRequest,
    ListPartitionReassignmentsRequest,
};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;

use crate::support::{BatchOf, Raw, TestBroker, name};

fn more(topic: &str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsTopic {
    CreatePartitionsTopic::default()
        .with_name(name(topic))
        .with_count(count)
        .with_assignments(assignments.map(|assignments| {
            assignments
                .iter()
                .map(|ids| {
                    CreatePartitionsAssignment::default()
                        .with_broker_ids(ids.iter().map(|id| (*id).into()).collect())
                })
                .collect()
        }))
}

fn add(raw: &mut Raw, version: i16, topic: CreatePartitionsTopic) -> i16 {
    let request = CreatePartitionsRequest::default().with_topics(vec![topic]);
    let result = raw.call(version, &request).results[0].clone();
    assert_eq!(result.error_message.is_some(), result.error_code != 0);
    result.error_code
}

fn partitions(raw: &mut Raw, topic: &str) -> usize {
    let response = crate::topics::metadata(raw, 9, Some(&[topic]));
    response.topics[0].partitions.len()
}

#[test]
fn partitions_are_added_and_outlive_a_crash() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[("max.message.bytes", "500")]);
    let mut raw = test.raw();
    let id = crate::topics::metadata(&mut raw, 10, Some(&["t"])).topics[0].topic_id;
    raw.produce("t", 0, BatchOf::values(&["before"]).bytes());
    for version in 0..=3 {
        let count = i32::from(version) + 2;
        assert_eq!(add(&mut raw, version, more("t", count, None)), 0);
        assert_eq!(partitions(&mut raw, "t"), usize::try_from(count).unwrap());
        let newest = BatchOf::values(&["new"]).bytes();
        assert_eq!(raw.produce("t", count - 1, newest).error_code, 0);
    }
    let large = BatchOf::values(&["x".repeat(600)]).bytes();
    let too_large = ResponseError::MessageTooLarge.code();
    assert_eq!(raw.produce("t", 4, large).error_code, too_large);
    assert_eq!(add(&mut raw, 3, more("t", 7, Some(&[&[1], &[1]]))), 0);
    for _ in 0..2 {
        let response = crate::topics::metadata(&mut raw, 10, Some(&["t"]));
        assert_eq!(
            (response.topics[0].topic_id, partitions(&mut raw, "t")),
            (id, 7)
        );
        assert_eq!(raw.read_all("t", 0, 0).len(), 1);
        assert_eq!(raw.read_all("t", 4, 0).len(), 1);
        test.crash();
        test.start_again();
        raw = test.raw();
    }
}

#[test]
fn what_is_no_increase_is_refused() {
    let test = TestBroker::start_with(|config| config.max_partitions = 5);
    test.topic("t", 2, &[]);
    let mut raw = test.raw();
    use ResponseError::{
        InvalidPartitions, InvalidReplicaAssignment, InvalidRequest, UnknownTopicOrPartition,
    };
    let cases = [
        (more("nowhere", 3, None), UnknownTopicOrPartition),
        (more("t", 2, None), InvalidPartitions),
        (more("t", 1, None), InvalidPartitions),
        (more("t", 0, None), InvalidPartitions),
        (more("t", -1, None), InvalidPartitions),
        (more("t", 6, None), InvalidPartitions),
        (more("t", i32::MAX, None), InvalidPartitions),
        (more("t", 4, Some(&[&[1]])), InvalidReplicaAssignment),
        (more("t", 3, Some(&[&[1], &[1]])), InvalidReplicaAssignment),
        (more("t", 3, Some(&[&[2]])), InvalidReplicaAssignment),
        (more("t", 3, Some(&[&[1, 1]])), InvalidReplicaAssignment),
        (more("t", 3, Some(&[&[]])), InvalidReplicaAssignment),
    ];
    for (topic, expected) in cases {
        for version in [0, 3] {
            let code = add(&mut raw, version, topic.clone());
            assert_eq!(code, expected.code(), "{topic:?}");
        }
    }
    let twice = CreatePartitionsRequest::default()
        .with_topics(vec![more("t", 3, None), more("t", 4, None)]);
    let results = raw.call(3, &twice).results;
    assert_eq!(
        (results.len(), results[0].error_code),
        (1, InvalidRequest.code())
    );
    let trial = CreatePartitionsRequest::default()
        .with_validate_only(true)
        .with_topics(vec![more("t", 5, None), more("nowhere", 5, None)]);
    let codes: Vec<i16> = raw
        .call(3, &trial)
        .results
        .iter()
        .map(|r| r.error_code)
        .collect();
    assert_eq!(codes, [0, UnknownTopicOrPartition.code()]);
    assert_eq!(partitions(&mut raw, "t"), 2);
}

#[test]
fn librdkafka_adds_partitions() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let admin: AdminClient<DefaultClientContext> = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", test.bootstrap())
        .create()
        .unwrap();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(5)));
    let add = |count| {
        let wanted = [NewPartitions::new("t", count)];
        test.runtime
            .block_on(admin.create_partitions(&wanted, &options))
            .unwrap()
    };
    assert_eq!(add(3), [Ok("t".to_owned())]);
    assert!(add(2)[0].is_err());
    assert_eq!(partitions(&mut test.raw(), "t"), 3);
}

#[test]
fn no_election_is_needed_and_nothing_moves() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    use ResponseError::{
        ElectionNotNeeded, InvalidReplicaAssignment, InvalidRequest, NoReassignmentInProgress,
        UnknownTopicOrPartition,
    };
    for version in 0..=2 {
        let request = ElectLeadersRequest::default().with_topic_partitions(Some(vec![
            TopicPartitions::default()
                .with_topic(name("t"))
                .with_partitions(vec![0, 9]),
        ]));
        let response = raw.call(version, &request);
        assert_eq!(response.error_code, 0);
        let codes: Vec<i16> = response.replica_election_results[0]
            .partition_result
            .iter()
            .map(|result| result.error_code)
            .collect();
        assert_eq!(
            codes,
            [ElectionNotNeeded.code(), UnknownTopicOrPartition.code()]
        );
        let all = raw.call(version, &request.clone().with_topic_partitions(None));
        assert!(all.replica_election_results[0].partition_result.is_empty());
        if version > 0 {
            let odd = raw.call(version, &request.with_election_type(7));
            assert_eq!(odd.error_code, InvalidRequest.code());
        }
    }
    for version in 0..=1 {
        let mut code = |topic: &str, index, replicas: Option<&[i32]>| {
            let replicas = replicas.map(|ids| ids.iter().map(|id| (*id).into()).collect());
            let partition = ReassignablePartition::default()
                .with_partition_index(index)
                .with_replicas(replicas);
            let request = AlterPartitionReassignmentsRequest::default().with_topics(vec![
                ReassignableTopic::default()
                    .with_name(name(topic))
                    .with_partitions(vec![partition]),
            ]);
            let response = raw.call(version, &request);
            assert_eq!(response.error_code, 0);
            response.responses[0].partitions[0].error_code
        };
        assert_eq!(code("t", 0, Some(&[1])), 0);
        assert_eq!(code("t", 0, None), NoReassignmentInProgress.code());
        assert_eq!(code("t", 0, Some(&[2])), InvalidReplicaAssignment.code());
        assert_eq!(code("t", 0, Some(&[1, 1])), InvalidReplicaAssignment.code());
        assert_eq!(code("t", 0, Some(&[])), InvalidReplicaAssignment.code());
        assert_eq!(code("t", 1, Some(&[1])), UnknownTopicOrPartition.code());
        assert_eq!(code("nowhere", 0, None), UnknownTopicOrPartition.code());
    }
    let listed = raw.call(
        0,
        &ListPartitionReassignmentsRequest::default().with_topics(None),
    );
    assert_eq!((listed.error_code, listed.topics.len()), (0, 0));
}
