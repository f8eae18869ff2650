//! Contexts: subjects, ids and settings apart from each other.

use serde_json::{Value, json};

use crate::harness::Server;

#[tokio::test]
async fn each_context_has_its_own_ids() {
    let server = Server::start().await;
    assert_eq!(server.register("s", "\"int\"").await, 1);
    assert_eq!(server.register("s", "\"long\"").await, 2);
    assert_eq!(server.register(":.b:s", "\"string\"").await, 1);
    assert_eq!(server.register(":.b:t", "\"long\"").await, 2);
    assert_eq!(server.register(":.a:s", "\"bytes\"").await, 1);
    assert_eq!(server.register(":.:u", "\"int\"").await, 1);
    for (request, expected) in [
        ("GET /contexts", json!([".", ".a", ".b"])),
        ("GET /contexts?offset=1&limit=1", json!([".a"])),
        (
            "GET /subjects",
            json!(["s", "u", ":.a:s", ":.b:s", ":.b:t"]),
        ),
        (
            "GET /subjects?subjectPrefix=:*:s",
            json!(["s", ":.a:s", ":.b:s"]),
        ),
        (
            "GET /subjects?subjectPrefix=:.b:",
            json!([":.b:s", ":.b:t"]),
        ),
        ("GET /subjects?subjectPrefix=:.b:t", json!([":.b:t"])),
        ("GET /subjects?subjectPrefix=:.:", json!(["s", "u"])),
        ("GET /subjects?subjectPrefix=s", json!(["s"])),
        (
            "GET /subjects/:.b:s/versions/1",
            json!({"subject": ":.b:s", "version": 1, "id": 1, "schema": "\"string\""}),
        ),
        (
            "GET /subjects/:.:s/versions/1",
            json!({"subject": "s", "version": 1, "id": 1, "schema": "\"int\""}),
        ),
        ("GET /schemas/ids/1", json!({"schema": "\"int\""})),
        (
            "GET /schemas/ids/1?subject=:.b:",
            json!({"schema": "\"string\""}),
        ),
        (
            "GET /schemas/ids/1?subject=:.b:t&fetchMaxId=true",
            json!({"schema": "\"string\"", "maxId": 2}),
        ),
        ("GET /schemas/ids/1?subject=s", json!({"schema": "\"int\""})),
        // A subject without a context is looked for in all, the default one first.
        (
            "GET /schemas/ids/2?subject=t",
            json!({"schema": "\"long\""}),
        ),
        ("GET /schemas/ids/2/subjects", json!(["s"])),
        ("GET /schemas/ids/2/subjects?subject=:.b:", json!([":.b:t"])),
        (
            "GET /schemas/ids/2/versions?subject=t",
            json!([{"subject": ":.b:t", "version": 1}]),
        ),
    ] {
        server.check(request, Value::Null, 200, expected).await;
    }
    server
        .refused("GET /schemas/ids/2?subject=:.a:", Value::Null, 40403, &[])
        .await;
    let server = server.restart().await;
    assert_eq!(server.register(":.a:s2", "\"int\"").await, 2);
    assert_eq!(server.register(":.b:s2", "\"int\"").await, 3);
}

#[tokio::test]
async fn a_path_may_begin_with_the_context() {
    let server = Server::start().await;
    server.register("s", "\"int\"").await;
    let long = json!({"schema": "\"long\""});
    for context in [".b", ":.b:", "b"] {
        let at = format!("POST /contexts/{context}/subjects/s%20x/versions");
        server.check(&at, long.clone(), 200, json!({"id": 1})).await;
    }
    let found = json!({"subject": ":.b:s x", "version": 1, "id": 1, "schema": "\"long\""});
    for (request, body, expected) in [
        ("GET /contexts", Value::Null, json!([".", ".b"])),
        ("GET /contexts/.b/subjects", Value::Null, json!([":.b:s x"])),
        (
            "GET /contexts/.b/subjects?subjectPrefix=t",
            Value::Null,
            json!([]),
        ),
        (
            "GET /contexts/:.:/subjects?deleted=true",
            Value::Null,
            json!(["s"]),
        ),
        (
            "GET /contexts/.b/subjects/s%20x/versions/latest",
            Value::Null,
            found.clone(),
        ),
        (
            "GET /contexts/.c/subjects/:.b:s%20x/versions/1?deleted=true",
            Value::Null,
            found.clone(),
        ),
        ("GET /contexts/.b/schemas", Value::Null, json!([found])),
        (
            "GET /contexts/.b/schemas/ids/1",
            Value::Null,
            json!({"schema": "\"long\""}),
        ),
        (
            "GET /contexts/.b/schemas/ids/1/versions?offset=0",
            Value::Null,
            json!([{"subject": ":.b:s x", "version": 1}]),
        ),
        (
            "GET /contexts/.b/schemas/types",
            Value::Null,
            json!(["AVRO", "JSON", "PROTOBUF"]),
        ),
        (
            "POST /contexts/.b/subjects/s%20x",
            long.clone(),
            found.clone(),
        ),
        (
            "POST /contexts/.b/compatibility/subjects/s%20x/versions/latest",
            json!({"schema": "\"string\""}),
            json!({"is_compatible": false}),
        ),
        (
            "PUT /contexts/.b/config",
            json!({"compatibility": "NONE"}),
            json!({"compatibility": "NONE"}),
        ),
        (
            "PUT /contexts/.b/mode/t",
            json!({"mode": "READONLY"}),
            json!({"mode": "READONLY"}),
        ),
        ("GET /mode/:.b:t", Value::Null, json!({"mode": "READONLY"})),
        (
            "GET /config/:.b:",
            Value::Null,
            json!({"compatibilityLevel": "NONE"}),
        ),
        (
            "DELETE /contexts/.b/subjects/s%20x",
            Value::Null,
            json!([1]),
        ),
    ] {
        server.check(request, body, 200, expected).await;
    }
    for request in [
        "GET /contexts/.b/nothing",
        "GET /contexts/.b/schemas/other",
        "GET /contexts/.a:b/subjects",
    ] {
        server.refused(request, Value::Null, 404, &[]).await;
    }
}

#[tokio::test]
async fn settings_of_a_context_hold_for_its_subjects() {
    let server = Server::start().await;
    let level = |level: &str| json!({ "compatibility": level });
    let is = |level: &str| json!({ "compatibilityLevel": level });
    for (place, set) in [("", "FULL"), ("/:.b:", "NONE"), ("/:.b:s", "FORWARD")] {
        let request = format!("PUT /config{place}");
        server.check(&request, level(set), 200, level(set)).await;
    }
    let in_force = "?defaultToGlobal=true";
    for (place, expected) in [
        ("s", "FULL"),
        (":.a:s", "FULL"),
        (":.a:", "FULL"),
        (":.b:", "NONE"),
        (":.b:t", "NONE"),
        (":.b:s", "FORWARD"),
    ] {
        let request = format!("GET /config/{place}{in_force}");
        server.check(&request, Value::Null, 200, is(expected)).await;
    }
    server
        .check("GET /config/:.__GLOBAL:", Value::Null, 200, is("FULL"))
        .await;
    server
        .refused("GET /config/:.a:", Value::Null, 40408, &[])
        .await;
    server.register(":.b:t", "\"int\"").await;
    server.register(":.b:t", "\"string\"").await;
    let mode = |mode: &str| json!({ "mode": mode });
    let read_only = mode("READONLY");
    server
        .check("PUT /mode/:.b:", read_only.clone(), 200, read_only.clone())
        .await;
    let body = json!({"schema": "\"bytes\""});
    server
        .refused(
            "POST /subjects/:.b:t/versions",
            body.clone(),
            42205,
            &["read-only"],
        )
        .await;
    server
        .refused("PUT /config/:.b:", level("FULL"), 42205, &[])
        .await;
    server
        .check("POST /subjects/:.a:t/versions", body, 200, json!({"id": 1}))
        .await;
    let server = server.restart().await;
    server
        .check("DELETE /mode/:.b:", Value::Null, 200, read_only)
        .await;
    server
        .check("DELETE /config/:.b:", Value::Null, 200, is("NONE"))
        .await;
    let request = format!("GET /config/:.b:t{in_force}");
    server.check(&request, Value::Null, 200, is("FULL")).await;
}

#[tokio::test]
async fn references_stay_in_the_context_unless_they_name_another() {
    let server = Server::start().await;
    let fixed = |name: &str| format!(r#"{{"type":"fixed","name":"{name}","size":4}}"#);
    server.register("x", &fixed("Outer")).await;
    server.register(":.b:x", &fixed("Inner")).await;
    let body = |schema: &str, subject: &str| {
        json!({"schema": format!("\"{schema}\""),
            "references": [{"name": schema, "subject": subject, "version": 1}]})
    };
    for (schema, subject, id) in [("Inner", "x", 2), ("Outer", ":.:x", 3)] {
        // The second is found too, and is another type.
        let reply = server
            .call("POST", "/subjects/:.b:y/versions", body(schema, subject))
            .await;
        let expected = if id == 2 { 200 } else { 409 };
        assert_eq!(reply.status, expected, "{}", reply.body);
    }
    server
        .refused(
            "POST /subjects/y/versions",
            body("Inner", "x"),
            42201,
            &["'Inner' is neither"],
        )
        .await;
    server
        .check(
            "POST /subjects/y/versions",
            body("Inner", ":.b:x"),
            200,
            json!({"id": 2}),
        )
        .await;
    for (request, expected) in [
        ("GET /subjects/:.b:x/versions/1/referencedby", json!([2])),
        ("GET /subjects/x/versions/1/referencedby", json!([])),
    ] {
        server.check(request, Value::Null, 200, expected).await;
    }
    server
        .refused("DELETE /subjects/:.b:x", Value::Null, 42206, &[])
        .await;
}
