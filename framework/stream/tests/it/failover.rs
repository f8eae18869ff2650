//! Three nodes of Apache Kafka, of which one is killed and one is stopped in mid-flow, while
//! an idempotent producer writes and a group of two copies what it wrote in transactions.
//! Nothing that was acknowledged may be lost, and nothing copied twice; a client that is not
//! ours judges.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mesh_core::TraceContext;
use mesh_stream::{
    GroupConsumer, Headers, Outgoing, Producer, RebalanceListener, Remedy, StreamConfig,
    TransactionalProducer,
};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::task::JoinHandle;

use crate::cluster::{Cluster, given};
use crate::platform::Platform;
use crate::records::Reading;

const PARTITIONS: i32 = 3;
const KEYS: u64 = 30;
/// The records of one transaction.
const TOGETHER: usize = 50;
const PATIENCE: Duration = Duration::from_secs(120);

/// What the tasks have done so far, and whether they are to end.
#[derive(Default)]
struct Progress {
    acknowledged: AtomicU64,
    copied: AtomicU64,
    written: AtomicBool,
    copied_all: AtomicBool,
}

fn record(topic: &str, partition: i32, key: Bytes, value: Bytes) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        partition: Some(partition),
        key,
        value: Some(value),
        headers: Headers::of::<Reading>(TraceContext::new()),
        timestamp: None,
    }
}

/// Writes numbers until it is told to end; the partition and offset of each.
async fn write(config: StreamConfig, topic: String, progress: Arc<Progress>) -> Vec<(i32, i64)> {
    let producer = Producer::new(&config).unwrap();
    let mut places = Vec::new();
    let mut number = 0u64;
    while !progress.written.load(Ordering::Relaxed) {
        let mut deliveries = Vec::new();
        for _ in 0..10 {
            let key = number % KEYS;
            let outgoing = record(
                &topic,
                i32::try_from(key).unwrap() % PARTITIONS,
                Bytes::from(format!("k{key}")),
                Bytes::from(number.to_string()),
            );
            deliveries.push(producer.send(outgoing).await.unwrap());
            number += 1;
        }
        for delivery in deliveries {
            places.push(delivery.await.unwrap());
            progress.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        // Not faster than two transactional copiers follow.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    places
}

/// How often partitions have been taken away. What was read before must not be committed in
/// the generation after: another member may have it.
#[derive(Default)]
struct Revoked(AtomicU64);

impl RebalanceListener for Revoked {
    fn assigned(&self, _: &[(String, i32)]) {}

    fn revoked(&self, _: &[(String, i32)], _: bool) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Copies in transactions. Whatever fails for good is begun again by a new member with a new
/// producer, as after a crash of its process.
async fn copy(
    config: StreamConfig,
    id: String,
    group: String,
    [from, to]: [String; 2],
    progress: Arc<Progress>,
) {
    while !progress.copied_all.load(Ordering::Relaxed) {
        let producer = match TransactionalProducer::init(&config, &id).await {
            Ok(producer) => producer,
            Err(error) if error.is_retryable() => continue,
            Err(error) => panic!("{error:?}"),
        };
        let revoked = Arc::new(Revoked::default());
        let listener = Arc::clone(&revoked) as Arc<dyn RebalanceListener>;
        let consumer = GroupConsumer::with_listener(&config, &group, &[&from], listener).unwrap();
        while !progress.copied_all.load(Ordering::Relaxed) {
            if let Err(remedy) = copy_some(&producer, &consumer, &revoked, &to, &progress).await {
                eprintln!("{id} begins again: {remedy:?}");
                break;
            }
        }
    }
}

async fn copy_some(
    producer: &TransactionalProducer,
    consumer: &GroupConsumer,
    revoked: &Revoked,
    to: &str,
    progress: &Progress,
) -> Result<(), Remedy> {
    let mut records = Vec::new();
    let before = revoked.0.load(Ordering::Relaxed);
    let until = tokio::time::Instant::now() + Duration::from_millis(200);
    while records.len() < TOGETHER {
        match tokio::time::timeout_at(until, consumer.recv()).await {
            Ok(Ok(record)) => records.push(record),
            Ok(Err(error)) if error.is_retryable() => {}
            Ok(Err(error)) => panic!("{error:?}"),
            Err(_) => break,
        }
    }
    if records.is_empty() {
        return Ok(());
    }
    if revoked.0.load(Ordering::Relaxed) != before {
        return Err(Remedy::Abort);
    }
    let gone = |failed: mesh_stream::Failed| failed.remedy;
    producer.begin().map_err(gone)?;
    let mut next = BTreeMap::new();
    for copied in &records {
        next.insert((copied.topic.clone(), copied.partition), copied.offset + 1);
        let (key, value) = (copied.key.clone().unwrap(), copied.value.clone().unwrap());
        let outgoing = record(to, copied.partition, key, value);
        drop(producer.send(outgoing).await.map_err(gone)?);
    }
    let group = consumer.metadata().unwrap();
    loop {
        match producer.send_offsets(&next, &group).await {
            Ok(()) => break,
            Err(failed) if failed.remedy == Remedy::Again => {}
            Err(failed) => return Err(failed.remedy),
        }
    }
    loop {
        match producer.commit().await {
            Ok(()) => break,
            Err(failed) if failed.remedy == Remedy::Again => {}
            Err(failed) => return Err(failed.remedy),
        }
    }
    let count = u64::try_from(records.len()).unwrap();
    progress.copied.fetch_add(count, Ordering::Relaxed);
    Ok(())
}

/// The node that leads partition 0 of a topic.
async fn leader(config: &StreamConfig, topic: &str) -> i32 {
    let (bootstrap, topic) = (config.bootstrap.clone(), topic.to_owned());
    let find = move || {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .create()
            .unwrap();
        let metadata = client.fetch_metadata(Some(&topic), PATIENCE).unwrap();
        let partitions = metadata.topics()[0].partitions();
        partitions
            .iter()
            .find(|found| found.id() == 0)
            .unwrap()
            .leader()
    };
    tokio::task::spawn_blocking(find).await.unwrap()
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let waits = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waits).await;
    waited.unwrap_or_else(|_| panic!("not in time: {what}"));
}

/// Waits until more has been written and copied, so that the cluster is known to work.
async fn flows(what: &str, progress: &Progress) {
    let counts = [&progress.acknowledged, &progress.copied];
    let wanted = counts.map(|count| count.load(Ordering::Relaxed) + 500);
    until(what, || {
        let pairs = counts.iter().zip(wanted);
        pairs
            .into_iter()
            .all(|(count, wanted)| count.load(Ordering::Relaxed) >= wanted)
    })
    .await;
    eprintln!("{what}: {counts:?} written and copied");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_go_in_mid_flow_lose_and_repeat_nothing() {
    let Some(cluster) = Cluster::given().filter(|cluster| cluster.nodes() >= 3) else {
        eprintln!("left out: MESH_KAFKA_CLUSTER names no cluster of three nodes");
        return;
    };
    let python = given("MESH_CLIENT_PYTHON").expect("MESH_CLIENT_PYTHON names the judge's Python");
    let platform = Platform::alone().await;
    let (source, copies) = (
        platform.topic(PARTITIONS).await,
        platform.topic(PARTITIONS).await,
    );
    let progress = Arc::new(Progress::default());
    let mut config = platform.config.clone();
    // A member that dies is missed soon.
    let short = [
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "500"),
    ];
    for (name, value) in short {
        config.overrides.insert(name.to_owned(), value.to_owned());
    }
    let writer = tokio::spawn(write(
        platform.config.clone(),
        source.clone(),
        Arc::clone(&progress),
    ));
    let group = format!("{source}.copiers");
    let copiers: Vec<JoinHandle<()>> = ["a", "b"]
        .map(|name| {
            tokio::spawn(copy(
                config.clone(),
                format!("{source}.{name}"),
                group.clone(),
                [source.clone(), copies.clone()],
                Arc::clone(&progress),
            ))
        })
        .into();

    flows("all nodes are there", &progress).await;
    let node = leader(&config, &source).await;
    cluster.kill(node).await;
    flows(&format!("node {node} is killed"), &progress).await;
    cluster.restart(node).await;
    flows(&format!("node {node} is back"), &progress).await;
    let node = leader(&config, &copies).await;
    cluster.stop(node).await;
    flows(&format!("node {node} is stopped"), &progress).await;
    cluster.restart(node).await;
    flows(&format!("node {node} is back"), &progress).await;

    progress.written.store(true, Ordering::Relaxed);
    let places = writer.await.unwrap();
    // A commit whose answer was lost is not counted, so the judge says when all is there.
    let acknowledged = platform.folder().join("acknowledged");
    let lines: String = places
        .iter()
        .map(|(partition, offset)| format!("{partition} {offset}\n"))
        .collect();
    std::fs::write(&acknowledged, lines).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/judge_failover.py");
    let output = tokio::process::Command::new(python)
        .arg(script)
        .args([&config.bootstrap, &source, &copies])
        .arg(acknowledged)
        .output()
        .await
        .unwrap();
    progress.copied_all.store(true, Ordering::Relaxed);
    for copier in copiers {
        copier.await.unwrap();
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    eprintln!("{said}");
}
