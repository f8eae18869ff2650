//! Documents under concurrent change, and whose the store is.

use serde_json::{Value as Json, json};

use super::platform::{Client, Platform};
use super::shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_changes_are_run_again_and_a_repeated_request_changes_nothing() {
    let platform = Platform::start().await;
    let running = platform.run(shop::domain(0, 1)).await;
    let client = Client::of(&running);
    client
        .until("it is ready", |status| status["ready"] == true)
        .await;
    let gift = async |id: i64| {
        let body = json!({"gift_id": id, "customer": "c0", "amount": 10});
        let request = client.governed("POST", "/v1/gifts").json(&body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json::<Json>().await.unwrap()
    };
    let first: Vec<Json> = futures::future::join_all((0..8).map(&gift)).await;
    let mut totals: Vec<i64> = first
        .iter()
        .map(|gift| gift["total"].as_i64().unwrap())
        .collect();
    totals.sort_unstable();
    assert_eq!(
        totals,
        [10, 20, 30, 40, 50, 60, 70, 80],
        "no change was lost"
    );
    // Each asked again is answered as the first time.
    let again: Vec<Json> = futures::future::join_all((0..8).map(&gift)).await;
    assert_eq!(first, again);
    let (_, total) = client.json("/v1/totals/c0").await;
    assert_eq!(total["total"], 80);
    let metrics = client.request("GET", "/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(!metrics.contains(r#"mesh_commit_conflicts_total{domain="shop"} 0"#));
    client
        .until("they are published", |status| status["outbox_pending"] == 0)
        .await;
    running.stop().await;
    assert_eq!(platform.payouts().await.len(), 8);
}

#[tokio::test]
async fn a_store_belongs_to_one_process() {
    let platform = Platform::absent().await;
    let running = platform.run(shop::domain(0, 1)).await;
    let error =
        match mesh_runtime::Running::start(shop::domain(0, 1), platform.config("shop")).await {
            Err(error) => error.to_string(),
            Ok(_) => panic!("two processes share a store"),
        };
    assert!(error.contains("used by another process"), "{error}");
    assert!(error.contains("stop that process"), "{error}");
    let mut taken = platform.config("other");
    taken.listen = running.address();
    let error = match mesh_runtime::Running::start(shop::domain(0, 1), taken).await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("two processes share an address"),
    };
    assert!(error.contains("--listen"), "{error}");
    running.stop().await;
    // Free again.
    platform.run(shop::domain(0, 1)).await.stop().await;
}
