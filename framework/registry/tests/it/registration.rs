//! Registering, ids, versions, look-up and listing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Server, read, record};

const A: &str = r#"{"name":"a","type":"int"}"#;
const B: &str = r#"{"name":"b","type":"int","default":0}"#;

#[tokio::test]
async fn a_schema_has_one_id_in_every_subject_and_one_version_in_each() {
    let server = Server::start().await;
    server
        .check("GET /subjects", Value::Null, 200, json!([]))
        .await;
    let one = record(A);
    let two = record(&format!("{A},{B}"));
    assert_eq!(server.register("s-value", &one).await, 1);
    assert_eq!(server.register("s-value", &two).await, 2);
    assert_eq!(server.register("other-value", &two).await, 2);
    assert_eq!(
        server.register("s-value", &one).await,
        1,
        "registered again"
    );
    // White space, key order and the type written as an object do not count.
    let same = r#" { "fields" : [ { "type" : {"type":"int"}, "name" : "a" } ],
        "name" : "bank.R", "type" : "record" } "#;
    assert_eq!(server.register("s-value", same).await, 1);
    // Documentation does.
    let documented = record(r#"{"name":"a","type":"int","doc":"an amount"}"#);
    assert_eq!(server.register("s-value", &documented).await, 3);

    let table = [
        ("GET /", json!({})),
        ("GET /contexts", json!(["."])),
        ("GET /subjects", json!(["other-value", "s-value"])),
        ("GET /subjects?subjectPrefix=s", json!(["s-value"])),
        (
            "GET /subjects?subjectPrefix=:*:",
            json!(["other-value", "s-value"]),
        ),
        ("GET /subjects?offset=1&limit=5", json!(["s-value"])),
        ("GET /subjects?limit=1", json!(["other-value"])),
        ("GET /subjects/s-value/versions", json!([1, 2, 3])),
        (
            "GET /subjects/s-value/versions/2",
            json!({"subject": "s-value", "version": 2, "id": 2, "schema": two}),
        ),
        (
            "GET /subjects/s-value/versions/latest",
            json!({"subject": "s-value", "version": 3, "id": 3, "schema": documented}),
        ),
        (
            "GET /subjects/s-value/versions/-1/schema",
            serde_json::from_str(&documented).unwrap(),
        ),
        ("GET /subjects/s-value/versions/1/referencedby", json!([])),
        ("GET /schemas/ids/2", json!({"schema": two})),
        (
            "GET /schemas/ids/2?subject=s-value&fetchMaxId=true",
            json!({"schema": two, "maxId": 3}),
        ),
        (
            "GET /schemas/ids/2/schema",
            serde_json::from_str(&two).unwrap(),
        ),
        (
            "GET /schemas/ids/2/subjects",
            json!(["other-value", "s-value"]),
        ),
        (
            "GET /schemas/ids/2/versions",
            json!([{"subject": "other-value", "version": 1}, {"subject": "s-value", "version": 2}]),
        ),
        ("GET /schemas/types", json!(["AVRO", "JSON", "PROTOBUF"])),
        (
            "GET /schemas?subjectPrefix=s-&latestOnly=true",
            json!([{"subject": "s-value", "version": 3, "id": 3, "schema": documented}]),
        ),
    ];
    for (request, expected) in table {
        server.check(request, Value::Null, 200, expected).await;
    }
    let found = json!({"subject": "s-value", "version": 2, "id": 2, "schema": two});
    server
        .check(
            "POST /subjects/s-value",
            json!({"schema": two, "schemaType": "AVRO"}),
            200,
            found,
        )
        .await;
}

#[tokio::test]
async fn what_is_missing_has_its_own_code() {
    let server = Server::start().await;
    let schema = record(A);
    server.register("s", &schema).await;
    let table = [
        ("GET /subjects/none/versions", 40401),
        ("GET /subjects/none/versions/1", 40401),
        ("GET /subjects/none/versions/latest", 40401),
        ("GET /subjects/s/versions/7", 40402),
        ("GET /subjects/s/versions/7/schema", 40402),
        ("GET /subjects/s/versions/7/referencedby", 40402),
        ("GET /subjects/s/versions/0", 42202),
        ("GET /subjects/s/versions/-2", 42202),
        ("GET /subjects/s/versions/newest", 42202),
        ("GET /subjects/s/versions/99999999999", 42202),
        ("GET /schemas/ids/9", 40403),
        ("GET /schemas/ids/-1", 40403),
        ("GET /schemas/ids/9/subjects", 40403),
        ("GET /schemas/ids/9/versions", 40403),
        ("GET /schemas/ids/nine", 404),
        ("GET /subjects/a%00b/versions", 404),
        ("GET /nothing", 404),
        ("PATCH /subjects", 405),
        ("DELETE /subjects/none", 40401),
        ("DELETE /subjects/none/versions/1", 40401),
        ("DELETE /subjects/s/versions/7", 40402),
        ("GET /config/s", 40408),
        ("DELETE /config/s", 40401),
        ("GET /mode/s", 40409),
        ("DELETE /mode/s", 40401),
    ];
    for (request, code) in table {
        server.refused(request, Value::Null, code, &[]).await;
    }
    server
        .refused(
            "POST /subjects/none",
            json!({"schema": schema}),
            40401,
            &["none"],
        )
        .await;
    server
        .refused(
            "POST /subjects/s",
            json!({"schema": "\"int\""}),
            40403,
            &["Schema not found"],
        )
        .await;
}

#[tokio::test]
async fn requests_that_cannot_be_honoured_are_refused_in_words() {
    let server = Server::start().await;
    let at = "POST /subjects/s/versions";
    let schema = record(A);
    let table = [
        (json!({}), 42201, "Empty schema"),
        (json!({"schema": ""}), 42201, "Empty schema"),
        (
            json!({"schema": "[]", "schemaType": "JSON"}),
            42201,
            "a JSON Schema is an object",
        ),
        (
            json!({"schema": "x", "schemaType": "PROTOBUF"}),
            42201,
            "not a valid .proto file",
        ),
        (
            json!({"schema": schema, "schemaType": "XML"}),
            42201,
            "AVRO, JSON or PROTOBUF",
        ),
        (
            json!({"schema": schema, "references": [{"name": "x", "subject": "y", "version": 1}]}),
            42201,
            "No schema reference found for subject \"y\" and version 1",
        ),
        (
            json!({"schema": schema, "references": [{"name": "x", "subject": "y"}]}),
            42201,
            "Invalid reference",
        ),
        (
            json!({"schema": schema, "metadata": {"properties": ["owner"]}}),
            42201,
            "Invalid metadata",
        ),
        (
            json!({"schema": schema, "metadata": {"owner": "x"}}),
            42201,
            "unknown field `owner`",
        ),
        (
            json!({"schema": schema, "ruleSet": {"domainRules": [{"doc": "x"}]}}),
            42210,
            "rule 0 of 'domainRules': it has no 'name'",
        ),
        (
            json!({"schema": schema, "ruleSet": {"otherRules": []}}),
            42210,
            "no 'otherRules'",
        ),
        (json!({"schema": schema, "id": 7}), 42205, "IMPORT"),
        (
            json!({"schema": schema, "version": 5}),
            42201,
            "not one more than the previous version 0",
        ),
        (
            json!({"schema": schema, "schemaTagsToAdd": [1]}),
            422,
            "schemaTagsToAdd",
        ),
        (json!([1]), 400, "not what is expected"),
        (json!({"schema": 1}), 400, "not what is expected"),
    ];
    for (body, code, words) in table {
        server.refused(at, body, code, &[words]).await;
    }
    server.refused(at, Value::Null, 422, &["missing"]).await;
    for subject in [
        "%20",
        "a%0Ab",
        ":.ctx:",
        ":.__GLOBAL:s",
        ":.a::.b:s",
        "__GLOBAL",
    ] {
        let at = format!("POST /subjects/{subject}/versions");
        server
            .refused(
                &at,
                json!({"schema": schema}),
                42208,
                &["not a valid subject"],
            )
            .await;
    }
    let bad = server
        .send("POST", "/subjects/s/versions", Some("{\"schema\":".into()))
        .await;
    assert_eq!((bad.status, &bad.body["error_code"]), (400, &json!(400)));
    let large = format!("{{\"schema\": \"{}\"}}", " ".repeat(5 << 20));
    let large = server
        .send("POST", "/subjects/s/versions", Some(large))
        .await;
    assert_eq!(
        (large.status, &large.body["error_code"]),
        (413, &json!(413))
    );
    let doc = "d".repeat(1 << 20);
    let schema = record(&format!(r#"{{"name":"a","type":"int","doc":"{doc}"}}"#));
    server
        .refused(at, json!({"schema": schema}), 42209, &["too large"])
        .await;
    // Nothing of all this was registered.
    server
        .check("GET /subjects", Value::Null, 200, json!([]))
        .await;
    // What says nothing is no reason to refuse.
    let body = json!({"schema": "\"int\"", "references": [], "metadata": null, "ruleSet": null,
        "version": -1, "id": -1, "schemaType": "AVRO"});
    server.check(at, body, 200, json!({"id": 1})).await;
}

#[tokio::test]
async fn subjects_are_percent_decoded_and_may_hold_any_visible_character() {
    let server = Server::start().await;
    for (encoded, subject) in [
        ("a%2Fb-value", "a/b-value"),
        ("ku%C5%88%20%25", "kuň %"),
        ("com.bank.Tx%3Fx%23", "com.bank.Tx?x#"),
        ("it's%22%3B--", "it's\";--"),
    ] {
        let id = server.register(encoded, "\"long\"").await;
        let path = format!("GET /subjects/{encoded}/versions/1");
        let found = json!({"subject": subject, "version": 1, "id": id, "schema": "\"long\""});
        server.check(&path, Value::Null, 200, found).await;
    }
    // A prefix is text, not a pattern.
    server
        .check(
            "GET /subjects?subjectPrefix=%25",
            Value::Null,
            200,
            json!([]),
        )
        .await;
    server
        .check(
            "GET /subjects?subjectPrefix=a/",
            Value::Null,
            200,
            json!(["a/b-value"]),
        )
        .await;
}

#[tokio::test]
async fn normalize_makes_schemas_one_that_differ_in_the_order_of_properties() {
    let server = Server::start().await;
    let one = r#"{"type":"bytes","scale":2,"precision":9,"logicalType":"decimal"}"#;
    let two = r#"{"logicalType":"decimal","type":"bytes","precision":9,"scale":2}"#;
    assert_eq!(server.register("plain", one).await, 1);
    assert_eq!(server.register("plain", two).await, 2);
    for schema in [one, two] {
        let body = json!({"schema": schema});
        let at = "POST /subjects/s/versions?normalize=true";
        // The normal form is the text that the second schema has as it is.
        server.check(at, body.clone(), 200, json!({"id": 2})).await;
        let found = json!({"subject": "s", "version": 1, "id": 2, "schema":
            r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#});
        server
            .check("POST /subjects/s?normalize=True", body, 200, found)
            .await;
    }
}

#[tokio::test]
async fn content_types_are_those_of_the_clients() {
    let server = Server::start().await;
    let client = reqwest::Client::new();
    let url = format!("{}/subjects/s/versions", server.base);
    let body = json!({"schema": "\"int\""}).to_string();
    for (sent, status) in [
        ("application/vnd.schemaregistry.v1+json", 200),
        ("application/vnd.schemaregistry+json", 200),
        ("application/json; charset=utf-8", 200),
        ("application/octet-stream", 200),
        ("text/plain", 415),
        ("application/xml", 415),
    ] {
        let request = client
            .post(&url)
            .header("content-type", sent)
            .body(body.clone());
        let reply = read(request.send().await.unwrap()).await;
        assert_eq!(reply.status, status, "{sent}");
    }
    let vendor = "application/vnd.schemaregistry.v1+json";
    for (accepted, answered) in [
        ("application/json", "application/json"),
        ("*/*", vendor),
        (
            "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, application/json",
            vendor,
        ),
    ] {
        let request = client
            .get(format!("{}/subjects", server.base))
            .header("accept", accepted);
        assert_eq!(
            read(request.send().await.unwrap()).await.content_type,
            answered
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_register_at_once_get_one_id_and_one_version() {
    let server = Server::start().await;
    let level = json!({"compatibility": "NONE"});
    server.check("PUT /config", level.clone(), 200, level).await;
    // 24 clients, three schemas: every one registers in two subjects at the same time.
    let ids = futures::future::join_all((0..24).map(|n| {
        let server = &server;
        async move {
            let schema = record(&format!(r#"{{"name":"f{}","type":"int"}}"#, n % 3));
            let subjects = ["left", "right"];
            let both = subjects.map(|subject| server.register(subject, &schema));
            (n % 3, futures::future::join_all(both).await)
        }
    }))
    .await;
    let distinct: BTreeSet<(i32, u64)> = ids
        .iter()
        .flat_map(|(n, ids)| ids.iter().map(|id| (*n, *id)))
        .collect();
    assert_eq!(distinct.len(), 3, "{distinct:?}");
    for subject in ["left", "right"] {
        let path = format!("GET /subjects/{subject}/versions");
        server
            .check(&path, Value::Null, 200, json!([1, 2, 3]))
            .await;
    }
}
