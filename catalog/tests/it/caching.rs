//! A client that has an answer already is told so.

use serde_json::Value;

use crate::harness::{Reply, Sample, Server, read, sample};

async fn ask(server: &Server, path: &str, known: &str) -> Reply {
    let request = server.client.get(format!("{}{path}", server.base));
    read(request.header("if-none-match", known).send().await.unwrap()).await
}

#[tokio::test]
async fn an_answer_is_sent_again_only_when_it_changed() {
    let server = Server::start().await;
    let product = sample("loan.applications");
    server.register_all(std::slice::from_ref(&product)).await;
    let paths = [
        "/api/v1/products",
        "/api/v1/products/loan/applications",
        "/api/v1/products/loan/applications/versions/v1",
        "/api/v1/domains",
        "/api/v1/domains/loan",
        "/api/v1/openapi.json",
        "/",
    ];
    let mut tags = Vec::new();
    for path in paths {
        let reply = server.call(&format!("GET {path}"), &Value::Null).await;
        let tag = reply.header("etag").to_owned();
        assert!(tag.len() > 10 && tag.starts_with('"'), "{path}: {tag}");
        for known in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"a\", {tag}"),
            "*".to_owned(),
        ] {
            let again = ask(&server, path, &known).await;
            assert_eq!(
                (again.status, &again.body),
                (304, &Value::from("")),
                "{path}"
            );
            assert_eq!(again.header("etag"), tag);
        }
        assert_eq!(ask(&server, path, "\"a\"").await.status, 200, "{path}");
        tags.push(tag);
    }
    let raised = Sample {
        version: "1.1.0",
        ..product
    };
    server.register_all(&[raised]).await;
    for (path, tag) in paths.iter().zip(&tags).take(3) {
        let reply = ask(&server, path, tag).await;
        assert_eq!(
            (reply.status, reply.header("etag") == tag),
            (200, false),
            "{path}"
        );
    }
}
