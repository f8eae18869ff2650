//! The broker as librdkafka sees it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::support::TestBroker;

const WAIT: Duration = Duration::from_secs(20);

fn client(test: &TestBroker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", test.bootstrap())
        .set("broker.address.family", "v4");
    config
}

fn producer(test: &TestBroker, settings: &[(&str, &str)]) -> BaseProducer {
    let mut config = client(test);
    config
        .set("enable.idempotence", "true")
        .set("linger.ms", "5");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

fn send(producer: &BaseProducer, topic: &str, values: &[String]) {
    for value in values {
        producer
            .send(BaseRecord::to(topic).key(value).payload(value))
            .unwrap();
    }
    producer.flush(WAIT).unwrap();
}

fn consumer(test: &TestBroker, group: &str, settings: &[(&str, &str)]) -> BaseConsumer {
    let mut config = client(test);
    config
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "100")
        .set("topic.metadata.refresh.interval.ms", "500")
        .set("check.crcs", "true");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

fn consume(consumer: &BaseConsumer, count: usize) -> Vec<String> {
    let deadline = Instant::now() + WAIT;
    let mut values = Vec::new();
    while values.len() < count {
        assert!(Instant::now() < deadline, "{} of {count}", values.len());
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = match message {
                Err(KafkaError::MessageConsumption(
                    RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure,
                )) => continue,
                message => message.unwrap(),
            };
            values.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
        }
    }
    values
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|at| format!("value {at}")).collect()
}

#[test]
fn all_codecs_are_written_and_read() {
    let test = TestBroker::start();
    // This build of librdkafka has these; snappy and lz4 are part of it.
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("in-{codec}");
        test.topic(&topic, 1, &[]);
        let values = numbered(0..2_000);
        send(
            &producer(&test, &[("compression.codec", codec)]),
            &topic,
            &values,
        );
        let consumer = consumer(&test, codec, &[]);
        consumer.subscribe(&[&topic]).unwrap();
        assert_eq!(consume(&consumer, 2_000), values, "{codec}");
        let stored = test.segment(&topic, 0, 0).metadata().unwrap().len();
        let plain = test.segment("in-none", 0, 0).metadata().unwrap().len();
        assert!(
            codec == "none" || stored < plain / 2,
            "{codec} is stored as it came"
        );
    }
}

#[test]
fn keys_headers_and_times_come_back() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let producer = producer(&test, &[]);
    let headers = OwnedHeaders::new()
        .insert(Header {
            key: "a",
            value: Some("1"),
        })
        .insert(Header {
            key: "none",
            value: None::<&str>,
        });
    let record: BaseRecord<'_, str, [u8]> = BaseRecord::to("t")
        .key("k")
        .timestamp(12_345)
        .headers(headers);
    producer.send(record).unwrap();
    producer.flush(WAIT).unwrap();
    let consumer = consumer(&test, "g", &[]);
    consumer.subscribe(&["t"]).unwrap();
    let deadline = Instant::now() + WAIT;
    let message = loop {
        assert!(Instant::now() < deadline);
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            break message.unwrap().detach();
        }
    };
    assert_eq!(message.key(), Some(&b"k"[..]));
    assert_eq!(message.payload(), None, "a tombstone");
    assert_eq!(message.timestamp().to_millis(), Some(12_345));
    assert_eq!(message.headers().unwrap().count(), 2);
}

#[test]
fn messages_up_to_the_limit() {
    let test = TestBroker::start_with(|config| config.max_message_bytes = 12 << 20);
    test.topic("t", 1, &[]);
    test.topic("small", 1, &[("max.message.bytes", "100000")]);
    let settings = [
        ("message.max.bytes", "20000000"),
        ("enable.idempotence", "false"),
    ];
    let producer = producer(&test, &settings);
    let large = "x".repeat(10 << 20);
    for value in [&large, "small", &large] {
        producer
            .send(BaseRecord::<str, str>::to("t").payload(value))
            .unwrap();
    }
    producer.flush(WAIT).unwrap();
    let consumer = consumer(&test, "g", &[("fetch.message.max.bytes", "1000")]);
    consumer.subscribe(&["t"]).unwrap();
    assert!(consume(&consumer, 3) == [large.clone(), "small".to_owned(), large]);
    producer
        .send(BaseRecord::<str, str>::to("small").payload(&"x".repeat(200_000)))
        .unwrap();
    producer.flush(WAIT).unwrap();
    assert_eq!(test.raw().list_offset("small", 0, -1).offset, 0, "refused");
}

#[test]
fn a_group_shares_partitions_and_hands_them_over() {
    let test = TestBroker::start();
    test.topic("t", 4, &[]);
    for strategy in ["range", "cooperative-sticky"] {
        let settings = [("partition.assignment.strategy", strategy)];
        let group = format!("group-{strategy}");
        let one = consumer(&test, &group, &settings);
        one.subscribe(&["t"]).unwrap();
        let assigned = |consumer: &BaseConsumer| consumer.assignment().unwrap().count();
        let settle = |members: &[&BaseConsumer], wanted: &[usize]| {
            let deadline = Instant::now() + WAIT;
            while members
                .iter()
                .map(|member| assigned(member))
                .ne(wanted.iter().copied())
            {
                assert!(Instant::now() < deadline, "{strategy} {wanted:?}");
                for member in members {
                    member.poll(Duration::from_millis(20));
                }
            }
        };
        settle(&[&one], &[4]);
        let two = consumer(&test, &group, &settings);
        two.subscribe(&["t"]).unwrap();
        settle(&[&one, &two], &[2, 2]);
        let owned = |consumer: &BaseConsumer| -> BTreeSet<i32> {
            let assignment = consumer.assignment().unwrap();
            assignment
                .elements()
                .iter()
                .map(|element| element.partition())
                .collect()
        };
        assert!(owned(&one).is_disjoint(&owned(&two)));
        // One leaves in order, and the other takes all.
        drop(one);
        settle(&[&two], &[4]);
    }
}

#[test]
fn a_group_goes_on_where_it_committed_even_after_a_restart() {
    let mut test = TestBroker::start_with(|config| {
        // The same address after the restart, as a client expects.
        config.listen = free_address();
    });
    test.topic("t", 1, &[]);
    let producer = producer(&test, &[]);
    send(&producer, "t", &numbered(0..100));
    let first = consumer(&test, "g", &[]);
    first.subscribe(&["t"]).unwrap();
    assert_eq!(consume(&first, 60), numbered(0..60));
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset("t", 0, Offset::Offset(60))
        .unwrap();
    first.commit(&offsets, CommitMode::Sync).unwrap();
    drop(first);
    test.crash();
    test.start_again();
    let second = consumer(&test, "g", &[]);
    second.subscribe(&["t"]).unwrap();
    assert_eq!(consume(&second, 40), numbered(60..100));
    // A member that lives through a restart joins again by itself, and so does a producer.
    test.stop();
    test.start_again();
    send(&producer, "t", &numbered(100..150));
    let values = consume(&second, 50);
    assert_eq!(values.last(), numbered(149..150).last());
}

/// A port that the system does not give to those who ask for any, so that it is still free
/// after a restart.
fn free_address() -> std::net::SocketAddr {
    (19_000..20_000)
        .map(|port| std::net::SocketAddr::from(([127, 0, 0, 1], port)))
        .find(|address| std::net::TcpListener::bind(address).is_ok())
        .unwrap()
}

#[test]
fn offsets_by_time_and_watermarks() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let producer = producer(&test, &[("compression.codec", "lz4")]);
    for at in 0..1_000i64 {
        let value = at.to_string();
        let record = BaseRecord::<str, str>::to("t")
            .payload(&value)
            .timestamp(10_000 + at * 10);
        producer.send(record).unwrap();
    }
    producer.flush(WAIT).unwrap();
    let consumer = consumer(&test, "g", &[]);
    assert_eq!(consumer.fetch_watermarks("t", 0, WAIT).unwrap(), (0, 1_000));
    let check = |time: i64, expected: Offset| {
        let mut asked = TopicPartitionList::new();
        asked
            .add_partition_offset("t", 0, Offset::Offset(time))
            .unwrap();
        let found = consumer.offsets_for_times(asked, WAIT).unwrap();
        assert_eq!(found.elements()[0].offset(), expected, "{time}");
    };
    check(0, Offset::Offset(0));
    check(10_000, Offset::Offset(0));
    check(10_001, Offset::Offset(1));
    check(15_000, Offset::Offset(500));
    check(19_990, Offset::Offset(999));
    check(19_991, Offset::End);
}

#[test]
fn administration() {
    let test = TestBroker::start();
    let admin: AdminClient<DefaultClientContext> = client(&test).create().unwrap();
    let options = AdminOptions::new();
    let new = |name| NewTopic::new(name, 2, TopicReplication::Fixed(1)).set("retention.ms", "-1");
    let created = test
        .runtime
        .block_on(admin.create_topics(&[new("t")], &options))
        .unwrap();
    assert_eq!(created, [Ok("t".to_owned())]);
    let again = test
        .runtime
        .block_on(admin.create_topics(&[new("t")], &options))
        .unwrap();
    assert_eq!(
        again,
        [Err(("t".to_owned(), RDKafkaErrorCode::TopicAlreadyExists))]
    );
    let described = test
        .runtime
        .block_on(admin.describe_configs(&[ResourceSpecifier::Topic("t")], &options))
        .unwrap();
    let resource = described[0].as_ref().unwrap();
    assert_eq!(
        resource.get("retention.ms").unwrap().value.as_deref(),
        Some("-1")
    );
    let deleted = test
        .runtime
        .block_on(admin.delete_topics(&["t"], &options))
        .unwrap();
    assert_eq!(deleted, [Ok("t".to_owned())]);
    let gone = test
        .runtime
        .block_on(admin.delete_topics(&["t"], &options))
        .unwrap();
    assert_eq!(
        gone,
        [Err((
            "t".to_owned(),
            RDKafkaErrorCode::UnknownTopicOrPartition
        ))]
    );
}

#[test]
fn a_topic_is_deleted_under_its_consumers_and_made_again() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    test.topic("other", 1, &[]);
    let producer = producer(&test, &[]);
    send(&producer, "t", &numbered(0..10));
    let consumer = consumer(&test, "g", &[]);
    consumer.subscribe(&["t", "other"]).unwrap();
    consume(&consumer, 10);
    assert_eq!(crate::topics::delete(&mut test.raw(), "t"), 0);
    let until = Instant::now() + Duration::from_millis(800);
    while Instant::now() < until {
        match consumer.poll(Duration::from_millis(50)) {
            None => {}
            Some(Ok(_)) => panic!("a record of a deleted topic"),
            Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic,
            ))) => {}
            Some(Err(error)) => panic!("{error}"),
        }
    }
    send(&producer, "other", &numbered(20..25));
    let deadline = Instant::now() + WAIT;
    let mut seen = 0;
    while seen < 5 {
        assert!(Instant::now() < deadline, "the other topic is still read");
        if let Some(Ok(_)) = consumer.poll(Duration::from_millis(100)) {
            seen += 1;
        }
    }
    test.topic("t", 1, &[]);
    assert_eq!(test.raw().list_offset("t", 0, -1).offset, 0);
}

/// librdkafka sends a few bytes behind its request for the metadata of all topics.
#[test]
fn all_topics_are_listed() {
    let test = TestBroker::start();
    let admin: AdminClient<DefaultClientContext> = client(&test).create().unwrap();
    let topic = NewTopic::new("listed", 3, TopicReplication::Fixed(1));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime
        .block_on(admin.create_topics(&[topic], &AdminOptions::new()))
        .unwrap()
        .into_iter()
        .for_each(|created| assert!(created.is_ok(), "{created:?}"));
    let metadata = admin.inner().fetch_metadata(None, WAIT).unwrap();
    let listed = metadata.topics().iter().find(|t| t.name() == "listed");
    assert_eq!(listed.map(|topic| topic.partitions().len()), Some(3));
}
