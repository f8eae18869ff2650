//! Tables whose version ends.

use axum::body::Body;
use axum::http::{Request, Response};
use mesh_core::{ErrorKind, Record};
use mesh_query::query_router;
use mesh_stream::{CatalogClient, RegistryClient, VersionTexts, register_product};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::{Platform, Sale, check, fails, sale, send};

/// Registers the sales as `version` with this status and service levels more.
async fn register(platform: &Platform, version: &str, status: &str, levels: &str) {
    let sales = Sale::descriptor();
    let major = version.split('.').next().unwrap();
    let topic = format!("shop.sales.v{major}");
    let contract = sales
        .contract_text
        .replace("version: \"1.0.0\"", &format!("version: \"{version}\""))
        .replace("status: active", &format!("status: {status}"))
        .replace("shop.sales.v1", &topic)
        .replace("slaProperties:\n", &format!("slaProperties:\n{levels}"));
    let product = sales.product_text.as_deref().unwrap();
    let (head, ports) = product.split_once("outputPorts").unwrap();
    let ports = ports.replace("\"1.0.0\"", &format!("\"{version}\""));
    let registry = RegistryClient::new(&platform.stream.registry_url).unwrap();
    let registered = register_product(&registry, sales).await.unwrap();
    CatalogClient::new(&platform.catalog_url.parse().unwrap())
        .unwrap()
        .register_version(&VersionTexts {
            domain: "shop",
            product: "sales",
            version,
            topic: &topic,
            product_text: &format!("{head}outputPorts{ports}"),
            contract_text: &contract,
            key_schema: &sales.key_schema,
            value_schema: &sales.value_schema,
            registered,
        })
        .await
        .unwrap();
}

async fn ask(platform: &Platform, sql: &str) -> (Vec<String>, Value) {
    let request = Request::post("/api/v1/sql")
        .header("content-type", "application/json")
        .header("mesh-principal", "anna")
        .header("mesh-purpose", "analysis")
        .body(Body::from(json!({"sql": sql}).to_string()))
        .unwrap();
    let router = query_router(platform.engine(), None);
    let response: Response<Body> = router.oneshot(request).await.unwrap();
    let notices = response.headers().get_all("mesh-notice");
    let notices = notices
        .iter()
        .map(|value| value.to_str().unwrap().to_owned());
    let notices = notices.collect();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    (notices, serde_json::from_slice(&body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_are_told_and_after_the_end_of_life_refused_with_the_successor() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, [sale(1, "north", 5)]).await;
    let (notices, answer) = ask(&platform, "SELECT count(*) FROM shop.sales").await;
    assert!(
        notices.is_empty() && answer["notices"].is_null(),
        "{answer}"
    );

    let ends = "  - {property: endOfSupport, value: \"2020-01-01\"}\n  - {property: endOfLife, value: \"2999-01-01\"}\n";
    register(&platform, "1.1.0", "deprecated", ends).await;
    let told = "shop.sales has lost its support on 2020-01-01 and can be read until 2999-01-01";
    let (notices, answer) = ask(&platform, "SELECT count(*) FROM shop.sales").await;
    assert_eq!(notices, [told]);
    assert_eq!(answer["notices"], json!([told]));
    assert_eq!(answer["rows"], json!([[1]]));
    // Only of tables that are read.
    let (notices, _) = ask(&platform, "SHOW TABLES").await;
    assert!(notices.is_empty(), "{notices:?}");

    register(&platform, "2.0.0", "active", "").await;
    let (notices, _) = ask(&platform, "SELECT count(*) FROM shop.sales_v1").await;
    assert!(
        notices[0].ends_with("; read shop.sales_v2 instead"),
        "{notices:?}"
    );

    let ended = ends.replace("2999", "2020");
    register(&platform, "1.2.0", "deprecated", &ended).await;
    let session = platform.session().await;
    let error = fails(&session, "SELECT count(*) FROM shop.sales_v1").await;
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("end of life") && text.contains("shop.sales_v2"),
        "{text}"
    );
    assert!(!session.tables().contains(&"shop.sales_v1".to_owned()));
    check(
        &session,
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop' ORDER BY 1",
        "sales;sales_v2",
    )
    .await;

    register(&platform, "1.3.0", "retired", "").await;
    let error = fails(&platform.session().await, "SELECT 1 FROM shop.sales_v1").await;
    assert!(error.to_string().contains("shop.sales_v2"), "{error}");
}
