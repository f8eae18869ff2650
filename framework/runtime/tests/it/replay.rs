//! Replays: a new version of a handler beside the old one, and in its place.

use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mesh_core::{Error, Result};
use mesh_runtime::{Context, Domain, Effects, Handler, Replay, Reply, Request, Running};
use mesh_stream::Received;
use serde_json::{Value as Json, json};

use super::child::{Process, spawn_replay};
use super::platform::{Client, Platform};
use super::shop::{self, Order, Orders, Payout, Total};

pub(crate) mod v2 {
    mesh_macros::contract!("tests/it/contracts/payouts_v2/contract.odcs.yaml");
    mesh_macros::contract!("tests/it/contracts/totals_v2/contract.odcs.yaml");
}

const ORDERS: u64 = 2_000;
/// For those that are killed again and again: enough to be at work each time.
const MANY: u64 = 4_000;
/// The version and the number of each order that somebody was told of.
type Told = Arc<Mutex<Vec<(u32, i64)>>>;

fn tell(told: &Told, ctx: &Context, version: u32, order: &Order) {
    assert_eq!(
        u32::from(ctx.in_service()) + u32::from(ctx.replaying()) + u32::from(ctx.superseded()),
        1
    );
    if ctx.in_service() {
        told.lock().unwrap().push((version, order.order_id));
    }
}

/// Pays each order, with the customer's total as a document.
struct Pay(Told);

#[async_trait]
impl Handler<Order> for Pay {
    async fn handle(&self, event: &Received<Order>, ctx: &Context) -> Result<Effects> {
        let Some(order) = &event.value else {
            return Ok(Effects::new());
        };
        tell(&self.0, ctx, 1, order);
        let before: Option<i64> = ctx.get("total", &order.customer).await?;
        let total = before.unwrap_or(0) + order.amount;
        Ok(Effects::new()
            .put("total", &*order.customer, &total)
            .emit(&Payout {
                order_id: order.order_id,
                customer: order.customer.clone(),
                amount: order.amount,
                total,
            }))
    }
}

/// Pays twice as much.
struct PayAnew(Told);

#[async_trait]
impl Handler<Order> for PayAnew {
    async fn handle(&self, event: &Received<Order>, ctx: &Context) -> Result<Effects> {
        let Some(order) = &event.value else {
            return Ok(Effects::new());
        };
        match order.wish.as_deref() {
            Some("old product") => return Ok(Effects::new().emit(&old_payout(order))),
            Some("poison") if ctx.replaying() => return Err(Error::invalid("not to be paid")),
            _ => {}
        }
        tell(&self.0, ctx, 2, order);
        // What the domain itself keeps can be looked at, and is not in the way.
        let old: Option<i64> = ctx.unversioned().get("total", &order.customer).await?;
        let before: Option<i64> = ctx.get("total", &order.customer).await?;
        assert!(
            old.is_some() || !ctx.replaying(),
            "the old version was here"
        );
        let amount = order.amount * 2;
        let total = before.unwrap_or(0) + amount;
        Ok(Effects::new()
            .put("total", &*order.customer, &total)
            .emit(&v2::Payout {
                order_id: order.order_id,
                customer: order.customer.clone(),
                amount,
                total,
            }))
    }
}

fn old_payout(order: &Order) -> Payout {
    Payout {
        order_id: order.order_id,
        customer: order.customer.clone(),
        amount: order.amount,
        total: 0,
    }
}

/// [`Pay`] as a Kafka-to-Kafka handler, with the total as a followed product.
struct Through;

#[async_trait]
impl Handler<Order> for Through {
    async fn handle(&self, event: &Received<Order>, ctx: &Context) -> Result<Effects> {
        let Some(order) = &event.value else {
            return Ok(Effects::new());
        };
        let before: Option<Total> = ctx.get_record("total", &order.customer).await?;
        let total = Total {
            customer: order.customer.clone(),
            amount: before.map_or(0, |total| total.amount) + order.amount,
        };
        let payout = Payout {
            total: total.amount,
            ..old_payout(order)
        };
        Ok(Effects::new().emit(&payout).emit(&total))
    }
}

/// [`PayAnew`] as a Kafka-to-Kafka handler.
struct ThroughAnew;

#[async_trait]
impl Handler<Order> for ThroughAnew {
    async fn handle(&self, event: &Received<Order>, ctx: &Context) -> Result<Effects> {
        let Some(order) = &event.value else {
            return Ok(Effects::new());
        };
        let before: Option<v2::Total> = ctx.get_record("total", &order.customer).await?;
        let amount = order.amount * 2;
        let total = v2::Total {
            customer: order.customer.clone(),
            amount: before.map_or(0, |total| total.amount) + amount,
        };
        Ok(Effects::new()
            .emit(&v2::Payout {
                order_id: order.order_id,
                customer: order.customer.clone(),
                amount,
                total: total.amount,
            })
            .emit(&total))
    }
}

async fn total(request: Request, ctx: Context) -> Result<Reply<Total>> {
    let customer = request.param("customer")?;
    let found = ctx.serving("pay")?.get("total", customer).await?;
    let amount = found.ok_or_else(|| Error::not_found("the customer got nothing yet"))?;
    let customer = customer.to_owned();
    Reply::one(&request, Total { customer, amount })
}

fn sourced(domain: Domain, orders: u64) -> Domain {
    match orders {
        0 => domain,
        count => domain.source("orders", Orders { count, batch: 100 }),
    }
}

fn outbox_told(orders: u64, told: &Told) -> Domain {
    let domain = Domain::new("shop")
        .product::<Order>()
        .product::<Payout>()
        .product::<Total>()
        .product::<v2::Payout>()
        .handler::<Order, _>("pay", Pay(Arc::clone(told)))
        .replay::<Order>(
            "pay",
            Replay::new(2, PayAnew(Arc::clone(told))).writes::<v2::Payout>(),
        )
        .api(|api| api.get("/v1/totals/{customer}", total));
    sourced(domain, orders)
}

pub(crate) fn outbox(orders: u64) -> Domain {
    outbox_told(orders, &Told::default())
}

pub(crate) fn through(orders: u64) -> Domain {
    let domain = Domain::new("shop")
        .product::<Order>()
        .product::<Payout>()
        .product::<Total>()
        .product::<v2::Payout>()
        .product::<v2::Total>()
        .follow::<Total>("total")
        .follow::<v2::Total>("total")
        .transform::<Order, _>("pay", Through)
        .replay_transform::<Order>(
            "pay",
            Replay::new(2, ThroughAnew)
                .writes::<v2::Payout>()
                .writes::<v2::Total>(),
        );
    sourced(domain, orders)
}

/// Orders something of the replay of `pay`.
async fn order(client: &Client, action: &str, body: Json) -> (u16, Json) {
    let path = format!("/replays/pay/2/{action}");
    let request = client.governed("POST", &path).json(&body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn ordered(client: &Client, action: &str, body: Json) -> Json {
    let (status, shown) = order(client, action, body).await;
    assert_eq!(status, 200, "{action}: {shown:#}");
    shown
}

async fn refused(client: &Client, action: &str, body: Json, status: u16, words: &[&str]) {
    let (is, problem) = order(client, action, body.clone()).await;
    let text = problem.to_string();
    assert_eq!(is, status, "{action} {body}: {text}");
    assert!(problem["mend"].is_string(), "{action} {body}: {text}");
    for word in words {
        assert!(text.contains(word), "{action} {body}: {word:?} in {text}");
    }
}

/// Waits until the replay has all that stands there, and all of it is published; how it is
/// then.
async fn until_even(client: &Client) -> Json {
    let begun = Instant::now();
    loop {
        // Asked for, the ends are those of now.
        let (_, replay) = client.json("/replays/pay/2").await;
        let (_, status) = client.json("/status").await;
        if replay["remaining"] == 0 && status["outbox_pending"] == 0 && status["ready"] == true {
            return replay;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{replay:#} {status:#}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the handler `pay` has all orders of the source.
async fn until_old(client: &Client, orders: u64) {
    client
        .until("the old version has all", |status| {
            let handlers = status["handlers"].as_array().unwrap();
            let pay = handlers.iter().find(|is| is["name"] == "pay");
            pay.is_some_and(|pay| pay["handled"] == orders) && status["outbox_pending"] == 0
        })
        .await;
}

async fn publish(platform: &Platform, orders: impl IntoIterator<Item = Order>) {
    let (producer, typed) = platform.producer::<Order>().await;
    for order in orders {
        drop(typed.send(&order).await.unwrap());
    }
    producer.flush(Duration::from_secs(30)).await.unwrap();
}

fn orders(ids: std::ops::Range<u64>) -> impl Iterator<Item = Order> {
    ids.map(|id| shop::order(id as i64))
}

/// Checks the new payouts as [`shop::check_payouts`] checks the old ones.
async fn check_anew(platform: &Platform, orders: u64) {
    let halved: Vec<Payout> = platform
        .read::<v2::Payout>()
        .await
        .into_iter()
        .map(|payout| Payout {
            order_id: payout.order_id,
            customer: payout.customer,
            amount: payout.amount / 2,
            total: payout.total / 2,
        })
        .collect();
    shop::check_payouts(&halved, orders);
}

/// Version, status and successor of what stands for the payouts, and of what does not.
async fn standing(platform: &Platform) -> Json {
    let url = format!("{}/api/v1/products/shop/payouts", platform.catalog_url);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let detail: Json = client.get(url).send().await.unwrap().json().await.unwrap();
    let versions = detail["versions"].as_array().unwrap();
    let (current, others): (Vec<&Json>, Vec<&Json>) =
        versions.iter().partition(|is| is["current"] == true);
    let told = |is: &&Json| json!([is["version"], is["status"], is["successor"]]);
    json!([
        current.iter().map(told).collect::<Json>(),
        others.iter().map(told).collect::<Json>()
    ])
}

async fn ready(running: &Running) -> Client {
    let client = Client::of(running);
    client
        .until("it is ready", |status| status["ready"] == true)
        .await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_is_made_beside_the_old_one_switched_over_and_the_old_one_retired() {
    let platform = Platform::start().await;
    let told = Told::default();
    let running = platform.run(outbox_told(ORDERS, &told)).await;
    let client = ready(&running).await;
    until_old(&client, ORDERS).await;
    let in_service = json!([["1.0.0", "active", null]]);
    let draft = json!([["2.0.0", "draft", null]]);
    assert_eq!(standing(&platform).await, json!([in_service, draft]));
    let (status, list) = client.json("/replays").await;
    assert_eq!(
        (status, &list["items"][0]["state"]),
        (200, &json!("ready")),
        "{list:#}"
    );
    refused(&client, "switch", json!({}), 409, &["not started"]).await;

    let shown = ordered(&client, "start", json!({"from": "earliest"})).await;
    assert_eq!(shown["from"], "earliest");
    assert_eq!(shown["started_by"], "anna");
    refused(
        &client,
        "start",
        json!({"from": "earliest"}),
        409,
        &["under way", "mesh replay abandon"],
    )
    .await;
    let replay = until_even(&client).await;
    assert_eq!(replay["state"], "following", "{replay:#}");
    assert_eq!(replay["percent"], 100.0);
    assert_eq!(replay["handled"], ORDERS);
    assert_eq!(replay["fed"], json!(["pay"]));
    let partitions = replay["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 3);
    for is in partitions {
        assert_eq!(is["start"], 0, "{is}");
        assert!(
            is["position"].as_i64() >= is["end_at_start"].as_i64(),
            "{is}"
        );
        assert_eq!(is["position"], is["end"], "{is}");
    }
    check_anew(&platform, ORDERS).await;
    // Both go on; the old one is the one in service.
    publish(&platform, orders(ORDERS..ORDERS + 100)).await;
    until_old(&client, ORDERS + 100).await;
    until_even(&client).await;
    check_anew(&platform, ORDERS + 100).await;
    assert_eq!(standing(&platform).await, json!([in_service, draft]));
    let expected = shop::expected(ORDERS + 100);
    let total = client.json("/v1/totals/c1").await.1;
    assert_eq!(total["amount"], expected["c1"]);
    assert!(
        told.lock()
            .unwrap()
            .iter()
            .all(|(version, _)| *version == 1)
    );

    let shown = ordered(&client, "switch", json!({})).await;
    assert_eq!(shown["state"], "switched", "{shown:#}");
    let after = json!([[["2.0.0", "active", null]], [["1.0.0", "deprecated", 2]]]);
    assert_eq!(standing(&platform).await, after);
    let total = client.json("/v1/totals/c1").await.1;
    assert_eq!(total["amount"], expected["c1"] * 2);
    publish(&platform, orders(ORDERS + 100..ORDERS + 200)).await;
    until_old(&client, ORDERS + 200).await;
    until_even(&client).await;
    shop::check_payouts(&platform.payouts().await, ORDERS + 200);
    check_anew(&platform, ORDERS + 200).await;
    // Each order was told of by the version that was in service, and by no other.
    let mut all = told.lock().unwrap().clone();
    all.sort_unstable();
    let old = (0..ORDERS as i64 + 100).map(|id| (1, id));
    let new = (ORDERS as i64 + 100..ORDERS as i64 + 200).map(|id| (2, id));
    assert_eq!(all, old.chain(new).collect::<Vec<_>>());

    let shown = ordered(&client, "retire", json!({})).await;
    assert_eq!(shown["fed"], json!([]));
    publish(&platform, orders(ORDERS + 200..ORDERS + 300)).await;
    until_even(&client).await;
    running.stop().await;
    // Another life keeps to all of it.
    let running = platform.run(outbox(ORDERS)).await;
    let client = ready(&running).await;
    publish(&platform, orders(ORDERS + 300..ORDERS + 400)).await;
    let replay = until_even(&client).await;
    assert_eq!(replay["state"], "switched");
    let (_, status) = client.json("/status").await;
    assert_eq!(status["handlers"].as_array().unwrap().len(), 1);
    assert_eq!(standing(&platform).await, after);
    running.stop().await;
    shop::check_payouts(&platform.payouts().await, ORDERS + 200);
    check_anew(&platform, ORDERS + 400).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kafka_to_kafka_version_builds_its_own_state_beside_the_old_one() {
    let platform = Platform::start().await;
    let running = platform.run(through(ORDERS)).await;
    let client = ready(&running).await;
    until_old(&client, ORDERS).await;
    ordered(&client, "start", json!({"from": "earliest"})).await;
    // Events come while it catches up.
    publish(&platform, orders(ORDERS..ORDERS + 300)).await;
    until_even(&client).await;
    let shown = ordered(&client, "switch", json!({"stop_old": true})).await;
    assert_eq!(shown["state"], "switched", "{shown:#}");
    assert_eq!(shown["fed"], json!([]));
    publish(&platform, orders(ORDERS + 300..ORDERS + 400)).await;
    until_even(&client).await;
    running.stop().await;
    shop::check_payouts(&platform.payouts().await, ORDERS + 300);
    check_anew(&platform, ORDERS + 400).await;
    let mut latest = std::collections::BTreeMap::new();
    for total in platform.read::<v2::Total>().await {
        let seen: &mut i64 = latest.entry(total.customer).or_default();
        *seen = (total.amount / 2).max(*seen);
    }
    assert_eq!(latest, shop::expected(ORDERS + 400));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_begins_where_it_is_told_to() {
    let platform = Platform::start().await;
    let running = platform.run(outbox(0)).await;
    let client = ready(&running).await;
    publish(&platform, orders(0..300)).await;
    until_old(&client, 300).await;
    // Later than all that stands there, by the clock that has stamped it.
    let raw = platform.read_raw("shop.orders.v1").await;
    let newest = raw.iter().map(|record| record.timestamp).max().unwrap();
    while chrono::Utc::now().timestamp_millis() <= newest + 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let time = chrono::DateTime::from_timestamp_millis(newest + 1).unwrap();
    publish(&platform, orders(300..400)).await;
    until_old(&client, 400).await;

    let ends = |partition: i32| {
        let of = raw.iter().filter(|record| record.partition == partition);
        of.map(|record| record.offset + 1).max().unwrap_or(0)
    };
    for (from, words) in [
        (json!({"time": "2999-01-01T00:00:00Z"}), ["future", "UTC"]),
        (json!({"offsets": {"0": 0, "1": 0}}), ["partition", "0=15"]),
        (
            json!({"offsets": {"0": 0, "1": 0, "2": 0, "3": 0}}),
            ["partition", "0=15"],
        ),
        (
            json!({"offsets": {"0": 1_000_000, "1": 0, "2": 0}}),
            ["not in the partition", "give an offset from 0 to"],
        ),
        (json!("latest"), ["body", "docs/replay.md"]),
        (json!({"time": "yesterday"}), ["body", "docs/replay.md"]),
    ] {
        refused(&client, "start", json!({"from": from}), 400, &words).await;
    }
    let ids = |client: &Client| {
        let client = Client::at(client.base.trim_start_matches("http://"));
        let platform = &platform;
        async move {
            until_even(&client).await;
            let mut ids: Vec<i64> = platform
                .read::<v2::Payout>()
                .await
                .iter()
                .map(|payout| payout.order_id)
                .collect();
            ids.sort_unstable();
            ids
        }
    };
    let shown = ordered(&client, "start", json!({"from": {"time": time}})).await;
    assert!(shown["from"].as_str().unwrap().ends_with('Z'), "{shown:#}");
    assert_eq!(ids(&client).await, (300..400).collect::<Vec<i64>>());

    ordered(&client, "abandon", json!({"delete_topic": true})).await;
    let offsets = json!({"0": ends(0), "1": ends(1) - 1, "2": ends(2)});
    let shown = ordered(&client, "start", json!({"from": {"offsets": offsets}})).await;
    for (partition, is) in shown["partitions"].as_array().unwrap().iter().enumerate() {
        assert_eq!(is["start"], offsets[partition.to_string()], "{is}");
    }
    let last = raw.iter().filter(|record| record.partition == 1);
    let last = last.max_by_key(|record| record.offset).unwrap();
    let paid = ids(&client).await;
    assert_eq!(paid.len(), 101);
    assert_eq!(paid[1..], (300..400).collect::<Vec<i64>>());
    let registry = mesh_stream::RegistryClient::new(&platform.registry_url).unwrap();
    let decoder = mesh_stream::Decoder::<Order>::new(registry).unwrap();
    let order = decoder.decode(last).await.unwrap().value.unwrap();
    assert_eq!(paid[0], order.order_id);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_replay_leaves_the_old_version_and_begins_anew_in_an_empty_topic() {
    let platform = Platform::start().await;
    let running = platform.run(outbox(ORDERS)).await;
    let client = ready(&running).await;
    until_old(&client, ORDERS).await;
    let before = standing(&platform).await;
    refused(&client, "abandon", json!({}), 409, &["not started"]).await;
    ordered(&client, "start", json!({"from": "earliest"})).await;
    client
        .until("some is made anew", |status| {
            let handlers = status["handlers"].as_array().unwrap();
            handlers
                .iter()
                .any(|is| is["name"] == "pay_v2" && is["handled"].as_u64() > Some(0))
        })
        .await;
    let shown = ordered(&client, "abandon", json!({})).await;
    assert_eq!(shown["state"], "abandoned");
    // It stays so in another life, and the old one goes on.
    running.stop().await;
    let left = platform.read::<v2::Payout>().await.len();
    assert!(left > 0);
    let running = platform.run(outbox(ORDERS)).await;
    let client = ready(&running).await;
    publish(&platform, orders(ORDERS..ORDERS + 50)).await;
    until_old(&client, ORDERS + 50).await;
    assert_eq!(platform.read::<v2::Payout>().await.len(), left);
    assert_eq!(standing(&platform).await, before);
    for (action, words) in [
        ("start", ["holds records", "--delete-topic"]),
        ("switch", ["abandoned", "mesh replay start"]),
    ] {
        let status = match action {
            "start" => 422,
            _ => 409,
        };
        let body = match action {
            "start" => json!({"from": "earliest"}),
            _ => json!({}),
        };
        refused(&client, action, body, status, &words).await;
    }
    ordered(&client, "abandon", json!({"delete_topic": true})).await;
    assert_eq!(platform.read::<v2::Payout>().await.len(), 0);
    ordered(&client, "start", json!({"from": "earliest"})).await;
    until_even(&client).await;
    check_anew(&platform, ORDERS + 50).await;
    running.stop().await;
    // The relay finds its topic as it left it.
    let running = platform.run(outbox(ORDERS)).await;
    let client = ready(&running).await;
    publish(&platform, orders(ORDERS + 50..ORDERS + 60)).await;
    until_even(&client).await;
    running.stop().await;
    check_anew(&platform, ORDERS + 60).await;
    shop::check_payouts(&platform.payouts().await, ORDERS + 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replay_must_not_do_is_refused() {
    let platform = Platform::start().await;
    let running = platform.run(outbox(0)).await;
    let client = ready(&running).await;
    let wish = |id: i64, wish: &str| Order {
        wish: Some(wish.to_owned()),
        ..shop::order(id)
    };
    publish(
        &platform,
        [wish(0, "old product"), wish(1, "poison"), shop::order(2)],
    )
    .await;
    until_old(&client, 3).await;
    let response = client.request("GET", "/replays").send().await.unwrap();
    assert_eq!(response.status(), 401);
    for path in [
        "/replays/other/2/start",
        "/replays/pay/1/start",
        "/replays/pay/x/start",
    ] {
        let request = client
            .governed("POST", path)
            .json(&json!({"from": "earliest"}));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
        let problem: Json = response.json().await.unwrap();
        assert!(
            problem.to_string().contains("take one of pay 2"),
            "{problem}"
        );
    }
    refused(&client, "rewind", json!({}), 404, &["start", "abandon"]).await;
    ordered(&client, "start", json!({"from": "earliest"})).await;
    // A product of the old version is none of its business, and set aside is not handled.
    client
        .until("two are set aside", |status| {
            let handlers = status["handlers"].as_array().unwrap();
            handlers
                .iter()
                .any(|is| is["name"] == "pay_v2" && is["set_aside"] == 2 && is["handled"] == 1)
        })
        .await;
    until_even(&client).await;
    assert_eq!(platform.payouts().await.len(), 3);
    refused(
        &client,
        "switch",
        json!({}),
        422,
        &["could not handle every event", "--force"],
    )
    .await;
    refused(&client, "retire", json!({}), 409, &["switch"]).await;
    ordered(&client, "switch", json!({"force": true})).await;
    refused(&client, "abandon", json!({}), 409, &["in service"]).await;
    refused(
        &client,
        "start",
        json!({"from": "earliest"}),
        409,
        &["another version number"],
    )
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_behind_is_not_switched_over_to() {
    /// Handles nothing until it is let go.
    struct Held(tokio::sync::watch::Receiver<bool>);

    #[async_trait]
    impl Handler<Order> for Held {
        async fn handle(&self, _: &Received<Order>, _: &Context) -> Result<Effects> {
            let mut held = self.0.clone();
            held.wait_for(|go| *go).await.unwrap();
            Ok(Effects::new())
        }
    }

    let platform = Platform::start().await;
    let (go, held) = tokio::sync::watch::channel(false);
    let domain = Domain::new("shop")
        .product::<Order>()
        .product::<Payout>()
        .product::<v2::Payout>()
        .handler::<Order, _>("pay", Pay(Told::default()))
        .replay::<Order>("pay", Replay::new(2, Held(held)).writes::<v2::Payout>());
    let running = platform.run(domain).await;
    let client = ready(&running).await;
    publish(&platform, orders(0..200)).await;
    until_old(&client, 200).await;
    let shown = ordered(&client, "start", json!({"from": "earliest"})).await;
    assert_eq!(
        (&shown["state"], &shown["percent"]),
        (&json!("replaying"), &json!(0.0))
    );
    assert_eq!(shown["remaining"], 200);
    let few = json!({"max_lag": 100});
    refused(
        &client,
        "switch",
        few.clone(),
        422,
        &["behind", "\"200\"", "--max-lag"],
    )
    .await;
    go.send(true).unwrap();
    until_even(&client).await;
    ordered(&client, "switch", few).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declaration_that_would_put_a_replay_into_service_is_refused() {
    let platform = Platform::start().await;
    let replay = || Replay::new(2, PayAnew(Told::default()));
    let base = || {
        Domain::new("shop")
            .product::<Order>()
            .product::<Payout>()
            .product::<v2::Payout>()
    };
    for (domain, words) in [
        (base().replay::<Order>("pay", replay()), "writes nothing"),
        (
            base().replay::<Order>("pay", replay().writes::<v2::Total>()),
            "not declared",
        ),
        (
            base()
                .replay::<Order>("pay", replay().writes::<v2::Payout>())
                .replay::<Order>("other", replay().writes::<v2::Payout>()),
            "two replays",
        ),
        (
            base().replay::<Order>(
                "pay",
                Replay::new(1, PayAnew(Told::default())).writes::<v2::Payout>(),
            ),
            "begin with 2",
        ),
    ] {
        let error = Running::start(domain, platform.config("shop")).await;
        let error = error.err().expect(words).to_string();
        assert!(error.contains(words), "{error}");
    }
    // The contract of the old payouts says `active`.
    let domain = base().replay::<Order>("pay", replay().writes::<Payout>());
    let running = platform.run(domain).await;
    let failed = tokio::time::timeout(Duration::from_secs(30), running.failed()).await;
    let failed = failed.unwrap().to_string();
    assert!(failed.contains("status: draft"), "{failed}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_step_a_replay_with_an_outbox_is_exact() {
    killed(
        "outbox",
        &[
            "handler.before_commit@shop.orders.v1#40",
            "inbox.committed@shop.orders.v1#40",
            "outbox.committed@shop.payouts.v2#60",
            "relay.begun@shop.payouts.v2#1",
            "relay.sent@shop.payouts.v2#60",
            "relay.before_commit@shop.payouts.v2#1",
            "relay.committed@shop.payouts.v2#60",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_step_a_kafka_to_kafka_replay_is_exact() {
    killed(
        "through",
        &[
            "transform.before_commit#1",
            "transform.committed#1",
            "transform.before_commit#2",
            "transform.committed#2",
        ],
    )
    .await;
}

/// Kills the process at each step of a replay's life, and at `points` while it works.
async fn killed(way: &str, points: &[&str]) {
    let platform = Platform::start().await;
    let spawn = async |failpoint: &str| spawn_replay(&platform, way, MANY, failpoint).await;
    let start = json!({"from": "earliest"});

    let mut process = spawn("replay.started").await;
    until_old(&process.client, MANY).await;
    dies(&mut process, "replay.started", Some(("start", &start))).await;
    // It was decided, so it goes on by itself.
    dies(&mut spawn("replay.placed").await, "replay.placed", None).await;
    for point in points {
        dies(&mut spawn(point).await, point, None).await;
    }
    let mut process = spawn("replay.decided").await;
    until_even(&process.client).await;
    let (switch, none) = (json!({}), json!({}));
    dies(&mut process, "replay.decided", Some(("switch", &switch))).await;
    dies(&mut spawn("replay.switched").await, "replay.switched", None).await;
    let mut process = spawn("").await;
    let client = &process.client;
    client
        .until("it is switched over", |status| {
            status["replays"][0]["state"] == "switched"
        })
        .await;
    refused(client, "abandon", none, 409, &["in service"]).await;
    publish(&platform, orders(MANY..MANY + 50)).await;
    until_old(client, MANY + 50).await;
    until_even(client).await;
    process.child.kill().await.unwrap();
    let after = json!([[["2.0.0", "active", null]], [["1.0.0", "deprecated", 2]]]);
    assert_eq!(standing(&platform).await, after);
    shop::check_payouts(&platform.payouts().await, MANY + 50);
    check_anew(&platform, MANY + 50).await;
}

/// The process is killed at its failpoint, once `order` is given if there is one.
async fn dies(process: &mut Process, point: &str, order: Option<(&str, &Json)>) {
    if let Some((action, body)) = order {
        let path = format!("/replays/pay/2/{action}");
        let request = process.client.governed("POST", &path).json(body);
        let answer = request.send().await;
        assert!(answer.is_err(), "{point}: {:?}", answer.unwrap().status());
    }
    let ended = tokio::time::timeout(Duration::from_secs(40), process.child.wait())
        .await
        .unwrap_or_else(|_| panic!("{point} is passed"))
        .unwrap();
    assert_eq!(ended.signal(), Some(9), "{point}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_abandoning_and_removing_a_replay_is_given_up() {
    let platform = Platform::start().await;
    let mut process = spawn_replay(&platform, "outbox", ORDERS, "replay.abandoned").await;
    until_old(&process.client, ORDERS).await;
    ordered(&process.client, "start", json!({"from": "earliest"})).await;
    until_even(&process.client).await;
    let delete = json!({"delete_topic": true});
    dies(&mut process, "replay.abandoned", Some(("abandon", &delete))).await;
    let mut process = spawn_replay(&platform, "outbox", ORDERS, "").await;
    let client = &process.client;
    client
        .until("it is given up", |status| {
            status["replays"][0]["state"] == "abandoned" && status["ready"] == true
        })
        .await;
    ordered(client, "abandon", delete).await;
    ordered(client, "start", json!({"from": "earliest"})).await;
    until_even(client).await;
    process.child.kill().await.unwrap();
    check_anew(&platform, ORDERS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_in_service_goes_on_when_the_data_folder_is_lost() {
    let platform = Platform::start().await;
    let running = platform.run(through(ORDERS)).await;
    let client = ready(&running).await;
    until_old(&client, ORDERS).await;
    ordered(&client, "start", json!({"from": "earliest"})).await;
    until_even(&client).await;
    ordered(&client, "switch", json!({})).await;
    running.stop().await;
    std::fs::remove_dir_all(platform.dir.path().join("shop")).unwrap();
    let running = platform.run(through(0)).await;
    let client = ready(&running).await;
    publish(&platform, orders(ORDERS..ORDERS + 50)).await;
    let replay = until_even(&client).await;
    assert_eq!(replay["state"], "switched");
    running.stop().await;
    check_anew(&platform, ORDERS + 50).await;
}
