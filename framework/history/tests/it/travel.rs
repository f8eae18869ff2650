//! Earlier states, and columns that come.

use arrow::array::Array;
use chrono::{Duration, Utc};
use mesh_core::ErrorKind;
use mesh_history::At;
use serde_json::json;

use crate::harness::{Platform, SALES, SALES_WIDER, check_sales, read_file, rows, sale, sales};

#[tokio::test(flavor = "multi_thread")]
async fn earlier_states_are_read_by_version_and_by_time() {
    let platform = Platform::start().await;
    let product = platform.product(SALES).await;
    let (history, writer) = platform.writer(platform.config());
    let reference = product.source().product_ref();
    let before = Utc::now() - Duration::milliseconds(5);
    let mut states = Vec::new();
    for part in 0..25 {
        platform
            .send(&product, sales(part * 10..(part + 1) * 10))
            .await;
        writer.pass(&product.source()).await.unwrap();
        let snapshot = product.snapshot(&history, At::Latest).await;
        states.push((snapshot.version, snapshot.committed, (part + 1) * 10));
        if part % 10 == 9 {
            history.compact(&reference).await.unwrap();
        }
    }
    let (other, _) = platform.writer(platform.config());
    for history in [&history, &other] {
        for (version, committed, until) in &states {
            for at in [At::Version(*version), At::Time(*committed)] {
                let snapshot = product.snapshot(history, at).await;
                assert_eq!(
                    (snapshot.version, snapshot.committed),
                    (*version, *committed)
                );
                check_sales(&snapshot, 0..*until).await;
            }
        }
        let (last, _, until) = states.last().unwrap();
        let future = At::Time(Utc::now() + Duration::days(1));
        check_sales(&product.snapshot(history, future).await, 0..*until).await;
        assert!(
            history
                .snapshot(&reference, At::Time(before))
                .await
                .unwrap()
                .is_none()
        );
        let missing = history.snapshot(&reference, At::Version(last + 10)).await;
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_column_comes_into_the_table() {
    let platform = Platform::start().await;
    let narrow = platform.product(SALES).await;
    let (history, writer) = platform.writer(platform.config());
    platform.send(&narrow, sales(0..50)).await;
    writer.pass(&narrow.source()).await.unwrap();
    let old = narrow.snapshot(&history, At::Latest).await;
    assert!(old.schema.field_with_name("channel").is_err());
    let wide = platform.product(SALES_WIDER).await;
    let mut row = sale(50, 50 * 7 + 1);
    row["channel"] = json!("shop");
    platform.send(&wide, [row]).await;
    writer.pass(&wide.source()).await.unwrap();
    // One that knows only the earlier contract goes on.
    platform.send(&narrow, sales(51..60)).await;
    writer.pass(&narrow.source()).await.unwrap();
    let snapshot = narrow.snapshot(&history, At::Latest).await;
    check_sales(&snapshot, 0..60).await;
    let field = snapshot.schema.field_with_name("channel").unwrap();
    assert!(field.is_nullable());
    assert_eq!(field.metadata()["comment"], "How it was sold.");
    let channels = async |snapshot: &mesh_history::HistorySnapshot| {
        let mut found = 0;
        for file in snapshot.files.iter() {
            for batch in read_file(snapshot, file).await {
                if let Some(column) = batch.column_by_name("channel") {
                    found += column.len() - column.null_count();
                }
            }
        }
        found
    };
    assert_eq!(channels(&snapshot).await, 1);
    // Old and new files become one.
    for part in 0..10 {
        platform
            .send(&narrow, sales(60 + part * 10..70 + part * 10))
            .await;
        writer.pass(&narrow.source()).await.unwrap();
    }
    history
        .compact(&narrow.source().product_ref())
        .await
        .unwrap();
    let merged = narrow.snapshot(&history, At::Latest).await;
    assert!(merged.files.len() < 10);
    check_sales(&merged, 0..160).await;
    assert_eq!(channels(&merged).await, 1);
    // The earlier state has its own columns.
    let past = narrow.snapshot(&history, At::Version(old.version)).await;
    assert_eq!(past.schema, old.schema);
    assert_eq!(rows(&past).await.len(), 50);
    // A column of another type needs a new major.
    let other = SALES
        .replace("physicalType: timestamp-micros", "")
        .replace("logicalType: timestamp\n", "logicalType: date\n");
    let contract = mesh_core::contract::Contract::parse(
        "contract.odcs.yaml",
        &other
            .replace("@domain@", &platform.domain)
            .replace("1.0.0", "1.2.0"),
    );
    let source = mesh_history::Source::of(contract.unwrap().into());
    let error = writer.pass(&source).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error:?}");
    assert!(error.mend_text().unwrap().contains("new major"));
}
