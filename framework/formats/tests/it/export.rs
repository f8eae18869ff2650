//! A contract in the formats of others.

use mesh_core::avro::{SchemaUse, key_schema, value_schema};
use mesh_core::contract::{Contract, DataProduct};
use mesh_formats::{Format, export};
use serde_json::{Value as Json, json};

use crate::documents::to_json;
use crate::support::{every_type, golden, root};

fn ending(name: &str) -> &str {
    match name.split(':').next().unwrap() {
        "avro" | "avro-key" => "avsc",
        "json-schema" => "schema.json",
        "protobuf" => "proto",
        "sql" => "sql",
        "markdown" => "md",
        "html" => "html",
        "dbt" => "yml",
        "arrow" | "parquet-schema" => "txt",
        other => other,
    }
}

#[test]
fn every_format_is_what_its_golden_file_says() {
    let contract = every_type();
    for (name, format) in Format::ALL {
        let text = export(&contract, None, format).unwrap();
        golden(
            &format!("{}.{}", name.replace(':', "-"), ending(name)),
            &text,
        );
        assert_eq!(name.parse::<Format>().unwrap(), format);
        assert_eq!(format.to_string(), name);
    }
    let error = "xml".parse::<Format>().unwrap_err().to_string();
    assert!(
        error.contains("`xml`") && error.contains("json-schema"),
        "{error}"
    );
}

#[test]
fn a_product_of_the_repository_is_a_page() {
    let folder = root().join("domains/customer/products/credit_scores");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let product = DataProduct::parse(
        "product.odps.yaml",
        &read("product.odps.yaml"),
        "contract.odcs.yaml",
        &read("contract.odcs.yaml"),
    )
    .unwrap();
    for format in [Format::Html, Format::Markdown] {
        let page = export(&product.contract, Some(&product.product), format).unwrap();
        for part in [
            "Credit scores",
            "1.0.0",
            "customer.credit_scores.v1",
            "primary key",
            "components[].factor",
            "HISTORY_MONTHS",
            "for ever",
            "10 s",
            "mailto:customer-data@bank.example",
        ] {
            assert!(page.contains(part), "{part:?} in the page as {format}");
        }
    }
}

#[test]
fn avro_is_what_the_runtime_registers() {
    let contract = every_type();
    let parse = |format| -> Json {
        serde_json::from_str(&export(&contract, None, format).unwrap()).unwrap()
    };
    assert_eq!(
        parse(Format::Avro),
        value_schema(&contract, SchemaUse::Write)
    );
    assert_eq!(parse(Format::AvroKey), key_schema(&contract));
}

#[test]
fn the_json_schema_takes_the_json_form_of_records_and_refuses_others() {
    let schema: Json =
        serde_json::from_str(&export(&every_type(), None, Format::JsonSchema).unwrap()).unwrap();
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    let good = json!({
        "sample_id": 1, "series": "a", "tube": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "status": "TAKEN", "count": -3, "weight": 1.5, "ratio": null, "price": "-1234.05",
        "ok": true, "taken_on": "2024-02-29", "taken_at": "2024-02-29T10:00:00.123456Z",
        "seen_at": null, "closed": "18:30:00.000001", "rates": {"a": 1.5}, "labels": ["x"], "place": {"street": "Main", "level": null},
        "steps": [{"kind": "HEAT"}],
    });
    assert!(
        validator.is_valid(&good),
        "{:?}",
        validator.iter_errors(&good).next()
    );
    for (column, bad) in [
        ("sample_id", json!(0)),
        ("series", json!(null)),
        ("tube", json!("x")),
        ("status", json!("LOST")),
        ("count", json!(1.5)),
        ("price", json!("1.234")),
        ("price", json!("12345678901.00")),
        ("taken_on", json!("29.02.2024")),
        ("closed", json!("6 pm")),
        ("rates", json!({"a": null})),
        ("labels", json!([""])),
        ("place", json!({"level": 1})),
        ("steps", json!([null])),
    ] {
        let mut record = good.clone();
        record[column] = bad.clone();
        assert!(!validator.is_valid(&record), "{column} {bad}");
        record.as_object_mut().unwrap().remove(column);
        let nullable = ["ratio", "seen_at", "note", "place"].contains(&column);
        assert_eq!(validator.is_valid(&record), nullable, "without {column}");
    }
}

#[test]
fn texts_of_a_contract_never_become_markup() {
    let text = std::fs::read_to_string(crate::support::folder().join("contracts/sample.odcs.yaml"));
    let nasty = r#"<script>alert("1")</script> | {{ x }} 'quoted' *bold* \\ end"#;
    let text = text.unwrap().replace(
        "The sample's number.",
        &format!("|-\n          {nasty}\n          -- DROP"),
    );
    let contract = Contract::parse("c", &text).unwrap();
    let page = |format| export(&contract, None, format).unwrap();
    for format in [Format::Html, Format::Markdown] {
        assert!(!page(format).contains("<script"), "{format}");
    }
    assert!(page(Format::Html).contains("&lt;script&gt;alert(&quot;1&quot;)"));
    let row = page(Format::Markdown);
    let row = row
        .lines()
        .find(|line| line.contains("`sample_id`"))
        .unwrap();
    assert_eq!(row.replace("\\|", "").matches('|').count(), 8, "{row}");
    assert!(page("sql".parse().unwrap()).contains("''quoted''"));
    assert!(!page(Format::DbtModel).contains("{{"));
    let dbt = to_json(&page(Format::DbtModel));
    let described = dbt["models"][0]["columns"][0]["description"]
        .as_str()
        .unwrap();
    assert!(
        described.contains("<script>") && described.contains("-- DROP"),
        "{described}"
    );
    let proto = page(Format::Protobuf);
    let lines: Vec<&str> = proto.lines().filter(|line| line.contains("DROP")).collect();
    assert!(
        lines.iter().all(|line| line.trim().starts_with("//")),
        "{lines:?}"
    );
}
