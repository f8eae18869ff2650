use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest, MetadataResponse,
};

use crate::support::{BatchOf, Raw, TestBroker, name, string};

pub(crate) fn delete(raw: &mut Raw, topic: &str) -> i16 {
    let request = DeleteTopicsRequest::default()
        .with_timeout_ms(1_000)
        .with_topic_names(vec![name(topic)]);
    raw.call(5, &request).responses[0].error_code
}

fn new(topic: &str) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(1)
        .with_replication_factor(1)
}

fn create(raw: &mut Raw, topic: CreatableTopic) -> CreatableTopicResult {
    let request = CreateTopicsRequest::default().with_topics(vec![topic]);
    raw.call(7, &request).topics[0].clone()
}

pub(crate) fn metadata(raw: &mut Raw, version: i16, topics: Option<&[&str]>) -> MetadataResponse {
    let topics = topics.map(|topics| {
        topics
            .iter()
            .map(|topic| MetadataRequestTopic::default().with_name(Some(name(topic))))
            .collect()
    });
    raw.call(version, &MetadataRequest::default().with_topics(topics))
}

#[test]
fn topics_are_created_listed_and_deleted_in_every_version() {
    let test = TestBroker::start();
    let mut raw = test.raw();
    for version in 2..=7 {
        let topic = format!("t{version}");
        let request =
            CreateTopicsRequest::default().with_topics(vec![new(&topic).with_num_partitions(3)]);
        let result = raw.call(version, &request).topics[0].clone();
        assert_eq!(result.error_code, 0);
        if version >= 5 {
            assert_eq!((result.num_partitions, result.replication_factor), (3, 1));
            assert!(result.configs.is_some_and(|configs| configs.len() > 30));
        }
        assert_eq!(result.topic_id.is_nil(), version < 7);
    }
    for version in 0..=13 {
        let asked = (version > 0).then_some(&["t2", "nowhere"][..]);
        let response = metadata(&mut raw, version, asked.or(Some(&[])));
        let node = response.brokers[0].clone();
        assert_eq!(i32::from(test.broker().local_addr().port()), node.port);
        assert_eq!((node.node_id.0, &*node.host), (1, "127.0.0.1"));
        let first = &response.topics[0];
        assert_eq!(
            (first.error_code, first.partitions.len()),
            (0, 3),
            "version {version}"
        );
        let partition = &first.partitions[2];
        assert_eq!((partition.partition_index, partition.leader_id.0), (2, 1));
        assert_eq!(partition.replica_nodes, partition.isr_nodes);
        if version > 0 {
            let unknown = ResponseError::UnknownTopicOrPartition.code();
            assert_eq!(response.topics[1].error_code, unknown);
        } else {
            assert_eq!(response.topics.len(), 6);
        }
    }
    assert_eq!(
        metadata(&mut raw, 9, Some(&[])).topics.len(),
        0,
        "none asked"
    );
    assert_eq!(metadata(&mut raw, 9, None).topics.len(), 6, "all asked");
    for version in 1..=5 {
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![name(&format!("t{}", version + 1))]);
        assert_eq!(raw.call(version, &request).responses[0].error_code, 0);
    }
    let id = metadata(&mut raw, 12, None).topics[0].topic_id;
    let by_id = |id| {
        DeleteTopicsRequest::default().with_topics(vec![
            DeleteTopicState::default()
                .with_name(None)
                .with_topic_id(id),
        ])
    };
    let response = raw.call(6, &by_id(id)).responses[0].clone();
    assert_eq!((response.error_code, response.name), (0, Some(name("t7"))));
    let again = raw.call(6, &by_id(id)).responses[0].error_code;
    assert_eq!(again, ResponseError::UnknownTopicId.code());
    assert_eq!(
        delete(&mut raw, "t7"),
        ResponseError::UnknownTopicOrPartition.code()
    );
    assert_eq!(metadata(&mut raw, 9, None).topics.len(), 0);
}

#[test]
fn creation_is_checked() {
    let test = TestBroker::start_with(|config| config.max_partitions = 50);
    let mut raw = test.raw();
    let config = |name: &str, value: Option<&str>| {
        vec![
            CreatableTopicConfig::default()
                .with_name(string(name))
                .with_value(value.map(string)),
        ]
    };
    let assigned = |partitions: &[(i32, &[i32])]| {
        partitions
            .iter()
            .map(|(partition, brokers)| {
                CreatableReplicaAssignment::default()
                    .with_partition_index(*partition)
                    .with_broker_ids(brokers.iter().map(|broker| (*broker).into()).collect())
            })
            .collect::<Vec<_>>()
    };
    let by_hand = |topic: &str, partitions: &[(i32, &[i32])]| {
        new(topic)
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments(assigned(partitions))
    };
    assert_eq!(create(&mut raw, new("taken.name")).error_code, 0);
    use ResponseError::{
        InvalidConfig, InvalidPartitions, InvalidReplicaAssignment, InvalidReplicationFactor,
        InvalidRequest, InvalidTopicException, TopicAlreadyExists,
    };
    let cases = [
        (new("taken.name"), TopicAlreadyExists),
        (new("taken_name"), InvalidTopicException),
        (new(""), InvalidTopicException),
        (new("a/b"), InvalidTopicException),
        (new(".."), InvalidTopicException),
        (new("x").with_num_partitions(0), InvalidPartitions),
        (new("x").with_num_partitions(-2), InvalidPartitions),
        (new("x").with_num_partitions(51), InvalidPartitions),
        (new("x").with_num_partitions(i32::MAX), InvalidPartitions),
        (
            new("x").with_replication_factor(3),
            InvalidReplicationFactor,
        ),
        (
            new("x").with_replication_factor(0),
            InvalidReplicationFactor,
        ),
        (
            new("x").with_configs(config("no.such.config", Some("1"))),
            InvalidConfig,
        ),
        (
            new("x").with_configs(config("retention.ms", Some("soon"))),
            InvalidConfig,
        ),
        (
            new("x").with_configs(config("retention.ms", None)),
            InvalidConfig,
        ),
        (
            new("x").with_assignments(assigned(&[(0, &[1])])),
            InvalidRequest,
        ),
        (by_hand("x", &[(0, &[2])]), InvalidReplicaAssignment),
        (by_hand("x", &[(0, &[1, 2])]), InvalidReplicaAssignment),
        (by_hand("x", &[(1, &[1])]), InvalidReplicaAssignment),
    ];
    for (topic, expected) in cases {
        let result = create(&mut raw, topic.clone());
        assert_eq!(result.error_code, expected.code(), "{topic:?}");
        assert!(result.error_message.is_some());
    }
    let twice = CreateTopicsRequest::default().with_topics(vec![new("x"), new("x")]);
    let results = raw.call(7, &twice).topics;
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].error_code, InvalidRequest.code());
    let dry = CreateTopicsRequest::default()
        .with_validate_only(true)
        .with_topics(vec![new("x"), new("taken.name")]);
    let results = raw.call(7, &dry).topics;
    assert_eq!(results[0].error_code, 0);
    assert_eq!(results[1].error_code, TopicAlreadyExists.code());
    assert_eq!(
        metadata(&mut raw, 9, None).topics.len(),
        1,
        "nothing was made"
    );
    assert_eq!(
        create(&mut raw, by_hand("x", &[(1, &[1]), (0, &[1])])).num_partitions,
        2
    );
    let defaults = new("y").with_num_partitions(-1).with_replication_factor(-1);
    assert_eq!(create(&mut raw, defaults).num_partitions, 1);
}

#[test]
fn metadata_by_id_and_operations() {
    let test = TestBroker::start();
    let mut raw = test.raw();
    let id = create(&mut raw, new("t")).topic_id;
    let by_id = |id| {
        MetadataRequest::default().with_topics(Some(vec![
            MetadataRequestTopic::default()
                .with_name(None)
                .with_topic_id(id),
        ]))
    };
    for version in 12..=13 {
        let found = raw.call(version, &by_id(id)).topics[0].clone();
        assert_eq!((found.error_code, found.name), (0, Some(name("t"))));
        let missing = raw.call(version, &by_id(uuid::Uuid::new_v4())).topics[0].clone();
        assert_eq!(missing.error_code, ResponseError::UnknownTopicId.code());
    }
    let request = MetadataRequest::default()
        .with_topics(None)
        .with_include_topic_authorized_operations(true)
        .with_include_cluster_authorized_operations(true);
    let response = raw.call(9, &request);
    // Bits of AclOperation: read 3, write 4, describe 8.
    assert_eq!(
        response.topics[0].topic_authorized_operations & 0x118,
        0x118
    );
    assert!(response.cluster_authorized_operations > 0);
    let invalid = metadata(&mut raw, 9, Some(&["a b"])).topics[0].error_code;
    assert_eq!(invalid, ResponseError::InvalidTopicException.code());
}

#[test]
fn topics_appear_by_themselves_only_when_told_to() {
    for auto in [false, true] {
        let test = TestBroker::start_with(|config| {
            config.auto_create_topics = auto;
            config.default_partitions = 4;
        });
        let mut raw = test.raw();
        let ask = |raw: &mut Raw, allow| {
            let request = MetadataRequest::default()
                .with_allow_auto_topic_creation(allow)
                .with_topics(Some(vec![
                    MetadataRequestTopic::default().with_name(Some(name("new"))),
                ]));
            let topic = raw.call(9, &request).topics[0].clone();
            (topic.error_code, topic.partitions.len())
        };
        let unknown = (ResponseError::UnknownTopicOrPartition.code(), 0);
        assert_eq!(ask(&mut raw, false), unknown);
        assert_eq!(ask(&mut raw, true), if auto { (0, 4) } else { unknown });
    }
}

#[test]
fn topics_and_deletions_outlive_a_crash() {
    let mut test = TestBroker::start();
    let mut raw = test.raw();
    let id = create(&mut raw, new("kept").with_num_partitions(2)).topic_id;
    create(&mut raw, new("gone"));
    raw.produce("kept", 1, BatchOf::values(&["x"]).bytes());
    raw.produce("gone", 0, BatchOf::values(&["x"]).bytes());
    assert_eq!(delete(&mut raw, "gone"), 0);
    test.crash();
    test.start_again();
    let mut raw = test.raw();
    let topics = metadata(&mut raw, 12, None).topics;
    assert_eq!(topics.len(), 1);
    assert_eq!((topics[0].topic_id, topics[0].partitions.len()), (id, 2));
    let removed = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        std::fs::read_dir(test.dir().join("topics"))
            .unwrap()
            .count()
            == 2
    });
    assert!(removed, "no folder of the deleted topic is left");
    // The name is free again, and begins with nothing.
    assert_eq!(create(&mut raw, new("gone")).error_code, 0);
    assert_eq!(raw.list_offset("gone", 0, -1).offset, 0);
}

#[test]
fn a_deletion_cut_short_is_completed() {
    let mut test = TestBroker::start();
    let mut raw = test.raw();
    let id = create(&mut raw, new("t").with_num_partitions(2)).topic_id;
    raw.produce("t", 0, BatchOf::values(&["x"]).bytes());
    test.crash();
    // The first folder had been renamed when the process was killed.
    let topics = test.dir().join("topics");
    let renamed = topics.join(format!("t-0.{}-delete", id.simple()));
    std::fs::rename(topics.join("t-0"), renamed).unwrap();
    // And another topic's folder had just been made.
    std::fs::create_dir(topics.join("half-made-0")).unwrap();
    test.start_again();
    assert_eq!(metadata(&mut test.raw(), 9, None).topics.len(), 0);
    assert_eq!(std::fs::read_dir(topics).unwrap().count(), 0);
}

/// A topic is deleted and made again again and again while it is written to with fsyncs:
/// nothing of the old one may turn up in the new one, nor break its recovery.
#[test]
fn deletion_and_creation_under_writes() {
    let mut test = TestBroker::start_with(|config| {
        config.flush = mesh_broker::FlushPolicy::Always;
    });
    let address = test.broker().local_addr();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|_| {
            let stop = std::sync::Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut raw = Raw::connect(address);
                let allowed = [0, ResponseError::UnknownTopicOrPartition.code()];
                let mut stored = 0;
                while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                    let batch = BatchOf::values(&["x".repeat(300)]).bytes();
                    let code = raw.produce("t", 0, batch).error_code;
                    assert!(allowed.contains(&code), "{code}");
                    stored += u32::from(code == 0);
                }
                stored
            })
        })
        .collect();
    let mut raw = test.raw();
    for _ in 0..25 {
        assert_eq!(raw.create_topic("t", 1, &[("segment.bytes", "1024")]), 0);
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(delete(&mut raw, "t"), 0);
    }
    assert_eq!(raw.create_topic("t", 1, &[("segment.bytes", "1024")]), 0);
    std::thread::sleep(std::time::Duration::from_millis(50));
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    let stored: u32 = writers
        .into_iter()
        .map(|writer| writer.join().unwrap())
        .sum();
    assert!(stored > 0);
    let end = raw.list_offset("t", 0, -1).offset;
    test.crash();
    test.start_again();
    assert_eq!(test.broker().recovery().findings, []);
    let mut raw = test.raw();
    assert_eq!(raw.read_all("t", 0, 0).len() as i64, end);
}
