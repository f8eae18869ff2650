//! Rows that say that a row is gone.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::json;

use super::bridge::product;
use super::harness::Mesh;
use super::http::post_to;

const COLUMNS: &str =
    "      - {name: article, logicalType: integer, primaryKey: true, primaryKeyPosition: 1, required: true}
      - {name: place, logicalType: string, required: true, enum: [{value: HALL}, {value: YARD}]}
      - {name: pieces, logicalType: integer, required: true}
";

/// The rows that every source here tells.
const TOLD: [&str; 4] = [
    r#"{"article":1,"place":"HALL","pieces":5}"#,
    r#"{"article":2,"place":"YARD","pieces":7}"#,
    r#"deleted {"article":1}"#,
    r#"{"article":1,"place":"YARD","pieces":2}"#,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_files_that_are_gone_are_deleted() {
    for ending in ["csv", "jsonl", "parquet"] {
        let mesh = Mesh::start().await;
        let file = format!("stock.{ending}");
        let source = format!("[{{ type: file, path: in/{file}, deleted: gone }}]");
        product(&mesh, "stock", "1.0.0", &source, COLUMNS);
        match ending {
            "csv" => mesh.write(
                &file,
                "article,gone,place,pieces\n1,,HALL,5\n2,FALSE,YARD,7\n1,true,,\n1,0,YARD,2\n",
            ),
            "jsonl" => mesh.write(
                &file,
                "{\"article\":1,\"place\":\"HALL\",\"pieces\":5}
{\"article\":2,\"place\":\"YARD\",\"pieces\":7,\"gone\":false}
{\"gone\":true,\"article\":1}
{\"article\":1,\"place\":\"YARD\",\"pieces\":2,\"gone\":null}
",
            ),
            _ => parquet(&mesh, &file),
        }
        let hosted = mesh.run().await;
        hosted
            .until(ending, |status| {
                status["sources"][0]["done"] == true && status["outbox_pending"] == 0
            })
            .await;
        hosted.stop().await;
        let topic = format!("{}.stock.v1", mesh.name);
        assert_eq!(mesh.json(&topic, "stock").await, TOLD, "{ending}");
    }
}

fn parquet(mesh: &Mesh, file: &str) {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("article", Arc::new(Int64Array::from(vec![1, 2, 1, 1]))),
        (
            "place",
            Arc::new(StringArray::from(vec![
                Some("HALL"),
                Some("YARD"),
                None,
                Some("YARD"),
            ])),
        ),
        (
            "pieces",
            Arc::new(Int64Array::from(vec![Some(5), Some(7), None, Some(2)])),
        ),
        (
            "gone",
            Arc::new(BooleanArray::from(vec![
                None,
                Some(false),
                Some(true),
                None,
            ])),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = File::create(mesh.folder().join("in").join(file)).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_sent_as_gone_are_deleted() {
    let mesh = Mesh::start().await;
    let source = "[{ type: http, deleted: gone }]";
    product(&mesh, "stock", "1.0.0", source, COLUMNS);
    let hosted = mesh.run().await;
    hosted
        .until("ready", |status| status["ready"] == true)
        .await;
    let rows = r#"[{"article":1,"place":"HALL","pieces":5},
        {"article":2,"place":"YARD","pieces":7,"gone":false},
        {"gone":true,"article":1},
        {"article":1,"place":"YARD","pieces":2,"gone":null}]"#;
    // Wrong in whatever way, nothing of it is taken.
    for (broken, part) in [
        (
            r#"[{"article":3,"place":"HALL","pieces":1},{"gone":true}]"#,
            "row 2: article",
        ),
        (
            r#"{"article":3,"gone":"SECRET"}"#,
            "row 1: gone: whether a row is gone",
        ),
    ] {
        let (status, problem) = post_to(&hosted, "stock", None, broken).await;
        let text = problem.to_string();
        assert_eq!(status, 400, "{text}");
        assert!(text.contains(part) && !text.contains("SECRET"), "{text}");
    }
    for _ in 0..2 {
        let answer = post_to(&hosted, "stock", Some("k"), rows).await;
        assert_eq!(answer, (200, json!({"accepted": 4})));
    }
    hosted
        .until("published", |status| status["outbox_pending"] == 0)
        .await;
    hosted.stop().await;
    let topic = format!("{}.stock.v1", mesh.name);
    assert_eq!(mesh.json(&topic, "stock").await, TOLD);
}
