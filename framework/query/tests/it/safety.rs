//! What SQL must not do, and must not tell.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use mesh_core::ErrorKind;
use mesh_enforcement::{Access, Action, Decision, DecisionPoint, PassThrough, Resource};
use mesh_query::{Engine, Parts};

use crate::harness::{Platform, Sale, StoreProfile, access, ask, check, fails, sale, send};

#[tokio::test(flavor = "multi_thread")]
async fn only_statements_that_read_are_let_in() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, [sale(1, "north", 1)]).await;
    let session = platform.session().await;
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("stolen.csv");
    let target = target.display();
    for sql in [
        format!("COPY shop.sales TO '{target}'"),
        format!("COPY (SELECT * FROM shop.sales) TO '{target}' STORED AS CSV"),
        format!("EXPLAIN ANALYZE COPY shop.sales TO '{target}'"),
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'".into(),
        "CREATE TABLE t AS SELECT 1".into(),
        "CREATE VIEW v AS SELECT 1".into(),
        "CREATE SCHEMA s".into(),
        "CREATE FUNCTION f() RETURNS INT RETURN 1".into(),
        "DROP TABLE shop.sales".into(),
        "INSERT INTO shop.sales SELECT * FROM shop.sales".into(),
        "UPDATE shop.sales SET store = 'x'".into(),
        "DELETE FROM shop.sales".into(),
        "TRUNCATE TABLE shop.sales".into(),
        "SELECT * INTO t FROM shop.sales".into(),
        "WITH x AS (DELETE FROM shop.sales RETURNING *) SELECT * FROM x".into(),
        "WITH x AS (SELECT 1 INTO y) SELECT * FROM x".into(),
        "SELECT * FROM shop.sales FOR UPDATE".into(),
        "SET datafusion.catalog.information_schema = true".into(),
        "SET mesh.purpose = 'x'".into(),
        "RESET datafusion.execution.batch_size".into(),
        "SHOW ALL".into(),
        "SHOW datafusion.execution.batch_size".into(),
        "PREPARE p AS SELECT 1".into(),
        "EXECUTE p".into(),
        "DEALLOCATE p".into(),
        "BEGIN".into(),
        "COMMIT".into(),
        "GRANT SELECT ON shop.sales TO bob".into(),
        "EXPLAIN CREATE TABLE t AS SELECT 1".into(),
    ] {
        let error = fails(&session, &sql).await;
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{sql}: {error}");
        assert!(error.mend_text().is_some(), "{sql}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    for (sql, kind) in [
        ("SELECT * FROM '/etc/passwd'", ErrorKind::NotFound),
        ("SELECT * FROM \"/etc/passwd\"", ErrorKind::NotFound),
        ("SELECT * FROM 'file:///etc/passwd'", ErrorKind::NotFound),
        ("SELECT * FROM read_csv('/etc/passwd')", ErrorKind::NotFound),
        (
            "SELECT * FROM read_parquet('/etc/passwd')",
            ErrorKind::NotFound,
        ),
        ("SELECT read_file('/etc/passwd')", ErrorKind::InvalidInput),
        ("", ErrorKind::InvalidInput),
        (";", ErrorKind::InvalidInput),
        ("SELECT 1; SELECT 2", ErrorKind::InvalidInput),
        ("SELECT 1; COPY shop.sales TO 'x'", ErrorKind::InvalidInput),
        ("SELEC 1", ErrorKind::InvalidInput),
        ("SELECT 'abc", ErrorKind::InvalidInput),
        ("SELECT $1", ErrorKind::InvalidInput),
    ] {
        let error = fails(&session, sql).await;
        assert_eq!(error.kind(), kind, "{sql}: {error}");
    }
    check(&session, "SELECT 1;", "1").await;
    check(&session, "VALUES (1, 'a'), (2, 'b')", "1,a;2,b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_are_long_or_deep_do_no_harm() {
    let platform = Platform::start().await;
    let session = platform.session().await;
    let chain = |links: usize| format!("SELECT 1{}", " + 1".repeat(links));
    check(&session, &chain(390), "391").await;
    let column = |links: usize| {
        format!(
            "SELECT n{} FROM (VALUES (1), (2)) AS t(n)",
            " + n".repeat(links)
        )
    };
    check(&session, &column(390), "391;782").await;
    let either = (0..190)
        .map(|n| format!("n = {n}"))
        .collect::<Vec<_>>()
        .join(" OR ");
    check(
        &session,
        &format!("SELECT n FROM (VALUES (1), (500)) AS t(n) WHERE {either}"),
        "1",
    )
    .await;
    let cases = (0..500)
        .map(|n| format!("WHEN {n} THEN {n} + 1 "))
        .collect::<String>();
    check(
        &session,
        &format!("SELECT CASE n {cases} END FROM (VALUES (7)) AS t(n)"),
        "8",
    )
    .await;
    let wide = (0..1_000)
        .map(|n| format!("t.n + {n} AS c{n}"))
        .collect::<Vec<_>>()
        .join(", ");
    check(
        &session,
        &format!("SELECT c999 FROM (SELECT {wide} FROM (VALUES (1)) AS t(n))"),
        "1000",
    )
    .await;
    let parens = |depth: usize| format!("SELECT {}1{}", "(".repeat(depth), ")".repeat(depth));
    for sql in [
        chain(400),
        column(50_000),
        format!(
            "SELECT {}",
            vec!["CASE WHEN true THEN 1 END"; 500].join(" + ")
        ),
        format!("SELECT {}", vec!["(1, 2)"; 500].join(" = ")),
        format!("SELECT 1 FROM {}", vec!["t"; 65].join(", ")),
        chain(50_000),
        parens(10_000),
        format!("SELECT {}1", "NOT ".repeat(1_900)),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(1_000)),
        format!("SELECT 1{}", " IS NULL".repeat(1_500)),
        format!("SELECT {}1{}", "abs(".repeat(5_000), ")".repeat(5_000)),
        format!("SELECT '{}'", "x".repeat(1 << 20)),
    ] {
        let error = fails(&session, &sql).await;
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().len() < 2_000);
    }
    check(
        &session,
        &format!("SELECT 5 IN ({}5)", "1,".repeat(20_000)),
        "true",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_show_the_leaf_and_errors_no_value() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(
        &sales,
        (1_000_000..1_000_010).map(|id| sale(id, "north", 777_777)),
    )
    .await;
    let session = platform.session().await;
    let attack = "SELECT store FROM shop.sales WHERE 1 / (sale_id - 1000001) > -5";
    let error = fails(&session, attack).await;
    assert_eq!(error.message(), "a division by zero");
    for sql in [
        "SELECT CAST(store AS INT) FROM shop.sales",
        "SELECT arrow_cast(amount, 'Decimal128(3, 2)') FROM shop.sales",
        "SELECT CAST(sale_id AS SMALLINT) FROM shop.sales",
        "SELECT to_timestamp(store) FROM shop.sales",
        "SELECT regexp_replace('a', store || '(', 'b') FROM shop.sales",
    ] {
        let error = fails(&session, sql).await;
        let text = format!("{error} {}", error.log_line());
        for value in ["north", "100000", "7777"] {
            assert!(!text.contains(value), "{sql}: {text}");
        }
    }
    for explain in [
        "EXPLAIN",
        "EXPLAIN ANALYZE",
        "EXPLAIN VERBOSE",
        "EXPLAIN ANALYZE VERBOSE",
        "EXPLAIN FORMAT TREE",
        "EXPLAIN FORMAT PGJSON",
        "EXPLAIN FORMAT GRAPHVIZ",
    ] {
        let sql = format!(
            "{explain} SELECT store FROM shop.sales WHERE sale_id > 1000001 AND store > 'a'"
        );
        let plan = match ask(&session, &sql).await {
            Ok(plan) => plan,
            Err(error) if error.kind() == ErrorKind::Unsupported => continue,
            Err(error) => panic!("{sql}: {error}"),
        };
        for hidden in ["shop.sales.v1", "offset", "127.0.0.1", "Extent", "topic"] {
            assert!(!plan.contains(hidden), "{hidden} in {plan}");
        }
        if explain == "EXPLAIN ANALYZE" {
            assert!(
                plan.contains("ProductScan: shop.sales, metrics=[output_rows=10"),
                "{plan}"
            );
            let leaf = plan.split("ProductScan").nth(1).unwrap();
            assert!(
                !leaf.contains("Filter"),
                "the filter stays above the leaf: {plan}"
            );
            assert!(
                plan.split("ProductScan")
                    .next()
                    .unwrap()
                    .contains("FilterExec"),
                "{plan}"
            );
        }
    }
}

/// Denies the products named.
pub(crate) struct Denying(pub(crate) HashSet<&'static str>);

#[async_trait]
impl DecisionPoint for Denying {
    async fn decide(
        &self,
        access: &Access,
        action: Action,
        resource: &Resource,
    ) -> mesh_core::Result<Decision> {
        if self.0.contains(resource.product.as_str()) {
            return Ok(Decision::deny(
                access,
                action,
                resource,
                "not for you",
                vec![],
            ));
        }
        PassThrough.decide(access, action, resource).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_product_is_not_there() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    platform.publish::<StoreProfile>().await;
    send(&sales, [sale(1, "north", 1)]).await;
    let denying = Arc::new(Denying(HashSet::from(["sales"])));
    let mut parts = Parts::default();
    parts.decisions = denying;
    let engine = Engine::with(platform.config(), parts).unwrap();
    let session = engine.session(access()).await.unwrap();
    assert_eq!(session.tables(), ["shop.stores", "shop.stores_v1"]);
    for sql in [
        "SELECT * FROM shop.sales",
        "SELECT 1 FROM shop.sales_v1",
        "DESCRIBE shop.sales",
        "SHOW COLUMNS FROM shop.sales",
        "SELECT * FROM shop.stores WHERE EXISTS (SELECT 1 FROM shop.sales)",
    ] {
        let denied = fails(&session, sql).await;
        let missing = fails(&session, &sql.replace("sales", "nowhere")).await;
        assert_eq!(denied.kind(), ErrorKind::NotFound, "{sql}");
        assert_eq!(
            denied.to_string().replace("sales", "nowhere"),
            missing.to_string()
        );
    }
    for sql in [
        "SHOW TABLES",
        "SELECT * FROM information_schema.columns",
        "SELECT * FROM information_schema.views",
    ] {
        assert!(
            !ask(&session, sql).await.unwrap().contains("sales"),
            "{sql}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_or_broker_that_is_down_is_named() {
    let platform = Platform::start().await;
    platform.publish::<Sale>().await;
    let session = platform.session().await;
    let engine = platform.engine();
    platform.catalog.abort();
    let mut config = platform.config();
    config.catalog_url = "http://127.0.0.1:1".into();
    let error = Engine::new(config)
        .unwrap()
        .session(access())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("mesh up"), "{error}");
    drop(engine);
    platform.broker.shutdown().await.unwrap();
    let error = fails(&session, "SELECT * FROM shop.sales").await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}
