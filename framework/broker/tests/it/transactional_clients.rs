//! librdkafka's transactional producer.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::support::TestBroker;

const WAIT: Duration = Duration::from_secs(20);

/// One that is polled, without which a transaction cannot be aborted.
type Client = ThreadedProducer<DefaultProducerContext>;

fn producer(test: &TestBroker, id: &str, timeout_ms: u32) -> Client {
    let producer: Client = ClientConfig::new()
        .set("bootstrap.servers", test.bootstrap())
        .set("broker.address.family", "v4")
        .set("transactional.id", id)
        .set("transaction.timeout.ms", timeout_ms.to_string())
        .set("linger.ms", "1")
        .create()
        .unwrap();
    producer.init_transactions(WAIT).unwrap();
    producer
}

fn send(producer: &Client, topic: &str, values: &[&str]) {
    for value in values {
        let record = BaseRecord::<str, str>::to(topic)
            .payload(value)
            .partition(0);
        producer.send(record).unwrap();
    }
}

fn consumer(test: &TestBroker, group: &str, isolation: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", test.bootstrap())
        .set("broker.address.family", "v4")
        .set("group.id", group)
        .set("isolation.level", isolation)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap()
}

/// Everything that the consumer is given until it has read to the end.
fn read(test: &TestBroker, topic: &str, isolation: &str) -> Vec<String> {
    let consumer = consumer(test, "reader", isolation);
    let mut assigned = TopicPartitionList::new();
    assigned
        .add_partition_offset(topic, 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&assigned).unwrap();
    let deadline = Instant::now() + WAIT;
    let mut values = Vec::new();
    loop {
        assert!(Instant::now() < deadline);
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => return values,
            Some(message) => {
                let payload = message.unwrap().payload().unwrap().to_vec();
                values.push(String::from_utf8(payload).unwrap());
            }
        }
    }
}

#[test]
fn transactions_of_librdkafka() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let producer = producer(&test, "tx", 60_000);
    let none: [String; 0] = [];
    producer.begin_transaction().unwrap();
    send(&producer, "t", &["a", "b"]);
    producer.flush(WAIT).unwrap();
    assert_eq!(read(&test, "t", "read_committed"), none, "open");
    assert_eq!(read(&test, "t", "read_uncommitted"), ["a", "b"]);
    producer.commit_transaction(WAIT).unwrap();
    assert_eq!(read(&test, "t", "read_committed"), ["a", "b"]);
    producer.begin_transaction().unwrap();
    send(&producer, "t", &["never"]);
    producer.flush(WAIT).unwrap();
    producer.abort_transaction(WAIT).unwrap();
    assert_eq!(read(&test, "t", "read_committed"), ["a", "b"]);
    assert_eq!(read(&test, "t", "read_uncommitted"), ["a", "b", "never"]);
    for round in 0..20 {
        producer.begin_transaction().unwrap();
        send(&producer, "t", &["x", "y"]);
        if round % 2 == 0 {
            producer.commit_transaction(WAIT).unwrap();
        } else {
            producer.abort_transaction(WAIT).unwrap();
        }
    }
    assert_eq!(read(&test, "t", "read_committed").len(), 22);
    // Empty transactions end too.
    producer.begin_transaction().unwrap();
    producer.commit_transaction(WAIT).unwrap();
    producer.begin_transaction().unwrap();
    producer.abort_transaction(WAIT).unwrap();
}

fn fenced(outcome: Result<(), KafkaError>) -> bool {
    match outcome {
        Err(KafkaError::Transaction(error)) => {
            error.is_fatal()
                && matches!(
                    error.code(),
                    RDKafkaErrorCode::Fenced | RDKafkaErrorCode::Fatal
                )
        }
        _ => false,
    }
}

#[test]
fn a_zombie_is_fenced() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let zombie = producer(&test, "tx", 60_000);
    zombie.begin_transaction().unwrap();
    send(&zombie, "t", &["zombie"]);
    zombie.flush(WAIT).unwrap();
    let second = producer(&test, "tx", 60_000);
    second.begin_transaction().unwrap();
    send(&second, "t", &["second"]);
    second.commit_transaction(WAIT).unwrap();
    assert!(fenced(zombie.commit_transaction(WAIT)));
    assert_eq!(read(&test, "t", "read_committed"), ["second"]);
    second.begin_transaction().unwrap();
    send(&second, "t", &["again"]);
    second.commit_transaction(WAIT).unwrap();
    assert_eq!(read(&test, "t", "read_committed"), ["second", "again"]);
}

#[test]
fn a_slow_transaction_is_aborted() {
    let test = TestBroker::start_with(|config| {
        config.transaction_check_interval = Duration::from_millis(50);
    });
    test.topic("t", 1, &[]);
    let slow = producer(&test, "slow", 1_000);
    slow.begin_transaction().unwrap();
    send(&slow, "t", &["late"]);
    slow.flush(WAIT).unwrap();
    let plain: Client = ClientConfig::new()
        .set("bootstrap.servers", test.bootstrap())
        .create()
        .unwrap();
    send(&plain, "t", &["plain"]);
    plain.flush(WAIT).unwrap();
    let deadline = Instant::now() + WAIT;
    while read(&test, "t", "read_committed").is_empty() {
        assert!(Instant::now() < deadline, "the transaction stays open");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(read(&test, "t", "read_committed"), ["plain"]);
    assert!(slow.commit_transaction(WAIT).is_err());
    assert_eq!(read(&test, "t", "read_committed"), ["plain"]);
}

#[test]
fn offsets_go_with_the_transaction() {
    let test = TestBroker::start();
    test.topic("in", 1, &[]);
    test.topic("out", 1, &[]);
    let plain: Client = ClientConfig::new()
        .set("bootstrap.servers", test.bootstrap())
        .create()
        .unwrap();
    send(&plain, "in", &["1", "2", "3", "4", "5", "6"]);
    plain.flush(WAIT).unwrap();
    let producer = producer(&test, "copy", 60_000);
    // Two at a time; every other transaction is aborted, and its input comes again.
    let mut rounds = 0;
    let mut aborted = false;
    loop {
        let consumer = consumer(&test, "copiers", "read_committed");
        consumer.subscribe(&["in"]).unwrap();
        producer.begin_transaction().unwrap();
        let mut copied = 0;
        let deadline = Instant::now() + WAIT;
        let mut at_end = false;
        while copied < 2 && !at_end {
            assert!(Instant::now() < deadline);
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Err(KafkaError::PartitionEOF(_))) => at_end = true,
                Some(message) => {
                    let message = message.unwrap();
                    let value = std::str::from_utf8(message.payload().unwrap()).unwrap();
                    send(&producer, "out", &[&format!("copy of {value}")]);
                    copied += 1;
                }
            }
        }
        let position = consumer.position().unwrap();
        let metadata = consumer.group_metadata().unwrap();
        if at_end && copied == 0 {
            producer.abort_transaction(WAIT).unwrap();
            break;
        }
        producer
            .send_offsets_to_transaction(&position, &metadata, WAIT)
            .unwrap();
        // Not still on its way when the transaction ends.
        producer.flush(WAIT).unwrap();
        aborted = !aborted;
        match aborted {
            true => producer.abort_transaction(WAIT).unwrap(),
            false => producer.commit_transaction(WAIT).unwrap(),
        }
        rounds += 1;
        assert!(rounds < 20);
    }
    assert_eq!(rounds, 6);
    let copies: Vec<String> = (1..=6).map(|at| format!("copy of {at}")).collect();
    assert_eq!(read(&test, "out", "read_committed"), copies);
    assert!(read(&test, "out", "read_uncommitted").len() > 6);
}
