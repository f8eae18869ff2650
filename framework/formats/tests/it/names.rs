//! Names and formats of others are told.

use std::fs;

use mesh_formats::{SourceFormat, detect, record_name, snake_case};

#[test]
fn names_become_those_of_the_mesh() {
    for (name, expected) in [
        ("orderID", "order_id"),
        ("OrderId", "order_id"),
        ("ORDER_ID", "order_id"),
        ("Order ID (new)", "order_id_new"),
        ("HTTPServer", "http_server"),
        ("a1B2", "a1_b2"),
        ("__x__", "x"),
        ("Größe", "gr_e"),
        ("…", ""),
    ] {
        assert_eq!(snake_case(name), expected, "{name}");
    }
    for (name, expected) in [
        ("orders", "order"),
        ("credit_scores", "credit_score"),
        ("Categories", "category"),
        ("addresses", "address"),
        ("branches", "branch"),
        ("status", "status"),
        ("address", "address"),
        ("analysis", "analysis"),
        ("time_series_v2", "time_series"),
        ("orders_v2", "order"),
        ("2024", "c_2024"),
        ("…", "record"),
    ] {
        assert_eq!(record_name(name), expected, "{name}");
    }
}

#[test]
fn the_format_of_a_file_is_told_from_its_ending_and_its_json() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, text: &str, expected: SourceFormat| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        assert_eq!(detect(&path).unwrap(), expected, "{name} {text}");
    };
    check("a.avsc", "", SourceFormat::Avro);
    check("a.PROTO", "", SourceFormat::Protobuf);
    check("a.sql", "", SourceFormat::Sql);
    check("a.tsv", "", SourceFormat::Csv);
    check("a.ndjson", "", SourceFormat::Json);
    check("a.parquet", "", SourceFormat::Parquet);
    check(
        "a.json",
        r#"{"type": "record", "name": "R", "fields": []}"#,
        SourceFormat::Avro,
    );
    check("a.json", r#"{"$schema": "x"}"#, SourceFormat::JsonSchema);
    check(
        "a.json",
        r#"{"type": "object", "properties": {}}"#,
        SourceFormat::JsonSchema,
    );
    check("a.json", r#"[{"type": "record"}]"#, SourceFormat::Json);
    check(
        "a.json",
        r#"{"type": "object", "id": 1}"#,
        SourceFormat::Json,
    );
    check("a.json", "{\"a\": 1}\n{\"a\": 2}", SourceFormat::Json);
    let error = detect(&folder.path().join("a.xls"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("a.xls") && error.contains("--format"),
        "{error}"
    );
}
