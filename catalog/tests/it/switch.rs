//! Majors that take the place of others.

use serde_json::{Value, json};

use crate::harness::{Sample, Server, sample};

fn version(version: &'static str, status: &'static str) -> Sample {
    Sample {
        version,
        status,
        ..sample("loan.decisions")
    }
}

/// Version, status, successor and whether it stands for the product; the highest first.
async fn standing(server: &Server) -> Value {
    let detail = server.get("/api/v1/products/loan/decisions").await;
    let versions = detail["versions"].as_array().unwrap();
    versions
        .iter()
        .map(|is| json!([is["version"], is["status"], is["successor"], is["current"]]))
        .collect()
}

const SWITCH: &str = "POST /api/v1/domains/loan/switch";

#[tokio::test]
async fn a_draft_takes_the_place_of_the_major_in_service_and_back() {
    let server = Server::start().await;
    let versions = [
        version("1.0.0", "active"),
        version("1.1.0", "draft"),
        version("2.0.0", "draft"),
    ];
    server.register_all(&versions).await;
    assert_eq!(
        standing(&server).await,
        json!([
            ["2.0.0", "draft", null, false],
            ["1.1.0", "draft", null, false],
            ["1.0.0", "active", null, true],
        ])
    );
    let body = json!({"products": {"decisions": 2}, "by": "user:anna"});
    let switched = server.call(SWITCH, &body).await;
    assert_eq!(switched.status, 200, "{}", switched.body);
    assert_eq!(switched.body["items"][0]["version"], "2.0.0");
    let after = json!([
        ["2.0.0", "active", null, true],
        ["1.1.0", "draft", 2, false],
        ["1.0.0", "deprecated", 2, false],
    ]);
    assert_eq!(standing(&server).await, after);
    // The same again changes nothing, nor does a start of the domain or of the catalog.
    let again = server.call(SWITCH, &body).await;
    assert_eq!(again.body, switched.body);
    for version in &versions {
        assert_eq!(server.register(version).await.body["outcome"], "unchanged");
    }
    let server = server.restart().await;
    assert_eq!(standing(&server).await, after);
    // Later versions of the two keep to it.
    server
        .register_all(&[version("1.0.1", "active"), version("2.0.1", "draft")])
        .await;
    assert_eq!(
        standing(&server).await,
        json!([
            ["2.0.1", "active", null, true],
            ["2.0.0", "active", null, false],
            ["1.1.0", "draft", 2, false],
            ["1.0.1", "deprecated", 2, false],
            ["1.0.0", "deprecated", 2, false],
        ])
    );
    let back = server
        .call(SWITCH, &json!({"products": {"decisions": 1}}))
        .await;
    assert_eq!(back.body["items"][0]["version"], "1.0.1");
}

#[tokio::test]
async fn all_products_change_or_none_and_refusals_say_the_mend() {
    let server = Server::start().await;
    server
        .register_all(&[version("1.0.0", "active"), version("2.0.0", "draft")])
        .await;
    let before = standing(&server).await;
    for (body, status, words) in [
        (
            json!({"products": {}}),
            400,
            ["no product", "major version"],
        ),
        (
            json!({"products": {"decisions": 2, "payments": 2}}),
            404,
            ["payments", "start the process"],
        ),
        (
            json!({"products": {"decisions": 3}}),
            404,
            ["major", "decisions"],
        ),
        (
            json!({"products": {"decisions": 2}, "by": ""}),
            400,
            ["by", "mend"],
        ),
    ] {
        server.refused(SWITCH, &body, status, &words).await;
    }
    assert_eq!(standing(&server).await, before);
}
