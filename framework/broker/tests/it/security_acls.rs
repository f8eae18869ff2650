//! Access control as librdkafka and a raw client meet it.

use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::describe_acls_response::DescribeAclsResponse;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    CreateAclsRequest, CreateTopicsRequest, DeleteAclsRequest, DescribeAclsRequest,
    FindCoordinatorRequest, InitProducerIdRequest, MetadataRequest, OffsetFetchRequest,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientContext, Message};
use std::sync::{Arc, Mutex};

use crate::security_support::codes::{
    ALL, ALLOW, CLUSTER, CREATE, DENY, DESCRIBE, GROUP, IDEMPOTENT_WRITE, LITERAL, PREFIXED, READ,
    TOPIC, TRANSACTIONAL_ID, WRITE,
};
use crate::security_support::{
    WAIT, allow, client_as, create_acls, entry, raw_as, with_acls, with_users,
};
use crate::support::{BatchOf, Raw, TestBroker, name, string};

/// Keeps what became of each record.
#[derive(Clone, Default)]
struct Deliveries(Arc<Mutex<Vec<Option<RDKafkaErrorCode>>>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let code = result.as_ref().err();
        let code = code.and_then(|(error, _)| error.rdkafka_error_code());
        self.0.lock().unwrap().push(code);
    }
}

/// What becomes of a record of librdkafka.
fn produce(test: &TestBroker, user: &str, topic: &str) -> Option<RDKafkaErrorCode> {
    let deliveries = Deliveries::default();
    let mut config = client_as(test, user);
    let producer: BaseProducer<Deliveries> = config
        .set("message.timeout.ms", "10000")
        .create_with_context(deliveries.clone())
        .unwrap();
    producer
        .send(BaseRecord::<(), _>::to(topic).payload("v"))
        .unwrap();
    producer.flush(WAIT).unwrap();
    let delivered = deliveries.0.lock().unwrap();
    assert_eq!(delivered.len(), 1);
    delivered[0]
}

/// The first record or the first error of a consumer in a group.
fn consume(
    test: &TestBroker,
    user: &str,
    group: &str,
    topic: &str,
) -> Result<String, RDKafkaErrorCode> {
    let mut config = client_as(test, user);
    let consumer: BaseConsumer = config
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let deadline = Instant::now() + WAIT;
    loop {
        assert!(Instant::now() < deadline, "neither a record nor an error");
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                return Ok(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
            }
            Some(Err(KafkaError::MessageConsumption(code) | KafkaError::Global(code))) => {
                return Err(code);
            }
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
    }
}

#[test]
fn producing_is_denied_allowed_by_prefix_and_denied_again() {
    let test = with_acls(&["alice"]);
    test.topic("bank.loans", 1, &[]);
    test.topic("bank.secret", 1, &[]);
    let denied = Some(RDKafkaErrorCode::TopicAuthorizationFailed);
    assert_eq!(produce(&test, "alice", "bank.loans"), denied);
    allow(&test, (TOPIC, "bank.", PREFIXED), "alice", WRITE);
    assert_eq!(produce(&test, "alice", "bank.loans"), None);
    assert_eq!(produce(&test, "alice", "bank.secret"), None);
    let deny = entry((TOPIC, "bank.secret", LITERAL), "User:*", WRITE, DENY);
    create_acls(&test, vec![deny]);
    assert_eq!(produce(&test, "alice", "bank.loans"), None);
    assert_eq!(produce(&test, "alice", "bank.secret"), denied);
    assert_eq!(
        produce(&test, "admin", "bank.secret"),
        None,
        "super users may"
    );
    assert_eq!(test.raw().read_all("bank.loans", 0, 0).len(), 2);
    assert_eq!(test.raw().read_all("bank.secret", 0, 0).len(), 2);
}

#[test]
fn consuming_needs_the_topic_and_the_group() {
    let test = with_acls(&["alice", "bob"]);
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    raw.produce("t", 0, BatchOf::values(&["first"]).bytes());
    allow(&test, (TOPIC, "t", LITERAL), "alice", READ);
    assert_eq!(
        consume(&test, "alice", "group", "t"),
        Err(RDKafkaErrorCode::GroupAuthorizationFailed)
    );
    allow(&test, (GROUP, "gro", PREFIXED), "alice", READ);
    assert_eq!(
        consume(&test, "alice", "group", "t"),
        Ok("first".to_owned())
    );
    allow(&test, (GROUP, "*", LITERAL), "bob", READ);
    assert_eq!(
        consume(&test, "bob", "others", "t"),
        Err(RDKafkaErrorCode::TopicAuthorizationFailed)
    );
}

#[test]
fn without_an_authorizer_there_is_nothing_to_list_or_change() {
    let test = with_users(&["alice"], |_| {});
    let disabled = ResponseError::SecurityDisabled.code();
    let mut raw = raw_as(&test, "alice");
    let creation = entry((TOPIC, "t", LITERAL), "User:alice", READ, ALLOW);
    let request = CreateAclsRequest::default().with_creations(vec![creation]);
    assert_eq!(raw.call(3, &request).results[0].error_code, disabled);
    assert_eq!(raw.call(3, &any()).error_code, disabled);
    let request = DeleteAclsRequest::default().with_filters(vec![
        DeleteAclsFilter::default()
            .with_resource_type_filter(1)
            .with_pattern_type_filter(1)
            .with_operation(1)
            .with_permission_type(1),
    ]);
    assert_eq!(raw.call(3, &request).filter_results[0].error_code, disabled);
    assert_eq!(
        raw.create_topic("t", 1, &[]),
        0,
        "everybody may do everything"
    );
}

fn any() -> DescribeAclsRequest {
    DescribeAclsRequest::default()
        .with_resource_type_filter(1)
        .with_resource_name_filter(None)
        .with_pattern_type_filter(1)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(1)
        .with_permission_type(1)
}

/// (type, name, pattern, principal, operation, permission) of what is listed.
fn listed(response: &DescribeAclsResponse) -> Vec<(i8, String, i8, String, i8, i8)> {
    assert_eq!(response.error_code, 0);
    let resources = response.resources.iter();
    resources
        .flat_map(|resource| {
            resource.acls.iter().map(|acl| {
                (
                    resource.resource_type,
                    resource.resource_name.to_string(),
                    resource.pattern_type,
                    acl.principal.to_string(),
                    acl.operation,
                    acl.permission_type,
                )
            })
        })
        .collect()
}

#[test]
fn entries_are_listed_by_filter_deleted_and_survive_a_crash() {
    let mut test = with_acls(&[]);
    let entries = vec![
        entry((TOPIC, "bank.", PREFIXED), "User:alice", READ, ALLOW),
        entry((TOPIC, "bank.loans", LITERAL), "User:alice", WRITE, ALLOW),
        entry((TOPIC, "bank.loans", LITERAL), "User:bob", WRITE, DENY),
        entry((TOPIC, "*", LITERAL), "User:carol", DESCRIBE, ALLOW),
        entry((GROUP, "g", LITERAL), "User:alice", READ, ALLOW),
        entry(
            (CLUSTER, "kafka-cluster", LITERAL),
            "User:alice",
            CREATE,
            ALLOW,
        ),
    ];
    create_acls(&test, entries.clone());
    create_acls(&test, entries);
    test.crash();
    test.start_again();
    let mut raw = test.raw();
    let count = |raw: &mut Raw, filter: &DescribeAclsRequest| {
        let counts = [1, 2, 3].map(|version| listed(&raw.call(version, filter)).len());
        assert!(counts.iter().all(|count| *count == counts[0]));
        counts[0]
    };
    assert_eq!(count(&mut raw, &any()), 6, "the same entry twice is one");
    let named = |pattern: i8| {
        any()
            .with_resource_type_filter(TOPIC)
            .with_resource_name_filter(Some(string("bank.loans")))
            .with_pattern_type_filter(pattern)
    };
    assert_eq!(count(&mut raw, &named(1)), 2, "any");
    assert_eq!(count(&mut raw, &named(2)), 4, "match");
    assert_eq!(count(&mut raw, &named(LITERAL)), 2);
    assert_eq!(count(&mut raw, &named(PREFIXED)), 0);
    let of_alice = any().with_principal_filter(Some(string("User:alice")));
    assert_eq!(count(&mut raw, &of_alice), 4);
    assert_eq!(count(&mut raw, &any().with_permission_type(DENY)), 1);
    assert_eq!(count(&mut raw, &any().with_operation(WRITE)), 2);
    let unknown = raw.call(3, &any().with_operation(99));
    assert_eq!(unknown.error_code, ResponseError::InvalidRequest.code());

    let filter = |principal: &str, operation: i8| {
        DeleteAclsFilter::default()
            .with_resource_type_filter(1)
            .with_resource_name_filter(None)
            .with_pattern_type_filter(1)
            .with_principal_filter(Some(string(principal)))
            .with_host_filter(None)
            .with_operation(operation)
            .with_permission_type(1)
    };
    let request = DeleteAclsRequest::default().with_filters(vec![
        filter("User:alice", 1),
        filter("User:bob", 99),
        filter("User:nobody", 1),
    ]);
    let results = raw.call(3, &request).filter_results;
    let outcome: Vec<_> = results
        .iter()
        .map(|result| (result.error_code, result.matching_acls.len()))
        .collect();
    let invalid = ResponseError::InvalidRequest.code();
    assert_eq!(outcome, [(0, 4), (invalid, 0), (0, 0)]);
    test.crash();
    test.start_again();
    let left = listed(&test.raw().call(3, &any()));
    assert_eq!(
        left,
        [
            (
                TOPIC,
                "*".to_owned(),
                LITERAL,
                "User:carol".to_owned(),
                DESCRIBE,
                ALLOW
            ),
            (
                TOPIC,
                "bank.loans".to_owned(),
                LITERAL,
                "User:bob".to_owned(),
                WRITE,
                DENY
            ),
        ]
    );
}

#[test]
fn entries_that_make_no_sense_are_refused_one_by_one() {
    let test = with_acls(&[]);
    let sound = || entry((TOPIC, "t", LITERAL), "User:alice", READ, ALLOW);
    let wrong: Vec<AclCreation> = vec![
        sound().with_resource_type(1),
        sound().with_resource_type(99),
        sound().with_resource_name(string("")),
        sound().with_resource_pattern_type(2),
        sound().with_principal(string("alice")),
        sound().with_principal(string("User:")),
        sound().with_operation(1),
        sound().with_permission_type(1),
        entry((CLUSTER, "another", LITERAL), "User:alice", READ, ALLOW),
    ];
    let count = wrong.len();
    let mut all = wrong;
    all.push(sound());
    let request = CreateAclsRequest::default().with_creations(all);
    let mut raw = test.raw();
    let results = raw.call(3, &request).results;
    for result in &results[..count] {
        assert_eq!(result.error_code, ResponseError::InvalidRequest.code());
        assert!(result.error_message.is_some());
    }
    assert_eq!(results[count].error_code, 0);
    assert_eq!(listed(&raw.call(3, &any())).len(), 1);
}

fn wanted(topic: &str) -> MetadataRequestTopic {
    MetadataRequestTopic::default().with_name(Some(name(topic)))
}

#[test]
fn metadata_shows_only_what_may_be_described() {
    let test = with_acls(&["alice"]);
    test.topic("seen", 1, &[]);
    test.topic("hidden", 1, &[]);
    allow(&test, (TOPIC, "seen", LITERAL), "alice", READ);
    let all = MetadataRequest::default()
        .with_topics(None)
        .with_include_topic_authorized_operations(true);
    let hidden_id = {
        let topics = test.raw().call(12, &all).topics;
        assert_eq!(topics.len(), 2);
        // read, write, create, delete, alter, describe, describe and alter configs
        assert_eq!(topics[0].topic_authorized_operations, 0b1101_1111_1000);
        let hidden = topics
            .iter()
            .find(|topic| topic.name == Some(name("hidden")));
        hidden.unwrap().topic_id
    };
    let mut raw = raw_as(&test, "alice");
    let topics = raw.call(12, &all).topics;
    assert_eq!(topics.len(), 1);
    assert_eq!(topics[0].name, Some(name("seen")));
    // read and what it implies, describe
    assert_eq!(
        topics[0].topic_authorized_operations,
        1 << READ | 1 << DESCRIBE
    );

    let denied = ResponseError::TopicAuthorizationFailed.code();
    let named = MetadataRequest::default().with_topics(Some(vec![
        wanted("hidden"),
        wanted("absent"),
        wanted("seen"),
    ]));
    let topics = raw.call(12, &named).topics;
    let codes: Vec<i16> = topics.iter().map(|topic| topic.error_code).collect();
    assert_eq!(
        codes,
        [denied, denied, 0],
        "what is there is not told from what is not"
    );
    assert!(topics[0].topic_id.is_nil() && topics[0].partitions.is_empty());

    let by_id = MetadataRequest::default().with_topics(Some(vec![
        MetadataRequestTopic::default()
            .with_name(None)
            .with_topic_id(hidden_id),
    ]));
    let topic = &raw.call(12, &by_id).topics[0];
    assert_eq!(
        (topic.error_code, &topic.name),
        (denied, &None),
        "no name for an id"
    );

    let cluster = MetadataRequest::default()
        .with_topics(Some(vec![]))
        .with_include_cluster_authorized_operations(true);
    let operations = |raw: &mut Raw| raw.call(10, &cluster).cluster_authorized_operations;
    assert_eq!(operations(&mut raw), 0);
    allow(
        &test,
        (CLUSTER, "kafka-cluster", LITERAL),
        "alice",
        DESCRIBE,
    );
    assert_eq!(operations(&mut raw), 1 << DESCRIBE);
    assert_eq!(operations(&mut test.raw()), 0b1_1111_1010_0000);
}

#[test]
fn topics_are_created_by_who_may_create_them() {
    let test = with_acls(&["alice", "bob"]);
    let denied = ResponseError::TopicAuthorizationFailed.code();
    let mut raw = raw_as(&test, "alice");
    assert_eq!(raw.create_topic("mine.a", 1, &[]), denied);
    allow(&test, (TOPIC, "mine.", PREFIXED), "alice", CREATE);
    let request = |topic: &str| {
        CreateTopicsRequest::default()
            .with_timeout_ms(5_000)
            .with_topics(vec![
                kafka_protocol::messages::create_topics_request::CreatableTopic::default()
                    .with_name(name(topic))
                    .with_num_partitions(1)
                    .with_replication_factor(1),
            ])
    };
    let created = raw.call(7, &request("mine.a")).topics;
    assert_eq!(created[0].error_code, 0);
    // Created, and its settings are not for this user.
    assert_eq!(created[0].topic_config_error_code, denied);
    assert_eq!(created[0].num_partitions, -1);
    assert_eq!(raw.create_topic("other", 1, &[]), denied);
    allow(&test, (CLUSTER, "kafka-cluster", LITERAL), "bob", CREATE);
    assert_eq!(raw_as(&test, "bob").create_topic("other", 1, &[]), 0);
}

#[test]
fn idempotent_producers_need_some_topic_or_the_cluster() {
    let test = with_acls(&["alice", "bob", "carol"]);
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1);
    let ask = |user: &str| raw_as(&test, user).call(4, &request).error_code;
    let denied = ResponseError::ClusterAuthorizationFailed.code();
    assert_eq!(ask("alice"), denied);
    allow(&test, (TOPIC, "some.", PREFIXED), "alice", WRITE);
    assert_eq!(ask("alice"), 0);
    allow(
        &test,
        (CLUSTER, "kafka-cluster", LITERAL),
        "bob",
        IDEMPOTENT_WRITE,
    );
    assert_eq!(ask("bob"), 0);
    create_acls(
        &test,
        vec![entry((TOPIC, "*", LITERAL), "User:alice", ALL, DENY)],
    );
    assert_eq!(ask("alice"), denied);
    assert_eq!(ask("carol"), denied);
}

#[test]
fn transactional_ids_are_guarded() {
    let test = with_acls(&["alice"]);
    let find = |user: &str| {
        let request = FindCoordinatorRequest::default()
            .with_key_type(1)
            .with_coordinator_keys(vec![string("tx")]);
        raw_as(&test, user).call(4, &request).coordinators[0].clone()
    };
    let denied = ResponseError::TransactionalIdAuthorizationFailed.code();
    let refused = find("alice");
    assert_eq!((refused.error_code, refused.port), (denied, -1));
    let init = InitProducerIdRequest::default()
        .with_transactional_id(Some(string("tx").into()))
        .with_transaction_timeout_ms(10_000)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1);
    assert_eq!(raw_as(&test, "alice").call(4, &init).error_code, denied);
    allow(&test, (TRANSACTIONAL_ID, "tx", LITERAL), "alice", WRITE);
    assert_eq!(find("alice").error_code, 0);
    assert_eq!(raw_as(&test, "alice").call(4, &init).error_code, 0);
}

#[test]
fn offsets_of_hidden_topics_are_not_told() {
    use kafka_protocol::messages::offset_fetch_request::{
        OffsetFetchRequestGroup, OffsetFetchRequestTopics,
    };
    let test = with_acls(&["alice"]);
    for topic in ["seen", "hidden"] {
        test.topic(topic, 1, &[]);
        let mut raw = test.raw();
        let request = kafka_protocol::messages::OffsetCommitRequest::default()
            .with_group_id(string("g").into())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![
                kafka_protocol::messages::offset_commit_request::OffsetCommitRequestTopic::default()
                    .with_name(name(topic))
                    .with_partitions(vec![
                        kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition::default()
                            .with_committed_offset(7),
                    ]),
            ]);
        assert_eq!(raw.call(8, &request).topics[0].partitions[0].error_code, 0);
    }
    allow(&test, (GROUP, "g", LITERAL), "alice", DESCRIBE);
    allow(&test, (TOPIC, "seen", LITERAL), "alice", DESCRIBE);
    let fetch = |topics: Option<&[&str]>| {
        let topics = topics.map(|topics| {
            let topic = |topic: &&str| {
                OffsetFetchRequestTopics::default()
                    .with_name(name(topic))
                    .with_partition_indexes(vec![0])
            };
            topics.iter().map(topic).collect()
        });
        let request = OffsetFetchRequest::default().with_groups(vec![
            OffsetFetchRequestGroup::default()
                .with_group_id(string("g").into())
                .with_topics(topics),
        ]);
        let group = raw_as(&test, "alice").call(8, &request).groups.remove(0);
        assert_eq!(group.error_code, 0);
        let topics = group.topics.into_iter();
        topics
            .map(|topic| {
                let partition = &topic.partitions[0];
                (
                    topic.name.to_string(),
                    partition.error_code,
                    partition.committed_offset,
                )
            })
            .collect::<Vec<_>>()
    };
    let denied = ResponseError::TopicAuthorizationFailed.code();
    assert_eq!(fetch(None), [("seen".to_owned(), 0, 7)]);
    assert_eq!(
        fetch(Some(&["hidden", "seen"])),
        [("hidden".to_owned(), denied, -1), ("seen".to_owned(), 0, 7)]
    );
}

#[test]
fn open_where_no_entry_speaks_of_a_resource_when_so_configured() {
    let test = with_users(&["alice", "bob"], |config| {
        let mut authorizer = mesh_broker::AuthorizerConfig::default();
        authorizer.super_users = vec!["User:ANONYMOUS".to_owned()];
        authorizer.allow_everyone_if_no_acl_found = true;
        config.security.authorizer = Some(authorizer);
    });
    test.topic("open", 1, &[]);
    test.topic("closed", 1, &[]);
    allow(&test, (TOPIC, "closed", LITERAL), "bob", READ);
    let write = |topic: &str| {
        let records = BatchOf::values(&["v"]).bytes();
        raw_as(&test, "alice").produce(topic, 0, records).error_code
    };
    assert_eq!(write("open"), 0);
    assert_eq!(
        write("closed"),
        ResponseError::TopicAuthorizationFailed.code()
    );
}
