//! What is wrong is refused with its place and its mend, and leaves nothing behind.

use serde_json::{Value, json};

use crate::harness::{Server, read, sample};

/// The body of `loan.applications` with one field changed.
fn changed(field: &str, change: impl Fn(&str) -> Value) -> Value {
    let mut body = sample("loan.applications").body();
    let text = body[field].as_str().unwrap_or_default().to_owned();
    body[field] = change(&text);
    body
}

fn replaced(field: &str, from: &str, to: &str) -> Value {
    changed(field, |text| {
        assert!(text.contains(from), "{from} in {text}");
        json!(text.replace(from, to))
    })
}

/// A short text whose aliases, resolved, make 10^12 values.
fn laughs() -> String {
    let mut text = "a0: &a0 x\n".to_owned();
    for level in 1..=12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    text
}

#[tokio::test]
async fn a_wrong_registration_is_refused_with_its_mend() {
    let server = Server::start().await;
    let put = sample("loan.applications").put();
    let (name, version) = ("/loan/applications/", "versions/1.0.0");
    let with_path = |from: &str, to: &str| put.replace(from, to);
    let body = sample("loan.applications").body();
    let mut unknown = body.clone();
    unknown["note"] = json!("hello");
    let mut short = body.clone();
    short.as_object_mut().unwrap().remove("topic");
    let cases: Vec<(String, Value, u16, Vec<&str>)> = vec![
        (put.clone(), json!([]), 400, vec!["another shape"]),
        (
            put.clone(),
            unknown,
            400,
            vec!["another shape", "note", "openapi.json"],
        ),
        (put.clone(), short, 400, vec!["missing field `topic`"]),
        (
            put.clone(),
            changed("value_schema_id", |_| json!(-1)),
            400,
            vec!["value_schema_id"],
        ),
        (
            put.clone(),
            changed("key_schema_id", |_| json!(0)),
            400,
            vec!["key_schema_id", "registry"],
        ),
        (
            put.clone(),
            changed("contract", |_| json!("")),
            400,
            vec!["contract.odcs.yaml:1"],
        ),
        (
            put.clone(),
            changed("contract", |_| json!("a: [")),
            400,
            vec!["contract.odcs.yaml:"],
        ),
        (
            put.clone(),
            replaced("contract", "DataContract", "Contract"),
            400,
            vec!["kind"],
        ),
        (
            put.clone(),
            replaced("product", "name: Lending", "description: x"),
            200,
            vec![],
        ),
        (
            put.clone(),
            replaced("product", "domain: loan", "domain: ads"),
            400,
            vec!["`ads`"],
        ),
        (
            put.clone(),
            changed("topic", |_| json!("loan.other.v1")),
            400,
            vec!["loan.applications.v1"],
        ),
        (
            put.clone(),
            changed("key_schema", |_| json!("long")),
            400,
            vec!["key_schema", "no json"],
        ),
        (
            put.clone(),
            changed("key_schema", |_| json!("7")),
            400,
            vec!["key_schema"],
        ),
        (
            put.clone(),
            changed("value_schema", |_| json!("\"long\"")),
            400,
            vec!["loan.Entry"],
        ),
        (
            put.clone(),
            replaced("value_schema", "\"grade\"", "\"mark\""),
            400,
            vec!["follows"],
        ),
        (
            with_path(name, "/ads/applications/"),
            body.clone(),
            400,
            vec!["domain", "ads"],
        ),
        (
            with_path(name, "/loan/others/"),
            body.clone(),
            400,
            vec!["product", "others"],
        ),
        (
            with_path(version, "versions/1.0.1"),
            body.clone(),
            400,
            vec!["1.0.1", "1.0.0"],
        ),
        (
            with_path(version, "versions/one"),
            body.clone(),
            400,
            vec!["semantic version"],
        ),
        (
            with_path(version, "versions/v1"),
            body.clone(),
            400,
            vec!["semantic version"],
        ),
        (
            format!("{put}?force=true"),
            body.clone(),
            400,
            vec!["force"],
        ),
        (
            put.clone(),
            changed("contract", |text| {
                json!(format!("{text}{}", "#".repeat(1 << 20)))
            }),
            400,
            vec!["1 MiB"],
        ),
        (
            put.clone(),
            changed("key_schema_id", |_| json!("x".repeat(1 << 20))),
            400,
            vec!["key_schema_id"],
        ),
        (
            put.clone(),
            changed("contract", |_| json!(laughs())),
            400,
            vec!["contract.odcs.yaml:"],
        ),
        (
            put.clone(),
            changed("contract", |_| {
                json!("a: {b: ".to_owned() + &"{}, ? {} , ".repeat(9_000) + "}")
            }),
            400,
            vec!["contract.odcs.yaml:"],
        ),
        (
            put.clone(),
            changed("contract", |_| json!("[".repeat(1 << 19))),
            400,
            vec!["contract.odcs.yaml:"],
        ),
    ];
    for (request, body, status, words) in cases {
        if status == 200 {
            // A team without a name is owned by its first member.
            let reply = server.call(&request, &body).await;
            assert_eq!(
                (reply.status, &reply.body["owner"]),
                (201, &json!("jana@bank.example"))
            );
            continue;
        }
        server.refused(&request, &body, status, &words).await;
        let reply = server.call(&request, &body).await;
        assert!(reply.body.to_string().len() < 200_000, "{request}");
    }
    let list = server.get("/api/v1/products").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["owner"], "jana@bank.example");
}

#[tokio::test]
async fn every_wrong_line_is_named() {
    let server = Server::start().await;
    let product = sample("loan.applications");
    let mut body = replaced("contract", "logicalType: integer", "logicalType: whole");
    body["contract"] = json!(
        body["contract"]
            .as_str()
            .unwrap()
            .replace("classification: personal", "classification: secret")
    );
    body["product"] = json!(
        product
            .product_text()
            .replace("kind: DataProduct", "kind: Thing")
    );
    let reply = server.call(&product.put(), &body).await;
    assert_eq!(reply.status, 400);
    let text = product.contract_text();
    let line_of = |word: &str| 1 + text.lines().position(|line| line.contains(word)).unwrap();
    let found: Vec<(&str, u64)> = reply.body["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            for field in ["field", "message", "mend"] {
                assert!(!item[field].as_str().unwrap().is_empty(), "{item}");
            }
            (
                item["file"].as_str().unwrap(),
                item["line"].as_u64().unwrap(),
            )
        })
        .collect();
    assert!(found.contains(&("product.odps.yaml", 2)), "{found:?}");
    let line = line_of("logicalType: integer") as u64;
    assert!(found.contains(&("contract.odcs.yaml", line)), "{found:?}");
    let detail = reply.body["detail"].as_str().unwrap();
    assert!(detail.lines().count() >= found.len(), "{detail}");
}

#[tokio::test]
async fn other_wrong_requests_are_refused_with_their_mend() {
    let server = Server::start().await;
    server.register_all(&[sample("loan.applications")]).await;
    let loan = "/api/v1/products/loan/applications";
    for (request, status, words) in [
        ("GET /nothing", 404, vec!["/nothing"]),
        ("DELETE /api/v1/products", 405, vec!["method"]),
        (
            "GET /api/v1/products/loan/nothing",
            404,
            vec!["no such product"],
        ),
        ("GET /api/v1/products/%ff/nothing", 400, vec!["UTF-8"]),
        (
            &format!("GET {loan}/versions/9.0.0"),
            404,
            vec!["take one of 1.0.0"],
        ),
        (
            &format!("GET {loan}/versions/v9"),
            404,
            vec!["take one of 1.0.0"],
        ),
        (&format!("GET {loan}/versions/first"), 400, vec!["v1"]),
        (
            &format!("GET {loan}?full=1"),
            400,
            vec!["full", "without query parameters"],
        ),
        ("GET /api/v1/products?size=5", 400, vec!["size", "limit"]),
        ("GET /api/v1/products?tag=a&tag=b", 400, vec!["twice"]),
        ("GET /api/v1/products?limit=0", 400, vec!["1 to 500"]),
        ("GET /api/v1/products?limit=501", 400, vec!["1 to 500"]),
        ("GET /api/v1/products?limit=many", 400, vec!["1 to 500"]),
        (
            "GET /api/v1/products?status=live",
            400,
            vec!["active", "retired"],
        ),
        ("GET /api/v1/products?kind=table", 400, vec!["event, state"]),
        ("GET /api/v1/products?cursor=xyz", 400, vec!["cursor"]),
        (
            "GET /api/v1/products?q=a+b+c+d+e+f+g+h+i+j+k",
            400,
            vec!["10 words"],
        ),
        ("GET /api/v1/domains?q=loan", 400, vec!["limit, cursor"]),
        ("GET /api/v1/domains?cursor=00", 400, vec!["cursor"]),
    ] {
        server.refused(request, &Value::Null, status, &words).await;
    }
    let reply = server.call("POST /api/v1/domains", &Value::Null).await;
    assert!(reply.header("allow").contains("GET"));
    let long = "x".repeat(201);
    server
        .refused(
            &format!("GET /api/v1/products?owner={long}"),
            &Value::Null,
            400,
            &["200"],
        )
        .await;
}

#[tokio::test]
async fn a_body_that_is_no_json_or_too_long_is_refused() {
    let server = Server::start().await;
    let url = format!("{}/api/v1/domains/loan", server.base);
    for (content_type, body, status) in [
        ("text/plain", "{}".to_owned(), 415),
        ("application/json", "{".to_owned(), 400),
        (
            "application/json",
            format!("\"{}\"", "x".repeat(9 << 20)),
            413,
        ),
    ] {
        let request = server.client.put(&url).header("content-type", content_type);
        let reply = read(request.body(body).send().await.unwrap()).await;
        crate::harness::check_problem(&reply, content_type, status, &[]);
    }
}
