//! Asking other domains through the catalog.

use mesh_runtime::Running;

use super::platform::{Client, Platform};
use super::shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_are_found_through_the_catalog_and_their_errors_kept() {
    let platform = Platform::start().await;
    let running = platform.run(shop::domain(10, 10)).await;
    let client = Client::of(&running);
    client.until_paid(10).await;
    // The domain as its own peer: the request goes over the network all the same.
    let (status, order) = client.json("/v1/ask/shop/3").await;
    assert_eq!((status, &order["customer"]), (200, &"c3".into()));
    let (status, problem) = client.json("/v1/ask/shop/99").await;
    assert_eq!(status, 404, "{problem}");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("no such order")
    );
    let (status, problem) = client.json("/v1/ask/nobody/3").await;
    assert_eq!(status, 503, "{problem}");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("has not registered")
    );

    // Started again at another address, it is found there, though the old one was kept.
    let old = client.base.clone();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/api/v1/domains/shop", platform.catalog_url);
    let body = serde_json::json!({"api_url": "http://127.0.0.1:9"});
    http.put(&url).json(&body).send().await.unwrap();
    assert_eq!(
        client.json("/v1/ask/shop/3").await.0,
        200,
        "the known address is used"
    );
    running.stop().await;
    let running: Running = platform.run(shop::domain(10, 10)).await;
    let client = Client::of(&running);
    assert_ne!(client.base, old);
    client
        .until("it is ready", |status| status["ready"] == true)
        .await;
    assert_eq!(client.json("/v1/ask/shop/3").await.0, 200);
    // An address where nobody listens is a passing fault.
    let (status, _) = client.json("/v1/ask/shop/3").await;
    assert_eq!(status, 200);
    running.stop().await;

    let entry: serde_json::Value = http.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(entry["products"], 2);
    let product = format!("{}/api/v1/products/shop/orders", platform.catalog_url);
    let product: serde_json::Value = http
        .get(product)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(product["topic"], "shop.orders.v1");
}
