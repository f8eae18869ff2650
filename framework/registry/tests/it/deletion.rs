//! Soft and permanent deletion.

use serde_json::{Value, json};

use crate::harness::Server;

#[tokio::test]
async fn versions_and_subjects_are_deleted_softly_first() {
    let server = Server::start().await;
    let level = json!({"compatibility": "NONE"});
    server.check("PUT /config", level.clone(), 200, level).await;
    for schema in ["\"int\"", "\"long\"", "\"string\""] {
        server.register("s", schema).await;
    }
    let none = || Value::Null;
    server
        .refused(
            "DELETE /subjects/s/versions/2?permanent=true",
            none(),
            40407,
            &["Version 2"],
        )
        .await;
    server
        .check("DELETE /subjects/s/versions/2", none(), 200, json!(2))
        .await;
    server
        .refused(
            "DELETE /subjects/s/versions/2",
            none(),
            40406,
            &["soft deleted"],
        )
        .await;
    server
        .refused(
            "DELETE /subjects/s?permanent=true",
            none(),
            40405,
            &["not deleted first"],
        )
        .await;
    let hidden = json!({"subject": "s", "version": 2, "id": 2, "schema": "\"long\""});
    for (request, expected) in [
        ("GET /subjects/s/versions", json!([1, 3])),
        ("GET /subjects/s/versions?deleted=true", json!([1, 2, 3])),
        ("GET /subjects/s/versions?deletedOnly=true", json!([2])),
        ("GET /subjects/s/versions/2?deleted=true", hidden.clone()),
        // Data in topics still carries the id.
        ("GET /schemas/ids/2", json!({"schema": "\"long\""})),
        ("GET /schemas/ids/2/subjects", json!([])),
        ("GET /schemas/ids/2/subjects?deleted=true", json!(["s"])),
    ] {
        server.check(request, none(), 200, expected).await;
    }
    server
        .refused("GET /subjects/s/versions/2", none(), 40402, &[])
        .await;
    server
        .refused(
            "POST /subjects/s",
            json!({"schema": "\"long\""}),
            40403,
            &[],
        )
        .await;
    server
        .check(
            "POST /subjects/s?deleted=true",
            json!({"schema": "\"long\""}),
            200,
            hidden,
        )
        .await;

    // Registered again it is a new version under its old id.
    assert_eq!(server.register("s", "\"long\"").await, 2);
    server
        .check("GET /subjects/s/versions", none(), 200, json!([1, 3, 4]))
        .await;

    server
        .check("DELETE /subjects/s", none(), 200, json!([1, 3, 4]))
        .await;
    server
        .refused("DELETE /subjects/s", none(), 40404, &["permanent=true"])
        .await;
    for request in [
        "GET /subjects/s/versions",
        "GET /subjects/s/versions/latest",
    ] {
        server.refused(request, none(), 40401, &[]).await;
    }
    server.check("GET /subjects", none(), 200, json!([])).await;
    server
        .check("GET /subjects?deleted=true", none(), 200, json!(["s"]))
        .await;
    server
        .check(
            "DELETE /subjects/s/versions/2?permanent=true",
            none(),
            200,
            json!(2),
        )
        .await;
    server
        .check(
            "DELETE /subjects/s?permanent=true",
            none(),
            200,
            json!([1, 3, 4]),
        )
        .await;
    server
        .check("GET /subjects?deleted=true", none(), 200, json!([]))
        .await;
    server
        .refused("GET /schemas/ids/2", none(), 40403, &[])
        .await;

    // No id is given to another schema.
    assert_eq!(server.register("t", "\"boolean\"").await, 4);
    assert_eq!(server.register("t", "\"long\"").await, 2);
}

#[tokio::test]
async fn the_settings_of_a_subject_go_with_its_last_version() {
    let server = Server::start().await;
    let level = json!({"compatibility": "FULL"});
    for (subject, deletion, answer) in [
        ("a", "DELETE /subjects/a", json!([1])),
        ("b", "DELETE /subjects/b/versions/latest", json!(1)),
    ] {
        server.register(subject, "\"int\"").await;
        let config = format!("PUT /config/{subject}");
        server
            .check(&config, level.clone(), 200, level.clone())
            .await;
        server.check(deletion, Value::Null, 200, answer).await;
        server
            .refused(&format!("GET /config/{subject}"), Value::Null, 40408, &[])
            .await;
    }
}
