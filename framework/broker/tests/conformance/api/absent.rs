//! What Apache Kafka serves and the embedded broker does not, with the reason. The docs of
//! the broker tell it to readers.

use kafka_protocol::messages::ApiKey;

use crate::target::Target;

/// Keys of APIs that are not advertised.
const ABSENT: &[(&[i16], &str)] = &[
    (&[34], "AlterReplicaLogDirs: there is one folder"),
    (&[38, 39, 40, 41], "delegation tokens"),
    (&[49], "AlterClientQuotas: there are no quotas"),
    (
        &[55, 57, 64, 80, 81],
        "KRaft: quorum, features, brokers and voters",
    ),
    (
        &[68, 69],
        "the consumer group protocol of KIP-848: clients take the classic one",
    ),
    (&[71, 72], "client metrics"),
    (
        &[74],
        "ListConfigResources: neither groups nor client metrics have settings",
    ),
    (
        &[76, 77, 78, 79, 83, 84, 85, 86, 87, 90, 91, 92],
        "share groups",
    ),
    (&[88, 89], "streams groups"),
];

/// APIs whose highest version is lower than Kafka's, by one.
const BEHIND: &[(ApiKey, &str)] = &[
    (ApiKey::ListOffsets, "11: where tiering stands (KIP-1023)"),
    (ApiKey::OffsetCommit, "10: topics by their ids"),
    (ApiKey::OffsetFetch, "10: topics by their ids"),
    (ApiKey::EndTxn, "5: transaction.version 2 (KIP-890)"),
    (
        ApiKey::TxnOffsetCommit,
        "5: transaction.version 2 (KIP-890)",
    ),
    (ApiKey::WriteTxnMarkers, "2: between brokers"),
    (ApiKey::DescribeLogDirs, "5: cordoned folders"),
    (ApiKey::ListTransactions, "2: ids by a regular expression"),
];

/// On Apache Kafka: every API and version of it is either advertised here or listed above,
/// and nothing is listed without need.
#[test]
fn what_is_not_advertised_has_a_reason() {
    let target = Target::get();
    let listed = |key: i16| ABSENT.iter().any(|(keys, _)| keys.contains(&key));
    for (key, theirs) in target.advertised() {
        let ours = target.embedded().iter().find(|(known, _)| known == key);
        let Some((_, ours)) = ours else {
            assert!(
                listed(*key),
                "api {key} is not advertised, and has no reason"
            );
            continue;
        };
        assert!(
            !listed(*key),
            "api {key} is advertised, and listed as absent"
        );
        assert_eq!(
            ours.start(),
            theirs.start(),
            "the lowest version of api {key}"
        );
        let behind = BEHIND.iter().any(|(known, _)| *known as i16 == *key);
        let is_embedded = target.embedded() == target.advertised();
        let highest = ours.end() + i16::from(behind && !is_embedded);
        assert_eq!(highest, *theirs.end(), "the highest version of api {key}");
    }
}
