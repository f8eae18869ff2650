//! Replays: a new version of a handler beside the old one, and in its place.

mod domain;
mod killed;
mod support;

use std::time::Duration;

use async_trait::async_trait;
use mesh_core::Result;
use mesh_runtime::{Context, Domain, Effects, Handler, Replay, Running};
use mesh_stream::Received;
use serde_json::{Value as Json, json};

use self::domain::{ORDERS, Pay, PayAnew, Told, outbox_told};
pub(crate) use self::domain::{outbox, through, v2};
use self::support::{
    check_anew, ordered, orders, publish, ready, refused, standing, until_even, until_old,
};
use super::platform::{Client, Platform};
use super::shop::{self, Order, Payout};

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
    // Each order was told of by the version that was in service, and by no other; again if
    // the two came into each other's way.
    let mut all = told.lock().unwrap().clone();
    all.sort_unstable();
    all.dedup();
    let old = (0..ORDERS as i64 + 100).map(|id| (1, id));
    let new = (ORDERS as i64 + 100..ORDERS as i64 + 200).map(|id| (2, id));
    assert!(
        all == old.chain(new).collect::<Vec<_>>(),
        "{} told",
        all.len()
    );

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
