//! Modes: taking schemas over with their ids, and reading only whatever is set below.

use serde_json::{Value, json};

use crate::harness::Server;

fn mode(mode: &str) -> Value {
    json!({ "mode": mode })
}

fn schema(schema: &str, id: u32, version: u32) -> Value {
    json!({"schema": schema, "id": id, "version": version})
}

const AT: &str = "POST /subjects/s/versions";

#[tokio::test]
async fn ids_and_versions_are_the_clients_in_import_mode() {
    let server = Server::start().await;
    server
        .check("PUT /mode/s", mode("import"), 200, mode("IMPORT"))
        .await;
    server
        .check("GET /mode/s", Value::Null, 200, mode("IMPORT"))
        .await;
    // Unchecked, in any order, and again.
    for (text, id, version) in [
        ("\"string\"", 70, 3),
        ("\"int\"", 20, 1),
        ("\"bytes\"", 71, 9),
        ("\"string\"", 70, 3),
    ] {
        let answer = json!({ "id": id });
        server
            .check(AT, schema(text, id, version), 200, answer)
            .await;
    }
    for (body, words) in [
        (schema("\"long\"", 70, 4), "id 70 is not permitted"),
        (schema("\"long\"", 90, 3), "has a version 3 already"),
        (schema("\"string\"", 70, 5), "as version 3"),
        (json!({"schema": "\"long\""}), "not in read-write mode"),
    ] {
        server.refused(AT, body, 42205, &[words]).await;
    }
    // A schema may have been registered under two ids.
    server
        .check(AT, schema("\"int\"", 21, 2), 200, json!({"id": 21}))
        .await;
    for (request, expected) in [
        ("GET /subjects/s/versions", json!([1, 2, 3, 9])),
        ("GET /schemas/ids/20", json!({"schema": "\"int\""})),
        (
            "GET /subjects/s/versions/2",
            json!({"subject": "s", "version": 2, "id": 21, "schema": "\"int\""}),
        ),
        (
            "GET /schemas/ids/70?fetchMaxId=true",
            json!({"schema": "\"string\"", "maxId": 71}),
        ),
    ] {
        server.check(request, Value::Null, 200, expected).await;
    }
    server
        .check("PUT /mode/s", mode("READWRITE"), 200, mode("READWRITE"))
        .await;
    server
        .refused(
            AT,
            schema("\"long\"", 99, 10),
            42205,
            &["not in import mode"],
        )
        .await;
    // Later ids and versions come after the imported ones.
    let level = json!({"compatibility": "NONE"});
    server.check("PUT /config", level.clone(), 200, level).await;
    let server = server.restart().await;
    assert_eq!(server.register("s", "\"long\"").await, 72);
    assert_eq!(server.register("t", "\"int\"").await, 20);
    server
        .check(
            "GET /subjects/s/versions/latest",
            Value::Null,
            200,
            json!({"subject": "s", "version": 10, "id": 72, "schema": "\"long\""}),
        )
        .await;
}

#[tokio::test]
async fn import_wants_an_empty_place_unless_it_is_forced() {
    let server = Server::start().await;
    server.register("s", "\"int\"").await;
    server.register(":.b:t", "\"int\"").await;
    for place in ["", "/s", "/:.b:", "/:.b:t"] {
        server
            .refused(
                &format!("PUT /mode{place}"),
                mode("IMPORT"),
                42205,
                &["found existing subjects", "force=true"],
            )
            .await;
    }
    for (place, force) in [
        ("/:.a:", ""),
        ("/u", ""),
        ("/s", "?force=true"),
        ("", "?force=true"),
    ] {
        let request = format!("PUT /mode{place}{force}");
        server
            .check(&request, mode("IMPORT"), 200, mode("IMPORT"))
            .await;
    }
    server
        .check(
            "POST /subjects/:.a:s/versions",
            schema("\"long\"", 1, 1),
            200,
            json!({"id": 1}),
        )
        .await;
    // What is in import mode stays so without force.
    server
        .check("PUT /mode/:.a:", mode("IMPORT"), 200, mode("IMPORT"))
        .await;
    server
        .check("DELETE /mode", Value::Null, 200, mode("IMPORT"))
        .await;
    server
        .check("DELETE /mode", Value::Null, 200, mode("READWRITE"))
        .await;
    server
        .check("GET /mode", Value::Null, 200, mode("READWRITE"))
        .await;
    // The id of what was deleted for good is free for an import.
    server.register("gone", "\"double\"").await;
    for request in [
        "DELETE /subjects/gone",
        "DELETE /subjects/gone?permanent=true",
    ] {
        server.check(request, Value::Null, 200, json!([1])).await;
    }
    server
        .check("PUT /mode/gone", mode("IMPORT"), 200, mode("IMPORT"))
        .await;
    server
        .check(
            "POST /subjects/gone/versions",
            schema("\"float\"", 2, 1),
            200,
            json!({"id": 2}),
        )
        .await;
    server
        .check(
            "GET /schemas/ids/2",
            Value::Null,
            200,
            json!({"schema": "\"float\""}),
        )
        .await;
}

#[tokio::test]
async fn a_global_override_beats_what_is_set_below() {
    let server = Server::start().await;
    let int = json!({"schema": "\"int\""});
    server
        .check("PUT /mode/s", mode("READWRITE"), 200, mode("READWRITE"))
        .await;
    let over = mode("READONLY_OVERRIDE");
    server
        .check("PUT /mode", over.clone(), 200, over.clone())
        .await;
    server.refused(AT, int.clone(), 42205, &["read-only"]).await;
    server
        .check("GET /mode/s?defaultToGlobal=true", Value::Null, 200, over)
        .await;
    server
        .check("PUT /mode", mode("READONLY"), 200, mode("READONLY"))
        .await;
    server.check(AT, int, 200, json!({"id": 1})).await;
    server
        .refused("PUT /mode", mode("SLEEPY"), 42204, &["Valid values"])
        .await;
}
