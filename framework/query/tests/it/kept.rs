//! Tables that are kept of state products, and histories of event products.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::{Record, TimestampMicros};
use mesh_history::{History, HistoryConfig, HistoryWriter, Source};
use mesh_query::render::CsvWriter;
use mesh_query::{Answer, Engine, Parts, Session, Settings};
use mesh_states::{States, StatesConfig};

use crate::harness::{Platform, Sale, StoreProfile, access, check, sale, send, send_raw, store};

async fn keeping(platform: &Platform, dir: &Path) -> (Engine, States) {
    let states = States::open(StatesConfig::new(dir, platform.stream.clone()))
        .await
        .unwrap();
    let mut parts = Parts::default();
    parts.states = Some(states.clone());
    (Engine::with(platform.config(), parts).unwrap(), states)
}

/// The answer, and how many records were read for it.
async fn read(session: &Session, sql: &str) -> (String, u64) {
    let mut answer = session.query(sql).await.unwrap();
    let mut text = String::new();
    for batch in answer.collect().await.unwrap() {
        text.push_str(&CsvWriter::new().rows(&batch).unwrap());
    }
    let read = answer.stats().records_read;
    (text.trim_end().replace("\r\n", ";"), read)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_product_is_read_from_the_table_that_is_kept_of_it() {
    let platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let stores = platform.publish::<StoreProfile>().await;
    for round in 1..=5 {
        let profiles = (0..200).map(|id| store(&format!("s{id}"), "Oslo", round));
        send(&stores, profiles).await;
    }
    drop(stores.delete(&store("s7", "", 0).key()).await.unwrap());
    stores.flush(Duration::from_secs(30)).await.unwrap();
    let (engine, states) = keeping(&platform, dir.path()).await;
    let session = engine.session(access()).await.unwrap();
    // Rows, not records: each key once.
    let sql = "SELECT count(*), sum(visits), max(city) FROM shop.stores";
    assert_eq!(read(&session, sql).await, ("199,995,Oslo".into(), 199));
    assert_eq!(
        read(&session, "SELECT count(*) FROM shop.stores").await,
        ("199".into(), 0)
    );
    // What was published is seen at once.
    send(&stores, [store("s3", "Rome", 9), store("new", "Rome", 1)]).await;
    check(
        &session,
        "SELECT city, count(*) FROM shop.stores GROUP BY 1 ORDER BY 1",
        "Oslo,198;Rome,2",
    )
    .await;
    // By key one row is looked at.
    for (sql, expected, looked) in [
        (
            "SELECT visits, city FROM shop.stores WHERE store = 's3'",
            "9,Rome",
            1,
        ),
        (
            "SELECT store FROM shop.stores WHERE store IN ('s3', 's4', 'none') ORDER BY 1",
            "s3;s4",
            2,
        ),
        ("SELECT city FROM shop.stores WHERE store = 's7'", "", 0),
        (
            "SELECT city FROM shop.stores WHERE store = 's3' AND city = 'Oslo'",
            "",
            1,
        ),
        (
            "SELECT count(*) FROM shop.stores WHERE store = 's3' OR city = 'Rome'",
            "2",
            200,
        ),
    ] {
        assert_eq!(
            read(&session, sql).await,
            (expected.into(), looked),
            "{sql}"
        );
    }
    // The same as the topic says.
    let whole = "SELECT store, city, visits, labels, stock, manager, _offset FROM shop.stores \
        ORDER BY store";
    let from_topic = read(&platform.session().await, whole).await.0;
    assert_eq!(read(&session, whole).await.0, from_topic);

    // After a restart nothing is read again.
    drop((session, engine));
    states.close().await.unwrap();
    let (engine, states) = keeping(&platform, dir.path()).await;
    let session = engine.session(access()).await.unwrap();
    assert_eq!(read(&session, whole).await.0, from_topic);
    drop((session, engine));
    states.close().await.unwrap();
}

fn sold(id: i64, minute: i64) -> Sale {
    let mut sale = sale(id, "north", 100);
    sale.sold_at = TimestampMicros(1_700_000_400_000_000 + minute * 60_000_000);
    sale
}

async fn remembering(platform: &Platform, dir: &Path) -> (Engine, HistoryWriter, Source) {
    let mut config = HistoryConfig::new(dir.display().to_string());
    config.row_group_rows = 1_000;
    let history = History::open(config).unwrap();
    let writer = HistoryWriter::new(history.clone(), platform.stream.clone()).unwrap();
    let mut parts = Parts::default();
    parts.history = Some(history);
    let engine = Engine::with(platform.config(), parts).unwrap();
    let source = Source::of(Arc::new(Sale::descriptor().contract.clone()));
    (engine, writer, source)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_product_is_its_history_and_what_came_since() {
    let platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let sales = platform.publish::<Sale>().await;
    let (engine, writer, source) = remembering(&platform, dir.path()).await;
    let session = engine.session(access()).await.unwrap();
    let all = "SELECT count(*), count(DISTINCT sale_id), sum(amount), sum(sale_id), \
        count(note), min(sold_at) FROM shop.sales";
    let mut published = 0;
    for round in 0..4 {
        send(&sales, (published..published + 500).map(|id| sold(id, id))).await;
        published += 500;
        let expected = format!(
            "{published},{published},{published}.00,{},{},2023-11-14T22:20:00+00:00",
            published * (published - 1) / 2,
            (published + 2) / 3
        );
        // Before and after the history has it.
        check(&session, all, &expected).await;
        if round < 3 {
            writer.pass(&source).await.unwrap();
            check(&session, all, &expected).await;
        }
    }
    // Every column as the topic has it, in its own type.
    let rows = "SELECT sale_id, store, amount, status, sold_at, note, _partition, _offset, \
        _timestamp FROM shop.sales ORDER BY sale_id";
    let from_topic = platform.session().await;
    assert_eq!(
        read(&session, rows).await.0,
        read(&from_topic, rows).await.0
    );
    // Only the tail comes from Kafka; what a row group cannot match is not read.
    let (count, looked) = read(
        &session,
        "SELECT count(*) FROM shop.sales WHERE sold_at < TIMESTAMP '2023-11-14T22:30:00Z'",
    )
    .await;
    assert_eq!(count, "10");
    assert!(looked <= 1_000 + 500, "{looked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_shows_what_was_there_at_an_instant() {
    let platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let sales = platform.publish::<Sale>().await;
    let (engine, writer, source) = remembering(&platform, dir.path()).await;
    let mut instants = Vec::new();
    for round in 0..3 {
        send(&sales, (0..100).map(|id| sold(round * 100 + id, id))).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        instants.push(chrono::Utc::now().to_rfc3339());
        tokio::time::sleep(Duration::from_millis(20)).await;
        if round < 2 {
            writer.pass(&source).await.unwrap();
        }
    }
    let mut settings = Settings::default();
    settings.set("mesh.purpose", Some("analysis")).unwrap();
    let connection = engine.connect("anna".parse().unwrap(), settings);
    for (at, expected) in instants.iter().zip(["100,99", "200,199", "300,299"]) {
        connection.set("mesh.as_of", Some(at)).unwrap();
        let sql = "SELECT count(*), max(sale_id) FROM shop.sales";
        let Answer::Rows(mut rows) = connection.run(sql).await.unwrap() else {
            panic!("no rows");
        };
        let batches = rows.collect().await.unwrap();
        let text = CsvWriter::new().rows(&batches[0]).unwrap();
        assert_eq!(text.trim_end(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_no_history_can_hold_is_not_passed_over() {
    let platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let sales = platform.publish::<Sale>().await;
    let (engine, writer, source) = remembering(&platform, dir.path()).await;
    send(&sales, (0..100).map(|id| sold(id, id))).await;
    let bad = Some(vec![0, 0, 0, 0, 1, 7]);
    let offset = send_raw(&platform, "shop.sales.v1", 1, b"key", bad).await;
    writer.pass(&source).await.unwrap();
    let session = engine.session(access()).await.unwrap();
    let sql = "SELECT count(*) FROM shop.sales";
    let error = session.query(sql).await.unwrap_err();
    assert_eq!(error.kind(), mesh_core::ErrorKind::Corrupt);
    assert!(error.to_string().contains(&offset.to_string()), "{error}");
    let mut settings = Settings::default();
    settings.set("mesh.purpose", Some("analysis")).unwrap();
    settings.set("mesh.corrupt_records", Some("skip")).unwrap();
    let connection = engine.connect("anna".parse().unwrap(), settings);
    let Answer::Rows(mut rows) = connection.run(sql).await.unwrap() else {
        panic!("no rows");
    };
    let batches = rows.collect().await.unwrap();
    assert_eq!(
        CsvWriter::new().rows(&batches[0]).unwrap().trim_end(),
        "100"
    );
    assert_eq!(rows.stats().records_skipped, 1);
}
