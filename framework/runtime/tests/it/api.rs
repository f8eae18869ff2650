//! Who may ask a domain's API for what, and what it answers.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use mesh_core::{Result, TraceContext};
use mesh_enforcement::{Access, Action, Decision, DecisionPoint, Resource};
use serde_json::{Value as Json, json};

use super::platform::{Client, Platform};
use super::shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_need_a_principal_a_purpose_and_sound_requests() {
    let platform = Platform::start().await;
    let running = platform.run(shop::domain(70, 70)).await;
    let client = Client::of(&running);
    client.until_paid(70).await;

    let check = async |request: reqwest::RequestBuilder, status: u16, words: &[&str]| {
        let response = request.send().await.unwrap();
        let what = response.url().clone();
        assert_eq!(response.status(), status, "{what}");
        let kind = response.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        let text = response.text().await.unwrap();
        if status >= 400 {
            assert_eq!(kind, "application/problem+json", "{what}: {text}");
            let problem: Json = serde_json::from_str(&text).unwrap();
            assert_eq!(problem["status"], status, "{what}: {text}");
        } else {
            assert_eq!(kind, "application/json");
        }
        for word in words {
            assert!(text.contains(word), "{what}: `{word}` is not in {text}");
        }
    };
    let get = |path: &str| client.governed("GET", path);
    check(
        client.request("GET", "/v1/totals/c0"),
        401,
        &["mesh-principal", "Mesh-Principal"],
    )
    .await;
    let half = client
        .request("GET", "/v1/totals/c0")
        .header("Mesh-Principal", "anna");
    check(half, 401, &["mesh-purpose", "Mesh-Purpose"]).await;
    let wrong = get("/v1/totals/c0").header("Mesh-Purpose", "another");
    check(wrong, 401, &["twice"]).await;
    let wrong = client
        .request("GET", "/v1/totals/c0")
        .header("Mesh-Principal", "an na")
        .header("Mesh-Purpose", "test");
    check(wrong, 401, &["malformed"]).await;

    check(get("/v1/totals/c0"), 200, &[r#""customer":"c0""#]).await;
    check(
        get("/v1/totals?prefix=c"),
        200,
        &[r#"{"items":[{"#, r#""c6""#],
    )
    .await;
    check(get("/v1/totals/nobody"), 404, &["nothing yet"]).await;
    check(get("/v1/orders/x"), 400, &["order_id", "i64"]).await;
    check(get("/v1/nothing"), 404, &["no such path"]).await;
    check(get("/v1/broken"), 500, &["internal"]).await;
    check(get("/v1/broken?sound=1"), 200, &[]).await;
    let post = |body: Json| client.governed("POST", "/v1/gifts").json(&body);
    check(
        post(json!({"gift_id": 1})),
        400,
        &["missing field", "customer"],
    )
    .await;
    check(
        post(json!({"gift_id": "secret"})),
        400,
        &["Data error at line 1"],
    )
    .await;
    check(
        post(json!({"customer": "x".repeat(2_000)})),
        400,
        &["limit_bytes", "1000"],
    )
    .await;
    let begun = Instant::now();
    check(get("/v1/slow"), 504, &["too long"]).await;
    assert!(begun.elapsed().as_secs() < 10);
    let response = client
        .governed("DELETE", "/v1/totals")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 405);

    // The caller's trace goes on; a malformed one is replaced.
    let trace = TraceContext::new();
    for (sent, kept) in [(trace.to_string(), true), ("nonsense".to_owned(), false)] {
        let response = get("/v1/probe")
            .header("traceparent", sent)
            .send()
            .await
            .unwrap();
        let answer: Json = response.json().await.unwrap();
        let seen: TraceContext = answer["customer"].as_str().unwrap().parse().unwrap();
        assert_eq!(seen.trace_id == trace.trace_id, kept);
        assert_eq!(answer["total"], 70);
        assert_eq!(answer["amount"], 70);
    }
    running.stop().await;
}

/// Lets only Anna read.
struct OnlyAnna;

#[async_trait]
impl DecisionPoint for OnlyAnna {
    async fn decide(
        &self,
        access: &Access,
        action: Action,
        resource: &Resource,
    ) -> Result<Decision> {
        if access.principal.as_str() != "anna" {
            let rules = vec!["rule-7".to_owned()];
            return Ok(Decision::deny(
                access,
                action,
                resource,
                "only Anna may",
                rules,
            ));
        }
        mesh_enforcement::PassThrough
            .decide(access, action, resource)
            .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denied_request_never_reaches_its_handler() {
    let platform = Platform::absent().await;
    let domain = shop::domain(0, 1).decisions(Arc::new(OnlyAnna));
    let running = platform.run(domain).await;
    let client = Client::of(&running);
    assert_eq!(client.json("/v1/totals").await.0, 200);
    // Its handler would panic.
    let denied = client
        .request("GET", "/v1/broken")
        .header("Mesh-Principal", "bert")
        .header("Mesh-Purpose", "test");
    let response = denied.send().await.unwrap();
    assert_eq!(response.status(), 403);
    let problem: Json = response.json().await.unwrap();
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("only Anna may")
    );
    assert_eq!(problem["context"]["product"], "shop.payouts");
    // What is to be published waits for the platform, and says so.
    let gift = json!({"gift_id": 1, "customer": "c0", "amount": 10});
    let response = client
        .governed("POST", "/v1/gifts")
        .json(&gift)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    running.stop().await;
}
