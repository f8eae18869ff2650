//! Connections and what they set.

use mesh_core::ErrorKind;
use mesh_query::render::CsvWriter;
use mesh_query::{Answer, Connection, CorruptRecords, ScalarValue, Settings};

use crate::harness::{Platform, Sale, sale, send, send_raw};

async fn rows(connection: &Connection, sql: &str) -> String {
    match connection.run(sql).await.unwrap() {
        Answer::Done(word) => word.to_owned(),
        Answer::Rows(mut rows) => {
            let mut text = String::new();
            for batch in rows.collect().await.unwrap() {
                text.push_str(&CsvWriter::new().rows(&batch).unwrap());
            }
            text.trim_end().replace("\r\n", ";")
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_says_for_what_it_reads() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..10).map(|id| sale(id, "north", 1))).await;
    let engine = platform.engine();
    let connection = engine.connect("anna".parse().unwrap(), Settings::default());
    let error = connection
        .run("SELECT count(*) FROM shop.sales")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.mend_text().unwrap().contains("SET mesh.purpose"));

    assert_eq!(rows(&connection, "SHOW mesh.purpose").await, "\"\"");
    assert_eq!(
        rows(&connection, "SET mesh.purpose = 'fraud_review'").await,
        "SET"
    );
    assert_eq!(rows(&connection, "SHOW mesh.purpose").await, "fraud_review");
    assert_eq!(
        rows(&connection, "SELECT count(*) FROM shop.sales").await,
        "10"
    );
    let all = rows(&connection, "SHOW ALL").await;
    assert!(
        all.starts_with("mesh.as_of,\"\",") && all.contains("mesh.purpose,fraud_review,"),
        "{all}"
    );
    for word in ["BEGIN", "COMMIT", "ROLLBACK"] {
        assert_eq!(rows(&connection, word).await, word);
    }

    // What one has set is nothing to another.
    let other = engine.connect("ben".parse().unwrap(), Settings::default());
    assert_eq!(rows(&other, "SHOW mesh.purpose").await, "\"\"");
    assert_eq!(rows(&connection, "DISCARD ALL").await, "DISCARD ALL");
    assert_eq!(connection.settings(), Settings::default());

    for sql in [
        "SET datafusion.execution.batch_size = 1",
        "SHOW datafusion.execution.batch_size",
        "SET mesh.corrupt_records = 'sometimes'",
        "SET ROLE admin",
    ] {
        assert!(connection.run(sql).await.is_err(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_described_and_bound() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..10).map(|id| sale(id, "north", 1))).await;
    let mut settings = Settings::default();
    settings.set("mesh.purpose", Some("analysis")).unwrap();
    let connection = platform.engine().connect("anna".parse().unwrap(), settings);
    let sql = "SELECT sale_id FROM shop.sales WHERE sale_id > $1 AND store = $2 ORDER BY 1";
    let described = connection.describe(sql).await.unwrap();
    assert_eq!(described.schema.unwrap().field(0).name(), "sale_id");
    let types: Vec<String> = described
        .parameters
        .iter()
        .map(|of| of.as_ref().map_or("?".into(), ToString::to_string))
        .collect();
    assert_eq!(types, ["Int64", "Utf8"]);
    let values = vec![ScalarValue::Int64(Some(7)), ScalarValue::from("north")];
    let Answer::Rows(mut answer) = connection.run_with(sql, values).await.unwrap() else {
        panic!("no rows");
    };
    let batches = answer.collect().await.unwrap();
    assert_eq!(
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        2
    );
    let error = connection
        .run_with(sql, vec![ScalarValue::Int64(Some(7))])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_may_choose_to_pass_over_what_cannot_be_read() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..10).map(|id| sale(id, "north", 100))).await;
    let bad = send_raw(
        &platform,
        "shop.sales.v1",
        1,
        b"key",
        Some(vec![0, 0, 0, 0, 1, 7]),
    )
    .await;
    send_raw(&platform, "shop.sales.v1", 0, b"key", None).await;
    send(&sales, (10..20).map(|id| sale(id, "north", 100))).await;
    let mut settings = Settings::default();
    settings.set("mesh.purpose", Some("analysis")).unwrap();
    let engine = platform.engine();
    let connection = engine.connect("anna".parse().unwrap(), settings);
    let Answer::Rows(mut answer) = connection
        .run("SELECT sum(amount) FROM shop.sales WHERE _partition = 1")
        .await
        .unwrap()
    else {
        panic!("no rows");
    };
    let error = answer.collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let context: Vec<String> = error
        .context()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    for part in [
        "topic=shop.sales.v1",
        "partition=1",
        &format!("offset={bad}"),
    ] {
        assert!(context.iter().any(|is| is == part), "{context:?}");
    }

    connection
        .set("mesh.corrupt_records", Some("skip"))
        .unwrap();
    assert_eq!(connection.settings().corrupt, CorruptRecords::Skip);
    for (sql, expected) in [
        (
            "SELECT sum(amount), max(_offset) >= 0 FROM shop.sales",
            "20.00,true",
        ),
        ("SELECT count(DISTINCT sale_id) FROM shop.sales", "20"),
    ] {
        let Answer::Rows(mut answer) = connection.run(sql).await.unwrap() else {
            panic!("no rows");
        };
        let batches = answer.collect().await.unwrap();
        let text = CsvWriter::new().rows(&batches[0]).unwrap();
        assert_eq!(text.trim_end(), expected, "{sql}");
        assert_eq!(answer.stats().records_skipped, 2, "{sql}");
    }
}
