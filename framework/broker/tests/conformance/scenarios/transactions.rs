//! librdkafka's transactional producer: what readers see of what it commits, aborts and
//! leaves open, and who is fenced.

use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::api::fetch::{only, request};
use crate::api::list_offsets::list_at;
use crate::api::produce::produce;
use crate::api::txn::Txn;
use crate::batch::{Batch, records};
use crate::check::{fails, ok};
use crate::target::{PATIENCE, Target, Topic, eventually};

/// One that is polled, without which a transaction cannot be aborted.
pub(super) type Client = ThreadedProducer<DefaultProducerContext>;

pub(super) const COMMITTED: &str = "read_committed";
pub(super) const UNCOMMITTED: &str = "read_uncommitted";

pub(super) fn producer(target: &Target, id: &str, timeout_ms: u32) -> Client {
    let producer: Client = target
        .client()
        .set("transactional.id", id)
        .set("transaction.timeout.ms", timeout_ms.to_string())
        .set("linger.ms", "1")
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

pub(super) fn send(producer: &Client, topic: &Topic, partition: i32, values: &[&str]) {
    for value in values {
        let record = BaseRecord::<str, str>::to(&topic.name).payload(value);
        producer.send(record.partition(partition)).unwrap();
    }
}

/// Everything that a reader of an isolation level is given until it has read to the end.
pub(super) fn read(target: &Target, topic: &Topic, partition: i32, isolation: &str) -> Vec<String> {
    let consumer: BaseConsumer = target
        .client()
        .set("group.id", "no-group")
        .set("isolation.level", isolation)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut assigned = TopicPartitionList::new();
    assigned
        .add_partition_offset(&topic.name, partition, Offset::Beginning)
        .unwrap();
    consumer.assign(&assigned).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut values = Vec::new();
    loop {
        assert!(
            Instant::now() < deadline,
            "the end of the partition does not come"
        );
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

/// Waits until readers of what is committed see this; markers may come a moment after the
/// end of a transaction is answered.
#[track_caller]
pub(super) fn becomes(target: &Target, topic: &Topic, partition: i32, values: &[&str]) {
    eventually(|| (read(target, topic, partition, COMMITTED) == values).then_some(()));
}

#[test]
fn committed_is_seen_aborted_is_not_and_open_waits() {
    let target = Target::get();
    let topic = target.topic_with("tx", 2, &[]);
    let producer = producer(target, &target.unique("tx"), 60_000);
    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, &["a", "b"]);
    send(&producer, &topic, 1, &["c"]);
    producer.flush(PATIENCE).unwrap();
    for (partition, open) in [(0, vec!["a", "b"]), (1, vec!["c"])] {
        assert!(
            read(target, &topic, partition, COMMITTED).is_empty(),
            "it is open"
        );
        assert_eq!(read(target, &topic, partition, UNCOMMITTED), open);
    }
    producer.commit_transaction(PATIENCE).unwrap();
    becomes(target, &topic, 0, &["a", "b"]);
    becomes(target, &topic, 1, &["c"]);

    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, &["never"]);
    producer.flush(PATIENCE).unwrap();
    producer.abort_transaction(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, &["d"]);
    producer.commit_transaction(PATIENCE).unwrap();
    becomes(target, &topic, 0, &["a", "b", "d"]);
    assert_eq!(
        read(target, &topic, 0, UNCOMMITTED),
        ["a", "b", "never", "d"]
    );
    assert_eq!(read(target, &topic, 1, COMMITTED), ["c"]);

    // Transactions of nothing end too.
    producer.begin_transaction().unwrap();
    producer.commit_transaction(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    producer.abort_transaction(PATIENCE).unwrap();
}

#[test]
fn many_transactions_end_either_way_and_keep_their_order() {
    let target = Target::get();
    let topic = target.topic("tx-many");
    let producer = producer(target, &target.unique("tx-many"), 60_000);
    let mut wanted = Vec::new();
    for round in 0..30 {
        let value = format!("{round:02}");
        producer.begin_transaction().unwrap();
        send(&producer, &topic, 0, &[&value, &value]);
        if round % 3 == 1 {
            producer.flush(PATIENCE).unwrap();
            producer.abort_transaction(PATIENCE).unwrap();
        } else {
            producer.commit_transaction(PATIENCE).unwrap();
            wanted.extend([value.clone(), value]);
        }
    }
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    becomes(target, &topic, 0, &wanted);
}

/// What comes behind an open transaction waits for its end, also when that is no part of a
/// transaction; readers of everything do not wait.
#[test]
fn an_open_transaction_holds_the_last_stable_offset() {
    let target = Target::get();
    let topic = target.topic("tx-stable");
    let mut leader = target.leader(&topic, 0);
    ok(produce(&mut leader, 9, &topic, 0, &Batch::of(&["before"])).error_code);
    let (first, second) = (Txn::new(target), Txn::new(target));
    let [mut first, mut second] = [first, second];
    ok(first.add(3, &[(&topic.name, 0)])[0]);
    ok(first.produce(&mut leader, &topic, 0, "first", 0));
    ok(second.add(3, &[(&topic.name, 0)])[0]);
    ok(second.produce(&mut leader, &topic, 0, "second", 0));
    ok(produce(&mut leader, 9, &topic, 0, &Batch::of(&["behind"])).error_code);

    let mut ask = |level: i8| {
        let request = request(12, &topic, 0, 0).with_isolation_level(level);
        let data = only(&leader.call(12, &request));
        let offsets: Vec<i64> = records(data.records.as_ref())
            .iter()
            .filter(|record| !record.control)
            .map(|record| record.offset)
            .collect();
        (data.high_watermark, data.last_stable_offset, offsets)
    };
    assert_eq!(ask(1), (4, 1, vec![0]));
    assert_eq!(ask(0), (4, 1, vec![0, 1, 2, 3]));
    let latest = |level: i8| list_at(&mut target.leader(&topic, 0), 7, &topic, -1, level).offset;
    assert_eq!((latest(0), latest(1)), (4, 1));

    // The second ends: the first, which is before it, still holds everything.
    ok(second.end(4, true).error_code);
    eventually(|| (ask(1).0 == 5).then_some(()));
    assert_eq!(ask(1), (5, 1, vec![0]));
    ok(first.end(4, true).error_code);
    eventually(|| (ask(1) == (6, 6, vec![0, 1, 2, 3])).then_some(()));
    assert_eq!((latest(0), latest(1)), (6, 6));
}

fn is_fenced(outcome: Result<(), KafkaError>) -> bool {
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
fn who_comes_with_the_same_id_fences_the_one_before() {
    let target = Target::get();
    let topic = target.topic("tx-fenced");
    let id = target.unique("tx-fenced");
    let zombie = producer(target, &id, 60_000);
    zombie.begin_transaction().unwrap();
    send(&zombie, &topic, 0, &["zombie"]);
    zombie.flush(PATIENCE).unwrap();
    let second = producer(target, &id, 60_000);
    second.begin_transaction().unwrap();
    send(&second, &topic, 0, &["second"]);
    second.commit_transaction(PATIENCE).unwrap();
    assert!(is_fenced(zombie.commit_transaction(PATIENCE)));
    becomes(target, &topic, 0, &["second"]);
    second.begin_transaction().unwrap();
    send(&second, &topic, 0, &["again"]);
    second.commit_transaction(PATIENCE).unwrap();
    becomes(target, &topic, 0, &["second", "again"]);
}

/// The coordinator aborts what takes too long, readers go on, and the producer that comes
/// late is refused.
#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    let target = Target::get();
    let topic = target.topic("tx-slow");
    let slow = producer(target, &target.unique("tx-slow"), 1_000);
    slow.begin_transaction().unwrap();
    send(&slow, &topic, 0, &["late"]);
    slow.flush(PATIENCE).unwrap();
    let mut leader = target.leader(&topic, 0);
    ok(produce(&mut leader, 9, &topic, 0, &Batch::of(&["plain"])).error_code);
    becomes(target, &topic, 0, &["plain"]);
    send(&slow, &topic, 0, &["later"]);
    assert!(slow.commit_transaction(PATIENCE).is_err());
    assert_eq!(read(target, &topic, 0, COMMITTED), ["plain"]);
}

/// A record of a transaction that has no part in the partition, or of a producer's epoch
/// before, is not stored.
#[test]
fn only_who_has_a_transaction_writes_in_it() {
    let target = Target::get();
    let topic = target.topic("tx-alien");
    let mut leader = target.leader(&topic, 0);
    let alien = Txn::new(target);
    let code = alien.produce(&mut leader, &topic, 0, "not added", 0);
    fails(code, ResponseError::TransactionAbortable);

    let id = target.unique("tx-alien");
    let mut old = Txn::with(target, &id);
    ok(old.add(3, &[(&topic.name, 0)])[0]);
    ok(old.produce(&mut leader, &topic, 0, "old", 0));
    let mut new = Txn::with(target, &id);
    assert_eq!(new.producer_id, old.producer_id);
    assert!(new.epoch > old.epoch);
    let code = old.produce(&mut leader, &topic, 0, "older", 1);
    fails(code, ResponseError::InvalidProducerEpoch);
    ok(new.add(3, &[(&topic.name, 0)])[0]);
    ok(new.produce(&mut leader, &topic, 0, "new", 0));
    ok(new.end(4, true).error_code);
    becomes(target, &topic, 0, &["new"]);
    assert_eq!(read(target, &topic, 0, UNCOMMITTED), ["old", "new"]);
}
