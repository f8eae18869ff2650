//! Rows that are sent over HTTP.

use serde_json::{Value as Json, json};

use super::harness::{Hosted, Mesh};

async fn post(hosted: &Hosted, key: Option<&str>, body: &str) -> (u16, Json) {
    post_to(hosted, "parcels", key, body).await
}

/// Sends rows to a product; the status and the answer.
pub(super) async fn post_to(
    hosted: &Hosted,
    product: &str,
    key: Option<&str>,
    body: &str,
) -> (u16, Json) {
    let mut request = hosted
        .http
        .post(format!("{}/v1/{product}", hosted.base))
        .header("Mesh-Principal", "service:depot")
        .header("Mesh-Purpose", "operations")
        .body(body.to_owned());
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_a_version_that_ends_say_so() {
    let mesh = Mesh::start().await;
    mesh.product("[{ type: http }]");
    let file = mesh.folder().join("products/parcels/contract.odcs.yaml");
    let text = std::fs::read_to_string(&file).unwrap().replace(
        "slaProperties: [",
        "slaProperties: [{ property: endOfLife, value: \"2999-01-01\" }, ",
    );
    std::fs::write(&file, text).unwrap();
    let hosted = mesh.run().await;
    hosted
        .until("ready", |status| status["ready"] == true)
        .await;
    let row = r#"{"parcel_id": 1, "town": "Brno"}"#;
    assert_eq!(post(&hosted, None, row).await.0, 200);
    hosted
        .until("published", |status| status["outbox_pending"] == 0)
        .await;
    assert_eq!(
        mesh.header("sunset").await,
        ["Tue, 01 Jan 2999 00:00:00 GMT"]
    );
    hosted.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_taken_all_or_none_and_once_under_a_key() {
    let mesh = Mesh::start().await;
    mesh.product("[{ type: http }]");
    let hosted = mesh.run().await;
    hosted
        .until("ready", |status| status["ready"] == true)
        .await;

    let one = r#"{"parcel_id": 1, "town": "Brno", "sent_on": "1970-01-02"}"#;
    assert_eq!(
        post(&hosted, None, one).await,
        (200, json!({"accepted": 1}))
    );
    let lines = "{\"parcel_id\": 2, \"town\": \"Praha\"}\n{\"parcel_id\": 3, \"town\": \"Zlín\"}\n";
    for _ in 0..3 {
        let answer = post(&hosted, Some("k1"), lines).await;
        assert_eq!(answer, (200, json!({"accepted": 2})));
    }
    let array = r#"[{"parcel_id": 4, "town": "Brno", "note": null}]"#;
    let (status, problem) = post(&hosted, Some("k1"), array).await;
    assert_eq!(
        (status, problem["field"].is_null()),
        (422, true),
        "{problem}"
    );
    assert_eq!(
        post(&hosted, Some("k2"), array).await,
        (200, json!({"accepted": 1}))
    );

    let wrong = r#"[{"parcel_id": 5, "town": "Brno"}, {"parcel_id": "SECRET", "town": "x"},
        {"town": "SECRET"}]"#;
    let (status, problem) = post(&hosted, Some("k3"), wrong).await;
    let text = problem.to_string();
    assert_eq!(status, 400, "{text}");
    for named in [
        "row 2: parcel_id: expected an int",
        "row 3: parcel_id: a column is missing",
    ] {
        assert!(text.contains(named), "{named} is not in {text}");
    }
    assert!(!text.contains("SECRET"), "{text}");
    // What was refused can be sent again under its key, mended.
    let mended = r#"{"parcel_id": 5, "town": "Brno"}"#;
    assert_eq!(post(&hosted, Some("k3"), mended).await.0, 200);

    for (body, part) in [
        ("", "no row"),
        ("[1]", "no object"),
        ("{\"parcel_id\"", "not JSON"),
    ] {
        let (status, problem) = post(&hosted, None, body).await;
        assert_eq!(status, 400);
        assert!(problem.to_string().contains(part), "{problem}");
    }
    let nobody = hosted.http.post(format!("{}/v1/parcels", hosted.base));
    assert_eq!(nobody.body(one).send().await.unwrap().status(), 401);

    hosted.until_published(5).await;
    hosted.stop().await;
    let rows = mesh.rows().await;
    assert_eq!(
        rows,
        [
            "1 Brno - 1",
            "2 Praha - -",
            "3 Zlín - -",
            "4 Brno - -",
            "5 Brno - -"
        ]
    );
    // An answer is remembered over a restart.
    let hosted = mesh.run().await;
    hosted
        .until("ready", |status| status["ready"] == true)
        .await;
    assert_eq!(post(&hosted, Some("k1"), lines).await.0, 200);
    hosted.stop().await;
    assert_eq!(mesh.rows().await.len(), 5);
}
