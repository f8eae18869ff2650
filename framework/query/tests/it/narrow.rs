//! Scans that read what a statement needs, and tables as they were.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use mesh_query::{Answer, Session, Settings};

use crate::harness::{Platform, Sale, StoreProfile, ask, check, sale, send, store};

async fn read(session: &Session, sql: &str) -> (String, u64) {
    let mut answer = session.query(sql).await.unwrap();
    let mut text = String::new();
    for batch in answer.collect().await.unwrap() {
        text.push_str(&mesh_query::render::CsvWriter::new().rows(&batch).unwrap());
    }
    (
        text.trim_end().replace("\r\n", ";"),
        answer.stats().records_read,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn comparisons_of_the_place_shorten_a_scan() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..3000).map(|id| sale(id, "north", 1))).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let middle = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    tokio::time::sleep(Duration::from_millis(20)).await;
    send(&sales, (3000..3100).map(|id| sale(id, "north", 1))).await;
    let session = platform.session().await;
    let (all, everything) = read(&session, "SELECT count(*) FROM shop.sales").await;
    assert_eq!((all.as_str(), everything), ("3100", 3100));

    let (of_one, most) = read(
        &session,
        "SELECT count(*) FROM shop.sales WHERE _partition = 1",
    )
    .await;
    assert!(most < 1500, "{most}");
    assert_eq!(of_one, most.to_string());
    let sql = "SELECT min(_offset), max(_offset) FROM shop.sales \
        WHERE _partition = 1 AND _offset BETWEEN 100 AND 199";
    assert_eq!(read(&session, sql).await, ("100,199".into(), 100));
    let sql = "SELECT count(*) FROM shop.sales WHERE _partition IN (0, 2) AND _offset < 10";
    assert_eq!(read(&session, sql).await, ("20".into(), 20));
    let sql = format!(
        "SELECT count(*), min(sale_id) FROM shop.sales WHERE _timestamp >= TIMESTAMP '{middle}'"
    );
    assert_eq!(read(&session, &sql).await, ("100,3000".into(), 100));
    // Nothing is left out where the other side of an OR needs it.
    let sql = "SELECT count(*) FROM shop.sales WHERE _offset = 5 OR sale_id >= 0";
    assert_eq!(read(&session, sql).await, ("3100".into(), 3100));
    let sql = "SELECT count(*) FROM shop.sales WHERE _partition = 7";
    assert_eq!(read(&session, sql).await, ("0".into(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_replaced_later_does_not_come_back() {
    let platform = Platform::start().await;
    let stores = platform.publish::<StoreProfile>().await;
    send(
        &stores,
        (0..100).map(|id| store(&format!("s{id}"), "Oslo", 1)),
    )
    .await;
    send(
        &stores,
        (0..50).map(|id| store(&format!("s{id}"), "Rome", 2)),
    )
    .await;
    let session = platform.session().await;
    check(
        &session,
        "SELECT city, count(*) FROM shop.stores GROUP BY 1 ORDER BY 1",
        "Oslo,50;Rome,50",
    )
    .await;
    let low = ask(
        &session,
        "SELECT max(_offset) FROM shop.stores WHERE city = 'Oslo'",
    )
    .await
    .unwrap();
    let sql = format!("SELECT count(*) FROM shop.stores WHERE _offset <= {low} AND city = 'Oslo'");
    check(&session, &sql, "50").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_show_what_was_there_at_an_instant() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    let stores = platform.publish::<StoreProfile>().await;
    send(&sales, (0..100).map(|id| sale(id, "north", 1))).await;
    send(
        &stores,
        [store("north", "Oslo", 1), store("south", "Rome", 1)],
    )
    .await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let before = Utc::now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    send(&sales, (100..150).map(|id| sale(id, "north", 1))).await;
    send(&stores, [store("north", "Bergen", 2)]).await;

    let mut settings = Settings::default();
    settings.set("mesh.purpose", Some("analysis")).unwrap();
    let connection = platform.engine().connect("anna".parse().unwrap(), settings);
    let sql = "SELECT count(*), max(city) FROM shop.sales JOIN shop.stores USING (store)";
    for (as_of, expected) in [
        (None, "150,Bergen"),
        (Some(before.to_rfc3339()), "100,Oslo"),
        (Some("2001-01-01T00:00:00Z".to_owned()), "0,"),
        (Some("now".to_owned()), "150,Bergen"),
    ] {
        connection.set("mesh.as_of", as_of.as_deref()).unwrap();
        let Answer::Rows(mut rows) = connection.run(sql).await.unwrap() else {
            panic!("no rows");
        };
        let batches = rows.collect().await.unwrap();
        let text = mesh_query::render::CsvWriter::new()
            .rows(&batches[0])
            .unwrap();
        assert_eq!(text.trim_end(), expected, "{as_of:?}");
    }
}
