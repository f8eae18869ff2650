//! The shapes of the requests of administrators.

use kafka_protocol::messages::ApiKey;

use super::Part::{Each, Maybe, Plain, Text};
use super::{BOOL, I8, I32, I64, Shape, all, since};

const ALTER_CONFIGS: Shape = (
    2,
    &[
        all(Each(&[
            all(I8),
            all(Text),
            all(Each(&[all(Text), all(Text)])),
        ])),
        all(BOOL),
    ],
);
const INCREMENTAL_ALTER_CONFIGS: Shape = (
    1,
    &[
        all(Each(&[
            all(I8),
            all(Text),
            all(Each(&[all(Text), all(I8), all(Text)])),
        ])),
        all(BOOL),
    ],
);
const CREATE_PARTITIONS: Shape = (
    2,
    &[
        all(Each(&[all(Text), all(I32), all(Each(&[all(Plain(&I32))]))])),
        all(I32),
        all(BOOL),
    ],
);
const DELETE_RECORDS: Shape = (
    2,
    &[
        all(Each(&[all(Text), all(Each(&[all(I32), all(I64)]))])),
        all(I32),
    ],
);
const DESCRIBE_GROUPS: Shape = (5, &[all(Plain(&Text)), since(3, BOOL)]);
const LIST_GROUPS: Shape = (3, &[since(4, Plain(&Text)), since(5, Plain(&Text))]);
const DELETE_GROUPS: Shape = (2, &[all(Plain(&Text))]);
const OFFSET_DELETE: Shape = (
    i16::MAX,
    &[all(Text), all(Each(&[all(Text), all(Each(&[all(I32)]))]))],
);
const OFFSET_FOR_LEADER_EPOCH: Shape = (
    4,
    &[
        since(3, I32),
        all(Each(&[
            all(Text),
            all(Each(&[all(I32), all(I32), all(I32)])),
        ])),
    ],
);
const DESCRIBE_LOG_DIRS: Shape = (2, &[all(Each(&[all(Text), all(Plain(&I32))]))]);
const ELECT_LEADERS: Shape = (
    2,
    &[
        since(1, I8),
        all(Each(&[all(Text), all(Plain(&I32))])),
        all(I32),
    ],
);
const ALTER_PARTITION_REASSIGNMENTS: Shape = (
    0,
    &[
        all(I32),
        since(1, BOOL),
        all(Each(&[all(Text), all(Each(&[all(I32), all(Plain(&I32))]))])),
    ],
);
const LIST_PARTITION_REASSIGNMENTS: Shape =
    (0, &[all(I32), all(Each(&[all(Text), all(Plain(&I32))]))]);
const DESCRIBE_CLIENT_QUOTAS: Shape =
    (1, &[all(Each(&[all(Text), all(I8), all(Text)])), all(BOOL)]);
const DESCRIBE_CLUSTER: Shape = (0, &[all(BOOL), since(1, I8), since(2, BOOL)]);
const DESCRIBE_TOPIC_PARTITIONS: Shape = (
    0,
    &[
        all(Each(&[all(Text)])),
        all(I32),
        all(Maybe(&[all(Text), all(I32)])),
    ],
);

pub(super) fn shape(key: ApiKey) -> Option<Shape> {
    Some(match key {
        ApiKey::AlterConfigs => ALTER_CONFIGS,
        ApiKey::IncrementalAlterConfigs => INCREMENTAL_ALTER_CONFIGS,
        ApiKey::CreatePartitions => CREATE_PARTITIONS,
        ApiKey::DeleteRecords => DELETE_RECORDS,
        ApiKey::DescribeGroups => DESCRIBE_GROUPS,
        ApiKey::ListGroups => LIST_GROUPS,
        ApiKey::DeleteGroups => DELETE_GROUPS,
        ApiKey::OffsetDelete => OFFSET_DELETE,
        ApiKey::OffsetForLeaderEpoch => OFFSET_FOR_LEADER_EPOCH,
        ApiKey::DescribeLogDirs => DESCRIBE_LOG_DIRS,
        ApiKey::ElectLeaders => ELECT_LEADERS,
        ApiKey::AlterPartitionReassignments => ALTER_PARTITION_REASSIGNMENTS,
        ApiKey::ListPartitionReassignments => LIST_PARTITION_REASSIGNMENTS,
        ApiKey::DescribeClientQuotas => DESCRIBE_CLIENT_QUOTAS,
        ApiKey::DescribeCluster => DESCRIBE_CLUSTER,
        ApiKey::DescribeTopicPartitions => DESCRIBE_TOPIC_PARTITIONS,
        _ => return None,
    })
}
