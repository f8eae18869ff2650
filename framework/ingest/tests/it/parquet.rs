//! Parquet files as sources.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, Int64Array, ListArray, MapBuilder,
    RecordBatch, StringArray, StringBuilder, StructArray, Time32MillisecondArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::harness::Mesh;

fn write(mesh: &Mesh, file: &str, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(700))
        .build();
    let file = File::create(mesh.folder().join("in").join(file)).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn parcels(count: i64) -> Vec<(&'static str, ArrayRef)> {
    let towns = (0..count).map(|at| ["Brno", "Praha"][at as usize % 2]);
    vec![
        ("No", Arc::new(Int64Array::from_iter_values(1..=count))),
        ("town", Arc::new(StringArray::from_iter_values(towns))),
        (
            "sent_on",
            Arc::new(Date32Array::from_iter(
                (0..count as i32).map(|at| (at % 3 > 0).then_some(at)),
            )),
        ),
        (
            "blob",
            Arc::new(BinaryArray::from_iter_values((0..count).map(|_| b"x"))),
        ),
    ]
}

const SOURCE: &str =
    "[{ type: file, path: in/parcels.parquet, columns: { No: parcel_id }, ignore: [blob] }]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_is_taken_once_over_a_restart() {
    let mesh = Mesh::start().await;
    mesh.product(SOURCE);
    write(&mesh, "parcels.parquet", parcels(2_500));
    let hosted = mesh.run().await;
    hosted
        .until("all are there", |status| {
            status["sources"][0]["done"] == true && status["outbox_pending"] == 0
        })
        .await;
    hosted.running.stop().await;
    let hosted = mesh.run().await;
    hosted
        .until("ready", |status| status["ready"] == true)
        .await;
    let rows = mesh.rows().await;
    assert_eq!(rows.len(), 2_500);
    assert_eq!(
        [&*rows[0], &*rows[1], &*rows[2_499]],
        ["1 Brno - -", "2 Praha - 1", "2500 Praha - -"]
    );
    hosted.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_has_no_place_and_a_file_that_is_none_are_named() {
    let mesh = Mesh::start().await;
    for (sources, count, parts) in [
        (
            SOURCE.replace(", ignore: [blob]", ""),
            3,
            "blob|contract has no such column",
        ),
        (
            SOURCE.replace("No: parcel_id", "No: parcel_id, town: note"),
            3,
            "town|missing in the header",
        ),
        (
            SOURCE.replace("ignore: [blob]", "ignore: []"),
            0,
            "parcels.parquet|no Parquet file",
        ),
    ] {
        mesh.product(&sources);
        match count {
            0 => mesh.write("parcels.parquet", "PAR1 and no more"),
            count => write(&mesh, "parcels.parquet", parcels(count)),
        }
        let hosted = mesh.run().await;
        let status = hosted
            .until("it is refused", |status| {
                status["sources"][0]["error"].is_string()
            })
            .await;
        let error = status["sources"][0]["error"].as_str().unwrap();
        for part in parts.split('|') {
            assert!(error.contains(part), "{part} in {error}");
        }
        hosted.running.stop().await;
    }
    mesh.product(&SOURCE.replace("ignore:", "follow: true, ignore:"));
    let error = mesh_ingest::load(&mesh.folder()).err().unwrap().to_string();
    assert!(error.contains("does not grow"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nests_comes_as_the_contract_says() {
    const COLUMNS: &str = "      - {name: id, logicalType: integer, logicalTypeOptions: {format: i64}, primaryKey: true, primaryKeyPosition: 1, required: true}
      - {name: price, logicalType: number, physicalType: \"decimal(38,2)\", customProperties: [{property: precision, value: 38}, {property: scale, value: 2}]}
      - {name: at, logicalType: timestamp, physicalType: timestamp-micros}
      - {name: opens, logicalType: time}
      - {name: marks, logicalType: array, items: {logicalType: integer, required: false}}
      - {name: words, logicalType: map, map: {key: {logicalType: string}, value: {logicalType: string, required: false}}}
      - {name: place, logicalType: object, properties: [{name: town, logicalType: string}]}
";
    let mesh = Mesh::start().await;
    super::bridge::product(
        &mesh,
        "stock",
        "1.0.0",
        "[{ type: file, path: in/all.parquet }]",
        COLUMNS,
    );
    let mut words = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    words.keys().append_value("a");
    words.values().append_null();
    words.append(true).unwrap();
    words.append(false).unwrap();
    let town: ArrayRef = Arc::new(StringArray::from(vec![Some("Brno"), None]));
    let largest = 99_999_999_999_999_999_999_999_999_999_999_999_999_i128;
    write(
        &mesh,
        "all.parquet",
        vec![
            ("id", Arc::new(Int64Array::from(vec![i64::MAX, 2]))),
            (
                "price",
                Arc::new(
                    Decimal128Array::from(vec![Some(largest), None])
                        .with_precision_and_scale(38, 2)
                        .unwrap(),
                ),
            ),
            (
                "at",
                Arc::new(TimestampMicrosecondArray::from(vec![Some(1_500_000), None])),
            ),
            (
                "opens",
                Arc::new(Time32MillisecondArray::from(vec![Some(3_600_001), None])),
            ),
            (
                "marks",
                Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([
                    Some(vec![Some(1), None]),
                    None,
                ])),
            ),
            ("words", Arc::new(words.finish())),
            (
                "place",
                Arc::new(StructArray::from(vec![(
                    Arc::new(Field::new("town", DataType::Utf8, true)),
                    town,
                )])),
            ),
        ],
    );
    let hosted = mesh.run().await;
    hosted
        .until("all are there", |status| {
            status["sources"][0]["done"] == true && status["outbox_pending"] == 0
        })
        .await;
    let mut rows = mesh.json(&format!("{}.stock.v1", mesh.name), "stock").await;
    rows.sort();
    assert_eq!(
        rows,
        [
            r#"{"id":2,"price":null,"at":null,"opens":null,"marks":null,"words":null,"place":{"town":null}}"#,
            r#"{"id":9223372036854775807,"price":"999999999999999999999999999999999999.99","at":"1970-01-01T00:00:01.500000Z","opens":"01:00:00.001","marks":[1,null],"words":{"a":null},"place":{"town":"Brno"}}"#,
        ]
    );
    hosted.running.stop().await;
}
