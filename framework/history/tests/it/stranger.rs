//! Programs that know nothing of us read the table: delta-rs and DuckDB, in Python.

use mesh_history::At;
use serde_json::{Value as Json, json};

use crate::harness::{FIRST, Platform, SALES, STEP, check_sales, sales};

#[tokio::test(flavor = "multi_thread")]
async fn delta_rs_and_duckdb_read_the_same() {
    let Some(python) = std::env::var_os("MESH_CLIENT_PYTHON") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "MESH_CLIENT_PYTHON is not set"
        );
        eprintln!("skipped: MESH_CLIENT_PYTHON is not set");
        return;
    };
    let platform = Platform::start().await;
    let product = platform.product(SALES).await;
    let (history, writer) = platform.writer(platform.config());
    let reference = product.source().product_ref();
    const ROWS: i64 = 12_000;
    // The first commit with rows is version 1.
    for part in 0..24 {
        platform
            .send(&product, sales(part * 500..(part + 1) * 500))
            .await;
        writer.pass(&product.source()).await.unwrap();
        if part == 12 {
            history.compact(&reference).await.unwrap();
        }
    }
    let snapshot = product.snapshot(&history, At::Latest).await;
    check_sales(&snapshot, 0..ROWS).await;
    let ask = |what: &str| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/read.py");
        let output = std::process::Command::new(&python)
            .args([script, snapshot.url.as_str(), what])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        serde_json::from_slice::<Json>(&output.stdout).unwrap()
    };
    let found = ask(&snapshot.version.to_string());
    let cents: i64 = (0..ROWS).map(|id| id * 7 + 1).sum();
    let time = |id: i64| {
        let time = chrono::DateTime::from_timestamp_micros(FIRST + id * STEP).unwrap();
        time.format("%Y-%m-%d %H:%M:%S").to_string()
    };
    let expected = json!([
        ROWS,
        format!("{}.{:02}", cents / 100, cents % 100),
        (0..ROWS).sum::<i64>(),
        ROWS,
        ROWS / 3,
        time(0),
        time(ROWS - 1),
        ROWS / 2,
    ]);
    assert_eq!(found["delta"], expected);
    assert_eq!(found["duckdb"], expected);
    if found["extension"].is_null() {
        eprintln!("DuckDB's extension for Delta is not installed: it read the files' list");
    } else {
        assert_eq!(found["extension"], expected);
    }
    assert_eq!(found["earlier"], 500);
    assert_eq!(found["pruned"], 100);
    assert_eq!(found["files"], snapshot.files.len());
    assert_eq!(found["comment"], "The sale's number.");
    assert_eq!(found["name"], format!("{}.sales", platform.domain));
    let columns: Vec<_> = snapshot
        .schema
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    assert_eq!(found["columns"], json!(columns));

    // Its merging and cleaning up are borne: the ends stay, and writing goes on.
    assert!(ask("merge")["removed"].as_u64().unwrap() > 1);
    let merged = product.snapshot(&history, At::Latest).await;
    assert!(merged.version > snapshot.version && merged.files.len() < snapshot.files.len());
    check_sales(&merged, 0..ROWS).await;
    platform.send(&product, sales(ROWS..ROWS + 100)).await;
    assert_eq!(writer.pass(&product.source()).await.unwrap().rows, 100);
    let (other, _) = platform.writer(platform.config());
    let after = product.snapshot(&other, At::Latest).await;
    check_sales(&after, 0..ROWS + 100).await;
}
