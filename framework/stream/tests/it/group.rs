use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mesh_core::{ErrorKind, TraceContext};
use mesh_stream::{
    GroupConsumer, Headers, Outgoing, Producer, RawRecord, RebalanceListener, StreamConfig,
};
use uuid::Uuid;

use crate::platform::Platform;
use crate::records::Reading;

#[derive(Default)]
struct Seen(Mutex<BTreeSet<i32>>, Mutex<usize>);

impl RebalanceListener for Seen {
    fn assigned(&self, partitions: &[(String, i32)]) {
        self.0
            .lock()
            .unwrap()
            .extend(partitions.iter().map(|(_, partition)| *partition));
    }

    fn revoked(&self, partitions: &[(String, i32)], _: bool) {
        *self.1.lock().unwrap() += 1;
        let mut mine = self.0.lock().unwrap();
        for (_, partition) in partitions {
            mine.remove(partition);
        }
    }
}

impl Seen {
    fn now(&self) -> BTreeSet<i32> {
        self.0.lock().unwrap().clone()
    }
}

async fn send(producer: &Producer, topic: &str, partition: i32, text: &str) {
    producer
        .send(Outgoing {
            topic: topic.into(),
            partition: Some(partition),
            key: text.as_bytes().to_vec().into(),
            value: Some(text.as_bytes().to_vec().into()),
            headers: Headers::of::<Reading>(TraceContext::new()),
            timestamp: Some(1_000),
        })
        .await
        .unwrap()
        .await
        .unwrap();
}

async fn recv(consumer: &GroupConsumer) -> RawRecord {
    tokio::time::timeout(Duration::from_secs(20), consumer.recv())
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn members_share_the_partitions_and_go_on_from_what_was_committed() {
    let platform = Platform::start().await;
    let topic = platform.topic(4).await;
    let producer = Producer::new(&platform.config).unwrap();
    for partition in 0..4 {
        for n in 0..3 {
            send(&producer, &topic, partition, &format!("{partition}/{n}")).await;
        }
    }
    let group = format!("g{}", Uuid::new_v4().simple());
    let join = |seen: &Arc<Seen>| {
        GroupConsumer::with_listener(
            &platform.config,
            &group,
            &[&topic],
            Arc::clone(seen) as Arc<dyn RebalanceListener>,
        )
        .unwrap()
    };
    let (seen_a, seen_b) = (Arc::new(Seen::default()), Arc::new(Seen::default()));
    let a = join(&seen_a);
    for _ in 0..12 {
        let record = recv(&a).await;
        assert_eq!(record.timestamp, 1_000);
        // One record of each partition is left uncommitted.
        if record.offset < 2 {
            let next = (record.topic.clone(), record.partition, record.offset + 1);
            a.commit(&[next]).await.unwrap();
        }
    }
    assert_eq!(seen_a.now(), (0..4).collect());
    assert_eq!(a.assignment().unwrap().len(), 4);
    let lag = a.lag().await.unwrap();
    assert_eq!(lag.len(), 4);
    assert!(
        lag.iter()
            .all(|lag| lag.committed == Some(2) && lag.offsets() == 1),
        "{lag:?}"
    );

    // A second member takes half of it.
    let b = join(&seen_b);
    let until = Instant::now() + Duration::from_secs(20);
    let mut again = BTreeSet::new();
    while again.len() < 4 || seen_a.now().len() != 2 || seen_b.now().len() != 2 {
        assert!(
            Instant::now() < until,
            "{again:?} {:?} {:?}",
            seen_a.now(),
            seen_b.now()
        );
        tokio::select! {
            record = a.recv() => { again.insert(record.unwrap().partition); }
            record = b.recv() => { again.insert(record.unwrap().partition); }
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
    assert!(seen_a.now().is_disjoint(&seen_b.now()));
    assert!(*seen_a.1.lock().unwrap() >= 1);

    // What is not this member's cannot be committed, or is without effect on the owner.
    // It leaves; the first has all again.
    b.close().await;
    while seen_a.now().len() != 4 {
        assert!(Instant::now() < until, "{:?}", seen_a.now());
        tokio::select! {
            record = a.recv() => { record.unwrap(); }
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }

    // Paused partitions stay silent; seeking repeats.
    let all = a.assignment().unwrap();
    a.pause(&all).unwrap();
    send(&producer, &topic, 0, "late").await;
    let silent = tokio::time::timeout(Duration::from_millis(700), a.recv()).await;
    assert!(silent.is_err(), "{silent:?}");
    a.resume(&all).unwrap();
    a.seek(&topic, 1, 0).await.unwrap();
    let mut seen = BTreeSet::new();
    while !(seen.contains(&(0, 3)) && seen.contains(&(1, 0))) {
        let record = recv(&a).await;
        seen.insert((record.partition, record.offset));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_says_that_the_broker_or_the_topic_is_not_there_and_goes_on_trying() {
    let down = StreamConfig::new("127.0.0.1:1", "http://127.0.0.1:1", "mesh-stream-test");
    let consumer = GroupConsumer::new(&down, "g", &["lab.nothing.v1"]).unwrap();
    let error = tokio::time::timeout(Duration::from_secs(20), consumer.recv())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("127.0.0.1:1") && error.is_retryable());
    drop(consumer);

    let platform = Platform::start().await;
    let consumer = GroupConsumer::new(&platform.config, "g2", &["lab.not_yet.v1"]).unwrap();
    let error = tokio::time::timeout(Duration::from_secs(20), consumer.recv())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    assert!(error.is_retryable());
    consumer.close().await;
}
