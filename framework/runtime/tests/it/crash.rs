//! Killed at every point, and started again: nothing is lost and nothing is done twice.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use super::child::spawn;
use super::platform::Platform;
use super::shop;

const ORDERS: u64 = 6_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_failpoint_each_order_is_paid_once() {
    let platform = Platform::start().await;
    for failpoint in [
        "outbox.committed@shop.orders.v1#150",
        "relay.begun@shop.orders.v1#1",
        "relay.sent@shop.orders.v1#100",
        "relay.before_commit@shop.orders.v1#1",
        "relay.committed@shop.orders.v1#100",
        "outbox.committed@shop.payouts.v1#1",
        "relay.sent@shop.payouts.v1#1",
        "handler.before_commit@shop.orders.v1#40",
        "inbox.committed@shop.orders.v1#40",
        "outbox.committed@shop.payouts.v1#60",
        "relay.begun@shop.payouts.v1#1",
        "relay.before_commit@shop.payouts.v1#1",
        "relay.committed@shop.payouts.v1#60",
        "inbox.committed@shop.payouts.v1#5",
    ] {
        let mut process = spawn(&platform, ORDERS, failpoint).await;
        let ended = tokio::time::timeout(Duration::from_secs(40), process.child.wait())
            .await
            .unwrap_or_else(|_| panic!("{failpoint} is passed"))
            .unwrap();
        assert_eq!(ended.signal(), Some(9), "{failpoint}");
    }
    finish(&platform).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_time_each_order_is_paid_once() {
    let platform = Platform::start().await;
    // Times that fall into recovery, import, handling and relaying; a seed says which.
    let seed: u64 = match std::env::var("MESH_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => u64::from(std::process::id()),
    };
    println!("MESH_TEST_SEED={seed} repeats this");
    let mut state = seed;
    for _ in 0..5 {
        let mut process = spawn(&platform, ORDERS, "").await;
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(100 + (state >> 33) % 2_500)).await;
        process.child.kill().await.unwrap();
    }
    finish(&platform).await;
}

async fn finish(platform: &Platform) {
    let mut process = spawn(platform, ORDERS, "").await;
    process.client.until_paid(ORDERS).await;
    let (status, probe) = process.client.json("/v1/probe").await;
    assert_eq!(
        (status, &probe["total"], &probe["amount"]),
        (200, &ORDERS.into(), &ORDERS.into())
    );
    process.child.kill().await.unwrap();
    assert_eq!(platform.orders().await.len(), ORDERS as usize);
    shop::check_payouts(&platform.payouts().await, ORDERS);
}
