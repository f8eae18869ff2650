//! The log of a state product.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMicrosecondType,
};
use mesh_history::{At, DELETED, OFFSET, PARTITION};
use serde_json::json;

use crate::harness::{Platform, STORES, read_file};

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_tombstones_are_kept_with_their_keys() {
    let platform = Platform::start().await;
    let product = platform.product(STORES).await;
    let (history, writer) = platform.writer(platform.config());
    let full = json!({
        "store": "north", "floor": 2, "visits": 7, "opened_on": "2001-02-03",
        "labels": ["a", "b"], "manager": {"name": "Jo", "since": "2020-01-01T00:00:00.000Z"},
        "opens_at": "08:30:00.000", "closes_at": "20:00:00.000001", "weight": 1.5,
        "stock": {"ink": 3},
    });
    let empty = json!({
        "store": "south", "floor": 1, "visits": 0, "opened_on": null, "labels": [],
        "manager": null, "opens_at": null, "closes_at": null, "weight": null, "stock": {},
    });
    platform.send(&product, [full.clone(), empty.clone()]).await;
    for row in [&full, &empty] {
        let sent = platform
            .producer
            .send(product.tombstone(row))
            .await
            .unwrap();
        sent.await.unwrap();
    }
    platform.send(&product, [empty.clone()]).await;
    // A tombstone whose key says nothing.
    let mut strange = product.tombstone(&full);
    strange.key = b"nonsense"[..].into();
    let strange = platform
        .producer
        .send(strange)
        .await
        .unwrap()
        .await
        .unwrap();
    let passed = writer.pass(&product.source()).await.unwrap();
    assert_eq!((passed.rows, passed.unreadable), (5, 1));
    let snapshot = product.snapshot(&history, At::Latest).await;
    let told = snapshot.unreadable[0].range;
    assert_eq!((told.partition, told.first), strange);

    let mut batches: Vec<RecordBatch> = Vec::new();
    for file in snapshot.files.iter() {
        batches.extend(read_file(&snapshot, file).await);
    }
    let all = concat_batches(&batches[0].schema(), &batches).unwrap();
    let column = |name: &str| all.column_by_name(name).unwrap();
    let text = |name: &str, row: usize| column(name).as_string::<i32>().value(row).to_owned();
    let mut told: Vec<(String, i32, bool)> = (0..all.num_rows())
        .map(|row| {
            let floor = column("floor").as_primitive::<Int32Type>().value(row);
            let deleted = column(DELETED).as_boolean().value(row);
            assert_eq!(column("visits").is_null(row), deleted);
            assert_eq!(column("stock").is_null(row), deleted);
            (text("store", row), floor, deleted)
        })
        .collect();
    told.sort();
    let of = |store: &str, floor, deleted| (store.to_owned(), floor, deleted);
    assert_eq!(
        told,
        [
            of("north", 2, false),
            of("north", 2, true),
            of("south", 1, false),
            of("south", 1, false),
            of("south", 1, true),
        ]
    );
    // Every type comes back.
    let row = (0..all.num_rows())
        .find(|row| text("store", *row) == "north" && column("visits").is_valid(*row))
        .unwrap();
    assert_eq!(column("visits").as_primitive::<Int64Type>().value(row), 7);
    assert_eq!(
        column("weight").as_primitive::<Float64Type>().value(row),
        1.5
    );
    let opened = column("opened_on")
        .as_primitive::<Date32Type>()
        .value_as_date(row);
    assert_eq!(opened.unwrap().to_string(), "2001-02-03");
    let time = cast(
        column("opens_at"),
        product
            .descriptor
            .arrow
            .field_with_name("opens_at")
            .unwrap()
            .data_type(),
    );
    let time = time
        .unwrap()
        .as_primitive::<Time32MillisecondType>()
        .value(row);
    assert_eq!(time, 30_600_000);
    let time = column("closes_at").as_primitive::<Int64Type>().value(row);
    assert_eq!(time, 72_000_000_001);
    let labels = column("labels").as_list::<i32>().value(row);
    assert_eq!(
        labels
            .as_string::<i32>()
            .iter()
            .flatten()
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    let manager = column("manager").as_struct();
    assert_eq!(manager.column(0).as_string::<i32>().value(row), "Jo");
    let since = manager
        .column(1)
        .as_primitive::<TimestampMicrosecondType>()
        .value(row);
    assert_eq!(since, 1_577_836_800_000_000);
    let stock = column("stock").as_map().value(row);
    assert_eq!(stock.column(0).as_string::<i32>().value(0), "ink");
    assert_eq!(stock.column(1).as_primitive::<Int32Type>().value(0), 3);
    assert!(matches!(column(PARTITION).data_type(), DataType::Int32));
    assert!(matches!(column(OFFSET).data_type(), DataType::Int64));
}
