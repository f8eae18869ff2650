//! Access control of what administrators ask: the cases of `security_apis`, and what is
//! shown or changed in part.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource as Incremental;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterPartitionReassignmentsRequest, ApiKey, CreatePartitionsRequest,
    DeleteGroupsRequest, DeleteRecordsRequest, DescribeClientQuotasRequest, DescribeClusterRequest,
    DescribeGroupsRequest, DescribeLogDirsRequest, DescribeTopicPartitionsRequest,
    ElectLeadersRequest, GroupId, IncrementalAlterConfigsRequest, ListGroupsRequest,
    ListPartitionReassignmentsRequest, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest, OffsetForLeaderEpochRequest,
};

use crate::security_support::codes::{
    CLUSTER, CLUSTER_ACTION, DELETE, DESCRIBE, GROUP, LITERAL, READ, TOPIC,
};
use crate::security_support::{allow, raw_as, with_acls};
use crate::support::{Raw, TestBroker, name, string};

const DENIED_TOPIC: i16 = ResponseError::TopicAuthorizationFailed.code();
const DENIED_GROUP: i16 = ResponseError::GroupAuthorizationFailed.code();
const DENIED_CLUSTER: i16 = ResponseError::ClusterAuthorizationFailed.code();
/// A topic, this broker, and what is set for all brokers.
const CONFIGURED: [(i8, &str); 3] = [(2, "t"), (4, "1"), (4, "")];

/// As `codes` of `security_apis`; `None` when the API is not one of administrators.
pub(crate) fn codes(raw: &mut Raw, key: ApiKey) -> Option<Vec<i16>> {
    Some(match key {
        ApiKey::AlterConfigs => {
            let resources = CONFIGURED.map(|(kind, name)| {
                AlterConfigsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(string(name))
            });
            let request = AlterConfigsRequest::default().with_resources(resources.to_vec());
            let responses = raw.call(2, &request).responses;
            responses.iter().map(|one| one.error_code).collect()
        }
        ApiKey::IncrementalAlterConfigs => {
            let resources = CONFIGURED.map(|(kind, name)| {
                Incremental::default()
                    .with_resource_type(kind)
                    .with_resource_name(string(name))
            });
            let request =
                IncrementalAlterConfigsRequest::default().with_resources(resources.to_vec());
            let responses = raw.call(1, &request).responses;
            responses.iter().map(|one| one.error_code).collect()
        }
        ApiKey::CreatePartitions => {
            let topic = CreatePartitionsTopic::default()
                .with_name(name("t"))
                .with_count(2)
                .with_assignments(None);
            let request = CreatePartitionsRequest::default()
                .with_topics(vec![topic])
                .with_timeout_ms(5_000);
            vec![raw.call(3, &request).results[0].error_code]
        }
        ApiKey::DescribeCluster => {
            let request =
                DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
            let response = raw.call(2, &request);
            assert_eq!(response.brokers.len(), 1, "this much is for everybody");
            // Operations are told to who may describe the cluster.
            vec![match response.cluster_authorized_operations {
                0 => DENIED_CLUSTER,
                _ => 0,
            }]
        }
        ApiKey::DescribeTopicPartitions => {
            let topic = TopicRequest::default().with_name(name("t"));
            let request = DescribeTopicPartitionsRequest::default().with_topics(vec![topic]);
            let topics = raw.call(0, &request).topics;
            assert_eq!(topics[0].partitions.is_empty(), topics[0].error_code != 0);
            vec![topics[0].error_code]
        }
        ApiKey::DescribeClientQuotas => {
            let response = raw.call(1, &DescribeClientQuotasRequest::default());
            vec![response.error_code]
        }
        ApiKey::DescribeGroups => {
            let request = DescribeGroupsRequest::default().with_groups(vec![group("g")]);
            [0, 6]
                .map(|version| raw.call(version, &request).groups[0].error_code)
                .to_vec()
        }
        ApiKey::ListGroups => {
            let response = raw.call(5, &ListGroupsRequest::default());
            assert_eq!(response.error_code, 0);
            // What is left out is how this API refuses.
            vec![match response.groups.is_empty() {
                true => DENIED_GROUP,
                false => 0,
            }]
        }
        ApiKey::DeleteGroups => {
            let request = DeleteGroupsRequest::default().with_groups_names(vec![group("g")]);
            vec![raw.call(2, &request).results[0].error_code]
        }
        ApiKey::OffsetDelete => vec![delete_offsets(raw, &["t"]).0],
        ApiKey::OffsetForLeaderEpoch => vec![epoch(raw, "t")],
        ApiKey::DescribeLogDirs => {
            let request = DescribeLogDirsRequest::default().with_topics(None);
            let before = raw.call(2, &request).results;
            let response = raw.call(4, &request);
            assert_eq!(before.is_empty(), response.results.is_empty());
            vec![response.error_code]
        }
        ApiKey::DeleteRecords => {
            let topic = DeleteRecordsTopic::default()
                .with_name(name("t"))
                .with_partitions(vec![DeleteRecordsPartition::default()]);
            let request = DeleteRecordsRequest::default().with_topics(vec![topic]);
            let partition = |raw: &mut Raw, version| {
                raw.call(version, &request).topics[0].partitions[0].error_code
            };
            vec![partition(raw, 0), partition(raw, 2)]
        }
        ApiKey::ElectLeaders => {
            let topic = TopicPartitions::default()
                .with_topic(name("t"))
                .with_partitions(vec![0]);
            let request = ElectLeadersRequest::default().with_topic_partitions(Some(vec![topic]));
            let partition = |raw: &mut Raw, version| {
                let response = raw.call(version, &request);
                let results = &response.replica_election_results;
                (
                    response.error_code,
                    results[0].partition_result[0].error_code,
                )
            };
            let (whole, one) = partition(raw, 2);
            let (_, old) = partition(raw, 0);
            let all = request.clone().with_topic_partitions(None);
            let all = raw.call(2, &all);
            assert_eq!(all.replica_election_results.is_empty(), all.error_code != 0);
            match whole {
                0 => vec![one, old],
                whole => vec![whole, one, old],
            }
        }
        ApiKey::AlterPartitionReassignments => {
            let partition = ReassignablePartition::default().with_replicas(Some(vec![1.into()]));
            let topic = ReassignableTopic::default()
                .with_name(name("t"))
                .with_partitions(vec![partition]);
            let request = AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]);
            let response = raw.call(1, &request);
            let one = response.responses[0].partitions[0].error_code;
            vec![response.error_code, one]
        }
        ApiKey::ListPartitionReassignments => {
            let request = ListPartitionReassignmentsRequest::default().with_topics(None);
            vec![raw.call(0, &request).error_code]
        }
        _ => return None,
    })
}

fn group(id: &str) -> GroupId {
    GroupId(string(id))
}

fn epoch(raw: &mut Raw, topic: &str) -> i16 {
    let topic = OffsetForLeaderTopic::default()
        .with_topic(name(topic))
        .with_partitions(vec![OffsetForLeaderPartition::default()]);
    let request = OffsetForLeaderEpochRequest::default()
        .with_replica_id((-1).into())
        .with_topics(vec![topic]);
    raw.call(4, &request).topics[0].partitions[0].error_code
}

/// Deletes the offsets of group `g` in partition 0; the code of the whole and of each topic.
fn delete_offsets(raw: &mut Raw, topics: &[&str]) -> (i16, Vec<i16>) {
    let topics = topics.iter().map(|topic| {
        OffsetDeleteRequestTopic::default()
            .with_name(name(topic))
            .with_partitions(vec![OffsetDeleteRequestPartition::default()])
    });
    let request = OffsetDeleteRequest::default()
        .with_group_id(group("g"))
        .with_topics(topics.collect());
    let response = raw.call(0, &request);
    let topics = response.topics.iter();
    let codes = topics.map(|topic| topic.partitions[0].error_code);
    (response.error_code, codes.collect())
}

fn commit(test: &TestBroker, id: &str, topic: &str) {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(1);
    let topic = OffsetCommitRequestTopic::default()
        .with_name(name(topic))
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group(id))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    let response = test.raw().call(8, &request);
    assert_eq!(response.topics[0].partitions[0].error_code, 0);
}

#[test]
fn groups_are_listed_as_far_as_they_may_be_described() {
    let test = with_acls(&["alice"]);
    test.topic("t", 1, &[]);
    commit(&test, "mine", "t");
    commit(&test, "other", "t");
    let mut raw = raw_as(&test, "alice");
    let mut listed = || {
        let response = raw.call(5, &ListGroupsRequest::default());
        let groups = response.groups.iter();
        let mut groups: Vec<String> = groups.map(|group| group.group_id.to_string()).collect();
        groups.sort();
        groups
    };
    assert!(listed().is_empty());
    allow(&test, (GROUP, "mine", LITERAL), "alice", DESCRIBE);
    assert_eq!(listed(), ["mine"]);
    let cluster = (CLUSTER, "kafka-cluster", LITERAL);
    allow(&test, cluster, "alice", DESCRIBE);
    assert_eq!(listed(), ["mine", "other"]);
    let request = DescribeGroupsRequest::default()
        .with_include_authorized_operations(true)
        .with_groups(vec![group("mine"), group("other")]);
    let described = raw_as(&test, "alice").call(5, &request).groups;
    assert_eq!(described[0].error_code, 0);
    assert_eq!(described[0].authorized_operations, 1 << DESCRIBE);
    assert_eq!(described[1].error_code, DENIED_GROUP);
    assert_eq!(described[1].authorized_operations, i32::MIN);
}

#[test]
fn offsets_are_deleted_of_topics_that_may_be_read() {
    let test = with_acls(&["alice"]);
    for topic in ["hidden", "seen"] {
        test.topic(topic, 1, &[]);
        commit(&test, "g", topic);
    }
    let left = || -> Vec<String> {
        let request = OffsetFetchRequest::default()
            .with_group_id(group("g"))
            .with_topics(None);
        let topics = test.raw().call(7, &request).topics;
        topics.iter().map(|topic| topic.name.to_string()).collect()
    };
    let mut raw = raw_as(&test, "alice");
    let mut delete = |topics: &[&str]| delete_offsets(&mut raw, topics);
    assert_eq!(delete(&["seen"]), (DENIED_GROUP, vec![]));
    allow(&test, (GROUP, "g", LITERAL), "alice", DELETE);
    assert_eq!(delete(&["seen"]), (0, vec![DENIED_TOPIC]));
    allow(&test, (TOPIC, "seen", LITERAL), "alice", READ);
    assert_eq!(left(), ["hidden", "seen"]);
    assert_eq!(
        delete(&["hidden", "seen", "nowhere"]),
        (0, vec![DENIED_TOPIC, 0, DENIED_TOPIC])
    );
    assert_eq!(left(), ["hidden"]);
}

#[test]
fn topics_are_described_as_far_as_they_may_be() {
    let test = with_acls(&["alice"]);
    test.topic("hidden", 1, &[]);
    test.topic("seen", 1, &[]);
    allow(&test, (TOPIC, "seen", LITERAL), "alice", READ);
    let mut raw = raw_as(&test, "alice");
    let mut ask = |topics: &[&str]| -> Vec<(String, i16, i32)> {
        let topics = topics.iter();
        let topics = topics.map(|topic| TopicRequest::default().with_name(name(topic)));
        let request = DescribeTopicPartitionsRequest::default().with_topics(topics.collect());
        let topics = raw.call(0, &request).topics;
        topics
            .into_iter()
            .map(|topic| {
                let name = topic.name.unwrap().to_string();
                (name, topic.error_code, topic.topic_authorized_operations)
            })
            .collect()
    };
    // To read implies to describe.
    let seen = ("seen".to_owned(), 0, 1 << READ | 1 << DESCRIBE);
    assert_eq!(ask(&[]), std::slice::from_ref(&seen));
    // One that is not there is refused like one that is.
    let refused = |name: &str| (name.to_owned(), DENIED_TOPIC, i32::MIN);
    assert_eq!(
        ask(&["hidden", "nowhere", "seen"]),
        [refused("hidden"), refused("nowhere"), seen]
    );
}

#[test]
fn brokers_may_ask_for_the_epochs_of_any_topic() {
    let test = with_acls(&["alice", "bob"]);
    test.topic("t", 1, &[]);
    let mut alice = raw_as(&test, "alice");
    assert_eq!(epoch(&mut alice, "t"), DENIED_TOPIC);
    allow(&test, (TOPIC, "t", LITERAL), "alice", DESCRIBE);
    assert_eq!(epoch(&mut alice, "t"), 0);
    let mut bob = raw_as(&test, "bob");
    assert_eq!(epoch(&mut bob, "t"), DENIED_TOPIC);
    let cluster = (CLUSTER, "kafka-cluster", LITERAL);
    allow(&test, cluster, "bob", CLUSTER_ACTION);
    assert_eq!(epoch(&mut bob, "t"), 0);
}
