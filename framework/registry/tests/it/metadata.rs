//! Metadata and rules beside a schema, and what the configuration adds to them.

use serde_json::{Value, json};

use crate::harness::{Server, record};

const A: &str = r#"{"name":"a","type":"int"}"#;
const AT: &str = "POST /subjects/s/versions";

fn owner(owner: &str) -> Value {
    json!({"properties": {"owner": owner}})
}

#[tokio::test]
async fn metadata_and_rules_are_kept_and_are_a_part_of_the_schema() {
    let server = Server::start().await;
    let schema = record(A);
    assert_eq!(server.register("s", &schema).await, 1);
    let metadata = json!({
        "tags": {"bank.R.a": ["PII", "AMOUNT"]},
        "properties": {"owner": "loan", "key": "k"},
        "sensitive": ["key"],
    });
    let rules = json!({"domainRules": [{
        "name": "encrypt", "kind": "TRANSFORM", "mode": "WRITEREAD", "type": "ENCRYPT",
        "tags": ["PII"], "params": {"encrypt.kek.name": "k"}, "onFailure": "ERROR,NONE",
        "disabled": false,
    }]});
    let body = json!({"schema": schema, "metadata": metadata, "ruleSet": rules});
    server.check(AT, body.clone(), 200, json!({"id": 2})).await;
    server.check(AT, body.clone(), 200, json!({"id": 2})).await;
    let shown = json!({
        "tags": {"bank.R.a": ["AMOUNT", "PII"]},
        "properties": {"key": "k", "owner": "loan"},
        "sensitive": ["key"],
    });
    let found = json!({"subject": "s", "version": 2, "id": 2, "schema": schema,
        "metadata": shown, "ruleSet": rules});
    for (request, body, expected) in [
        ("GET /subjects/s/versions/2", Value::Null, found.clone()),
        ("POST /subjects/s", body, found.clone()),
        (
            "GET /schemas/ids/2",
            Value::Null,
            json!({"schema": schema, "metadata": shown, "ruleSet": rules}),
        ),
        // Left out where there is none.
        ("GET /schemas/ids/1", Value::Null, json!({"schema": schema})),
        (
            "GET /subjects/s/metadata?key=owner&value=loan",
            Value::Null,
            found.clone(),
        ),
        (
            "GET /subjects/s/metadata?key=owner&value=loan&key=key&value=k",
            Value::Null,
            found.clone(),
        ),
    ] {
        server.check(request, body, 200, expected).await;
    }
    for (request, code) in [
        ("GET /subjects/s/metadata?key=owner&value=other", 40403),
        (
            "GET /subjects/s/metadata?key=owner&value=loan&key=key&value=x",
            40403,
        ),
        ("GET /subjects/none/metadata?key=owner&value=loan", 40401),
    ] {
        server.refused(request, Value::Null, code, &[]).await;
    }
}

#[tokio::test]
async fn a_new_version_takes_over_what_the_client_says_nothing_of() {
    let server = Server::start().await;
    let body = json!({"schema": record(A), "metadata": owner("loan")});
    server.check(AT, body, 200, json!({"id": 1})).await;
    // The same text without metadata is the same version.
    assert_eq!(server.register("s", &record(A)).await, 1);
    let two = record(&format!(r#"{A},{{"name":"b","type":"int","default":0}}"#));
    assert_eq!(server.register("s", &two).await, 2);
    let found = json!({"subject": "s", "version": 2, "id": 2, "schema": two,
        "metadata": owner("loan")});
    server
        .check(
            "GET /subjects/s/versions/2",
            Value::Null,
            200,
            found.clone(),
        )
        .await;
    // A serializer that only knows the text finds it.
    server
        .check("POST /subjects/s", json!({"schema": two}), 200, found)
        .await;
    let other = json!({"schema": two, "metadata": owner("other")});
    server
        .refused("POST /subjects/s", other.clone(), 40403, &[])
        .await;
    server.check(AT, other, 200, json!({"id": 3})).await;
}

#[tokio::test]
async fn the_configuration_adds_metadata_below_and_above() {
    let server = Server::start().await;
    let config = json!({
        "defaultMetadata": {"properties": {"owner": "nobody", "area": "bank"}},
        "overrideMetadata": {"properties": {"tier": "gold"}, "tags": {"a": ["x"]}},
    });
    server
        .check("PUT /config/s", config.clone(), 200, config.clone())
        .await;
    let mut shown = config.clone();
    shown["compatibilityLevel"] = "BACKWARD".into();
    server.check("GET /config/s", Value::Null, 200, shown).await;
    let body = json!({"schema": record(A), "metadata":
        {"properties": {"owner": "loan", "tier": "tin"}, "tags": {"a": ["y"]}}});
    server.check(AT, body, 200, json!({"id": 1})).await;
    let metadata = json!({
        "properties": {"area": "bank", "owner": "loan", "tier": "gold"},
        "tags": {"a": ["x", "y"]},
    });
    let found = json!({"subject": "s", "version": 1, "id": 1, "schema": record(A),
        "metadata": metadata});
    server
        .check("GET /subjects/s/versions/1", Value::Null, 200, found)
        .await;
    assert_eq!(server.register("s", &record(A)).await, 1);
    // Null unsets, and what is absent stays.
    let change = json!({"defaultMetadata": null, "normalize": true});
    server
        .check("PUT /config/s", change, 200, json!({"normalize": true}))
        .await;
    let shown = json!({"compatibilityLevel": "BACKWARD", "normalize": true,
        "overrideMetadata": config["overrideMetadata"]});
    server
        .check("GET /config/s", Value::Null, 200, shown.clone())
        .await;
    let server = server.restart().await;
    server
        .check("DELETE /config/s", Value::Null, 200, shown)
        .await;
    server
        .refused("GET /config/s", Value::Null, 40408, &[])
        .await;
}

#[tokio::test]
async fn versions_of_different_groups_are_not_compared() {
    let server = Server::start().await;
    let config = json!({"compatibilityGroup": "major", "compatibility": "FULL_TRANSITIVE"});
    server
        .check("PUT /config/s", config.clone(), 200, config)
        .await;
    let of = |major: &str, schema: &str| json!({"schema": schema, "metadata": {"properties": {"major": major}}});
    for (major, schema, code) in [
        ("1", "\"int\"", 200),
        ("1", "\"string\"", 409),
        ("2", "\"string\"", 200),
        ("2", "\"long\"", 409),
        ("1", "\"bytes\"", 409),
        ("2", "\"bytes\"", 200),
    ] {
        let reply = server
            .call("POST", "/subjects/s/versions", of(major, schema))
            .await;
        assert_eq!(reply.status, code, "{major} {schema}: {}", reply.body);
        if code == 200 {
            let reply = server
                .call(
                    "POST",
                    "/compatibility/subjects/s/versions",
                    of("3", "\"boolean\""),
                )
                .await;
            assert_eq!(reply.body, json!({"is_compatible": true}));
        }
    }
}

#[tokio::test]
async fn a_subject_that_normalizes_does_so_unasked() {
    let server = Server::start().await;
    let config = json!({"normalize": true});
    server
        .check("PUT /config/s", config.clone(), 200, config)
        .await;
    let one = r#"{"type":"bytes","scale":2,"precision":9,"logicalType":"decimal"}"#;
    let two = r#"{"logicalType":"decimal","type":"bytes","precision":9,"scale":2}"#;
    assert_eq!(server.register("s", one).await, 1);
    assert_eq!(server.register("s", two).await, 1);
    assert_eq!(server.register("t", one).await, 2);
}

#[tokio::test]
async fn an_alias_answers_with_another_subject() {
    let server = Server::start().await;
    let alias = json!({"alias": "new-value"});
    server.register("new-value", "\"int\"").await;
    server
        .check("PUT /config/old-value", alias.clone(), 200, alias.clone())
        .await;
    let found = json!({"subject": "new-value", "version": 1, "id": 1, "schema": "\"int\""});
    for (request, body, expected) in [
        ("GET /subjects/old-value/versions", Value::Null, json!([1])),
        (
            "GET /subjects/old-value/versions/latest",
            Value::Null,
            found.clone(),
        ),
        (
            "POST /subjects/old-value",
            json!({"schema": "\"int\""}),
            found,
        ),
        (
            "POST /subjects/old-value/versions",
            json!({"schema": "\"long\""}),
            json!({"id": 2}),
        ),
        (
            "POST /compatibility/subjects/old-value/versions/latest",
            json!({"schema": "\"string\""}),
            json!({"is_compatible": false}),
        ),
        (
            "GET /subjects/new-value/versions",
            Value::Null,
            json!([1, 2]),
        ),
        ("GET /subjects", Value::Null, json!(["new-value"])),
        // Settings are the subject's own.
        (
            "GET /config/old-value",
            Value::Null,
            json!({"compatibilityLevel": "BACKWARD", "alias": "new-value"}),
        ),
    ] {
        server.check(request, body, 200, expected).await;
    }
    server
        .refused("GET /config/new-value", Value::Null, 40408, &[])
        .await;
}
