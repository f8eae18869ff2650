//! Access control of transactions.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeProducersRequest,
    DescribeTransactionsRequest, ListTransactionsRequest, TransactionalId, TxnOffsetCommitRequest,
    WriteTxnMarkersRequest,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use crate::security_support::codes::{
    ALTER, CLUSTER, CLUSTER_ACTION, DESCRIBE, GROUP, LITERAL, PREFIXED, READ, TOPIC,
    TRANSACTIONAL_ID, WRITE,
};
use crate::security_support::{WAIT, allow, client_as, raw_as, with_acls};
use crate::support::{TestBroker, name, string};
use crate::txn_support::Tx;

const DENIED_TOPIC: i16 = ResponseError::TopicAuthorizationFailed.code();
const DENIED_GROUP: i16 = ResponseError::GroupAuthorizationFailed.code();
const DENIED_CLUSTER: i16 = ResponseError::ClusterAuthorizationFailed.code();
const DENIED_ID: i16 = ResponseError::TransactionalIdAuthorizationFailed.code();

/// A producer whose id is given out already, and which goes on as this user.
fn as_user(test: &TestBroker, id: &str, user: &str) -> Tx {
    let mut tx = Tx::start(test, id);
    tx.raw = raw_as(test, user);
    tx
}

/// What a transaction of librdkafka comes to: a record and the offset of a group.
fn transact(test: &TestBroker) -> Result<(), RDKafkaErrorCode> {
    type Client = ThreadedProducer<DefaultProducerContext>;
    let code = |error: KafkaError| error.rdkafka_error_code().unwrap();
    let mut config = client_as(test, "alice");
    let producer: Client = config
        .set("transactional.id", "bank.tx")
        .set("message.timeout.ms", "10000")
        .create()
        .unwrap();
    producer.init_transactions(WAIT).map_err(code)?;
    producer.begin_transaction().map_err(code)?;
    let record = BaseRecord::<str, str>::to("out").payload("v").partition(0);
    producer.send(record).map_err(|(error, _)| code(error))?;
    producer.flush(WAIT).map_err(code)?;
    let consumer: BaseConsumer = client_as(test, "alice")
        .set("group.id", "g")
        .create()
        .unwrap();
    let mut offsets = TopicPartitionList::new();
    let offset = Offset::Offset(7);
    offsets.add_partition_offset("in", 0, offset).unwrap();
    let group = consumer.group_metadata().unwrap();
    producer
        .send_offsets_to_transaction(&offsets, &group, WAIT)
        .map_err(code)?;
    producer.commit_transaction(WAIT).map_err(code)
}

#[test]
fn a_transaction_needs_the_id_the_topics_and_the_group() {
    let test = with_acls(&["alice"]);
    test.topic("in", 1, &[]);
    test.topic("out", 1, &[]);
    assert_eq!(
        transact(&test),
        Err(RDKafkaErrorCode::TransactionalIdAuthorizationFailed)
    );
    allow(&test, (TRANSACTIONAL_ID, "bank.", PREFIXED), "alice", WRITE);
    assert!(transact(&test).is_err(), "without the topic");
    assert_eq!(test.raw().read_all("out", 0, 0).len(), 0);
    allow(&test, (TOPIC, "out", LITERAL), "alice", WRITE);
    assert_eq!(
        transact(&test),
        Err(RDKafkaErrorCode::GroupAuthorizationFailed)
    );
    allow(&test, (GROUP, "g", LITERAL), "alice", READ);
    assert_eq!(
        transact(&test),
        Err(RDKafkaErrorCode::TopicAuthorizationFailed)
    );
    allow(&test, (TOPIC, "in", LITERAL), "alice", READ);
    assert_eq!(transact(&test), Ok(()));
    let (values, _) = test.raw().read_committed("out", 0, 0, 1 << 20);
    let values: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["v"], "only the last one committed");
}

#[test]
fn a_partition_that_is_denied_keeps_the_others_out() {
    let test = with_acls(&["alice"]);
    test.topic("mine", 1, &[]);
    test.topic("other", 1, &[]);
    let mut tx = as_user(&test, "x", "alice");
    let asked = [("mine", 0), ("other", 0), ("mine", 9)];
    assert_eq!(tx.add_version(3, &asked), [DENIED_ID; 3]);
    assert_eq!(tx.end_version(4, true), DENIED_ID);
    allow(&test, (TRANSACTIONAL_ID, "x", LITERAL), "alice", WRITE);
    allow(&test, (TOPIC, "mine", LITERAL), "alice", WRITE);
    let not_attempted = ResponseError::OperationNotAttempted.code();
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(
        tx.add_version(3, &asked),
        [not_attempted, DENIED_TOPIC, unknown]
    );
    let states = || {
        let response = test.raw().call(1, &ListTransactionsRequest::default());
        response.transaction_states[0].transaction_state.to_string()
    };
    assert_eq!(states(), "Empty", "nothing was added");
    assert_eq!(tx.add_version(3, &asked[..1]), [0]);
    assert_eq!(states(), "Ongoing");
    let values = ["v".to_owned()];
    assert_eq!(tx.produce_only(9, "mine", 0, &values).0, 0);
    assert_eq!(tx.produce_only(9, "other", 0, &values).0, DENIED_TOPIC);
    tx.commit();
}

#[test]
fn batches_of_transactions_are_for_brokers() {
    let test = with_acls(&["alice"]);
    test.topic("t", 1, &[]);
    let mut tx = as_user(&test, "x", "alice");
    allow(&test, (TRANSACTIONAL_ID, "x", LITERAL), "alice", WRITE);
    allow(&test, (TOPIC, "t", LITERAL), "alice", WRITE);
    let topic = AddPartitionsToTxnTopic::default()
        .with_name(name("t"))
        .with_partitions(vec![0]);
    let transaction = AddPartitionsToTxnTransaction::default()
        .with_transactional_id(string("x").into())
        .with_producer_id(tx.producer_id.into())
        .with_producer_epoch(tx.epoch)
        .with_topics(vec![topic]);
    let request = AddPartitionsToTxnRequest::default().with_transactions(vec![transaction]);
    let mut ask = |version| {
        let response = tx.raw.call(version, &request);
        let results = response.results_by_transaction.iter();
        let added = results
            .map(|result| result.topic_results[0].results_by_partition[0].partition_error_code);
        (response.error_code, added.collect::<Vec<_>>())
    };
    assert_eq!(ask(4), (DENIED_CLUSTER, vec![]));
    let cluster = (CLUSTER, "kafka-cluster", LITERAL);
    allow(&test, cluster, "alice", CLUSTER_ACTION);
    assert_eq!(ask(5), (0, vec![0]));
}

#[test]
fn offsets_in_a_transaction_need_the_group_and_each_topic() {
    let test = with_acls(&["alice"]);
    test.topic("mine", 1, &[]);
    test.topic("other", 1, &[]);
    let mut tx = as_user(&test, "x", "alice");
    let (id, producer_id, epoch) = (tx.id.clone(), tx.producer_id, tx.epoch);
    let add = AddOffsetsToTxnRequest::default()
        .with_transactional_id(string(&id).into())
        .with_producer_id(producer_id.into())
        .with_producer_epoch(epoch)
        .with_group_id(string("g").into());
    let topics = ["mine", "other"].map(|topic| {
        let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(3);
        TxnOffsetCommitRequestTopic::default()
            .with_name(name(topic))
            .with_partitions(vec![partition])
    });
    let commit = TxnOffsetCommitRequest::default()
        .with_transactional_id(string(&id).into())
        .with_producer_id(producer_id.into())
        .with_producer_epoch(epoch)
        .with_group_id(string("g").into())
        .with_generation_id(-1)
        .with_topics(topics.to_vec());
    let mut ask = || {
        let added = tx.raw.call(3, &add).error_code;
        let response = tx.raw.call(3, &commit);
        let topics = response.topics.iter();
        let codes = topics.map(|topic| topic.partitions[0].error_code);
        (added, codes.collect::<Vec<_>>())
    };
    assert_eq!(ask(), (DENIED_ID, vec![DENIED_ID; 2]));
    allow(&test, (TRANSACTIONAL_ID, "x", LITERAL), "alice", WRITE);
    assert_eq!(ask(), (DENIED_GROUP, vec![DENIED_GROUP; 2]));
    allow(&test, (GROUP, "g", LITERAL), "alice", READ);
    assert_eq!(ask(), (0, vec![DENIED_TOPIC; 2]));
    allow(&test, (TOPIC, "mine", LITERAL), "alice", READ);
    assert_eq!(ask(), (0, vec![0, DENIED_TOPIC]));
}

#[test]
fn transactions_are_shown_as_far_as_they_may_be_described() {
    let test = with_acls(&["alice"]);
    test.topic("seen", 1, &[]);
    test.topic("hidden", 1, &[]);
    let mut open = Tx::start(&test, "open");
    open.write("seen", 0, &["v"]);
    open.write("hidden", 0, &["v"]);
    let _secret = Tx::start(&test, "secret");
    let mut raw = raw_as(&test, "alice");
    let mut ask = || {
        let response = raw.call(1, &ListTransactionsRequest::default());
        let states = response.transaction_states.iter();
        let listed: Vec<String> = states
            .map(|state| state.transactional_id.to_string())
            .collect();
        let ids = ["open", "secret", "nobody"].map(|id| TransactionalId(string(id)));
        let request = DescribeTransactionsRequest::default().with_transactional_ids(ids.to_vec());
        let described = raw.call(0, &request).transaction_states;
        let codes: Vec<i16> = described.iter().map(|state| state.error_code).collect();
        let topics = described[0].topics.iter();
        let topics: Vec<String> = topics.map(|topic| topic.topic.to_string()).collect();
        (listed, codes, topics)
    };
    assert_eq!(ask(), (vec![], vec![DENIED_ID; 3], vec![]));
    allow(
        &test,
        (TRANSACTIONAL_ID, "open", LITERAL),
        "alice",
        DESCRIBE,
    );
    let open_only = || (vec!["open".to_owned()], vec![0, DENIED_ID, DENIED_ID]);
    let (listed, codes) = open_only();
    assert_eq!(ask(), (listed, codes, vec![]));
    allow(&test, (TOPIC, "seen", LITERAL), "alice", DESCRIBE);
    let (listed, codes) = open_only();
    assert_eq!(ask(), (listed, codes, vec!["seen".to_owned()]));

    let topics = ["seen", "hidden"].map(|topic| {
        TopicRequest::default()
            .with_name(name(topic))
            .with_partition_indexes(vec![0])
    });
    let request = DescribeProducersRequest::default().with_topics(topics.to_vec());
    let mut producers = || -> Vec<(i16, usize)> {
        let topics = raw.call(0, &request).topics;
        let partitions = topics.iter().map(|topic| &topic.partitions[0]);
        partitions
            .map(|partition| (partition.error_code, partition.active_producers.len()))
            .collect()
    };
    let denied = (DENIED_TOPIC, 0);
    assert_eq!(producers(), [denied, denied], "to describe is not to read");
    allow(&test, (TOPIC, "seen", LITERAL), "alice", READ);
    assert_eq!(producers(), [(0, 1), denied]);
}

#[test]
fn ending_a_transaction_by_hand_needs_the_cluster() {
    let test = with_acls(&["alice", "bob"]);
    test.topic("t", 1, &[]);
    let mut tx = Tx::start(&test, "x");
    tx.write("t", 0, &["v"]);
    let topic = WritableTxnMarkerTopic::default()
        .with_name(name("t"))
        .with_partition_indexes(vec![0]);
    let marker = WritableTxnMarker::default()
        .with_producer_id(tx.producer_id.into())
        .with_producer_epoch(tx.epoch)
        .with_topics(vec![topic]);
    let request = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
    let write = |user: &str| {
        let response = raw_as(&test, user).call(1, &request);
        response.markers[0].topics[0].partitions[0].error_code
    };
    let stable = || {
        test.raw()
            .fetch_committed("t", 0, 0, 1 << 20)
            .last_stable_offset
    };
    let all = [WRITE, READ, ALTER];
    for operation in all {
        allow(&test, (TOPIC, "t", LITERAL), "alice", operation);
    }
    assert_eq!((write("alice"), stable()), (DENIED_CLUSTER, 0));
    let cluster = (CLUSTER, "kafka-cluster", LITERAL);
    allow(&test, cluster, "alice", ALTER);
    assert_eq!((write("alice"), stable()), (0, 2));
    assert_eq!(write("bob"), DENIED_CLUSTER);
    allow(&test, cluster, "bob", CLUSTER_ACTION);
    assert_eq!(write("bob"), 0);
}
