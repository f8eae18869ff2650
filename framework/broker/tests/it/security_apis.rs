//! Every API that is advertised refuses who has no right to what it touches.
//!
//! A new API has no case here, and this test fails until it has one.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AlterUserScramCredentialsRequest, ApiKey,
    ApiVersionsRequest, CreateAclsRequest, DeleteAclsRequest, DeleteTopicsRequest,
    DescribeAclsRequest, DescribeConfigsRequest, DescribeProducersRequest,
    DescribeTransactionsRequest, DescribeUserScramCredentialsRequest, EndTxnRequest,
    FindCoordinatorRequest, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest,
    LeaveGroupRequest, ListTransactionsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetFetchRequest, SyncGroupRequest, TransactionalId, TxnOffsetCommitRequest,
    WriteTxnMarkersRequest,
};

use crate::security_admin;
use crate::security_support::codes::{ALLOW, LITERAL, READ, TOPIC};
use crate::security_support::{entry, raw_as, with_acls};
use crate::support::{BatchOf, Raw, fetch_request, name, produce_request, string};
use crate::txn_support::{init, init_request};

/// The error codes that the newest version (of those that name topics) answers with, about
/// topic `t`, group `g`, transactional id `x` and the cluster.
fn codes(raw: &mut Raw, key: ApiKey) -> Vec<i16> {
    match key {
        ApiKey::Produce => {
            let records = BatchOf::values(&["v"]).bytes();
            let plain = raw.produce("t", 0, records.clone()).error_code;
            let request = produce_request("t", 0, -1, Some(records))
                .with_transactional_id(Some(string("x").into()));
            let response = raw.call(9, &request);
            vec![
                plain,
                response.responses[0].partition_responses[0].error_code,
            ]
        }
        ApiKey::Fetch => {
            let request = fetch_request("t", &[(0, 0, 1 << 20)], 0, 1);
            let partitions = &raw.call(11, &request).responses[0].partitions;
            assert!(
                partitions[0]
                    .records
                    .as_ref()
                    .is_none_or(bytes::Bytes::is_empty)
                    || partitions[0].error_code == 0
            );
            vec![partitions[0].error_code]
        }
        ApiKey::ListOffsets => vec![raw.list_offset("t", 0, -1).error_code],
        ApiKey::Metadata => {
            let topic = MetadataRequestTopic::default().with_name(Some(name("t")));
            let request = MetadataRequest::default().with_topics(Some(vec![topic]));
            vec![raw.call(13, &request).topics[0].error_code]
        }
        ApiKey::OffsetCommit => {
            let partition = OffsetCommitRequestPartition::default().with_committed_offset(1);
            let topic = OffsetCommitRequestTopic::default()
                .with_name(name("t"))
                .with_partitions(vec![partition]);
            let request = OffsetCommitRequest::default()
                .with_group_id(string("g").into())
                .with_generation_id_or_member_epoch(-1)
                .with_topics(vec![topic]);
            vec![raw.call(9, &request).topics[0].partitions[0].error_code]
        }
        ApiKey::OffsetFetch => {
            let topic = OffsetFetchRequestTopics::default()
                .with_name(name("t"))
                .with_partition_indexes(vec![0]);
            let group = OffsetFetchRequestGroup::default()
                .with_group_id(string("g").into())
                .with_member_epoch(-1)
                .with_topics(Some(vec![topic]));
            let request = OffsetFetchRequest::default().with_groups(vec![group]);
            let new = raw.call(9, &request).groups[0].error_code;
            let topic =
                kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic::default()
                    .with_name(name("t"))
                    .with_partition_indexes(vec![0]);
            let request = OffsetFetchRequest::default()
                .with_group_id(string("g").into())
                .with_topics(Some(vec![topic]));
            let old = raw.call(7, &request).error_code;
            let oldest = raw.call(1, &request).topics[0].partitions[0].error_code;
            vec![new, old, oldest]
        }
        ApiKey::FindCoordinator => [0, 1]
            .map(|key_type| {
                let request = FindCoordinatorRequest::default()
                    .with_key_type(key_type)
                    .with_coordinator_keys(vec![string("g")]);
                raw.call(4, &request).coordinators[0].error_code
            })
            .to_vec(),
        ApiKey::JoinGroup => {
            let request = JoinGroupRequest::default()
                .with_group_id(string("g").into())
                .with_session_timeout_ms(10_000)
                .with_rebalance_timeout_ms(10_000)
                .with_protocol_type(string("consumer"));
            vec![raw.call(5, &request).error_code]
        }
        ApiKey::Heartbeat => {
            let request = HeartbeatRequest::default()
                .with_group_id(string("g").into())
                .with_member_id(string("m"));
            vec![raw.call(4, &request).error_code]
        }
        ApiKey::LeaveGroup => {
            let request = LeaveGroupRequest::default().with_group_id(string("g").into());
            vec![raw.call(5, &request).error_code]
        }
        ApiKey::SyncGroup => {
            let request = SyncGroupRequest::default()
                .with_group_id(string("g").into())
                .with_member_id(string("m"));
            vec![raw.call(4, &request).error_code]
        }
        ApiKey::CreateTopics => vec![raw.create_topic("new", 1, &[])],
        ApiKey::DeleteTopics => {
            let topic = DeleteTopicState::default()
                .with_name(Some(name("t")))
                .with_topic_id(uuid::Uuid::nil());
            let request = DeleteTopicsRequest::default()
                .with_topics(vec![topic])
                .with_timeout_ms(5_000);
            vec![raw.call(6, &request).responses[0].error_code]
        }
        ApiKey::InitProducerId => [None, Some(string("x").into())]
            .map(|id| {
                let request = InitProducerIdRequest::default()
                    .with_transactional_id(id)
                    .with_transaction_timeout_ms(10_000)
                    .with_producer_id((-1).into())
                    .with_producer_epoch(-1);
                raw.call(5, &request).error_code
            })
            .to_vec(),
        ApiKey::DescribeConfigs => {
            let resource = |kind: i8, name: &str| {
                DescribeConfigsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(string(name))
                    .with_configuration_keys(None)
            };
            let resources = vec![resource(2, "t"), resource(4, "1"), resource(4, "")];
            let request = DescribeConfigsRequest::default().with_resources(resources);
            let results = raw.call(4, &request).results;
            results.iter().map(|result| result.error_code).collect()
        }
        ApiKey::DescribeAcls => {
            let request = DescribeAclsRequest::default()
                .with_resource_type_filter(1)
                .with_pattern_type_filter(1)
                .with_operation(1)
                .with_permission_type(1);
            vec![raw.call(3, &request).error_code]
        }
        ApiKey::CreateAcls => {
            let acl = entry((TOPIC, "t", LITERAL), "User:mallory", READ, ALLOW);
            let acl = acl.with_host(string("10.9.8.7"));
            let request = CreateAclsRequest::default().with_creations(vec![acl]);
            vec![raw.call(3, &request).results[0].error_code]
        }
        ApiKey::DeleteAcls => {
            let filter = DeleteAclsFilter::default()
                .with_resource_type_filter(1)
                .with_pattern_type_filter(1)
                .with_operation(1)
                .with_permission_type(1);
            let request = DeleteAclsRequest::default().with_filters(vec![filter]);
            vec![raw.call(3, &request).filter_results[0].error_code]
        }
        ApiKey::DescribeUserScramCredentials => {
            let request = DescribeUserScramCredentialsRequest::default().with_users(None);
            vec![raw.call(0, &request).error_code]
        }
        ApiKey::AlterUserScramCredentials => {
            let deletion = kafka_protocol::messages::alter_user_scram_credentials_request::ScramCredentialDeletion::default()
                .with_name(string("somebody"))
                .with_mechanism(1);
            let request =
                AlterUserScramCredentialsRequest::default().with_deletions(vec![deletion]);
            vec![raw.call(0, &request).results[0].error_code]
        }
        ApiKey::AddPartitionsToTxn => {
            let topic = AddPartitionsToTxnTopic::default()
                .with_name(name("t"))
                .with_partitions(vec![0]);
            let request = AddPartitionsToTxnRequest::default()
                .with_v3_and_below_transactional_id(string("x").into())
                .with_v3_and_below_topics(vec![topic.clone()]);
            let results = raw.call(3, &request).results_by_topic_v3_and_below;
            let old = results[0].results_by_partition[0].partition_error_code;
            let transaction = AddPartitionsToTxnTransaction::default()
                .with_transactional_id(string("x").into())
                .with_topics(vec![topic]);
            let request = AddPartitionsToTxnRequest::default().with_transactions(vec![transaction]);
            vec![old, raw.call(5, &request).error_code]
        }
        ApiKey::AddOffsetsToTxn => {
            let request = AddOffsetsToTxnRequest::default()
                .with_transactional_id(string("x").into())
                .with_group_id(string("g").into());
            vec![raw.call(4, &request).error_code]
        }
        ApiKey::TxnOffsetCommit => {
            let topic = TxnOffsetCommitRequestTopic::default()
                .with_name(name("t"))
                .with_partitions(vec![TxnOffsetCommitRequestPartition::default()]);
            let request = TxnOffsetCommitRequest::default()
                .with_transactional_id(string("x").into())
                .with_group_id(string("g").into())
                .with_topics(vec![topic]);
            vec![raw.call(4, &request).topics[0].partitions[0].error_code]
        }
        ApiKey::EndTxn => {
            let request = EndTxnRequest::default().with_transactional_id(string("x").into());
            vec![raw.call(4, &request).error_code]
        }
        ApiKey::WriteTxnMarkers => {
            let topic = WritableTxnMarkerTopic::default()
                .with_name(name("t"))
                .with_partition_indexes(vec![0]);
            let marker = WritableTxnMarker::default().with_topics(vec![topic]);
            let request = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
            vec![raw.call(1, &request).markers[0].topics[0].partitions[0].error_code]
        }
        ApiKey::DescribeTransactions => {
            let ids = vec![TransactionalId(string("x"))];
            let request = DescribeTransactionsRequest::default().with_transactional_ids(ids);
            vec![raw.call(0, &request).transaction_states[0].error_code]
        }
        ApiKey::ListTransactions => {
            let response = raw.call(1, &ListTransactionsRequest::default());
            assert_eq!(response.error_code, 0);
            // An id that is left out is how this API refuses.
            vec![match response.transaction_states.is_empty() {
                true => ResponseError::TransactionalIdAuthorizationFailed.code(),
                false => 0,
            }]
        }
        ApiKey::DescribeProducers => {
            let topic = TopicRequest::default()
                .with_name(name("t"))
                .with_partition_indexes(vec![0]);
            let request = DescribeProducersRequest::default().with_topics(vec![topic]);
            vec![raw.call(0, &request).topics[0].partitions[0].error_code]
        }
        key => security_admin::codes(raw, key).unwrap_or_else(|| {
            panic!("{key:?} has no case: write one that is refused without a right to it")
        }),
    }
}

#[test]
fn every_advertised_api_refuses_who_has_no_right() {
    let test = with_acls(&["mallory"]);
    let denials = [
        ResponseError::TopicAuthorizationFailed,
        ResponseError::GroupAuthorizationFailed,
        ResponseError::ClusterAuthorizationFailed,
        ResponseError::TransactionalIdAuthorizationFailed,
    ]
    .map(|error| error.code());
    let request = ApiVersionsRequest::default()
        .with_client_software_name(string("raw"))
        .with_client_software_version(string("1"));
    let advertised = raw_as(&test, "mallory").call(4, &request).api_keys;
    assert!(advertised.len() >= 46);
    for api in advertised {
        let key = ApiKey::try_from(api.api_key).unwrap();
        // Open to everybody: they tell nothing and change nothing.
        if matches!(
            key,
            ApiKey::ApiVersions | ApiKey::SaslHandshake | ApiKey::SaslAuthenticate
        ) {
            continue;
        }
        // For each API anew, so that nothing that one does changes the answer of another.
        let _ = raw_as(&test, "admin").create_topic("t", 1, &[]);
        let begun = init(&mut raw_as(&test, "admin"), &init_request("x", 10_000));
        assert_eq!(begun.error_code, 0);
        let committed = codes(&mut raw_as(&test, "admin"), ApiKey::OffsetCommit);
        assert_eq!(committed, [0]);
        let written = || test.raw().read_all("t", 0, 0).len();
        let before = written();
        let refused = codes(&mut raw_as(&test, "mallory"), key);
        assert_eq!(written(), before, "{key:?} writes for who has no right");
        assert!(
            !refused.is_empty() && refused.iter().all(|code| denials.contains(code)),
            "{key:?} answers {refused:?} to who has no right"
        );
        let answered = codes(&mut raw_as(&test, "admin"), key);
        assert!(
            !answered.iter().any(|code| denials.contains(code)),
            "{key:?} answers {answered:?} to who has every right"
        );
    }
}
