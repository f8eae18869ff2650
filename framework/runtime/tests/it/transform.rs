//! Kafka-to-Kafka handlers, and state that is read back from its topic.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use async_trait::async_trait;
use mesh_core::{Error, Result};
use mesh_runtime::{Context, Domain, Effects, Handler, Reply, Request, Running};
use mesh_stream::Received;
use serde_json::Value as Json;

use super::child::{spawn, spawn_transform};
use super::platform::{Client, Platform};
use super::shop::{self, Order, Orders, Payout, Total};
use super::store;

const ORDERS: u64 = 3_000;

/// Pays each order, with what the customer got in all as the state.
struct PayThrough;

#[async_trait]
impl Handler<Order> for PayThrough {
    async fn handle(&self, event: &Received<Order>, ctx: &Context) -> Result<Effects> {
        let Some(order) = &event.value else {
            return Ok(Effects::new());
        };
        if order.wish.as_deref() == Some("poison") {
            return Err(Error::invalid("the order cannot be paid"));
        }
        if order.wish.as_deref() == Some("document") {
            return Ok(Effects::new().put("other", "key", &1));
        }
        let before: Option<Total> = ctx.get_record("total", &order.customer).await?;
        let total = Total {
            customer: order.customer.clone(),
            amount: before.map_or(0, |total| total.amount) + order.amount,
        };
        Ok(Effects::new()
            .emit(&Payout {
                order_id: order.order_id,
                customer: order.customer.clone(),
                amount: order.amount,
                total: total.amount,
            })
            .emit(&total))
    }
}

async fn total(request: Request, ctx: Context) -> Result<Reply<Total>> {
    let found = ctx.get_record("total", request.param("customer")?).await?;
    let total = found.ok_or_else(|| Error::not_found("the customer got nothing yet"))?;
    Reply::one(&request, total)
}

pub(crate) fn domain(orders: u64) -> Domain {
    let domain = Domain::new("shop")
        .product::<Order>()
        .product::<Payout>()
        .product::<Total>()
        .transform::<Order, _>("through", PayThrough)
        .follow::<Total>("total")
        .api(|api| api.get("/v1/totals/{customer}", total));
    match orders {
        0 => domain,
        count => domain.source("orders", Orders { count, batch: 100 }),
    }
}

async fn until_handled(client: &Client, orders: u64) -> Json {
    client
        .until("all is handled", |status| {
            status["handlers"][0]["handled"] == orders && status["outbox_pending"] == 0
        })
        .await
}

async fn check_totals(platform: &Platform, client: &Client, orders: u64) {
    let expected = shop::expected(orders);
    for (customer, amount) in &expected {
        let (status, body) = client.json(&format!("/v1/totals/{customer}")).await;
        assert_eq!(
            (status, &body["amount"]),
            (200, &(*amount).into()),
            "{customer}"
        );
    }
    let mut latest = std::collections::BTreeMap::new();
    for total in platform.read::<Total>().await {
        let seen: &mut i64 = latest.entry(total.customer).or_default();
        *seen = total.amount.max(*seen);
    }
    assert_eq!(latest, expected);
}

async fn ready(running: &Running) -> Client {
    let client = Client::of(running);
    client
        .until("it is ready", |status| status["ready"] == true)
        .await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transform_publishes_each_result_once_and_keeps_its_state() {
    let platform = Platform::start().await;
    let running = platform.run(domain(ORDERS)).await;
    let client = Client::of(&running);
    until_handled(&client, ORDERS).await;
    check_totals(&platform, &client, ORDERS).await;
    client
        .until("no lag", |status| status["handlers"][0]["lag"] == 0)
        .await;
    client
        .until("what it has published is told", |status| {
            let products = status["products"].as_array().unwrap();
            let mut products = products.iter();
            products.all(|product| product["published"] == ORDERS)
        })
        .await;
    running.stop().await;
    shop::check_payouts(&platform.payouts().await, ORDERS);
    // Another life repeats nothing.
    let running = platform.run(domain(ORDERS)).await;
    let client = ready(&running).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    until_handled(&client, ORDERS).await;
    check_totals(&platform, &client, ORDERS).await;
    running.stop().await;
    shop::check_payouts(&platform.payouts().await, ORDERS);
}

/// Else whoever waits until nothing is left to do waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_was_ever_published_nothing_is_left_to_handle() {
    let platform = Platform::start().await;
    let running = platform.run(domain(0)).await;
    Client::of(&running)
        .until("no lag", |status| status["handlers"][0]["lag"] == 0)
        .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_failpoint_a_transform_publishes_each_result_once() {
    let platform = Platform::start().await;
    for failpoint in [
        "transform.before_commit#1",
        "transform.committed#1",
        "transform.before_commit#2",
        "transform.committed#2",
    ] {
        let mut process = spawn_transform(&platform, ORDERS, failpoint).await;
        let ended = tokio::time::timeout(Duration::from_secs(40), process.child.wait())
            .await
            .unwrap_or_else(|_| panic!("{failpoint} is passed"))
            .unwrap();
        assert_eq!(ended.signal(), Some(9), "{failpoint}");
    }
    let running = platform.run(domain(ORDERS)).await;
    let client = ready(&running).await;
    client
        .until("no lag", |status| {
            status["handlers"][0]["lag"] == 0
                && status["outbox_pending"] == 0
                && status["sources"][0]["done"] == true
        })
        .await;
    check_totals(&platform, &client, ORDERS).await;
    running.stop().await;
    shop::check_payouts(&platform.payouts().await, ORDERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_transform_cannot_handle_is_set_aside_and_the_rest_goes_on() {
    let platform = Platform::start().await;
    let running = platform.run(domain(0)).await;
    let client = ready(&running).await;
    let (_, producer) = platform.producer::<Order>().await;
    for (id, wish) in [
        (0, None),
        (1, Some("poison")),
        (2, Some("document")),
        (3, None),
    ] {
        let order = Order {
            wish: wish.map(str::to_owned),
            ..shop::order(id)
        };
        producer.send(&order).await.unwrap().await.unwrap();
    }
    client
        .until("the rest is handled", |status| {
            status["handlers"][0]["handled"] == 2 && status["handlers"][0]["set_aside"] == 2
        })
        .await;
    running.stop().await;
    let mut paid: Vec<i64> = platform
        .payouts()
        .await
        .iter()
        .map(|payout| payout.order_id)
        .collect();
    paid.sort_unstable();
    assert_eq!(paid, [0, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_is_read_back_when_the_data_folder_is_lost() {
    let platform = Platform::start().await;
    let running = platform.run(domain(ORDERS)).await;
    until_handled(&Client::of(&running), ORDERS).await;
    running.stop().await;
    store::lose(&platform).await;
    for failpoint in ["rebuild.read", "rebuild.committed"] {
        let mut process = spawn_transform(&platform, 0, failpoint).await;
        let ended = tokio::time::timeout(Duration::from_secs(40), process.child.wait()).await;
        assert_eq!(ended.unwrap().unwrap().signal(), Some(9), "{failpoint}");
    }
    let running = platform.run(domain(0)).await;
    // Nothing of it is served before it is whole.
    let client = Client::of(&running);
    loop {
        let (status, body) = client.json("/v1/totals/c0").await;
        match status {
            200 => break,
            _ => assert_eq!(status, 503, "{body}"),
        }
    }
    let client = ready(&running).await;
    check_totals(&platform, &client, ORDERS).await;
    // And it goes on there.
    let (_, producer) = platform.producer::<Order>().await;
    for id in ORDERS..ORDERS + 50 {
        let delivery = producer.send(&shop::order(id as i64)).await.unwrap();
        delivery.await.unwrap();
    }
    until_handled(&client, 50).await;
    check_totals(&platform, &client, ORDERS + 50).await;
    running.stop().await;
    shop::check_payouts(&platform.payouts().await, ORDERS + 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_of_an_outbox_domain_are_read_back_too() {
    let platform = Platform::start().await;
    let run = || platform.run(shop::domain_of_totals());
    let running = run().await;
    let client = ready(&running).await;
    let (_, producer) = platform.producer::<Order>().await;
    for id in 0..50 {
        producer
            .send(&shop::order(id))
            .await
            .unwrap()
            .await
            .unwrap();
    }
    until_handled(&client, 50).await;
    running.stop().await;
    store::lose(&platform).await;
    let running = run().await;
    let client = ready(&running).await;
    for id in 50..60 {
        producer
            .send(&shop::order(id))
            .await
            .unwrap()
            .await
            .unwrap();
    }
    until_handled(&client, 10).await;
    running.stop().await;
    let mut totals = std::collections::BTreeMap::new();
    for total in platform.read::<Total>().await {
        let latest: &mut i64 = totals.entry(total.customer).or_default();
        *latest = total.amount.max(*latest);
    }
    assert_eq!(totals, shop::expected(60));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_of_a_group_hand_partitions_over_without_loss_or_repetition() {
    let platform = Platform::start().await;
    // The orders are there before anybody handles them.
    let mut source = spawn(&platform, 1, "").await;
    source.child.kill().await.unwrap();
    let (_, producer) = platform.producer::<Order>().await;
    let first = platform.run_in("first", domain(0)).await;
    let second = platform.run_in("second", domain(0)).await;
    for id in 1..2_000 {
        drop(producer.send(&shop::order(id)).await.unwrap());
        if id % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if id == 1_200 {
            producer.flush(Duration::from_secs(30)).await.unwrap();
        }
    }
    producer.flush(Duration::from_secs(30)).await.unwrap();
    let client = Client::of(&second);
    first.stop().await;
    client
        .until("the other has all", |status| {
            status["handlers"][0]["lag"] == 0 && status["ready"] == true
        })
        .await;
    second.stop().await;
    let mut paid: Vec<i64> = platform
        .payouts()
        .await
        .iter()
        .map(|payout| payout.order_id)
        .filter(|id| *id > 0)
        .collect();
    paid.sort_unstable();
    assert_eq!(paid, (1..2_000).collect::<Vec<i64>>());
}
