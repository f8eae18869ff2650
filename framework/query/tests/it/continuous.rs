//! Statements that run on as records come.

use std::time::Duration;

use mesh_core::{ErrorKind, TimestampMicros};
use mesh_query::render::CsvWriter;
use mesh_query::{Engine, Follow, FollowFrom, FollowOptions, QueryOptions};
use mesh_stream::TypedProducer;

use crate::harness::{Platform, Sale, StoreProfile, access, sale, send, store};

async fn follow(engine: &Engine, sql: &str, from: FollowFrom) -> Follow {
    let mut options = FollowOptions::default();
    options.from = from;
    options.lateness = Duration::from_secs(60);
    engine
        .follow(access(), sql, QueryOptions::default(), options)
        .await
        .unwrap()
}

/// The rows of the next round, sorted.
async fn next(follow: &mut Follow) -> String {
    let mut round = tokio::time::timeout(Duration::from_secs(20), follow.next())
        .await
        .expect("a round in time")
        .unwrap();
    let mut text = String::new();
    for batch in round.rows.collect().await.unwrap() {
        text.push_str(&CsvWriter::new().rows(&batch).unwrap());
    }
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join(";")
}

/// The rows that there are now, sorted.
async fn now(follow: &mut Follow) -> String {
    let mut text = String::new();
    while let Some(mut round) = follow.round().await.unwrap() {
        for batch in round.rows.collect().await.unwrap() {
            text.push_str(&CsvWriter::new().rows(&batch).unwrap());
        }
    }
    text
}

/// Rounds until `rows` rows came, sorted.
async fn some(follow: &mut Follow, rows: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    while lines.len() < rows {
        let more = next(follow).await;
        lines.extend(
            more.split(';')
                .filter(|line| !line.is_empty())
                .map(str::to_owned),
        );
    }
    lines.sort_unstable();
    lines.join(";")
}

fn at(id: i64, minutes: i64) -> Sale {
    let mut sale = sale(id, "north", 100);
    sale.sold_at = TimestampMicros(1_700_000_400_000_000 + minutes * 60_000_000);
    sale
}

async fn publish(sales: &TypedProducer<Sale>, records: impl IntoIterator<Item = Sale>) {
    send(sales, records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_once_as_they_are_published() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    let stores = platform.publish::<StoreProfile>().await;
    send(&stores, [store("north", "Oslo", 1)]).await;
    publish(&sales, (0..5).map(|id| sale(id, "north", 1))).await;
    let engine = platform.engine();
    let sql = "SELECT sale_id, city FROM shop.sales LEFT JOIN shop.stores USING (store) \
        WHERE sale_id % 2 = 1";
    let mut all = follow(&engine, sql, FollowFrom::Beginning).await;
    let mut new = follow(&engine, sql, FollowFrom::Now).await;
    assert_eq!(next(&mut all).await, "1,Oslo;3,Oslo");
    assert!(all.round().await.unwrap().is_none());
    publish(&sales, (5..10).map(|id| sale(id, "south", 1))).await;
    assert_eq!(some(&mut all, 3).await, "5,;7,;9,");
    assert_eq!(some(&mut new, 3).await, "5,;7,;9,");

    // Another run goes on where this one was.
    let position = all.position().clone();
    publish(&sales, (10..12).map(|id| sale(id, "north", 1))).await;
    assert_eq!(some(&mut all, 1).await, "11,Oslo");
    let mut again = follow(&engine, sql, FollowFrom::Position(position)).await;
    assert_eq!(some(&mut again, 1).await, "11,Oslo");
    assert!(again.round().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_give_their_rows_when_they_are_over() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    let engine = platform.engine();
    let sql = "SELECT date_bin(INTERVAL '10 minutes', sold_at) AS window_start, store, \
        count(*) AS n, sum(amount) AS total FROM shop.sales GROUP BY 1, 2";
    // Ten minutes from 0; a record is in time for a minute more.
    publish(&sales, [at(1, 0), at(2, 5), at(3, 9), at(4, 10)]).await;
    let mut windows = follow(&engine, sql, FollowFrom::Beginning).await;
    assert_eq!(now(&mut windows).await, "", "no window is over");
    publish(&sales, [at(5, 8), at(6, 11)]).await;
    assert_eq!(
        some(&mut windows, 1).await,
        "2023-11-14T22:20:00+00:00,north,4,4.00"
    );
    let position = windows.position().clone();
    // One that is too late is in no window, and counted.
    publish(&sales, [at(7, 3), at(8, 12)]).await;
    assert_eq!(now(&mut windows).await, "");
    assert_eq!(windows.late(), 1);
    publish(&sales, [at(9, 45)]).await;
    let expected = "2023-11-14T22:30:00+00:00,north,3,3.00";
    assert_eq!(some(&mut windows, 1).await, expected);
    let mut again = follow(&engine, sql, FollowFrom::Position(position)).await;
    assert_eq!(some(&mut again, 1).await, expected);
    // From now on: the window that is under way was not seen from its beginning.
    let mut now = follow(&engine, sql, FollowFrom::Now).await;
    publish(&sales, [at(10, 46), at(11, 51), at(12, 62)]).await;
    assert_eq!(
        some(&mut now, 1).await,
        "2023-11-14T23:10:00+00:00,north,1,1.00"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_are_never_complete_are_refused() {
    let platform = Platform::start().await;
    platform.publish::<Sale>().await;
    platform.publish::<StoreProfile>().await;
    let engine = platform.engine();
    for sql in [
        "SELECT count(*) FROM shop.sales",
        "SELECT store, count(*) FROM shop.sales GROUP BY store",
        "SELECT DISTINCT store FROM shop.sales",
        "SELECT sale_id FROM shop.sales ORDER BY 1",
        "SELECT sale_id FROM shop.sales LIMIT 5",
        "SELECT rank() OVER (ORDER BY amount) FROM shop.sales",
        "SELECT a.sale_id FROM shop.sales a JOIN shop.sales b USING (sale_id)",
        "SELECT city FROM shop.stores LEFT JOIN shop.sales USING (store)",
        "SELECT sale_id FROM shop.sales WHERE amount > (SELECT avg(amount) FROM shop.sales)",
        "SELECT date_bin(INTERVAL '1 month', sold_at), count(*) FROM shop.sales GROUP BY 1",
        "SELECT city FROM shop.stores",
        "SELECT 1",
    ] {
        let refused = engine
            .follow(
                access(),
                sql,
                QueryOptions::default(),
                FollowOptions::default(),
            )
            .await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unsupported, "{sql}");
    }
}
