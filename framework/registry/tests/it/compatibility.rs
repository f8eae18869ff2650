//! Compatibility levels over HTTP.

use serde_json::{Value, json};

use crate::harness::{Server, record};

const A: &str = r#"{"name":"a","type":"int"}"#;
/// A required field.
const B: &str = r#"{"name":"b","type":"int"}"#;
/// The same field, optional.
const B0: &str = r#"{"name":"b","type":"int","default":0}"#;

/// Each level: the versions registered under NONE, the schema that comes, and the verdict.
#[tokio::test]
async fn every_level_judges_the_versions_it_names() {
    let server = Server::start().await;
    let a = record(A);
    let ab = record(&format!("{A},{B}"));
    let ab0 = record(&format!("{A},{B0}"));
    let cases: &[(&str, &[&str], &str, bool)] = &[
        ("NONE", &[&a], "\"int\"", true),
        ("BACKWARD", &[&a], &ab0, true),
        ("BACKWARD", &[&a], &ab, false),
        ("BACKWARD", &[&ab], &a, true),
        ("BACKWARD", &[&a, &ab0], &ab, true),
        ("BACKWARD_TRANSITIVE", &[&a, &ab0], &ab, false),
        ("BACKWARD_TRANSITIVE", &[&ab, &ab0], &a, true),
        ("FORWARD", &[&a], &ab, true),
        ("FORWARD", &[&ab], &a, false),
        ("FORWARD", &[&ab0], &a, true),
        ("FORWARD", &[&ab, &ab0], &a, true),
        ("FORWARD_TRANSITIVE", &[&ab, &ab0], &a, false),
        ("FORWARD_TRANSITIVE", &[&a, &ab0], &ab, true),
        ("FULL", &[&a], &ab0, true),
        ("FULL", &[&a], &ab, false),
        ("FULL", &[&ab], &a, false),
        ("FULL", &[&ab, &ab0], &a, true),
        ("FULL_TRANSITIVE", &[&ab, &ab0], &a, false),
        ("FULL_TRANSITIVE", &[&a], &ab0, true),
    ];
    for (n, (level, earlier, new, fits)) in cases.iter().enumerate() {
        let subject = format!("s{n}");
        let set = async |level: &str| {
            let body = json!({"compatibility": level});
            server
                .check(&format!("PUT /config/{subject}"), body.clone(), 200, body)
                .await;
        };
        set("NONE").await;
        for schema in *earlier {
            server.register(&subject, schema).await;
        }
        set(level).await;
        let body = json!({"schema": new});
        let all = format!("POST /compatibility/subjects/{subject}/versions");
        server
            .check(&all, body.clone(), 200, json!({"is_compatible": fits}))
            .await;
        let at = format!("/subjects/{subject}/versions");
        let reply = server.call("POST", &at, body.clone()).await;
        let expected = if *fits { 200 } else { 409 };
        assert_eq!(reply.status, expected, "case {n} {level}: {}", reply.body);
        if !fits {
            let words = [
                "incompatible with an earlier schema",
                &subject,
                "errorType:'",
            ];
            server
                .refused(&format!("POST {at}"), body, 409, &words)
                .await;
        }
    }
}

#[tokio::test]
async fn a_check_names_version_rule_field_and_mend() {
    let server = Server::start().await;
    server.register("s", &record(&format!("{A},{B0}"))).await;
    server.register("s", &record(A)).await;
    let new = json!({"schema": record(&format!("{A},{B}"))});
    let yes = json!({"is_compatible": true});
    let no = json!({"is_compatible": false});
    for (path, expected) in [
        ("versions/1", yes.clone()),
        ("versions/2", no.clone()),
        ("versions/latest", no.clone()),
        ("versions/-1", no.clone()),
        ("versions", no),
        (
            "versions/1?verbose=true",
            json!({"is_compatible": true, "messages": []}),
        ),
    ] {
        let request = format!("POST /compatibility/subjects/s/{path}");
        server.check(&request, new.clone(), 200, expected).await;
    }
    let path = "/compatibility/subjects/s/versions/latest?verbose=true";
    let reply = server.call("POST", path, new.clone()).await;
    assert_eq!(
        reply.body["messages"],
        json!([
            "{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'field 'b' of record \
             bank.R in the new schema has no default and is missing in version 2 (path \
             '/fields/1', field 'b'); to mend it, give 'b' a default in the new schema, or an \
             alias if it was renamed there', additionalInfo:'b'}",
            "{oldSchemaVersion: 2}",
            "{compatibility: 'BACKWARD'}",
        ])
    );
    let full = json!({"compatibility": "FORWARD"});
    server.check("PUT /config/s", full.clone(), 200, full).await;
    let narrow = json!({"schema": record("")});
    let reply = server.call("POST", path, narrow).await;
    let first = reply.body["messages"][0].as_str().unwrap();
    assert!(
        first.contains("field 'a' of record bank.R in version 2 has no default"),
        "{first}"
    );
    assert!(first.contains("missing in the new schema"), "{first}");

    // A subject that is not there takes any schema; a version that is not there is an error.
    for path in ["versions", "versions/latest"] {
        let request = format!("POST /compatibility/subjects/none/{path}");
        server.check(&request, new.clone(), 200, yes.clone()).await;
    }
    server
        .refused(
            "POST /compatibility/subjects/none/versions/1",
            new.clone(),
            40402,
            &[],
        )
        .await;
    server
        .refused("POST /compatibility/subjects/s/versions/x", new, 42202, &[])
        .await;
    server
        .check("GET /subjects/s/versions", Value::Null, 200, json!([1, 2]))
        .await;
}

#[tokio::test]
async fn deleted_versions_do_not_count() {
    let server = Server::start().await;
    server.register("s", "\"string\"").await;
    let int = json!({"schema": "\"int\""});
    server
        .refused(
            "POST /subjects/s/versions",
            int.clone(),
            409,
            &["TYPE_MISMATCH"],
        )
        .await;
    server
        .check("DELETE /subjects/s", Value::Null, 200, json!([1]))
        .await;
    server
        .check("POST /subjects/s/versions", int, 200, json!({"id": 2}))
        .await;
    server
        .check("GET /subjects/s/versions", Value::Null, 200, json!([2]))
        .await;
}
