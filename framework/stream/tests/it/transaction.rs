//! Transactions: what readers see of committed, aborted and open ones.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mesh_core::{ErrorKind, TraceContext};
use mesh_stream::batch::PartitionReader;
use mesh_stream::{
    Admin, GroupConsumer, GroupOffsets, Headers, Outgoing, Remedy, TransactionalProducer,
};

use crate::platform::Platform;
use crate::records::Reading;

fn record(topic: &str, value: &str) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        partition: Some(0),
        key: Bytes::from_static(b"k"),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Headers::of::<Reading>(TraceContext::new()),
        timestamp: None,
    }
}

fn id() -> String {
    format!("lab.{}", uuid::Uuid::new_v4().simple())
}

async fn producer(platform: &Platform, id: &str) -> TransactionalProducer {
    TransactionalProducer::init(&platform.config, id)
        .await
        .unwrap()
}

/// Begins a transaction and sends `values`; each stands in its partition then.
async fn open(producer: &TransactionalProducer, topic: &str, values: &[&str]) {
    producer.begin().unwrap();
    for value in values {
        drop(producer.send(record(topic, value)).await.unwrap());
    }
    producer.flush().await.unwrap();
}

/// Waits until readers of committed records see up to `end`: a commit is acknowledged
/// before its marks are written.
async fn until_end(admin: &Admin, topic: &str, end: i64) -> i64 {
    let begun = Instant::now();
    loop {
        let (_, found) = admin.watermarks(topic, 0).await.unwrap();
        if found == end {
            return end;
        }
        assert!(
            found < end && begun.elapsed() < Duration::from_secs(10),
            "{found}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn values(platform: &Platform, topic: &str, end: i64) -> Vec<String> {
    let mut reader = PartitionReader::open(&platform.config, topic, 0, 0, end).unwrap();
    let mut values = Vec::new();
    while let Some(messages) = reader.next_batch(100).await.unwrap() {
        values.extend(
            messages
                .iter()
                .map(|message| String::from_utf8(message.value.unwrap().to_vec()).unwrap()),
        );
    }
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounded_reader_sees_committed_records_and_comes_to_its_end() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let admin = Admin::new(&platform.config).unwrap();
    let (first, second) = (id(), id());
    let first = producer(&platform, &first).await;
    let second = producer(&platform, &second).await;

    // An aborted transaction alone: nothing but a hole.
    open(&first, &topic, &["a0", "a1"]).await;
    first.abort().await.unwrap();
    let end = until_end(&admin, &topic, 3).await;
    assert!(values(&platform, &topic, end).await.is_empty());

    open(&first, &topic, &["c0", "c1", "c2"]).await;
    first.commit().await.unwrap();
    // Three records and two marks.
    let end = until_end(&admin, &topic, 7).await;
    let begun = Instant::now();
    assert_eq!(values(&platform, &topic, end).await, ["c0", "c1", "c2"]);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );

    // An open transaction hides itself and what is committed behind it.
    open(&first, &topic, &["o0"]).await;
    open(&second, &topic, &["d0"]).await;
    second.commit().await.unwrap();
    while admin.log_end(&topic, 0).await.unwrap() < 10 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let stable = until_end(&admin, &topic, 7).await;
    assert_eq!(values(&platform, &topic, stable).await, ["c0", "c1", "c2"]);

    first.abort().await.unwrap();
    let end = until_end(&admin, &topic, 11).await;
    assert_eq!(
        values(&platform, &topic, end).await,
        ["c0", "c1", "c2", "d0"]
    );
    // The last offsets of a range may be aborted records.
    assert_eq!(values(&platform, &topic, 8).await, ["c0", "c1", "c2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_become_true_with_the_records_of_their_transaction() {
    let platform = Platform::start().await;
    let topic = platform.topic(2).await;
    let (name, group) = (id(), id());
    let producer = producer(&platform, &name).await;
    let offsets = GroupOffsets::new(&platform.config, &group).unwrap();
    let metadata = offsets.metadata().unwrap();
    let places = [(topic.clone(), 0), (topic.clone(), 1)];
    assert!(offsets.committed(&places).await.unwrap().is_empty());

    let wanted = BTreeMap::from([((topic.clone(), 0), 41)]);
    open(&producer, &topic, &["x"]).await;
    producer.send_offsets(&wanted, &metadata).await.unwrap();
    producer.abort().await.unwrap();
    assert!(offsets.committed(&places).await.unwrap().is_empty());

    open(&producer, &topic, &["y"]).await;
    producer.send_offsets(&wanted, &metadata).await.unwrap();
    let waits = offsets.committed(&places).await.unwrap_err();
    assert!(waits.is_retryable(), "{waits}");
    assert!(waits.to_string().contains("has not ended"), "{waits}");
    producer.commit().await.unwrap();
    assert_eq!(offsets.committed(&places).await.unwrap(), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_producer_ends_and_fences_the_one_before() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let name = id();
    let zombie = producer(&platform, &name).await;
    open(&zombie, &topic, &["lost"]).await;

    let owner = producer(&platform, &name).await;
    let failed = zombie.commit().await.unwrap_err();
    assert_eq!(failed.remedy, Remedy::Fenced, "{:?}", failed.error);
    assert_eq!(failed.error.kind(), ErrorKind::Conflict);
    assert!(failed.error.to_string().contains(&name), "{}", failed.error);
    assert!(failed.error.mend_text().is_some());
    // And so for everything else that it tries.
    let failed = zombie.send(record(&topic, "late")).await.err().unwrap();
    assert_eq!(failed.remedy, Remedy::Fenced, "{:?}", failed.error);

    open(&owner, &topic, &["kept"]).await;
    owner.commit().await.unwrap();
    let admin = Admin::new(&platform.config).unwrap();
    let end = until_end(&admin, &topic, 4).await;
    assert_eq!(values(&platform, &topic, end).await, ["kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_took_too_long_is_no_sign_of_another_producer() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let name = id();
    let mut config = platform.config.clone();
    let timeout = ("transaction.timeout.ms".to_owned(), "1000".to_owned());
    config.overrides.extend([timeout]);
    let admin = Admin::new(&config).unwrap();
    for (round, commit) in [true, false].into_iter().enumerate() {
        let late = TransactionalProducer::init(&config, &name).await.unwrap();
        open(&late, &topic, &["late"]).await;
        // The record and the mark of the broker; on Apache Kafka it may take 10 s to look.
        let begun = Instant::now();
        while admin.watermarks(&topic, 0).await.unwrap().1 < 2 * (round as i64 + 1) {
            assert!(begun.elapsed() < Duration::from_secs(40), "it is aborted");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let ended = match commit {
            true => late.commit().await,
            false => late.abort().await,
        };
        let failed = ended.unwrap_err();
        assert_eq!(failed.remedy, Remedy::Renew, "{:?}", failed.error);
        let text = failed.error.to_string();
        assert!(text.contains("transaction.timeout.ms"), "{text}");
    }
    let next = producer(&platform, &name).await;
    open(&next, &topic, &["kept"]).await;
    next.commit().await.unwrap();
    let end = until_end(&admin, &topic, 6).await;
    assert_eq!(values(&platform, &topic, end).await, ["kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_a_group_passes_the_marks_of_transactions() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let name = id();
    let producer = producer(&platform, &name).await;
    open(&producer, &topic, &["0", "1"]).await;
    producer.commit().await.unwrap();
    open(&producer, &topic, &["aborted"]).await;
    producer.abort().await.unwrap();
    let admin = Admin::new(&platform.config).unwrap();
    let end = until_end(&admin, &topic, 5).await;

    let consumer = GroupConsumer::new(&platform.config, &id(), &[&topic]).unwrap();
    for n in 0..2 {
        let record = consumer.recv().await.unwrap();
        assert_eq!(record.offset, n);
    }
    let begun = Instant::now();
    loop {
        let waited = tokio::time::timeout(Duration::from_millis(100), consumer.recv()).await;
        assert!(waited.is_err(), "{waited:?}");
        let positions = consumer.position().unwrap();
        if positions == [(topic.clone(), 0, end)] {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{positions:?}");
    }
    consumer.close().await;
}
