//! The cases of each API: one module, one test and one row of the table for each.

use kafka_protocol::messages::ApiKey;

use crate::check::{self, Cases};
use crate::target::Target;

macro_rules! apis {
    ($($module:ident: $key:ident,)*) => {
        $(pub(crate) mod $module;)*

        /// Every API that has cases.
        const TABLE: &[(ApiKey, &Cases)] = &[$((ApiKey::$key, &$module::CASES),)*];

        $(
            #[test]
            fn $module() {
                check::run(ApiKey::$key, &$module::CASES);
            }
        )*
    };
}

apis! {
    add_offsets_to_txn: AddOffsetsToTxn,
    add_partitions_to_txn: AddPartitionsToTxn,
    alter_configs: AlterConfigs,
    alter_partition_reassignments: AlterPartitionReassignments,
    alter_user_scram_credentials: AlterUserScramCredentials,
    api_versions: ApiVersions,
    create_acls: CreateAcls,
    create_partitions: CreatePartitions,
    create_topics: CreateTopics,
    delete_acls: DeleteAcls,
    delete_groups: DeleteGroups,
    delete_records: DeleteRecords,
    delete_topics: DeleteTopics,
    describe_acls: DescribeAcls,
    describe_client_quotas: DescribeClientQuotas,
    describe_cluster: DescribeCluster,
    describe_configs: DescribeConfigs,
    describe_groups: DescribeGroups,
    describe_log_dirs: DescribeLogDirs,
    describe_producers: DescribeProducers,
    describe_topic_partitions: DescribeTopicPartitions,
    describe_transactions: DescribeTransactions,
    elect_leaders: ElectLeaders,
    describe_user_scram_credentials: DescribeUserScramCredentials,
    end_txn: EndTxn,
    fetch: Fetch,
    find_coordinator: FindCoordinator,
    heartbeat: Heartbeat,
    incremental_alter_configs: IncrementalAlterConfigs,
    init_producer_id: InitProducerId,
    join_group: JoinGroup,
    leave_group: LeaveGroup,
    list_groups: ListGroups,
    list_offsets: ListOffsets,
    list_partition_reassignments: ListPartitionReassignments,
    list_transactions: ListTransactions,
    metadata: Metadata,
    offset_commit: OffsetCommit,
    offset_delete: OffsetDelete,
    offset_fetch: OffsetFetch,
    offset_for_leader_epoch: OffsetForLeaderEpoch,
    produce: Produce,
    sasl_authenticate: SaslAuthenticate,
    sasl_handshake: SaslHandshake,
    sync_group: SyncGroup,
    txn_offset_commit: TxnOffsetCommit,
    write_txn_markers: WriteTxnMarkers,
}

mod absent;
pub(crate) mod group;
pub(crate) mod txn;

#[test]
fn every_advertised_api_has_cases() {
    let target = Target::get();
    let without: Vec<i16> = target
        .embedded()
        .iter()
        .map(|(key, _)| *key)
        .filter(|key| TABLE.iter().all(|(known, _)| *known as i16 != *key))
        .collect();
    assert!(without.is_empty(), "advertised without cases: {without:?}");
}

/// On a cluster of Apache Kafka: whatever the embedded broker advertises is there too.
#[test]
fn no_version_is_advertised_that_the_cluster_does_not_know() {
    let target = Target::get();
    for (key, ours) in target.embedded() {
        let theirs = target.advertised().iter().find(|(known, _)| known == key);
        let (_, theirs) = theirs.unwrap_or_else(|| panic!("api {key} is not known"));
        assert!(
            theirs.start() <= ours.start() && ours.end() <= theirs.end(),
            "api {key}: {ours:?} is advertised, {theirs:?} is known"
        );
    }
}
