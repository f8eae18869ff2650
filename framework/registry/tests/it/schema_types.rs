//! JSON Schema and Protobuf over HTTP: registered, served, looked up, checked, referred to.

use serde_json::{Value, json};

use crate::harness::Server;

const PERSON: &str = r#"{ "type": "object", "additionalProperties": false,
    "properties": {"name": {"type": "string"}} }"#;
const PERSON_TEXT: &str =
    r#"{"type":"object","additionalProperties":false,"properties":{"name":{"type":"string"}}}"#;

const ORDER: &str =
    "syntax = \"proto3\"; package shop; // orders\nmessage Order { string id = 1; }";
const ORDER_TEXT: &str =
    "syntax = \"proto3\";\npackage shop;\n\nmessage Order {\n  string id = 1;\n}\n";

fn typed(kind: &str, schema: &str) -> Value {
    json!({"schemaType": kind, "schema": schema})
}

#[tokio::test]
async fn each_type_is_registered_and_served() {
    let server = Server::start().await;
    let table = [
        ("json-value", "JSON", PERSON, PERSON_TEXT),
        ("proto-value", "PROTOBUF", ORDER, ORDER_TEXT),
    ];
    for (n, (subject, kind, schema, text)) in table.into_iter().enumerate() {
        let id = n + 1;
        let at = format!("POST /subjects/{subject}/versions");
        // The same in another spelling has the same id.
        for sent in [schema, text] {
            server
                .check(&at, typed(kind, sent), 200, json!({ "id": id }))
                .await;
        }
        let version = json!({
            "subject": subject, "version": 1, "id": id, "schemaType": kind, "schema": text
        });
        let latest = format!("/subjects/{subject}/versions/latest");
        server
            .check(&format!("GET {latest}"), Value::Null, 200, version.clone())
            .await;
        let look_up = format!("POST /subjects/{subject}");
        server
            .check(&look_up, typed(kind, schema), 200, version)
            .await;
        let by_id = json!({"schemaType": kind, "schema": text});
        server
            .check(&format!("GET /schemas/ids/{id}"), Value::Null, 200, by_id)
            .await;
        let reply = server
            .call("GET", &format!("/schemas/ids/{id}/schema"), Value::Null)
            .await;
        let expected = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
        assert_eq!(reply.body, expected);
    }
    // A schema of another type is another schema, and the subject keeps its type.
    server
        .refused(
            "POST /subjects/json-value/versions",
            json!({"schema": "\"string\""}),
            409,
            &["SCHEMA_TYPE_CHANGED", "of type AVRO", "of type JSON"],
        )
        .await;
    server
        .refused(
            "POST /subjects/json-value",
            typed("PROTOBUF", ORDER),
            40403,
            &[],
        )
        .await;
}

#[tokio::test]
async fn a_descriptor_is_the_same_schema_as_its_text() {
    let server = Server::start().await;
    let at = "POST /subjects/p/versions";
    server
        .check(at, typed("PROTOBUF", ORDER), 200, json!({"id": 1}))
        .await;
    let read = async |path: &str| {
        let reply = server.call("GET", path, Value::Null).await;
        reply.body["schema"].as_str().unwrap().to_owned()
    };
    let descriptor = read("/schemas/ids/1?format=serialized").await;
    assert_eq!(
        descriptor,
        read("/subjects/p/versions/1?format=serialized").await
    );
    assert!(!descriptor.contains(' '), "{descriptor}");
    server
        .check(at, typed("PROTOBUF", &descriptor), 200, json!({"id": 1}))
        .await;
    assert_eq!(read("/schemas/ids/1").await, ORDER_TEXT);
    // Of the other types it means nothing.
    server
        .check(
            "POST /subjects/j/versions",
            typed("JSON", PERSON),
            200,
            json!({"id": 2}),
        )
        .await;
    assert_eq!(read("/schemas/ids/2?format=serialized").await, PERSON_TEXT);
}

#[tokio::test]
async fn a_normalised_schema_is_sorted() {
    let server = Server::start().await;
    let table = [
        (
            "JSON",
            r#"{"type":["string","null"],"title":"t"}"#,
            r#"{"title":"t","type":["null","string"]}"#,
        ),
        (
            "PROTOBUF",
            "syntax = \"proto3\"; message M { string b = 2; string a = 1; }",
            "syntax = \"proto3\";\n\nmessage M {\n  string a = 1;\n  string b = 2;\n}\n",
        ),
    ];
    for (n, (kind, schema, text)) in table.into_iter().enumerate() {
        let at = format!("POST /subjects/{kind}/versions?normalize=true");
        let id = json!({"id": n + 1});
        server.check(&at, typed(kind, schema), 200, id).await;
        let reply = server
            .call("GET", &format!("/subjects/{kind}/versions/1"), Value::Null)
            .await;
        assert_eq!(reply.body["schema"], text);
    }
}

/// Each level with the new schema that it takes and the one that it refuses, after a first
/// version; with the rule that is broken.
#[tokio::test]
async fn levels_judge_each_type() {
    let server = Server::start().await;
    let object = |properties: &str, required: &str| {
        format!(
            r#"{{"type":"object","additionalProperties":false,"properties":{{{properties}}},"required":[{required}]}}"#
        )
    };
    let a = object(r#""a":{"type":"string"}"#, "");
    let ab = object(r#""a":{"type":"string"},"b":{"type":"integer"}"#, "");
    let needs_a = object(r#""a":{"type":"string"}"#, r#""a""#);
    let message = |fields: &str| format!("syntax = \"proto2\"; message M {{ {fields} }}");
    let m = message("optional string a = 1;");
    let needs_m = message("optional string a = 1; required string b = 2;");
    let changed = message("optional int32 a = 1;");
    let table = [
        (
            "BACKWARD",
            "JSON",
            &a,
            &ab,
            &needs_a,
            "REQUIRED_ATTRIBUTE_ADDED",
        ),
        (
            "FORWARD",
            "JSON",
            &a,
            &needs_a,
            &ab,
            "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL",
        ),
        (
            "FULL",
            "JSON",
            &a,
            &a,
            &ab,
            "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL",
        ),
        (
            "BACKWARD",
            "PROTOBUF",
            &m,
            &m,
            &needs_m,
            "REQUIRED_FIELD_ADDED",
        ),
        (
            "FORWARD",
            "PROTOBUF",
            &m,
            &needs_m,
            &changed,
            "FIELD_SCALAR_KIND_CHANGED",
        ),
        (
            "FULL_TRANSITIVE",
            "PROTOBUF",
            &m,
            &m,
            &needs_m,
            "REQUIRED_FIELD_ADDED",
        ),
    ];
    for (n, (level, kind, first, good, bad, rule)) in table.into_iter().enumerate() {
        let subject = format!("s{n}");
        let body = json!({"compatibility": level});
        server
            .check(&format!("PUT /config/{subject}"), body.clone(), 200, body)
            .await;
        let at = format!("POST /subjects/{subject}/versions");
        let reply = server
            .call("POST", &at["POST ".len()..], typed(kind, first))
            .await;
        assert_eq!(reply.status, 200, "{level} {kind}: {}", reply.body);
        let test = format!("POST /compatibility{}/latest", &at["POST ".len()..]);
        for (schema, fits) in [(good, true), (bad, false)] {
            server
                .check(
                    &test,
                    typed(kind, schema),
                    200,
                    json!({ "is_compatible": fits }),
                )
                .await;
        }
        server
            .refused(
                &at,
                typed(kind, bad),
                409,
                &[rule, "version 1", "to mend it"],
            )
            .await;
    }
}

#[tokio::test]
async fn a_check_names_field_and_mend() {
    let server = Server::start().await;
    let message = |kind: &str| format!("syntax = \"proto3\"; message Pay {{ {kind} cents = 2; }}");
    let at = "POST /subjects/p/versions";
    server
        .check(
            at,
            typed("PROTOBUF", &message("int64")),
            200,
            json!({"id": 1}),
        )
        .await;
    let reply = server
        .call(
            "POST",
            "/compatibility/subjects/p/versions/1?verbose=true",
            typed("PROTOBUF", &message("string")),
        )
        .await;
    let told = reply.body["messages"][0].as_str().unwrap();
    let expected = "{errorType:'FIELD_SCALAR_KIND_CHANGED', description:'field Pay.cents (number 2) \
                    is string in the new schema and int64 in version 1 (path 'Pay.cents'); to mend \
                    it, keep the type";
    assert!(told.starts_with(expected), "{told}");
}

#[tokio::test]
async fn schemas_refer_to_schemas_of_their_type() {
    let server = Server::start().await;
    let zip = r#"{"type":"object","properties":{"zip":{"type":"string"}}}"#;
    let register = async |subject: &str, body: Value| {
        let at = format!("/subjects/{subject}/versions");
        let reply = server.call("POST", &at, body).await;
        assert_eq!(reply.status, 200, "{subject}: {}", reply.body);
        reply.body["id"].as_u64().unwrap()
    };
    register("zip", typed("JSON", zip)).await;
    let person = r#"{"type":"object","properties":{"home":{"$ref":"zip.json"},"work":{"$ref":"other.json"}}}"#;
    let references = |version: u32| {
        json!([
            {"name": "zip.json", "subject": "zip", "version": version},
            {"name": "other.json", "subject": "zip", "version": version}
        ])
    };
    let mut body = typed("JSON", person);
    server
        .refused(
            "POST /subjects/person/versions",
            body.clone(),
            42201,
            &["zip.json"],
        )
        .await;
    body["references"] = references(1);
    let id = register("person", body.clone()).await;
    let reply = server
        .call("GET", "/subjects/person/versions/1", Value::Null)
        .await;
    assert_eq!(reply.body["references"], references(1));
    server
        .check(
            "GET /subjects/zip/versions/1/referencedby",
            Value::Null,
            200,
            json!([id]),
        )
        .await;
    // What is referred to counts in the comparison.
    let strict = r#"{"type":"object","properties":{"zip":{"type":"string","maxLength":5}}}"#;
    let none = json!({"compatibility": "NONE"});
    server
        .check("PUT /config/zip", none.clone(), 200, none)
        .await;
    register("zip", typed("JSON", strict)).await;
    body["references"] = references(2);
    server
        .refused(
            "POST /subjects/person/versions",
            body,
            409,
            &[
                "MAX_LENGTH_ADDED",
                "/properties/home/properties/zip/maxLength",
                "home.zip",
            ],
        )
        .await;

    let money = "syntax = \"proto3\"; package bank; message Money { int64 cents = 1; }";
    register("money", typed("PROTOBUF", money)).await;
    let pay =
        "syntax = \"proto3\"; import \"bank/money.proto\"; message Pay { bank.Money sum = 1; }";
    let mut body = typed("PROTOBUF", pay);
    body["references"] = json!([{"name": "bank/money.proto", "subject": "money", "version": -1}]);
    let id = register("pay", body.clone()).await;
    let reply = server.call("POST", "/subjects/pay", body).await;
    assert_eq!(reply.body["id"], id, "{}", reply.body);
    // A schema of another type cannot be referred to.
    let mut body = typed("PROTOBUF", pay);
    body["references"] = json!([{"name": "bank/money.proto", "subject": "zip", "version": 1}]);
    server
        .refused(
            "POST /subjects/x/versions",
            body,
            42201,
            &["of type JSON", "PROTOBUF"],
        )
        .await;
}
