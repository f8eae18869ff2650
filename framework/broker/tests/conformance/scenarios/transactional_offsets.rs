//! Offsets that are committed in a transaction, with the metadata of the group.

use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{FetchRequest, TxnOffsetCommitRequest};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer;

use super::transactions::{COMMITTED, UNCOMMITTED, becomes, producer, read, send};
use crate::api::fetch::{only, request};
use crate::api::group::{Member, committed, fetch_request};
use crate::api::produce::produce;
use crate::api::txn::Txn;
use crate::batch::Batch;
use crate::check::{fails, ok};
use crate::support::string;
use crate::target::{PATIENCE, Target, Topic, eventually};

fn consumer(target: &Target, group: &str) -> BaseConsumer {
    target
        .client()
        .set("group.id", group)
        .set("isolation.level", COMMITTED)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap()
}

fn committed_by(target: &Target, group: &str, topic: &Topic) -> i64 {
    let mut raw = target.coordinator(group);
    let (code, found) = committed(&mut raw, 7, group, Some(&[(&topic.name, 0)]));
    ok(code);
    found[0].1.committed_offset
}

/// Two records at a time are copied, every other transaction is aborted and its input comes
/// again: each is copied once.
#[test]
fn what_is_consumed_and_what_is_produced_are_committed_together() {
    let target = Target::get();
    let (source, copies) = (target.topic("tx-in"), target.topic("tx-out"));
    let group = target.unique("tx-copy");
    let values: Vec<String> = (1..=6).map(|number| number.to_string()).collect();
    let mut leader = target.leader(&source, 0);
    ok(produce(&mut leader, 9, &source, 0, &Batch::of(&values)).error_code);

    let producer = producer(target, &target.unique("tx-copy"), 60_000);
    let mut rounds = 0;
    loop {
        let consumer = consumer(target, &group);
        consumer.subscribe(&[&source.name]).unwrap();
        producer.begin_transaction().unwrap();
        let mut copied = 0;
        let deadline = Instant::now() + PATIENCE;
        let mut at_end = false;
        while copied < 2 && !at_end {
            assert!(Instant::now() < deadline, "{copied} records come");
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Err(KafkaError::PartitionEOF(_))) => at_end = true,
                Some(message) => {
                    let message = message.unwrap();
                    let value = std::str::from_utf8(message.payload().unwrap()).unwrap();
                    send(&producer, &copies, 0, &[&format!("copy of {value}")]);
                    copied += 1;
                }
            }
        }
        if copied == 0 {
            producer.abort_transaction(PATIENCE).unwrap();
            break;
        }
        let metadata = consumer.group_metadata().unwrap();
        producer
            .send_offsets_to_transaction(&consumer.position().unwrap(), &metadata, PATIENCE)
            .unwrap();
        producer.flush(PATIENCE).unwrap();
        let before = visible(target, &group, &source);
        rounds += 1;
        match rounds % 2 {
            0 => producer.commit_transaction(PATIENCE).unwrap(),
            _ => producer.abort_transaction(PATIENCE).unwrap(),
        }
        if rounds % 2 == 1 {
            eventually(|| (committed_by(target, &group, &source) == before).then_some(()));
        }
        assert!(rounds < 20);
    }
    assert_eq!(rounds, 6);
    let once = [1, 2, 3, 4, 5, 6].map(|number| format!("copy of {number}"));
    becomes(target, &copies, 0, &once.each_ref().map(String::as_str));
    assert_eq!(read(target, &copies, 0, UNCOMMITTED).len(), 12);
    eventually(|| (committed_by(target, &group, &source) == 6).then_some(()));
}

/// What is committed, whatever is open.
fn visible(target: &Target, group: &str, topic: &Topic) -> i64 {
    let mut raw = target.coordinator(group);
    let request = fetch_request(7, group, Some(&[(&topic.name, 0)]));
    raw.call(7, &request).topics[0].partitions[0].committed_offset
}

/// A reader that asks for stable offsets is told to wait for an open transaction.
#[test]
fn offsets_of_an_open_transaction_are_unstable() {
    let target = Target::get();
    let topic = target.topic("tx-unstable");
    let group = target.unique("tx-unstable");
    let mut raw = target.coordinator(&group);
    let mut txn = Txn::new(target);
    for (offset, commit, wanted) in [(5, true, 5), (9, false, 5)] {
        ok(txn.add_offsets(3, &group));
        let request = txn.offset_commit_request(3, &group, &topic.name, offset);
        ok(raw.call(3, &request).topics[0].partitions[0].error_code);
        let stable = fetch_request(7, &group, Some(&[(&topic.name, 0)])).with_require_stable(true);
        let found = raw.call(7, &stable).topics[0].partitions[0].clone();
        fails(found.error_code, ResponseError::UnstableOffsetCommit);
        ok(txn.end(4, commit).error_code);
        eventually(|| {
            let found = raw.call(7, &stable).topics[0].partitions[0].clone();
            (found.error_code == 0 && found.committed_offset == wanted).then_some(())
        });
    }
}

/// A member that was left behind by its group commits nothing in a transaction either.
#[test]
fn who_is_no_longer_a_member_commits_nothing() {
    let target = Target::get();
    let topic = target.topic("tx-member");
    let mut member = Member::alone(target, "tx-member");
    let group = member.group.clone();
    let mut txn = Txn::new(target);
    ok(txn.add_offsets(3, &group));
    let own = txn
        .offset_commit_request(3, &group, &topic.name, 5)
        .with_member_id(member.id.clone())
        .with_generation_id(member.generation);
    let mut code = |request: TxnOffsetCommitRequest| {
        member.raw.call(3, &request).topics[0].partitions[0].error_code
    };
    let older = own.clone().with_generation_id(member.generation - 1);
    fails(code(older), ResponseError::IllegalGeneration);
    let stranger = own.clone().with_member_id(string("stranger"));
    fails(code(stranger), ResponseError::UnknownMemberId);
    let fenced = own.clone().with_group_instance_id(Some(string("nobody")));
    fails(code(fenced), ResponseError::UnknownMemberId);
    ok(code(own));
    ok(txn.end(4, true).error_code);
    eventually(|| (committed_by(target, &group, &topic) == 5).then_some(()));
}

/// An aborted transaction of offsets alone leaves nothing behind in the input's topic.
#[test]
fn the_source_is_not_written_to() {
    let target = Target::get();
    let topic = target.topic("tx-source");
    let group = target.unique("tx-source");
    let mut txn = Txn::new(target);
    ok(txn.add_offsets(3, &group));
    let commit = txn.offset_commit_request(3, &group, &topic.name, 1);
    ok(target.coordinator(&group).call(3, &commit).topics[0].partitions[0].error_code);
    ok(txn.end(4, false).error_code);
    // The next transaction can begin when that one has been carried out.
    ok(txn.add_offsets(3, &group));
    ok(txn.end(4, true).error_code);
    let asked: FetchRequest = request(12, &topic, 0, 0);
    let data = only(&target.leader(&topic, 0).call(12, &asked));
    assert_eq!((data.high_watermark, data.last_stable_offset), (0, 0));
    assert_eq!(committed_by(target, &group, &topic), -1);
}
