//! Domains say where their API is.

use serde_json::{Value, json};

use crate::harness::{Server, sample};

#[tokio::test]
async fn a_domain_is_registered_changed_and_listed() {
    let server = Server::start().await;
    let body = json!({"api_url": "http://127.0.0.1:8100/", "description": " Loans. "});
    let new = server.call("PUT /api/v1/domains/loan", &body).await;
    assert_eq!(new.status, 201);
    assert_eq!(
        (
            &new.body["api_url"],
            &new.body["description"],
            &new.body["products"]
        ),
        (&json!("http://127.0.0.1:8100"), &json!("Loans."), &json!(0)),
    );
    let body = json!({"api_url": "https://loan.bank.example/api"});
    let moved = server.call("PUT /api/v1/domains/loan", &body).await;
    assert_eq!(moved.status, 200);
    assert_eq!(
        (&moved.body["api_url"], &moved.body["description"]),
        (&json!("https://loan.bank.example/api"), &Value::Null),
    );
    assert_eq!(moved.body["first_seen"], new.body["first_seen"]);

    let mut second = sample("loan.decisions");
    second.version = "2.0.0";
    server
        .register_all(&[
            sample("loan.applications"),
            sample("loan.decisions"),
            second,
        ])
        .await;
    server.register_all(&[sample("ads.clicks")]).await;
    let loan = server.get("/api/v1/domains/loan").await;
    assert_eq!(
        (&loan["api_url"], &loan["products"]),
        (&json!("https://loan.bank.example/api"), &json!(2)),
    );
    assert!(loan["last_seen"].as_str() >= moved.body["last_seen"].as_str());

    let list = server.get("/api/v1/domains").await;
    assert_eq!(list["next_cursor"], Value::Null);
    assert_eq!(list["items"][1], loan);
    assert_eq!(
        (&list["items"][0]["domain"], &list["items"][0]["api_url"]),
        (&json!("ads"), &Value::Null),
        "a domain is known by its products before it says where it is"
    );
    let page = server.get("/api/v1/domains?limit=1").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = server
        .get(&format!("/api/v1/domains?limit=1&cursor={cursor}"))
        .await;
    assert_eq!(
        (&rest["items"][0], &rest["next_cursor"]),
        (&loan, &Value::Null)
    );
}

#[tokio::test]
async fn a_domain_that_cannot_be_called_is_refused() {
    let server = Server::start().await;
    for (url, word) in [
        ("", "no absolute url"),
        ("127.0.0.1:8100", "no absolute url"),
        ("/api", "no absolute url"),
        ("ftp://bank.example", "neither http nor https"),
        ("file:///etc/passwd", "neither http nor https"),
        ("http://", "no absolute url"),
        ("http://jana:secret@bank.example", "user name"),
        ("http://bank.example/?a=1", "query"),
        ("http://bank.example/#top", "fragment"),
        ("http://127.0.0.1:0", "port 0"),
        ("http://0.0.0.0:8100", "every address"),
        ("http://[::]:8100", "every address"),
        ("http://bank.example:70000", "no absolute url"),
    ] {
        let body = json!({"api_url": url});
        server
            .refused(
                "PUT /api/v1/domains/loan",
                &body,
                400,
                &[word, "http://host:8100"],
            )
            .await;
    }
    let url = "http://127.0.0.1:8100";
    for (request, body, word) in [
        (
            "PUT /api/v1/domains/Loan",
            json!({"api_url": url}),
            "not a valid name",
        ),
        (
            "PUT /api/v1/domains/loan_v2",
            json!({"api_url": url}),
            "ends like a version",
        ),
        ("PUT /api/v1/domains/loan", json!({}), "api_url"),
        (
            "PUT /api/v1/domains/loan",
            json!({"api_url": url, "url": url}),
            "unknown field",
        ),
        (
            "PUT /api/v1/domains/loan",
            json!({"api_url": url, "description": "x".repeat(2001)}),
            "too long",
        ),
        ("GET /api/v1/domains/loan", Value::Null, "no such domain"),
    ] {
        let status = if body.is_null() { 404 } else { 400 };
        server.refused(request, &body, status, &[word]).await;
    }
}
