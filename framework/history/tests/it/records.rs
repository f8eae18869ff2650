//! Records that cannot be read, or are gone.

use mesh_history::{Absent, At, OffsetRange};

use crate::harness::{Platform, SALES, rows, sale, sales};

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_is_told_and_stops_nothing() {
    let platform = Platform::start().await;
    let product = platform.product(SALES).await;
    let (history, writer) = platform.writer(platform.config());
    platform.send(&product, sales(0..100)).await;
    let mut bad = Vec::new();
    // No frame; a frame of no schema; a value that ends too early; an event without a value.
    let value = product.record(&sale(5, 5)).value.unwrap();
    for bytes in [
        Some(b"nonsense".to_vec()),
        Some(vec![0, 0, 0, 0x7f, 0x7f, 1]),
        Some(value[..value.len() - 1].to_vec()),
        None,
    ] {
        bad.push(platform.send_raw(&product, bytes).await);
    }
    platform.send(&product, sales(100..200)).await;
    let passed = writer.pass(&product.source()).await.unwrap();
    assert_eq!((passed.rows, passed.unreadable), (200, 4));
    bad.push(platform.send_raw(&product, Some(b"more".to_vec())).await);
    writer.pass(&product.source()).await.unwrap();
    let (other, _) = platform.writer(platform.config());
    for history in [&history, &other] {
        let snapshot = product.snapshot(history, At::Latest).await;
        assert_eq!(rows(&snapshot).await.len(), 200);
        let told: u64 = snapshot.unreadable.iter().map(|absent| absent.count).sum();
        assert_eq!(told, 5);
        for (partition, offset) in &bad {
            assert!(snapshot.unreadable.iter().any(|absent| {
                absent.range.partition == *partition
                    && (absent.range.first..=absent.range.last).contains(offset)
            }));
        }
    }
    // The commit names them.
    let log = platform
        .root()
        .join(format!("{}/sales_v1/_delta_log", platform.domain));
    let commits = log.read_dir().unwrap().flatten();
    let named: Vec<serde_json::Value> = commits
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .filter_map(|text| serde_json::from_str(text.lines().next()?).ok())
        .flat_map(|line: serde_json::Value| {
            let records = line["commitInfo"]["meshUnreadable"]["records"].clone();
            records.as_array().cloned().unwrap_or_default()
        })
        .collect();
    assert_eq!(named.len(), 5);
    for (partition, offset) in bad {
        assert!(named.contains(&serde_json::json!([partition, offset])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instant_that_the_table_has_no_room_for_is_told() {
    let platform = Platform::start().await;
    let text = crate::harness::SALES.replace("timestamp-micros", "timestamp-millis");
    let product = platform.product(&text).await;
    let (history, writer) = platform.writer(platform.config());
    platform.send(&product, sales(0..10)).await;
    // Patched: the last long before the note is `sold_at`, and the note is null.
    let sale = serde_json::json!({
        "sale_id": 1, "store": "", "amount": "0.00", "status": "OPEN",
        "sold_at": "1970-01-01T00:00:00.000Z", "note": null,
    });
    let mut value = product.record(&sale).value.unwrap().to_vec();
    assert_eq!(value[value.len() - 2..], [0, 0]);
    value.truncate(value.len() - 2);
    // The greatest long in zigzag.
    value.extend([
        0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0,
    ]);
    let (partition, offset) = platform.send_raw(&product, Some(value)).await;
    let passed = writer.pass(&product.source()).await.unwrap();
    assert_eq!((passed.rows, passed.unreadable), (10, 1));
    let snapshot = product.snapshot(&history, At::Latest).await;
    let range = OffsetRange {
        partition,
        first: offset,
        last: offset,
    };
    assert_eq!(snapshot.unreadable, [Absent { range, count: 1 }]);
}
