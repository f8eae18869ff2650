//! From a source through handlers and outbox to topics.

use std::time::{Duration, Instant};

use super::platform::{Client, Platform};
use super::shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_of_a_source_is_published_handled_and_paid_once() {
    let platform = Platform::start().await;
    let running = platform.run(shop::domain(3_000, 500)).await;
    let client = Client::of(&running);
    let status = client.until_paid(3_000).await;
    assert_eq!(status["domain"], "shop");
    assert_eq!(status["sources"][0]["position"], 3_000);
    assert_eq!(status["sources"][0]["done"], true);
    assert_eq!(status["sources"][0]["note"], "all read");
    assert_eq!(status["handlers"][0]["set_aside"], 0);
    assert_eq!(status["products"][0]["published"], 3_000);
    shop::check_payouts(&platform.payouts().await, 3_000);
    assert_eq!(platform.orders().await.len(), 3_000);

    client
        .until("no lag", |status| {
            status["ready"] == true && status["handlers"][0]["lag"] == 0
        })
        .await;
    let ready = client.request("GET", "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let metrics = client.request("GET", "/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in [
        r#"mesh_events_handled_total{handler="pay",domain="shop"} 3000"#,
        r#"mesh_relayed_total{topic="shop.payouts.v1",domain="shop"} 3000"#,
        r#"mesh_outbox_pending{domain="shop"} 0"#,
        r#"mesh_ready{domain="shop"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    // Nothing is read, handled or published again by another life.
    running.stop().await;
    let running = platform.run(shop::domain(3_000, 500)).await;
    let client = Client::of(&running);
    client
        .until("ready with no lag", |status| {
            status["ready"] == true && status["handlers"][0]["lag"] == 0
        })
        .await;
    let status = client.until_paid(3_000).await;
    assert_eq!(status["handlers"][0]["duplicates"], 0);
    running.stop().await;
    assert_eq!(platform.payouts().await.len(), 3_000);
}

/// The size of the bank's own import; the time is printed, and bounded far above it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_source_is_imported_in_seconds() {
    const ROWS: u64 = 84_302;
    let platform = Platform::start().await;
    let begun = Instant::now();
    let domain = mesh_runtime::Domain::new("shop")
        .product::<shop::Order>()
        .source(
            "orders",
            shop::Orders {
                count: ROWS,
                batch: 2_000,
            },
        );
    let running = platform.run(domain).await;
    let client = Client::of(&running);
    let done = |status: &serde_json::Value| status["sources"][0]["done"] == true;
    client.until("the source is read", done).await;
    let read = begun.elapsed();
    client
        .until("all is published", |status| {
            done(status) && status["outbox_pending"] == 0
        })
        .await;
    let published = begun.elapsed();
    println!("{ROWS} rows: read in {read:?}, published in {published:?}");
    assert!(published < Duration::from_secs(60), "{published:?}");
    running.stop().await;
    assert_eq!(platform.orders().await.len(), ROWS as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_waits_for_the_platform_and_survives_its_death() {
    let mut platform = Platform::absent().await;
    let running = platform.run(shop::domain(4_000, 100)).await;
    let client = Client::of(&running);
    let health = client.request("GET", "/healthz").send().await.unwrap();
    assert_eq!(health.status(), 200);
    let waits = client.until("it says what it waits for", |status| {
        status["waiting"]["kafka"].is_string() || super::cluster::bootstrap().is_some()
    });
    waits.await;
    let ready = client.request("GET", "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    platform.arrive().await;
    for orders in [500, 2_000] {
        client
            .until("some is paid", |status| {
                status["handlers"][0]["handled"].as_u64().unwrap() >= orders
            })
            .await;
        if platform.kill_broker().await {
            client
                .until("it notices", |status| {
                    status["waiting"]["kafka"].is_string()
                })
                .await;
            platform.start_broker().await;
        }
    }
    client.until_paid(4_000).await;
    client
        .until("it is ready again", |status| status["ready"] == true)
        .await;
    running.stop().await;
    shop::check_payouts(&platform.payouts().await, 4_000);
    assert_eq!(platform.orders().await.len(), 4_000);
}
