//! What the tests order of a replay, wait for and look at.

use std::time::{Duration, Instant};

use mesh_runtime::Running;
use serde_json::{Value as Json, json};

use super::super::platform::{Client, Platform};
use super::super::shop::{self, Order, Payout};
use super::domain::v2;

/// Orders something of the replay of `pay`.
pub(super) async fn order(client: &Client, action: &str, body: Json) -> (u16, Json) {
    let path = format!("/replays/pay/2/{action}");
    let request = client.governed("POST", &path).json(&body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

pub(super) async fn ordered(client: &Client, action: &str, body: Json) -> Json {
    let (status, shown) = order(client, action, body).await;
    assert_eq!(status, 200, "{action}: {shown:#}");
    shown
}

pub(super) async fn refused(
    client: &Client,
    action: &str,
    body: Json,
    status: u16,
    words: &[&str],
) {
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
pub(super) async fn until_even(client: &Client) -> Json {
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
pub(super) async fn until_old(client: &Client, orders: u64) {
    client
        .until("the old version has all", |status| {
            let handlers = status["handlers"].as_array().unwrap();
            let pay = handlers.iter().find(|is| is["name"] == "pay");
            pay.is_some_and(|pay| pay["handled"] == orders) && status["outbox_pending"] == 0
        })
        .await;
}

pub(super) async fn publish(platform: &Platform, orders: impl IntoIterator<Item = Order>) {
    let (producer, typed) = platform.producer::<Order>().await;
    for order in orders {
        drop(typed.send(&order).await.unwrap());
    }
    producer.flush(Duration::from_secs(30)).await.unwrap();
}

pub(super) fn orders(ids: std::ops::Range<u64>) -> impl Iterator<Item = Order> {
    ids.map(|id| shop::order(id as i64))
}

/// Checks the new payouts as [`shop::check_payouts`] checks the old ones.
pub(super) async fn check_anew(platform: &Platform, orders: u64) {
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
pub(super) async fn standing(platform: &Platform) -> Json {
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

pub(super) async fn ready(running: &Running) -> Client {
    let client = Client::of(running);
    client
        .until("it is ready", |status| status["ready"] == true)
        .await;
    client
}
