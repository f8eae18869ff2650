//! Inputs whose version ends: old readers go on and are told, new ones are not let in, and
//! after the end of life nobody reads.

use async_trait::async_trait;
use mesh_core::{Record, Result};
use mesh_runtime::{Context, Domain, Effects, Handler, Running};
use mesh_stream::{CatalogClient, Received, RegistryClient, VersionTexts, register_product};
use serde_json::Value as Json;

use super::platform::{Client, Platform};
use super::shop::{self, Order};

struct Count;

#[async_trait]
impl Handler<Order> for Count {
    async fn handle(&self, event: &Received<Order>, _: &Context) -> Result<Effects> {
        let id = event.value.as_ref().map_or(0, |order| order.order_id);
        Ok(Effects::new().put("seen", id.to_string(), &id))
    }
}

/// A domain that reads the shop's orders, in a folder of its own.
async fn reader(platform: &Platform, name: &str) -> (Running, Client) {
    let domain = Domain::new(name).handler::<Order, _>("count", Count);
    let running = platform.run_in(name, domain).await;
    let client = Client::of(&running);
    (running, client)
}

/// Registers version `version` of the orders with service levels more.
async fn announce(platform: &Platform, version: &str, levels: &str) {
    let orders = Order::descriptor();
    let contract = orders
        .contract_text
        .replace("version: \"1.0.0\"", &format!("version: \"{version}\""))
        .replace("status: active", "status: deprecated")
        .replace("slaProperties:\n", &format!("slaProperties:\n{levels}"));
    let product = orders.product_text.as_deref().unwrap();
    let (head, ports) = product.split_once("outputPorts").unwrap();
    let ports = ports.replace("\"1.0.0\"", &format!("\"{version}\""));
    let registry = RegistryClient::new(&platform.registry_url).unwrap();
    let registered = register_product(&registry, orders).await.unwrap();
    CatalogClient::new(&platform.catalog_url.parse().unwrap())
        .unwrap()
        .register_version(&VersionTexts {
            domain: "shop",
            product: "orders",
            version,
            topic: orders.topic.as_str(),
            product_text: &format!("{head}outputPorts{ports}"),
            contract_text: &contract,
            key_schema: &orders.key_schema,
            value_schema: &orders.value_schema,
            registered,
        })
        .await
        .unwrap();
}

async fn until_counted(client: &Client, count: u64) -> Json {
    client
        .until("all are counted", |status| {
            status["ready"] == true && status["handlers"][0]["handled"] == count
        })
        .await
}

async fn until_refused(client: &Client, words: &[&str]) {
    let status = client
        .until("the handler waits", |status| {
            status["waiting"]["handler count"].is_string()
        })
        .await;
    let text = status["waiting"]["handler count"].as_str().unwrap();
    for word in words {
        assert!(text.contains(word), "{word:?} in {text}");
    }
    assert_eq!(status["handlers"][0]["handled"], 0, "{status:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_readers_go_on_to_the_end_of_life_and_new_ones_are_not_let_in() {
    const UNSUPPORTED: &str = "  - {property: endOfSupport, value: \"2020-01-01\"}\n";
    let platform = Platform::start().await;
    let shop = platform.run(shop::domain(20, 5)).await;
    Client::of(&shop).until_paid(20).await;
    let (books, client) = reader(&platform, "books").await;
    let status = until_counted(&client, 20).await;
    assert!(status["notices"].is_null(), "{status:#}");
    books.stop().await;

    let ends = format!("{UNSUPPORTED}  - {{property: endOfLife, value: \"2999-01-01\"}}\n");
    announce(&platform, "1.1.0", &ends).await;
    let (books, client) = reader(&platform, "books").await;
    let status = until_counted(&client, 20).await;
    let notice = status["notices"][0].as_str().unwrap();
    for word in ["shop.orders.v1", "2020-01-01", "2999-01-01"] {
        assert!(notice.contains(word), "{word} in {notice}");
    }
    books.stop().await;
    let (late, client) = reader(&platform, "late").await;
    until_refused(
        &client,
        &[
            "takes no new readers",
            "shop.orders.v1",
            "ask the domain `shop`",
        ],
    )
    .await;
    late.stop().await;
    // Nor is it one of the readers that the catalog names.
    let url = format!("{}/api/v1/products/shop/orders", platform.catalog_url);
    let detail: Json = reqwest::get(&url).await.unwrap().json().await.unwrap();
    let readers = detail["readers"].to_string();
    assert!(
        readers.contains("books") && !readers.contains("late"),
        "{readers}"
    );
    assert_eq!(detail["lifecycle"]["stage"], "unsupported");

    let ends = format!("{UNSUPPORTED}  - {{property: endOfLife, value: \"2020-06-01\"}}\n");
    announce(&platform, "1.2.0", &ends).await;
    let (books, client) = reader(&platform, "books").await;
    let status = client
        .until("the handler waits", |status| {
            status["waiting"]["handler count"].is_string()
        })
        .await;
    let text = status["waiting"]["handler count"].as_str().unwrap();
    assert!(text.contains("end of life"), "{text}");
    books.stop().await;
    shop.stop().await;
}
