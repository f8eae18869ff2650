//! The relay's recovery, where Kafka and the data folder must fit together.

use std::time::Duration;

use mesh_core::EventId;
use mesh_runtime::Running;
use mesh_stream::{GroupOffsets, Headers, OutboxMark, Outgoing, Producer, TransactionalProducer};
use uuid::Uuid;

use super::child::spawn;
use super::platform::{Client, Platform};
use super::shop;

/// The name of the outbox in Kafka: its transactional id and its group.
async fn outbox(platform: &Platform) -> String {
    let id: String = query(platform, "SELECT value FROM meta WHERE name = 'outbox'").await;
    format!("shop.outbox.{id}")
}

async fn pool(platform: &Platform) -> sqlx::SqlitePool {
    let database = platform.dir.path().join("shop/domain.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    sqlx::SqlitePool::connect_with(options).await.unwrap()
}

async fn query<T>(platform: &Platform, statement: &'static str) -> T
where
    T: Send + Unpin + sqlx::Type<sqlx::Sqlite> + for<'r> sqlx::Decode<'r, sqlx::Sqlite>,
{
    let pool = pool(platform).await;
    let value = sqlx::query_scalar(statement)
        .fetch_one(&pool)
        .await
        .unwrap();
    pool.close().await;
    value
}

async fn execute(platform: &Platform, statement: &'static str) {
    let pool = pool(platform).await;
    sqlx::query(statement).execute(&pool).await.unwrap();
    pool.close().await;
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
    let pool = pool(&platform).await;
    let noted: Vec<(String, i32, i64)> =
        sqlx::query_as("SELECT topic, partition, seq FROM relayed WHERE topic = 'shop.orders.v1'")
            .fetch_all(&pool)
            .await
            .unwrap();
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
    let outbox: String = query(platform, "SELECT value FROM meta WHERE name = 'outbox'").await;
    let pool = pool(platform).await;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT seq, topic, partition, event_id, trace, contract_version, key, value
         FROM outbox ORDER BY seq",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    pool.close().await;
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
    let body = serde_json::json!({"gift_id": 9_999, "customer": "c0", "amount": 1});
    let answer = client
        .governed("POST", "/v1/gifts")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
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
async fn a_data_folder_that_does_not_fit_kafka_stops_the_domain() {
    let platform = Platform::start().await;
    let running = platform.run(shop::domain(200, 100)).await;
    Client::of(&running).until_paid(200).await;
    running.stop().await;

    // The folder was restored from before.
    execute(
        &platform,
        "UPDATE sqlite_sequence SET seq = 20 WHERE name = 'outbox'",
    )
    .await;
    execute(&platform, "UPDATE relayed SET seq = min(seq, 20)").await;
    let running = platform.run(shop::domain(200, 100)).await;
    let text = failure(&running).await;
    assert!(text.contains("data folder is older"), "{text}");
    running.stop().await;

    // Kafka was.
    execute(
        &platform,
        "UPDATE sqlite_sequence SET seq = 9000 WHERE name = 'outbox'",
    )
    .await;
    execute(&platform, "UPDATE relayed SET seq = 9000").await;
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
