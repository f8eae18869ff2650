//! Events that come twice, that fail for a while and that fail for good.

use std::sync::Arc;
use std::time::Duration;

use mesh_core::{Record, TraceContext};
use mesh_stream::{Headers, Outgoing};

use super::platform::{Client, Platform};
use super::shop::{self, Order, Pay};
use super::store::Tables;
use super::transform;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_are_passed_over_and_poison_is_set_aside() {
    let platform = Platform::start().await;
    let pay = Pay::default();
    let tried = Arc::clone(&pay.tried);
    let running = platform.run(shop::domain_with(0, 1, pay)).await;
    let client = Client::of(&running);
    client
        .until("it is ready", |status| status["ready"] == true)
        .await;
    let (raw, producer) = platform.producer::<Order>().await;

    let headers = || Headers::of::<Order>(TraceContext::new());
    let wish = |id: i64, wish: &str| Order {
        wish: Some(wish.to_owned()),
        ..shop::order(id)
    };
    // The same event twice, as a producer without an outbox may write it.
    let same = headers();
    for _ in 0..2 {
        producer
            .send_with(&shop::order(0), same.clone())
            .await
            .unwrap()
            .await
            .unwrap();
    }
    // One customer, so one partition: what fails must not hold back what follows.
    for (id, text) in [
        (7, "poison"),
        (14, "panic"),
        (21, "too much"),
        (28, "later"),
    ] {
        producer
            .send_with(&wish(id, text), headers())
            .await
            .unwrap()
            .await
            .unwrap();
    }
    // Bytes that are no record, at the same place.
    let sent = producer
        .send_with(&shop::order(35), headers())
        .await
        .unwrap()
        .await
        .unwrap();
    raw.send(Outgoing {
        topic: Order::descriptor().topic.as_str().to_owned(),
        partition: Some(sent.0),
        key: b"no key"[..].into(),
        value: Some(b"no value"[..].into()),
        headers: headers(),
        timestamp: None,
    })
    .await
    .unwrap()
    .await
    .unwrap();
    producer
        .send_with(&shop::order(42), headers())
        .await
        .unwrap()
        .await
        .unwrap();

    let status = client
        .until("all is handled", |status| {
            status["handlers"][1]["handled"] == 4 && status["outbox_pending"] == 0
        })
        .await;
    let handler = &status["handlers"][0];
    assert_eq!(handler["name"], "pay");
    assert_eq!(handler["group"], "shop.pay");
    assert_eq!(handler["handled"], 4);
    assert_eq!(handler["duplicates"], 1);
    assert_eq!(handler["set_aside"], 4);
    // Each of the three that failed for good was tried twice, the patient one four times.
    assert_eq!(handler["retries"], 6);
    let tried = tried.lock().unwrap().clone();
    assert_eq!(
        (tried[&7], tried[&14], tried[&21], tried[&28]),
        (2, 2, 2, 4)
    );

    let mut paid: Vec<i64> = platform
        .payouts()
        .await
        .iter()
        .map(|paid| paid.order_id)
        .collect();
    paid.sort_unstable();
    assert_eq!(paid, [0, 28, 35, 42]);
    running.stop().await;

    // What was set aside stays so, with its cause, and without a value in it.
    let running = platform.run(shop::domain(0, 1)).await;
    let client = Client::of(&running);
    client
        .until("it is ready", |status| status["ready"] == true)
        .await;
    let status = client
        .until("it is kept", |status| {
            status["handlers"][0]["set_aside"] == 4
        })
        .await;
    assert_eq!(status["handlers"][0]["handled"], 4);
    running.stop().await;
    let tables = Tables::of(&platform).await;
    let kept: Vec<(String, i64, Option<Vec<u8>>)> = tables
        .rows("SELECT cause, attempts, value FROM set_aside ORDER BY record_offset")
        .await;
    tables.close().await;
    assert_eq!(kept.len(), 4);
    let causes = [
        "the order cannot be paid",
        "the handler panicked",
        "amount",
        "magic byte",
    ];
    for ((cause, attempts, value), word) in kept.iter().zip(causes) {
        assert!(cause.contains(word), "{word}: {cause}");
        assert!(value.is_some());
        assert_eq!(*attempts, if word == "magic byte" { 1 } else { 2 });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_waits_does_not_hold_up_the_others() {
    let platform = Platform::start().await;
    let running = platform.run(shop::domain(0, 1)).await;
    let client = Client::of(&running);
    client
        .until("it is ready", |status| status["ready"] == true)
        .await;
    let (_, producer) = platform.producer::<Order>().await;
    let stuck = Order {
        wish: Some("later".into()),
        ..shop::order(0)
    };
    let headers = || Headers::of::<Order>(TraceContext::new());
    let (held, _) = producer
        .send_with(&stuck, headers())
        .await
        .unwrap()
        .await
        .unwrap();
    let mut others = 0;
    for id in 1..60 {
        let (partition, _) = producer
            .send_with(&shop::order(id), headers())
            .await
            .unwrap()
            .await
            .unwrap();
        others += u64::from(partition != held);
    }
    assert!(others > 0);
    client
        .until("the others are handled", |status| {
            status["handlers"][0]["handled"].as_u64().unwrap() >= others
        })
        .await;
    client
        .until("so is the one", |status| {
            status["handlers"][0]["handled"] == 60
        })
        .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_was_cut_stops_the_domain() {
    let mut platform = Platform::start().await;
    let running = platform.run(shop::domain(200, 100)).await;
    Client::of(&running).until_paid(200).await;
    running.stop().await;
    // The platform comes back empty, as from a lost disk. On a cluster that all tests share
    // there is no disk to lose.
    if !platform.is_embedded() {
        return;
    }
    assert!(platform.kill_broker().await);
    std::fs::remove_dir_all(platform.dir.path().join("kafka")).unwrap();
    platform.start_broker().await;
    let running = platform.run(shop::domain(200, 100)).await;
    let failed = tokio::time::timeout(Duration::from_secs(30), running.failed())
        .await
        .unwrap();
    let text = failed.to_string();
    assert!(text.contains("ends before what was published"), "{text}");
    assert!(
        text.contains("shop.orders.v1") && text.contains("restore"),
        "{text}"
    );
    running.stop().await;
    assert!(
        platform.read_raw("shop.orders.v1").await.is_empty(),
        "nothing is written again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contract_that_changed_under_its_version_stops_the_domain() {
    let platform = Platform::start().await;
    let url = format!(
        "{}/api/v1/products/shop/orders/versions/1.0.0",
        platform.catalog_url
    );
    let d = Order::descriptor();
    let body = serde_json::json!({
        "product": d.product_text.as_deref().unwrap(),
        "contract": format!("# another text\n{}", d.contract_text.replace("An order.", "Another order.")),
        "topic": d.topic.as_str(),
        "key_schema_id": 1,
        "value_schema_id": 2,
        "key_schema": d.key_schema,
        "value_schema": d.value_schema.replace("An order.", "Another order."),
    });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.put(url).json(&body).send().await.unwrap();
    assert!(
        answer.status().is_success(),
        "{}",
        answer.text().await.unwrap()
    );
    let running = platform.run(shop::domain(10, 10)).await;
    let failed = tokio::time::timeout(Duration::from_secs(30), running.failed())
        .await
        .unwrap();
    assert_eq!(failed.kind(), mesh_core::ErrorKind::Conflict, "{failed}");
    assert!(failed.mend_text().is_some());
    let client = Client::of(&running);
    running.stop().await;
    assert!(client.request("GET", "/healthz").send().await.is_err());
}

/// Nothing is left to read, so no record tells that the broker is there again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_without_work_is_ready_again_when_the_broker_is() {
    for domain in [shop::domain(200, 100), transform::domain(200)] {
        let mut platform = Platform::start().await;
        let running = platform.run(domain).await;
        let client = Client::of(&running);
        client
            .until("all is handled", |status| {
                status["handlers"][0]["handled"] == 200 && status["ready"] == true
            })
            .await;
        if !platform.kill_broker().await {
            return;
        }
        let waits = |status: &serde_json::Value| {
            let waiting = status["waiting"].as_object().unwrap();
            waiting.keys().any(|part| part.starts_with("handler "))
        };
        client.until("the handler notices", waits).await;
        platform.start_broker().await;
        client
            .until("it is ready again", |status| status["ready"] == true)
            .await;
        running.stop().await;
    }
}
