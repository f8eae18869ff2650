//! A topic read as it is written, and told from another of its name.

use std::time::{Duration, Instant};

use bytes::Bytes;
use mesh_core::{ErrorKind, TraceContext};
use mesh_stream::batch::TopicFollower;
use mesh_stream::{Admin, Headers, Outgoing, Producer};

use crate::platform::Platform;
use crate::records::Reading;

async fn send(producer: &Producer, topic: &str, partition: i32, value: u64) {
    let delivery = producer
        .send(Outgoing {
            topic: topic.to_owned(),
            partition: Some(partition),
            key: Bytes::from_static(b"k"),
            value: Some(value.to_be_bytes().to_vec().into()),
            headers: Headers::of::<Reading>(TraceContext::new()),
            timestamp: None,
        })
        .await
        .unwrap();
    delivery.await.unwrap();
}

/// Polls until `count` records have come and the ends are as told.
fn take(follower: &mut TopicFollower, count: usize, ends: &[(i32, i64)]) -> Vec<(i32, i64)> {
    let begun = Instant::now();
    let mut found = Vec::new();
    let mut reached = Vec::new();
    while found.len() < count || ends.iter().any(|end| !reached.contains(end)) {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{found:?} {reached:?}"
        );
        let followed = follower.poll(100, Duration::from_millis(50));
        assert!(followed.failures.is_empty(), "{:?}", followed.failures);
        found.extend(
            followed
                .messages
                .iter()
                .map(|message| (message.partition, message.offset)),
        );
        reached.extend(followed.ends);
    }
    found.sort_unstable();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_read_on_as_they_are_written() {
    let platform = Platform::start().await;
    let topic = platform.topic(3).await;
    let producer = Producer::new(&platform.config).unwrap();
    for n in 0..10 {
        send(&producer, &topic, (n % 2) as i32, n).await;
    }
    let mut follower = TopicFollower::open(&platform.config, &topic, 3, 1 << 20).unwrap();
    follower.add(0, 0).unwrap();
    follower.add(1, 3).unwrap();
    let found = take(&mut follower, 7, &[(0, 5), (1, 5)]);
    assert_eq!(
        found,
        [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 3), (1, 4)]
    );
    assert_eq!(follower.bounds(0), Some((0, 5)));
    // The end says as much.
    assert!(follower.positions().is_empty());

    send(&producer, &topic, 1, 0).await;
    send(&producer, &topic, 2, 0).await;
    assert_eq!(take(&mut follower, 1, &[(1, 6)]), [(1, 5)]);
    follower.add(2, 0).unwrap();
    assert_eq!(take(&mut follower, 1, &[(2, 1)]), [(2, 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_that_is_not_there_is_told() {
    let platform = Platform::start().await;
    let topic = platform.topic(2).await;
    let producer = Producer::new(&platform.config).unwrap();
    send(&producer, &topic, 0, 0).await;
    let mut follower = TopicFollower::open(&platform.config, &topic, 2, 1 << 20).unwrap();
    follower.add(0, 0).unwrap();
    follower.add(1, 99).unwrap();
    let begun = Instant::now();
    let (partition, error) = loop {
        let mut followed = follower.poll(100, Duration::from_millis(50));
        if let Some(failure) = followed.failures.pop() {
            break failure;
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
    };
    assert_eq!(partition, 1);
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_is_ended_from_outside() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let mut follower = TopicFollower::open(&platform.config, &topic, 1, 1 << 20).unwrap();
    follower.add(0, 0).unwrap();
    take(&mut follower, 0, &[(0, 0)]);
    let waker = follower.waker();
    let waking = std::thread::spawn(move || {
        // Until one falls into the wait.
        for _ in 0..600 {
            waker.wake();
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let begun = Instant::now();
    let followed = follower.poll(100, Duration::from_secs(3600));
    assert!(followed.messages.is_empty());
    assert!(begun.elapsed() < Duration::from_secs(30));
    drop(waking);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_told_from_another_of_its_name() {
    let platform = Platform::start().await;
    let first = platform.topic(3).await;
    let second = platform.topic(1).await;
    let admin = Admin::new(&platform.config).unwrap();
    let found = admin
        .describe_topics(&[&first, "lab.never.v1", &second])
        .await
        .unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[&first].partitions, 3);
    assert_eq!(found[&second].partitions, 1);
    assert!(found[&first].id.is_some());
    assert_ne!(found[&first].id, found[&second].id);
    let again = admin.describe_topics(&[&first]).await.unwrap();
    assert_eq!(again[&first], found[&first]);
}
