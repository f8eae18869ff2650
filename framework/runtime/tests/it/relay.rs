//! The relay's recovery, where Kafka and the store must fit together.

use std::time::Duration;

use mesh_core::EventId;
use mesh_runtime::{Config, Running};
use mesh_stream::{GroupOffsets, Headers, OutboxMark, Outgoing, Producer, TransactionalProducer};
use uuid::Uuid;

use super::child::spawn;
use super::platform::{Client, Platform};
use super::shop;
use super::store::Tables;

/// The name of the outbox in Kafka: its transactional id and its group.
async fn outbox(platform: &Platform) -> String {
    format!("shop.outbox.{}", outbox_id(platform).await)
}

async fn outbox_id(platform: &Platform) -> String {
    let tables = Tables::of(platform).await;
    let found: Vec<(String,)> = tables
        .rows("SELECT value FROM meta WHERE name = 'outbox'")
        .await;
    tables.close().await;
    found[0].0.clone()
}

/// Has the store be of another time.
async fn set_time(platform: &Platform, last: i64, relayed: &'static str) {
    let tables = Tables::of(platform).await;
    tables.set_last_row(last).await;
    tables.execute(relayed).await;
    tables.close().await;
}

async fn failure(running: &Running) -> String {
    let failed = tokio::time::timeout(Duration::from_secs(30), running.failed()).await;
    failed.unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_position_in_kafka_is_that_of_the_outbox() {
    let platform = Platform::start().await;
    let running = platform.run(shop::domain(300, 100)).await;
    Client::of(&running).until_paid(300).await;
    running.stop().await;
    let group = GroupOffsets::new(&platform.stream(), &outbox(&platform).await).unwrap();
    let places: Vec<(String, i32)> = (0..3).map(|p| ("shop.orders.v1".to_owned(), p)).collect();
    let offsets = group.committed(&places).await.unwrap();
    let tables = Tables::of(&platform).await;
    let noted: Vec<(String, i32, i64)> = tables
        .rows("SELECT topic, partition, seq FROM relayed WHERE topic = 'shop.orders.v1'")
        .await;
    tables.close().await;
    assert_eq!(noted.len(), 3);
    for (topic, partition, seq) in noted {
        assert_eq!(offsets.get(&(topic, partition)), Some(&(seq + 1)));
    }
}

/// Publishes what stands in the outbox as a relay without transactions did; how many rows.
async fn publish_without_transaction(platform: &Platform) -> usize {
    type Row = (
        i64,
        String,
        i32,
        Vec<u8>,
        String,
        String,
        Vec<u8>,
        Option<Vec<u8>>,
    );
    let outbox = outbox_id(platform).await;
    let tables = Tables::of(platform).await;
    let rows: Vec<Row> = tables
        .rows(
            "SELECT seq, topic, partition, event_id, trace, contract_version, key, value
             FROM outbox ORDER BY seq",
        )
        .await;
    tables.close().await;
    let producer = Producer::new(&platform.stream()).unwrap();
    let count = rows.len();
    for (seq, topic, partition, event_id, trace, contract_version, key, value) in rows {
        let headers = Headers {
            event_id: EventId(Uuid::from_slice(&event_id).unwrap()),
            contract_version,
            trace: trace.parse().unwrap(),
            outbox: Some(OutboxMark {
                outbox: outbox.parse().unwrap(),
                seq: seq as u64,
            }),
            ends: None,
        };
        let record = Outgoing {
            topic,
            partition: Some(partition),
            key: key.into(),
            value: value.map(Into::into),
            headers,
            timestamp: None,
        };
        drop(producer.send(record).await.unwrap());
    }
    producer.flush(Duration::from_secs(30)).await.unwrap();
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_position_the_log_is_read() {
    let platform = Platform::start().await;
    // As a relay without transactions leaves it that was killed before it could note what
    // it had published; so it looks too when Kafka has let a position go.
    let mut process = spawn(&platform, 900, "relay.begun@shop.orders.v1#1").await;
    process.child.wait().await.unwrap();
    let published = publish_without_transaction(&platform).await;
    assert!(published > 0);
    let running = platform.run(shop::domain(900, 100)).await;
    Client::of(&running).until_paid(900).await;
    running.stop().await;
    shop::check_payouts(&platform.payouts().await, 900);
    assert_eq!(platform.orders().await.len(), 900);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aborted_transaction_is_published_again() {
    let platform = Platform::start().await;
    // Everything stands in Kafka, and nothing of it is committed.
    let mut process = spawn(&platform, 900, "relay.before_commit@shop.orders.v1#1").await;
    process.child.wait().await.unwrap();
    let running = platform.run(shop::domain(900, 100)).await;
    Client::of(&running).until_paid(900).await;
    running.stop().await;
    shop::check_payouts(&platform.payouts().await, 900);
    assert_eq!(platform.orders().await.len(), 900);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_was_fenced_stops_the_domain() {
    let platform = Platform::start().await;
    let running = platform.run(shop::domain(200, 100)).await;
    let client = Client::of(&running);
    client.until_paid(200).await;
    // Another process takes the outbox over, as from a copied data folder.
    let name = outbox(&platform).await;
    let other = TransactionalProducer::init(&platform.stream(), &name)
        .await
        .unwrap();
    assert_eq!(give(&client, 9_999, "c0").await.status(), 200);
    let text = failure(&running).await;
    assert!(text.contains("another process has taken over"), "{text}");
    assert!(text.contains(&name), "{text}");
    drop(other);
    running.stop().await;
    assert_eq!(
        platform.payouts().await.len(),
        200,
        "nothing of the zombie is seen"
    );

    // What it could not publish is published by the next life.
    let running = platform.run(shop::domain(200, 100)).await;
    Client::of(&running)
        .until("the gift is published", |status| {
            status["ready"] == true && status["outbox_pending"] == 0
        })
        .await;
    running.stop().await;
    assert_eq!(platform.payouts().await.len(), 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_does_not_fit_kafka_stops_the_domain() {
    let platform = Platform::start().await;
    let running = platform.run(shop::domain(200, 100)).await;
    Client::of(&running).until_paid(200).await;
    running.stop().await;

    // It was restored from before.
    set_time(&platform, 20, "UPDATE relayed SET seq = 20 WHERE seq > 20").await;
    let running = platform.run(shop::domain(200, 100)).await;
    let text = failure(&running).await;
    assert!(text.contains("store is older"), "{text}");
    running.stop().await;

    // Kafka was.
    set_time(&platform, 9_000, "UPDATE relayed SET seq = 9000").await;
    let running = platform.run(shop::domain(200, 100)).await;
    let text = failure(&running).await;
    assert!(text.contains("behind what was published"), "{text}");
    assert!(text.contains("restore"), "{text}");
    running.stop().await;
    assert_eq!(
        platform.orders().await.len(),
        200,
        "nothing is written again"
    );
}

/// With room for a request that makes a record of 4,000 bytes.
fn roomy(platform: &Platform) -> Config {
    let mut config = platform.config("shop");
    config.body_limit = 10_000;
    config
}

/// The same with what a client may have in its `[kafka]`: small records alone.
fn small(platform: &Platform) -> Config {
    let mut config = roomy(platform);
    config
        .kafka
        .insert("message.max.bytes".into(), "3000".into());
    config
}

async fn give(client: &Client, gift_id: i64, customer: &str) -> reqwest::Response {
    client
        .governed("POST", "/v1/gifts")
        .json(&serde_json::json!({"gift_id": gift_id, "customer": customer, "amount": 1}))
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_kafka_would_not_take_is_refused_at_once() {
    let platform = Platform::start().await;
    let running = Running::start(shop::domain(0, 100), small(&platform)).await;
    let running = running.unwrap();
    let client = Client::of(&running);
    client
        .until("it is ready", |status| status["ready"] == true)
        .await;
    let answer = give(&client, 1, &"c".repeat(4_000)).await;
    assert_eq!(answer.status(), 400);
    let problem: serde_json::Value = answer.json().await.unwrap();
    let mend = problem["mend"].as_str().unwrap();
    assert!(mend.contains("message.max.bytes"), "{problem}");
    // It has taken nothing with it, and those after it are published.
    assert_eq!(give(&client, 2, "c0").await.status(), 200);
    client
        .until("the gift is published", |status| {
            status["ready"] == true && status["outbox_pending"] == 0
        })
        .await;
    running.stop().await;
    assert_eq!(platform.payouts().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_kafka_does_not_take_ends_the_process_and_is_named() {
    let mut platform = Platform::start().await;
    let running = Running::start(shop::domain(0, 100), roomy(&platform)).await;
    let running = running.unwrap();
    let client = Client::of(&running);
    client
        .until("it is ready", |status| status["ready"] == true)
        .await;
    if platform.kill_broker().await {
        assert_eq!(give(&client, 1, &"c".repeat(4_000)).await.status(), 200);
        running.stop().await;
        platform.start_broker().await;
        // The row was written when larger ones were allowed.
        let running = Running::start(shop::domain(0, 100), small(&platform)).await;
        let running = running.unwrap();
        let text = failure(&running).await;
        assert!(text.contains("the record is too large"), "{text}");
        assert!(text.contains("seq"), "{text}");
        running.stop().await;
        let running = platform.run(shop::domain(0, 100)).await;
        Client::of(&running)
            .until("the gift is published", |status| {
                status["ready"] == true && status["outbox_pending"] == 0
            })
            .await;
        running.stop().await;
        assert_eq!(platform.payouts().await.len(), 1);
    } else {
        running.stop().await;
    }
}
