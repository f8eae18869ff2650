//! A domain whose store is in Postgres, while the way there and the server fail.

use mesh_runtime::Running;

use super::platform::{Client, Platform};
use super::shop;
use super::store::server::{Cluster, Proxy};

const ORDERS: u64 = 4_000;

async fn run(platform: &Platform, url: &str) -> Running {
    let mut config = platform.config("shop");
    config.store_url = Some(url.parse().unwrap());
    Running::start(shop::domain(ORDERS, 100), config)
        .await
        .unwrap()
}

async fn until_handled(client: &Client, orders: u64) {
    client
        .until("some is paid", |status| {
            status["handlers"][0]["handled"].as_u64().unwrap() >= orders
        })
        .await;
}

/// Handled, published and paid once, as the topics and the counts tell.
async fn check(platform: &Platform, client: &Client) {
    client
        .until("all is published", |status| {
            status["outbox_pending"] == 0
                && status["sources"][0]["done"] == true
                && status["handlers"][0]["lag"] == 0
                && status["handlers"][1]["lag"] == 0
                && status["ready"] == true
        })
        .await;
    shop::check_payouts(&platform.payouts().await, ORDERS);
    assert_eq!(platform.orders().await.len(), ORDERS as usize);
    let (_, probe) = client.json("/v1/probe").await;
    assert_eq!(probe["total"], ORDERS);
    assert_eq!(probe["amount"], ORDERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_mid_flow_costs_nothing() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let platform = Platform::start().await;
    let running = run(&platform, &cluster.url()).await;
    let client = Client::of(&running);
    for orders in [300, 1_500] {
        until_handled(&client, orders).await;
        cluster.kill();
        client
            .until("it notices", |status| {
                status["waiting"]["store"].is_string()
            })
            .await;
        cluster.start_again();
    }
    until_handled(&client, 3_000).await;
    cluster.crash();
    check(&platform, &client).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_whose_answer_is_lost_count_once() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let proxy = Proxy::to(&cluster).await;
    let platform = Platform::start().await;
    let running = run(&platform, &proxy.url()).await;
    let client = Client::of(&running);
    for (at, orders) in (200..ORDERS).step_by(200).enumerate() {
        until_handled(&client, orders).await;
        match at % 2 {
            0 => proxy.break_after_commit(),
            _ => proxy.break_before_commit(),
        }
    }
    check(&platform, &client).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_cut_off_is_replaced_and_ends() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let proxy = Proxy::to(&cluster).await;
    let platform = Platform::start().await;
    let old = run(&platform, &proxy.url()).await;
    until_handled(&Client::of(&old), 500).await;
    let mut config = platform.config("shop");
    config.store_url = Some(cluster.url().parse().unwrap());
    let refused = match Running::start(shop::domain(ORDERS, 100), config).await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("two processes share a schema"),
    };
    assert!(refused.contains("used by another process"), "{refused}");
    assert!(!refused.contains("postgres://"), "{refused}");

    proxy.refuse();
    let new = run(&platform, &cluster.url()).await;
    let client = Client::of(&new);
    client
        .until("the other has taken over", |status| status["ready"] == true)
        .await;
    proxy.pass();
    let failed = tokio::time::timeout(std::time::Duration::from_secs(60), old.failed());
    let failed = failed.await.unwrap().to_string();
    assert!(failed.contains("taken over"), "{failed}");
    old.stop().await;
    check(&platform, &client).await;
    new.stop().await;
}
