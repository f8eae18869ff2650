//! What becomes of handlers when partitions come and go, and when their groups, their topics
//! and the store are not of one time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mesh_core::{Record, Result, TraceContext};
use mesh_runtime::{Context, Domain, Effects, Handler, Running};
use mesh_stream::{
    GroupConsumer, GroupOffsets, Headers, Outgoing, Received, TransactionalProducer,
};
use rdkafka::admin::AdminOptions;
use serde_json::Value as Json;

use super::platform::{Client, Platform};
use super::shop::{self, Order, Payout, Total};
use super::store::Tables;
use super::transform;

async fn ready(running: &Running) -> Client {
    let client = Client::of(running);
    client
        .until("it is ready", |status| status["ready"] == true)
        .await;
    client
}

async fn publish(platform: &Platform, orders: impl IntoIterator<Item = i64>) {
    let (producer, typed) = platform.producer::<Order>().await;
    for id in orders {
        drop(typed.send(&shop::order(id)).await.unwrap());
    }
    producer.flush(Duration::from_secs(30)).await.unwrap();
}

/// Pays an order for itself.
fn pay(order: &Order) -> Effects {
    Effects::new().emit(&Payout {
        order_id: order.order_id,
        customer: order.customer.clone(),
        amount: order.amount,
        total: order.amount,
    })
}

/// Takes its time, as long as it is told to.
struct Slow {
    time: Duration,
    hurry: Arc<AtomicBool>,
    begun: Arc<AtomicU64>,
}

impl Slow {
    fn new(millis: u64) -> Self {
        Self {
            time: Duration::from_millis(millis),
            hurry: Arc::default(),
            begun: Arc::default(),
        }
    }
}

#[async_trait]
impl Handler<Order> for Slow {
    async fn handle(&self, event: &Received<Order>, _: &Context) -> Result<Effects> {
        self.begun.fetch_add(1, Ordering::AcqRel);
        if !self.hurry.load(Ordering::Acquire) {
            tokio::time::sleep(self.time).await;
        }
        Ok(event.value.as_ref().map_or_else(Effects::new, pay))
    }
}

async fn check_paid(platform: &Platform, orders: impl IntoIterator<Item = i64>) {
    let paid = platform.payouts().await;
    let mut paid: Vec<i64> = paid.iter().map(|payout| payout.order_id).collect();
    paid.sort_unstable();
    assert_eq!(paid, orders.into_iter().collect::<Vec<i64>>());
}

/// The client keeps a pause while a partition is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_was_paused_goes_on_after_a_rebalance() {
    const ORDERS: i64 = 6_000;
    let platform = Platform::start().await;
    let slow = Slow::new(20);
    let (hurry, begun) = (Arc::clone(&slow.hurry), Arc::clone(&slow.begun));
    let domain = Domain::new("shop")
        .product::<Order>()
        .product::<Payout>()
        .handler::<Order, _>("pay", slow);
    let running = platform.run(domain).await;
    let client = ready(&running).await;
    // One customer, so one partition, and more than may wait for its worker.
    publish(&platform, (0..ORDERS).map(|id| id * 7)).await;
    while begun.load(Ordering::Acquire) < 100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Another member comes and goes.
    let topics = [Order::descriptor().topic.as_str()];
    let other = GroupConsumer::new(&platform.stream(), "shop.pay", &topics).unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while other.assignment().unwrap().is_empty() {
        assert!(Instant::now() < until, "the other member gets a partition");
        // What it reads it does not commit.
        drop(tokio::time::timeout(Duration::from_millis(100), other.recv()).await);
    }
    other.close().await;
    hurry.store(true, Ordering::Release);
    client
        .until("all is handled", |status| {
            status["handlers"][0]["handled"] == ORDERS && status["outbox_pending"] == 0
        })
        .await;
    running.stop().await;
    check_paid(&platform, (0..ORDERS).map(|id| id * 7)).await;
}

/// The group is ahead of a store that was restored, and the store is what counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_restored_store_does_not_know_is_handled_again() {
    let platform = Platform::start().await;
    let running = platform.run(shop::domain(200, 100)).await;
    Client::of(&running).until_paid(200).await;
    running.stop().await;
    // The handler emits nothing, so the outbox does not show it.
    let tables = Tables::of(&platform).await;
    for statement in [
        "UPDATE positions SET next_offset = 0, handled = 0 WHERE handler = 'tally'",
        "DELETE FROM inbox WHERE handler = 'tally'",
        "DELETE FROM documents WHERE kind = 'seen'",
    ] {
        tables.execute(statement).await;
    }
    tables.close().await;
    let running = platform.run(shop::domain(200, 100)).await;
    let client = Client::of(&running);
    client.until_paid(200).await;
    client
        .until("no lag", |status| status["handlers"][1]["lag"] == 0)
        .await;
    let (status, probe) = client.json("/v1/probe").await;
    assert_eq!((status, &probe["amount"]), (200, &200.into()));
    running.stop().await;
    shop::check_payouts(&platform.payouts().await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transform_whose_group_has_lost_its_place_stops_the_domain() {
    let platform = Platform::start().await;
    let running = platform.run(transform::domain(100)).await;
    Client::of(&running)
        .until("all is handled", |status| {
            status["handlers"][0]["handled"] == 100 && status["outbox_pending"] == 0
        })
        .await;
    running.stop().await;
    let group = GroupOffsets::new(&platform.stream(), "shop.through").unwrap();
    let topic = Order::descriptor().topic.as_str();
    let begin: BTreeMap<(String, i32), i64> = (0..3)
        .map(|partition| ((topic.to_owned(), partition), 0))
        .collect();
    let until = Instant::now() + Duration::from_secs(30);
    while let Err(error) = group.place(&begin).await {
        // Its last member may still be leaving.
        assert!(Instant::now() < until, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let running = platform.run(transform::domain(100)).await;
    let failed = tokio::time::timeout(Duration::from_secs(30), running.failed()).await;
    let text = failed.unwrap().to_string();
    assert!(
        text.contains("begins before what was handled") && text.contains("shop.through"),
        "{text}"
    );
    running.stop().await;
    shop::check_payouts(&platform.payouts().await, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_transform_keeps_its_partitions() {
    const ORDERS: i64 = 100;
    let platform = Platform::start().await;
    let domain = Domain::new("shop")
        .product::<Order>()
        .product::<Payout>()
        .transform::<Order, _>("through", Slow::new(100));
    let mut config = platform.config("shop");
    // Less than all of it takes.
    let (name, value) = ("max.poll.interval.ms", "3000");
    config.kafka.insert(name.into(), value.into());
    let running = Running::start(domain, config).await.unwrap();
    let client = ready(&running).await;
    publish(&platform, 0..ORDERS).await;
    client
        .until("all is handled", |status| {
            status["handlers"][0]["handled"] == ORDERS
        })
        .await;
    running.stop().await;
    check_paid(&platform, 0..ORDERS).await;
}

/// Another process writes the same state, and has a transaction open most of the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_of_another_process_is_waited_for() {
    let platform = Platform::start().await;
    let running = platform.run(transform::domain(0)).await;
    let client = ready(&running).await;
    let other = TransactionalProducer::init(&platform.stream(), "shop.through.other")
        .await
        .unwrap();
    other.begin().unwrap();
    let record = Outgoing {
        topic: Total::descriptor().topic.as_str().to_owned(),
        partition: Some(0),
        key: b"no key"[..].into(),
        value: Some(b"no value"[..].into()),
        headers: Headers::of::<Total>(TraceContext::new()),
        timestamp: None,
    };
    let delivery = other.send(record).await.unwrap();
    other.flush().await.unwrap();
    delivery.await.unwrap();
    publish(&platform, 0..10).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        let (_, status) = client.json("/status").await;
        assert_eq!(status["handlers"][0]["handled"], 0);
        assert!(status["waiting"]["handler through"].is_null(), "{status:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    other.abort().await.unwrap();
    client
        .until("all is handled", |status| {
            status["handlers"][0]["handled"] == 10
        })
        .await;
    running.stop().await;
    shop::check_payouts(&platform.payouts().await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_shows_nothing_of_partitions_that_went_to_another() {
    let platform = Platform::start().await;
    let first = platform.run_in("first", transform::domain(0)).await;
    let one = ready(&first).await;
    let even = |status: &Json| status["handlers"][0]["lag"] == 0;
    one.until("it has all partitions", even).await;
    let second = platform.run_in("second", transform::domain(0)).await;
    let two = Client::of(&second);
    two.until("it has some of them", even).await;
    publish(&platform, 0..200).await;
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let (_, a) = one.json("/status").await;
        let (_, b) = two.json("/status").await;
        let handled = |status: &Json| status["handlers"][0]["handled"].as_u64().unwrap();
        if handled(&a) + handled(&b) == 200 && even(&a) && even(&b) {
            break;
        }
        assert!(Instant::now() < until, "{a:#} {b:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    first.stop().await;
    second.stop().await;
    check_paid(&platform, 0..200).await;
}

/// Emits the state that another handler emits.
struct Again;

#[async_trait]
impl Handler<Payout> for Again {
    async fn handle(&self, event: &Received<Payout>, _: &Context) -> Result<Effects> {
        let payouts = event.value.iter();
        Ok(payouts.fold(Effects::new(), |effects, payout| {
            effects.emit(&Total {
                customer: payout.customer.clone(),
                amount: 1,
            })
        }))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_followed_product_has_one_writer() {
    let platform = Platform::start().await;
    let domain = transform::domain(0).transform::<Payout, _>("again", Again);
    let running = platform.run(domain).await;
    let client = ready(&running).await;
    publish(&platform, 0..10).await;
    let status = client
        .until("one of them is refused", |status| {
            status["handlers"][0]["set_aside"] == 10 && status["handlers"][1]["handled"] == 10
        })
        .await;
    assert_eq!(status["handlers"][0]["name"], "again");
    assert_eq!(status["handlers"][0]["handled"], 0);
    for (customer, amount) in shop::expected(10) {
        let (_, total) = client.json(&format!("/v1/totals/{customer}")).await;
        assert_eq!(total["amount"], amount, "{customer}");
    }
    running.stop().await;
    let tables = Tables::of(&platform).await;
    let kept: Vec<(String,)> = tables.rows("SELECT cause FROM set_aside").await;
    tables.close().await;
    assert_eq!(kept.len(), 10);
    for (cause,) in kept {
        assert!(cause.contains("one Kafka-to-Kafka handler"), "{cause}");
    }
}

/// A broker answers all the while, which says nothing of the topic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_gone_is_shown_for_as_long() {
    let platform = Platform::start().await;
    let mut config = platform.config("shop");
    // For that long the client takes a topic that it knew for one that is being made.
    let (name, value) = ("topic.metadata.propagation.max.ms", "2000");
    config.kafka.insert(name.into(), value.into());
    let running = Running::start(shop::domain(100, 100), config)
        .await
        .unwrap();
    let client = Client::of(&running);
    client.until_paid(100).await;
    let topic = Order::descriptor().topic.as_str();
    let deleted = platform
        .admin()
        .delete_topics(&[topic], &AdminOptions::new())
        .await
        .unwrap();
    assert!(
        deleted.iter().all(std::result::Result::is_ok),
        "{deleted:?}"
    );
    let gone = |status: &Json| status["waiting"]["handler pay"].is_string();
    client.until("the handler tells it", gone).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        let (_, status) = client.json("/status").await;
        assert!(gone(&status), "{status:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.stop().await;
}
