//! Files merged, expired and left out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::Utc;
use mesh_core::contract::Retention;
use mesh_history::{At, ColumnRange, HistorySnapshot, Value};

use crate::harness::{
    FIRST, Platform, Product, SALES, STEP, check_sales, read_file, rows, sale, sales,
};

fn sold_between(from: i64, to: i64) -> [ColumnRange; 1] {
    [ColumnRange {
        column: "sold_at".to_owned(),
        min: Some(Value::Timestamp(FIRST + from * STEP)),
        max: Some(Value::Timestamp(FIRST + to * STEP)),
    }]
}

/// How many files hold one instant at most.
fn depth(snapshot: &HistorySnapshot) -> usize {
    let bounds = |file: &mesh_history::DataFile| {
        let stats = &file.columns["sold_at"];
        match (&stats.min, &stats.max) {
            (Some(Value::Timestamp(min)), Some(Value::Timestamp(max))) => (*min, *max),
            _ => panic!("no bounds"),
        }
    };
    let all: Vec<_> = snapshot.files.iter().map(|file| bounds(file)).collect();
    let at = |instant: i64| {
        all.iter()
            .filter(|(min, max)| *min <= instant && instant < *max)
            .count()
    };
    all.iter().map(|(min, _)| at(*min)).max().unwrap_or(0)
}

async fn sorted_by_time(snapshot: &HistorySnapshot) {
    use arrow::array::AsArray;
    use arrow::datatypes::TimestampMicrosecondType;
    for file in snapshot.files.iter() {
        let mut last = i64::MIN;
        for batch in read_file(snapshot, file).await {
            let times = batch.column_by_name("sold_at").unwrap();
            for time in times.as_primitive::<TimestampMicrosecondType>().values() {
                assert!(*time >= last);
                last = *time;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_merged_beside_writers_and_readers() {
    let platform = Platform::start().await;
    let product = Arc::new(platform.product(SALES).await);
    let (history, writer) = platform.writer(platform.config());
    let reference = product.source().product_ref();
    platform.send(&product, sales(0..1000)).await;
    writer.pass(&product.source()).await.unwrap();
    let old = product.snapshot(&history, At::Latest).await;

    let done = Arc::new(AtomicBool::new(false));
    let merging = tokio::spawn({
        let done = Arc::clone(&done);
        // A process of its own, as far as the table knows.
        let (history, _) = platform.writer(platform.config());
        let reference = reference.clone();
        async move {
            let mut merged = 0;
            while !done.load(Ordering::Relaxed) {
                merged += history.compact(&reference).await.unwrap().merged;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            merged
        }
    });
    for part in 1..40 {
        platform
            .send(&product, sales(part * 1000..(part + 1) * 1000))
            .await;
        writer.pass(&product.source()).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    let merged = merging.await.unwrap();
    assert!(merged > 8, "{merged} files");
    // Whoever began before reads what was there then.
    check_sales(&old, 0..1000).await;
    let before = product.snapshot(&history, At::Latest).await;
    history.compact(&reference).await.unwrap();
    let snapshot = product.snapshot(&history, At::Latest).await;
    check_sales(&before, 0..40_000).await;
    check_sales(&snapshot, 0..40_000).await;
    sorted_by_time(&snapshot).await;
    let config = platform.config();
    assert!(snapshot.files.len() < 60, "{} files", snapshot.files.len());
    assert!(depth(&snapshot) <= 20, "{} files deep", depth(&snapshot));
    let large = snapshot
        .files
        .iter()
        .filter(|file| file.size > config.file_bytes * 3 / 2);
    assert_eq!(large.count(), 0);
    // Nothing is left to do.
    let again = history.compact(&reference).await.unwrap();
    assert_eq!(again.merged, 0);
    // The time of grace is not over: nothing is deleted that the old reader needs.
    assert_eq!(history.clean(&reference).await.unwrap().deleted, 0);
    check_sales(&old, 0..1000).await;
    // A new process goes on where it was.
    let (other, writer) = platform.writer(platform.config());
    platform.send(&product, sales(40_000..40_100)).await;
    assert_eq!(writer.pass(&product.source()).await.unwrap().rows, 100);
    check_sales(&product.snapshot(&other, At::Latest).await, 0..40_100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_merge_at_once_double_nothing() {
    let platform = Platform::start().await;
    let product = platform.product(SALES).await;
    let mut config = platform.config();
    config.buffer_bytes = 4 * 1024;
    let (history, writer) = platform.writer(config.clone());
    let reference = product.source().product_ref();
    for part in 0..10 {
        platform
            .send(&product, sales(part * 2000..(part + 1) * 2000))
            .await;
        writer.pass(&product.source()).await.unwrap();
    }
    let merges = (0..3).map(|_| {
        let (history, _) = platform.writer(config.clone());
        let reference = reference.clone();
        tokio::spawn(async move { history.compact(&reference).await })
    });
    let mut done = 0;
    for merge in futures::future::join_all(merges).await {
        match merge.unwrap() {
            Ok(_) => done += 1,
            Err(error) => assert_eq!(error.kind(), mesh_core::ErrorKind::Conflict, "{error:?}"),
        }
    }
    assert!(done > 0);
    check_sales(&product.snapshot(&history, At::Latest).await, 0..20_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_range_of_event_time_needs_few_files() {
    let platform = Platform::start().await;
    let product = platform.product(SALES).await;
    let (history, writer) = platform.writer(platform.config());
    let reference = product.source().product_ref();
    // Read one partition after the other, so that the files overlap at first.
    platform.send(&product, sales(0..60_000)).await;
    writer.pass(&product.source()).await.unwrap();
    history.compact(&reference).await.unwrap();
    let snapshot = product.snapshot(&history, At::Latest).await;
    check_sales(&snapshot, 0..60_000).await;
    let picked = snapshot.files_matching(&sold_between(30_000, 30_300));
    assert!(!picked.is_empty());
    assert!(
        picked.len() * 6 <= snapshot.files.len(),
        "{} of {} files",
        picked.len(),
        snapshot.files.len()
    );
    // What was left out has none of them.
    let mut found = 0;
    for file in &picked {
        for batch in read_file(&snapshot, file).await {
            use arrow::array::AsArray;
            let ids = batch.column_by_name("sale_id").unwrap();
            let ids = ids.as_primitive::<arrow::datatypes::Int64Type>();
            found += ids
                .values()
                .iter()
                .filter(|id| (30_000..=30_300).contains(*id))
                .count();
        }
    }
    assert_eq!(found, 301);
    assert!(
        snapshot
            .files_matching(&sold_between(70_000, 70_001))
            .is_empty()
    );
    assert_eq!(snapshot.files_matching(&[]).len(), snapshot.files.len());
    let range = |column: &str, min, max| {
        let column = column.to_owned();
        snapshot
            .files_matching(&[ColumnRange { column, min, max }])
            .len()
    };
    let all = snapshot.files.len();
    // Classified columns have no bounds; offsets, amounts and texts have.
    assert_eq!(range("note", Some(Value::Text("zzz".into())), None), all);
    assert_eq!(range("store", Some(Value::Text("zzz".into())), None), 0);
    assert_eq!(range("_offset", None, Some(Value::Int(-1))), 0);
    assert!(range("amount", None, Some(Value::Decimal(700, 2))) < all);
    assert_eq!(
        range("_partition", Some(Value::Int(0)), Some(Value::Int(2))),
        all
    );
    assert_eq!(range("_timestamp", Some(Value::Timestamp(0)), None), all);
    assert_eq!(range("_timestamp", None, Some(Value::Timestamp(0))), 0);
}

async fn send_at(platform: &Platform, product: &Product, ids: std::ops::Range<i64>, millis: i64) {
    for id in ids {
        let mut record = product.record(&sale(id, id * 7 + 1));
        record.timestamp = Some(millis);
        drop(platform.producer.send(record).await.unwrap());
    }
    platform
        .producer
        .flush(Duration::from_secs(60))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_expire_by_the_contract_s_retention() {
    let platform = Platform::start().await;
    let product = platform.product(SALES).await;
    let mut config = platform.config();
    config.slack = Duration::ZERO;
    config.grace = Duration::ZERO;
    let (history, writer) = platform.writer(config);
    let reference = product.source().product_ref();
    let retention = product.descriptor.contract.retention;
    assert_eq!(retention, Retention::Millis(30 * 86_400_000));
    let day = |days: i64| Utc::now().timestamp_millis() - days * 86_400_000;
    // The topic keeps what is older for now: its segments are deleted as a whole, and later.
    send_at(&platform, &product, 0..200, day(40)).await;
    writer.pass(&product.source()).await.unwrap();
    send_at(&platform, &product, 200..300, day(31)).await;
    send_at(&platform, &product, 300..500, day(1)).await;
    writer.pass(&product.source()).await.unwrap();
    let before = product.snapshot(&history, At::Latest).await;
    check_sales(&before, 0..500).await;
    let nothing = history
        .expire(&reference, Retention::Unlimited)
        .await
        .unwrap();
    assert_eq!(nothing, mesh_history::Maintained::default());
    let done = history.expire(&reference, retention).await.unwrap();
    assert_eq!(done.expired_rows, 300);
    assert!(done.expired_files > 0);
    let snapshot = product.snapshot(&history, At::Latest).await;
    let mut left: Vec<_> = rows(&snapshot)
        .await
        .into_values()
        .map(|sale| sale.0)
        .collect();
    left.sort_unstable();
    assert_eq!(left, (300..500).collect::<Vec<_>>());
    assert_eq!(snapshot.ends, before.ends);
    let again = history.expire(&reference, retention).await.unwrap();
    assert_eq!(again.expired_rows, 0);
    // Then the files go, and with them the version that had them.
    let deleted = history.clean(&reference).await.unwrap().deleted;
    assert_eq!(deleted, before.files.len() as u64);
    let (other, _) = platform.writer(platform.config());
    let gone = other
        .snapshot(&reference, At::Version(before.version))
        .await;
    assert_eq!(gone.unwrap_err().kind(), mesh_core::ErrorKind::NotFound);
    assert_eq!(
        rows(&product.snapshot(&other, At::Latest).await)
            .await
            .len(),
        200
    );
}
