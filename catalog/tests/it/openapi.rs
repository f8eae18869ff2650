//! The OpenAPI document describes what the router does.

use serde_json::{Value, json};

use crate::harness::{Server, sample};

/// Every route, and a request that a handler of it answers.
const ROUTES: [(&str, &str, &str); 12] = [
    ("get", "/", "/"),
    ("get", "/api/v1/openapi.json", "/api/v1/openapi.json"),
    ("get", "/api/v1/domains", "/api/v1/domains"),
    ("get", "/api/v1/domains/{domain}", "/api/v1/domains/loan"),
    ("put", "/api/v1/domains/{domain}", "/api/v1/domains/loan"),
    (
        "post",
        "/api/v1/domains/{domain}/switch",
        "/api/v1/domains/loan/switch",
    ),
    ("get", "/api/v1/products", "/api/v1/products"),
    (
        "get",
        "/api/v1/products/{domain}/{product}",
        "/api/v1/products/loan/applications",
    ),
    (
        "get",
        "/api/v1/products/{domain}/{product}/versions/{version}",
        "/api/v1/products/loan/applications/versions/1.0.0",
    ),
    (
        "put",
        "/api/v1/products/{domain}/{product}/versions/{version}",
        "/api/v1/products/loan/applications/versions/1.0.0",
    ),
    ("head", "", "/api/v1/products"),
    (
        "delete",
        "/api/v1/products/{domain}/{product}/versions/{version}",
        "/api/v1/products/loan/applications/versions/1.0.0",
    ),
];

#[tokio::test]
async fn every_route_is_described_and_every_description_is_a_route() {
    let server = Server::start().await;
    let product = sample("loan.applications");
    server.register_all(std::slice::from_ref(&product)).await;
    let document = server.get("/api/v1/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let mut described = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.push((method.clone(), path.clone()));
            check_operation(&document, path, operation);
        }
    }
    let mut expected: Vec<(String, String)> = ROUTES
        .iter()
        .filter(|(_, path, _)| !path.is_empty())
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    described.sort();
    expected.sort();
    assert_eq!(described, expected);

    for (method, path, request) in ROUTES {
        let body = match (method, path.contains("domains")) {
            ("post", _) => json!({"products": {"applications": 1}}),
            ("put", true) => json!({"api_url": "http://127.0.0.1:8100"}),
            ("put", false) => product.body(),
            _ => Value::Null,
        };
        let request = format!("{} {request}", method.to_uppercase());
        let reply = server.call(&request, &body).await;
        assert_eq!(reply.status, 200, "{request}: {}", reply.body);
        // What the answer holds is what its schema lists.
        if !path.is_empty() && !path.contains("openapi") {
            let content = &document["paths"][path][method]["responses"]["200"]["content"];
            let schema = resolve(&document, &content["application/json"]["schema"]);
            let described = properties(&document, schema);
            let sent: Vec<&String> = reply.body.as_object().unwrap().keys().collect();
            for name in &sent {
                assert!(described.contains(name), "{request}: {name}");
            }
            assert_eq!(described.len(), sent.len(), "{request}: {described:?}");
        }
    }
}

/// A change of the API shows as a change of this file. `UPDATE_GOLDEN=1` writes it anew.
#[tokio::test]
async fn the_document_is_the_one_checked_in() {
    let server = Server::start().await;
    let mut document = server.get("/api/v1/openapi.json").await;
    // The release is no part of the API.
    document["info"]["version"] = json!("");
    let text = format!("{document:#}\n");
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/openapi.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(golden, &text).unwrap();
    }
    let expected = std::fs::read_to_string(golden).unwrap_or_default();
    assert!(
        text == expected,
        "run again with UPDATE_GOLDEN=1 and read the diff"
    );
}

fn check_operation(document: &Value, path: &str, operation: &Value) {
    assert!(operation["operationId"].is_string(), "{path}");
    assert!(operation["summary"].is_string(), "{path}: {operation}");
    let named = path.matches('{').count();
    let parameters = operation["parameters"].as_array();
    let in_path = parameters
        .into_iter()
        .flatten()
        .filter(|p| p["in"] == "path");
    assert_eq!(in_path.count(), named, "{path}");
    for parameter in parameters.into_iter().flatten() {
        assert!(parameter["description"].is_string(), "{path}: {parameter}");
    }
    for (status, response) in operation["responses"].as_object().unwrap() {
        assert!(response["description"].is_string(), "{path} {status}");
        if status.starts_with('4') {
            let problem = &response["content"]["application/problem+json"]["schema"];
            assert_eq!(
                problem["$ref"], "#/components/schemas/Problem",
                "{path} {status}"
            );
        }
    }
    assert!(!document["components"]["schemas"].is_null());
}

#[tokio::test]
async fn every_schema_and_every_property_is_described() {
    let server = Server::start().await;
    let document = server.get("/api/v1/openapi.json").await;
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert!(schemas.len() > 15, "{}", schemas.len());
    for (name, schema) in schemas {
        let parts = schema["allOf"].as_array().cloned();
        for part in parts.unwrap_or_else(|| vec![schema.clone()]) {
            for (property, described) in part["properties"].as_object().into_iter().flatten() {
                assert!(
                    described["description"].is_string(),
                    "{name}.{property}: {described}"
                );
            }
        }
        assert!(schema["description"].is_string(), "{name}");
    }
    let mut references = 0;
    check_references(&document, &document, &mut references);
    assert!(references > 20, "{references}");
}

fn check_references(document: &Value, part: &Value, count: &mut usize) {
    match part {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get("$ref") {
                let pointer = target.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{target}");
                *count += 1;
            }
            map.values()
                .for_each(|part| check_references(document, part, count));
        }
        Value::Array(list) => list
            .iter()
            .for_each(|part| check_references(document, part, count)),
        _ => {}
    }
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(target) => document.pointer(&target[1..]).unwrap(),
        None => schema,
    }
}

fn properties(document: &Value, schema: &Value) -> Vec<String> {
    let own = schema["properties"].as_object().into_iter().flatten();
    let mut names: Vec<String> = own.map(|(name, _)| name.clone()).collect();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        names.extend(properties(document, resolve(document, part)));
    }
    names
}
