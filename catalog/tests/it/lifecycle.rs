//! When versions end, who reads them, and that nobody new does afterwards.

use serde_json::{Value, json};

use crate::harness::{Sample, Server, sample};

/// Registers a sample whose contract has more service levels.
async fn register(server: &Server, sample: &Sample, levels: &str) {
    let mut body = sample.body();
    let text = sample
        .contract_text()
        .replace("slaProperties:\n", &format!("slaProperties:\n{levels}"));
    body["contract"] = text.into();
    let reply = server.call(&sample.put(), &body).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
}

#[tokio::test]
async fn the_ends_of_a_version_its_readers_and_its_successor_are_shown() {
    let server = Server::start().await;
    let scores = sample("customer.scores");
    let ends = "  - {property: endOfSupport, value: \"2999-01-01\"}\n  - {property: endOfLife, value: \"2999-06-01\"}\n";
    register(&server, &scores, ends).await;
    let detail = server.get(&scores.path()).await;
    assert_eq!(
        detail["lifecycle"],
        json!({"stage": "announced", "end_of_support": "2999-01-01T00:00:00Z",
            "end_of_life": "2999-06-01T00:00:00Z", "successor": null})
    );
    assert_eq!(detail["readers"], json!([]));

    let loans = Sample {
        reads: Some("urn:mesh:contract:customer.scores"),
        ..sample("loan.applications")
    };
    let next = Sample {
        version: "2.0.0",
        ..sample("customer.scores")
    };
    server.register_all(&[loans, next]).await;
    let reads = json!([{"handler": "assess", "topic": "customer.scores.v1"}]);
    let body = json!({"api_url": "http://127.0.0.1:9", "reads": reads});
    assert_eq!(
        server.call("PUT /api/v1/domains/ads", &body).await.status,
        201
    );
    // What is left out stays.
    let body = json!({"api_url": "http://127.0.0.1:9"});
    assert_eq!(
        server.call("PUT /api/v1/domains/ads", &body).await.status,
        200
    );

    let detail = server.get(&format!("{}/versions/v1", scores.path())).await;
    assert_eq!(detail["lifecycle"]["successor"], "customer.scores.v2");
    let readers = json!([
        {"domain": "ads", "product": null, "handler": "assess"},
        {"domain": "loan", "product": "applications", "handler": null},
    ]);
    assert_eq!(detail["readers"], readers);
    let newest = server.get(&scores.path()).await;
    assert_eq!(newest["lifecycle"]["stage"], "current");
    assert_eq!(newest["readers"], json!([]));
    let server = server.restart().await;
    let detail = server.get(&format!("{}/versions/v1", scores.path())).await;
    assert_eq!(detail["readers"], readers);
    // A domain that reads it no more says so.
    let body = json!({"api_url": "http://127.0.0.1:9", "reads": []});
    server.call("PUT /api/v1/domains/ads", &body).await;
    let detail = server.get(&format!("{}/versions/v1", scores.path())).await;
    assert_eq!(detail["readers"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_product_of_a_new_reader_is_refused_after_the_end_of_support() {
    let server = Server::start().await;
    let scores = sample("customer.scores");
    server.register_all(&[sample("customer.scores")]).await;
    let reading = |name: &str| Sample {
        reads: Some("urn:mesh:contract:customer.scores"),
        ..sample(name)
    };
    server.register_all(&[reading("loan.applications")]).await;
    let ended = Sample {
        version: "1.1.0",
        status: "deprecated",
        ..sample("customer.scores")
    };
    register(
        &server,
        &ended,
        "  - {property: endOfSupport, value: \"2020-01-01\"}\n",
    )
    .await;

    let late = reading("ads.audiences");
    let words = [
        "customer.scores.v1",
        "no new readers",
        "ask the domain `customer`",
    ];
    server.refused(&late.put(), &late.body(), 422, &words).await;
    let next = Sample {
        version: "2.0.0",
        ..sample("customer.scores")
    };
    server.register_all(&[next]).await;
    server
        .refused(
            &late.put(),
            &late.body(),
            422,
            &["read `customer.scores.v2` instead"],
        )
        .await;
    // One that read it before goes on, with further products too.
    let more = Sample {
        version: "1.1.0",
        ..reading("loan.applications")
    };
    server
        .register_all(&[more, reading("loan.decisions")])
        .await;
    let missing = server
        .call(&format!("GET {}", late.path()), &Value::Null)
        .await;
    assert_eq!(missing.status, 404);
    assert_eq!(server.get(&scores.path()).await["version"], "2.0.0");
}

#[tokio::test]
async fn an_end_that_is_no_day_is_refused_where_it_stands() {
    let server = Server::start().await;
    let scores = sample("customer.scores");
    for (levels, words) in [
        (
            "  - {property: endOfLife, value: soon}\n",
            "no day or instant",
        ),
        (
            "  - {property: endOfSupport, value: \"2030-01-02\"}\n  - {property: endOfLife, value: \"2030-01-01\"}\n",
            "its life would end before its support",
        ),
    ] {
        let mut body = scores.body();
        let text = scores
            .contract_text()
            .replace("slaProperties:\n", &format!("slaProperties:\n{levels}"));
        body["contract"] = text.into();
        server
            .refused(&scores.put(), &body, 400, &["slaProperties", words])
            .await;
    }
}
