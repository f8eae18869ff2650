//! Killed at each step, or robbed of its data, a replay is exact.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use mesh_runtime::Running;
use serde_json::{Value as Json, json};

use super::super::child::{Process, spawn_replay};
use super::super::platform::Platform;
use super::super::store::server::{Cluster, Proxy};
use super::super::{shop, store};
use super::domain::{MANY, ORDERS, Told, outbox, outbox_told, through};
use super::support::{
    check_anew, order, ordered, orders, publish, ready, refused, standing, until_even, until_old,
};

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
    store::lose(&platform).await;
    let running = platform.run(through(0)).await;
    let client = ready(&running).await;
    publish(&platform, orders(ORDERS..ORDERS + 50)).await;
    let replay = until_even(&client).await;
    assert_eq!(replay["state"], "switched");
    running.stop().await;
    check_anew(&platform, ORDERS + 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_version_does_not_serve_again_when_the_data_folder_is_lost() {
    let platform = Platform::start().await;
    let running = platform.run(outbox(ORDERS)).await;
    let client = ready(&running).await;
    until_old(&client, ORDERS).await;
    ordered(&client, "start", json!({"from": "earliest"})).await;
    until_even(&client).await;
    ordered(&client, "switch", json!({"stop_old": true})).await;
    publish(&platform, orders(ORDERS..ORDERS + 50)).await;
    until_even(&client).await;
    running.stop().await;
    store::lose(&platform).await;
    let told = Told::default();
    let running = platform.run(outbox_told(0, &told)).await;
    let client = ready(&running).await;
    publish(&platform, orders(ORDERS + 50..ORDERS + 60)).await;
    // It is fed again, from where it was retired.
    client
        .until("the old version has all", |status| {
            let handlers = status["handlers"].as_array().unwrap();
            let pay = handlers.iter().find(|is| is["name"] == "pay");
            pay.is_some_and(|pay| pay["handled"].as_u64() >= Some(60))
        })
        .await;
    until_even(&client).await;
    running.stop().await;
    let told = told.lock().unwrap().clone();
    let by_old: Vec<_> = told.iter().filter(|(version, _)| *version == 1).collect();
    assert!(by_old.is_empty(), "{by_old:?}");
    for order in ORDERS + 50..ORDERS + 60 {
        assert!(told.contains(&(2, order as i64)), "{order}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_whose_commit_was_unclear_holds_when_it_is_asked_for_again() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let proxy = Proxy::to(&cluster).await;
    let platform = Platform::start().await;
    let told = Told::default();
    let mut config = platform.config("shop");
    config.store_url = Some(proxy.url().parse().unwrap());
    let running = Running::start(outbox_told(ORDERS, &told), config).await;
    let running = running.unwrap();
    let client = ready(&running).await;
    until_old(&client, ORDERS).await;
    ordered(&client, "start", json!({"from": "earliest"})).await;
    until_even(&client).await;
    proxy.break_after_commit_and_refuse();
    let (status, problem) = order(&client, "switch", json!({})).await;
    assert_eq!(status, 503, "{problem:#}");
    proxy.pass();
    client
        .until("the store is back", |status| status["ready"] == true)
        .await;
    ordered(&client, "switch", json!({})).await;
    publish(&platform, orders(ORDERS..ORDERS + 50)).await;
    until_old(&client, ORDERS + 50).await;
    until_even(&client).await;
    running.stop().await;
    let told = told.lock().unwrap().clone();
    for order in ORDERS..ORDERS + 50 {
        let by = [1, 2].map(|version| told.contains(&(version, order as i64)));
        assert_eq!(by, [false, true], "{order}");
    }
}
