//! Preferences over the API, and as rows of their product.

use notification::products::{Preference, PreferenceKey};
use serde_json::json;

use crate::mesh::Mesh;
use crate::smtp::plain;

#[tokio::test]
async fn a_choice_replaces_the_one_before_and_is_published() {
    let mut mesh = Mesh::start().await;
    let (status, problem) = mesh.get("/v1/preferences/7").await;
    assert_eq!(
        (status, &problem["type"]),
        (404, &json!("urn:mesh:problem:not-found")),
        "{problem}"
    );

    let first = json!({
        "client_id": 7, "channel": "EMAIL", "email": "anna@example.org",
        "muted_subjects": ["PAYMENTS", "LOANS", "PAYMENTS"], "language": "cs",
    });
    let (status, answer) = mesh.post("/v1/preferences", &first).await;
    assert_eq!(status, 200, "{answer}");
    // The host keeps answers; the address is not to be kept with them.
    assert_eq!(answer["email"], json!(null));
    let (_, kept) = mesh.get("/v1/preferences/7").await;
    assert_eq!(kept["email"], "anna@example.org");
    assert_eq!(kept["muted_subjects"], json!(["LOANS", "PAYMENTS"]));

    // The same again is no change; another one and back again are two.
    mesh.post("/v1/preferences", &first).await;
    let none = json!({ "client_id": 7, "channel": "NONE" });
    assert_eq!(mesh.post("/v1/preferences", &none).await.0, 200);
    assert_eq!(mesh.post("/v1/preferences", &first).await.0, 200);
    let reader = mesh.reader::<Preference>();
    let mut channels = Vec::new();
    for _ in 0..3 {
        let (key, row) = reader.next().await;
        assert_eq!(key, PreferenceKey { client_id: 7 });
        let row = row.unwrap();
        channels.push((row.channel.as_str(), row.email, row.language));
    }
    let anna = || Some("anna@example.org".to_owned());
    let (cs, en) = (|| "cs".to_owned(), "en".to_owned());
    assert_eq!(
        channels,
        [
            ("EMAIL", anna(), cs()),
            ("NONE", None, en),
            ("EMAIL", anna(), cs())
        ]
    );
    reader.nothing_more().await;

    mesh.restart(plain(9)).await;
    mesh.until("ready", |status| status["ready"] == true).await;
    assert_eq!(mesh.get("/v1/preferences/7").await.1["channel"], "EMAIL");
    mesh.stop().await;
}

#[tokio::test]
async fn a_choice_that_cannot_be_is_refused_by_its_field() {
    let mesh = Mesh::start().await;
    let long = format!("{}@example.org", "a".repeat(250));
    for (body, field) in [
        (json!({ "client_id": 0, "channel": "NONE" }), "client_id"),
        (json!({ "client_id": 7, "channel": "PIGEON" }), "channel"),
        (json!({ "client_id": 7, "channel": "EMAIL" }), "email"),
        (
            json!({ "client_id": 7, "channel": "LOG", "email": "a@example.org" }),
            "email",
        ),
        (
            json!({ "client_id": 7, "channel": "EMAIL", "email": "anna" }),
            "email",
        ),
        (
            json!({ "client_id": 7, "channel": "EMAIL", "email": "anna@localhost" }),
            "email",
        ),
        (
            json!({ "client_id": 7, "channel": "EMAIL", "email": "a b@example.org" }),
            "email",
        ),
        (
            json!({ "client_id": 7, "channel": "EMAIL", "email": "a@example.org\r\nBcc: b@example.org" }),
            "email",
        ),
        (
            json!({ "client_id": 7, "channel": "EMAIL", "email": "ánna@example.org" }),
            "email",
        ),
        (
            json!({ "client_id": 7, "channel": "EMAIL", "email": long }),
            "email",
        ),
        (
            json!({ "client_id": 7, "channel": "LOG", "muted_subjects": ["PRIVACY"] }),
            "muted_subjects",
        ),
        (
            json!({ "client_id": 7, "channel": "LOG", "language": "xx" }),
            "language",
        ),
    ] {
        let (status, problem) = mesh.post("/v1/preferences", &body).await;
        assert_eq!(
            (status, problem["status"].as_u64()),
            (400, Some(400)),
            "{body} {problem}"
        );
        let text = problem.to_string();
        assert!(text.contains(field), "{body} {problem}");
        for value in ["anna", "Bcc", "a@example.org", "PIGEON"] {
            assert!(!text.contains(value), "{problem}");
        }
    }
    let (status, _) = mesh
        .post(
            "/v1/preferences",
            &json!({ "client_id": 7, "channel": "NONE", "mail": "x" }),
        )
        .await;
    assert_eq!(status, 400);
    assert_eq!(mesh.get("/v1/preferences/7").await.0, 404);
    mesh.stop().await;
}
