//! Statements that DataFusion alone would answer wrongly: answered rightly, or refused.

use mesh_core::ErrorKind;

use crate::harness::{Platform, Sale, StoreProfile, check, fails, sale, send, store};

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_orders_keep_their_keys() {
    let platform = Platform::start().await;
    let session = platform.session().await;
    for (sql, expected) in [
        (
            "SELECT count(*) n FROM (SELECT a, b, sum(x) s FROM (SELECT f.a, o.b, count(*) x \
             FROM (SELECT DISTINCT a FROM (VALUES (1),(2)) t(a)) f \
             JOIN (VALUES (1,2),(1,1),(2,3),(2,1)) o(a,b) ON f.a = o.a GROUP BY f.a, o.b) \
             GROUP BY a, b)",
            "4",
        ),
        (
            "SELECT count(*) n FROM (SELECT k, u FROM (SELECT k, unnest(arr) u FROM \
             (SELECT k, array_agg(x) arr FROM (VALUES (1,3),(1,5),(2,1),(2,9)) t(k,x) GROUP BY k)) \
             GROUP BY k, u)",
            "4",
        ),
        (
            "SELECT DISTINCT f.k, o.x FROM (SELECT DISTINCT k FROM (VALUES (1),(2)) t(k)) f \
             JOIN (VALUES (1,9),(1,3),(2,4),(2,1)) o(k,x) ON f.k = o.k ORDER BY f.k, o.x LIMIT 1",
            "1,3",
        ),
        (
            "SELECT k, unnest(arr) u FROM (SELECT k, array_agg(x ORDER BY x DESC) arr FROM \
             (VALUES (1,3),(1,5)) t(k,x) GROUP BY k) ORDER BY k, u",
            "1,3;1,5",
        ),
        (
            "SELECT x FROM (VALUES (1),(2),(3)) t(x) WHERE x > (SELECT min(y) FROM \
             (VALUES (1,1),(2,1),(3,1)) u(z,y) WHERE u.z = t.x) ORDER BY x",
            "2;3",
        ),
    ] {
        check(&session, sql, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nulls_in_subqueries_are_not_taken_for_false() {
    let platform = Platform::start().await;
    let session = platform.session().await;
    for sql in [
        "SELECT x FROM (VALUES (1),(NULL)) t(x) WHERE x NOT IN (SELECT y FROM (VALUES (2)) u(y)) \
         OR x = 99",
        "SELECT x FROM (VALUES (1),(3)) t(x) WHERE \
         (x IN (SELECT y FROM (VALUES (2),(NULL)) u(y))) IS NULL",
        "SELECT x FROM (VALUES (1),(3)) t(x) WHERE \
         NOT (x IN (SELECT y FROM (VALUES (2),(NULL)) u(y)) AND x = 1)",
    ] {
        assert_eq!(
            fails(&session, sql).await.kind(),
            ErrorKind::Unsupported,
            "{sql}"
        );
    }
    for (sql, expected) in [
        (
            "SELECT x FROM (VALUES (1),(3)) t(x) WHERE x NOT IN (SELECT y FROM (VALUES (2),(NULL)) u(y))",
            "",
        ),
        (
            "SELECT x FROM (VALUES (1),(3)) t(x) WHERE x NOT IN (SELECT y FROM (VALUES (3)) u(y)) AND x > 0",
            "1",
        ),
        (
            "SELECT x FROM (VALUES (1),(3)) t(x) WHERE x IN (SELECT y FROM (VALUES (3),(NULL)) u(y)) \
             OR x = 1 ORDER BY 1",
            "1;3",
        ),
    ] {
        check(&session, sql, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_wrongly_is_refused() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    platform.publish::<StoreProfile>().await;
    send(&sales, (0..3).map(|id| sale(id, "north", 1))).await;
    let session = platform.session().await;
    for sql in [
        "SELECT sale_id FROM shop.sales WHERE sale_id >= ALL (SELECT sale_id FROM shop.sales)",
        "SELECT id FROM (VALUES (1)) a(id) FULL JOIN (VALUES (2)) b(id) USING (id)",
        "SELECT id FROM (VALUES (1)) a(id) NATURAL RIGHT JOIN (VALUES (2)) b(id)",
        "SELECT a FROM (VALUES (1),(1)) t(a) INTERSECT ALL SELECT a FROM (VALUES (1)) t(a)",
        "SELECT a FROM (VALUES (1),(1)) t(a) EXCEPT ALL SELECT a FROM (VALUES (1)) t(a)",
        "SELECT x FROM (VALUES (true)) t(x) WHERE x IS NOT DISTINCT FROM true AND false",
    ] {
        let error = fails(&session, sql).await;
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{sql}: {error}");
        assert!(error.mend_text().is_some(), "{sql}");
    }
    for (sql, expected) in [
        (
            "SELECT a.sale_id FROM shop.sales a WHERE a.sale_id >= ALL \
             (SELECT b.sale_id FROM shop.sales b)",
            "2",
        ),
        (
            "SELECT coalesce(a.id, b.id) FROM (VALUES (1),(2)) a(id) \
             FULL JOIN (VALUES (2),(3)) b(id) ON a.id = b.id ORDER BY 1",
            "1;2;3",
        ),
        (
            "SELECT x FROM (VALUES (true),(false)) t(x) WHERE (x IS NOT DISTINCT FROM true) AND x",
            "true",
        ),
    ] {
        check(&session, sql, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_stand_beside_expressions_of_their_type() {
    let platform = Platform::start().await;
    let stores = platform.publish::<StoreProfile>().await;
    send(&stores, [store("north", "Oslo", 3)]).await;
    check(
        &platform.session().await,
        "WITH RECURSIVE left_over(store, visits) AS (SELECT store, visits FROM shop.stores \
         UNION ALL SELECT store, visits - 1 FROM left_over WHERE visits > 0) \
         SELECT store, count(*) FROM left_over GROUP BY store",
        "north,4",
    )
    .await;
}
