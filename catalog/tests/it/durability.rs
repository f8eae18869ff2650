//! What was answered is there after a restart.

use mesh_catalog::{Catalog, CatalogConfig};
use mesh_core::ErrorKind;
use serde_json::json;

use crate::harness::{Sample, Server, sample};

#[tokio::test]
async fn a_restart_keeps_domains_products_and_versions() {
    let server = Server::start().await;
    let body = json!({"api_url": "http://127.0.0.1:8100"});
    server.call("PUT /api/v1/domains/loan", &body).await;
    let product = sample("loan.applications");
    let newer = Sample {
        version: "1.1.0",
        ..product.clone()
    };
    server
        .register_all(&[product.clone(), newer, sample("loan.decisions")])
        .await;
    let paths = [
        "/api/v1/domains",
        "/api/v1/products",
        "/api/v1/products/loan/applications",
        "/api/v1/products/loan/applications/versions/1.0.0",
    ];
    let mut before = Vec::new();
    for path in paths {
        before.push(server.get(path).await);
    }
    let page = server.get("/api/v1/products?limit=1").await;
    let cursor = page["next_cursor"].as_str().unwrap();

    let server = server.restart().await;
    for (path, expected) in paths.iter().zip(&before) {
        assert_eq!(&server.get(path).await, expected, "{path}");
    }
    let rest = server
        .get(&format!("/api/v1/products?cursor={cursor}"))
        .await;
    assert_eq!(rest["items"][0]["product"], "decisions");
    let again = server.register(&product).await;
    assert_eq!(again.body["outcome"], "unchanged");
}

#[tokio::test]
async fn an_answered_registration_is_on_disk() {
    let server = Server::start().await;
    server.register_all(&[sample("loan.applications")]).await;
    // A copy of the files as a crash would leave them, taken while the catalog runs.
    let copies = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("catalog.db{suffix}");
        let from = server.database().with_file_name(&name);
        std::fs::copy(from, copies.path().join(name)).unwrap();
    }
    let database = copies.path().join("catalog.db");
    let catalog = Catalog::open(CatalogConfig { database }).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = catalog.router();
    let running = tokio::spawn(async move { axum::serve(listener, router).await });
    let url = format!("{base}/api/v1/products/loan/applications");
    assert_eq!(reqwest::get(url).await.unwrap().status(), 200);
    running.abort();
    catalog.close().await;
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let no_database = directory.path().join("notes.txt");
    std::fs::write(
        &no_database,
        "a text file, and no database at all".repeat(100),
    )
    .unwrap();
    let under_a_file = no_database.join("catalog.db");
    for database in [no_database, under_a_file] {
        let error = Catalog::open(CatalogConfig { database }).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
        assert!(error.to_string().contains("notes.txt"), "{error}");
        assert!(error.mend_text().is_some());
    }
}

#[tokio::test]
async fn the_router_can_be_mounted_beside_others() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("catalog.db");
    let catalog = Catalog::open(CatalogConfig { database }).await.unwrap();
    let other = axum::Router::new()
        .route("/other", axum::routing::get(async || "other"))
        .fallback(async || "fallback");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = catalog.router().merge(other);
    let running = tokio::spawn(async move { axum::serve(listener, router).await });
    for (path, status, word) in [
        ("/api/v1/products", 200, "items"),
        ("/other", 200, "other"),
        ("/nothing", 200, "fallback"),
    ] {
        let reply = reqwest::get(format!("{base}{path}")).await.unwrap();
        assert_eq!(reply.status(), status, "{path}");
        assert!(reply.text().await.unwrap().contains(word), "{path}");
    }
    running.abort();
    catalog.close().await;
}
