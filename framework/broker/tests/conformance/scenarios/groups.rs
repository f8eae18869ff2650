//! Groups of consumers of librdkafka: they share partitions, and take over from each other.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::target::{PATIENCE, Target, Topic};

pub(super) fn fill(target: &Target, topic: &Topic, values: std::ops::Range<usize>) {
    let producer: BaseProducer = target
        .client()
        .set("enable.idempotence", "true")
        .create()
        .unwrap();
    for value in values {
        let value = format!("{value:04}");
        producer
            .send(BaseRecord::to(&topic.name).key(&value).payload(&value))
            .unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

pub(super) fn consumer(target: &Target, group: &str, settings: &[(&str, &str)]) -> BaseConsumer {
    let mut config = target.client();
    config
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "100")
        .set("check.crcs", "true");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

pub(super) fn take(consumer: &BaseConsumer, into: &mut BTreeSet<String>) {
    if let Some(Ok(message)) = consumer.poll(Duration::from_millis(20)) {
        into.insert(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
    }
}

pub(super) fn partitions(consumer: &BaseConsumer) -> usize {
    consumer.assignment().unwrap().count()
}

#[track_caller]
pub(super) fn poll_until(
    consumers: &[&BaseConsumer],
    into: &mut BTreeSet<String>,
    done: impl Fn(&BTreeSet<String>) -> bool,
) {
    let deadline = Instant::now() + PATIENCE;
    while !done(into) {
        assert!(Instant::now() < deadline, "{} records so far", into.len());
        for consumer in consumers {
            take(consumer, into);
        }
    }
}

fn share_partitions(strategy: &str) {
    let target = Target::get();
    let topic = target.topic_with("shared", 4, &[]);
    fill(target, &topic, 0..40);
    let group = target.unique("shared");
    let settings = [("partition.assignment.strategy", strategy)];
    let first = consumer(target, &group, &settings);
    first.subscribe(&[&topic.name]).unwrap();
    let mut seen = BTreeSet::new();
    poll_until(&[&first], &mut seen, |seen| seen.len() == 40);
    assert_eq!(partitions(&first), 4);
    first.commit_consumer_state(CommitMode::Sync).unwrap();

    let second = consumer(target, &group, &settings);
    second.subscribe(&[&topic.name]).unwrap();
    let both = [&first, &second];
    poll_until(&both, &mut seen, |_| {
        partitions(&first) == 2 && partitions(&second) == 2
    });
    fill(target, &topic, 40..80);
    poll_until(&both, &mut seen, |seen| seen.len() == 80);

    // Who leaves hands its partitions to the other.
    drop(first);
    poll_until(&[&second], &mut seen, |_| partitions(&second) == 4);
    fill(target, &topic, 80..120);
    poll_until(&[&second], &mut seen, |seen| seen.len() == 120);
}

#[test]
fn members_share_partitions_and_take_over() {
    share_partitions("range");
}

#[test]
fn members_share_partitions_in_turn() {
    share_partitions("roundrobin");
}

#[test]
fn members_share_partitions_cooperatively() {
    share_partitions("cooperative-sticky");
}

#[test]
fn a_group_goes_on_where_it_has_committed() {
    let target = Target::get();
    let topic = target.topic("resumed");
    fill(target, &topic, 0..10);
    let group = target.unique("resumed");
    let first = consumer(target, &group, &[]);
    first.subscribe(&[&topic.name]).unwrap();
    let mut seen = BTreeSet::new();
    poll_until(&[&first], &mut seen, |seen| seen.len() == 10);
    first.commit_consumer_state(CommitMode::Sync).unwrap();
    drop(first);

    fill(target, &topic, 10..15);
    let second = consumer(target, &group, &[]);
    second.subscribe(&[&topic.name]).unwrap();
    let mut rest = BTreeSet::new();
    poll_until(&[&second], &mut rest, |rest| rest.contains("0014"));
    assert_eq!(rest.len(), 5);
    assert!(!rest.contains("0009"));
}

/// A member that dies without a word is missed after its session time-out.
#[test]
fn a_silent_member_is_replaced() {
    let target = Target::get();
    let topic = target.topic_with("silent", 2, &[]);
    fill(target, &topic, 0..10);
    let mut silent = crate::api::group::Silent::join(target, 1_000);
    let other = consumer(target, silent.group(), &[]);
    other.subscribe(&[&topic.name]).unwrap();
    let mut seen = BTreeSet::new();
    poll_until(&[&other], &mut seen, |seen| seen.len() == 10);
    assert_eq!(partitions(&other), 2);
    assert!(!silent.is_member());
}
