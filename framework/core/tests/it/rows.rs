//! Rows without a generated type: the same bytes as with one, and the same refusals.

use mesh_core::{Descriptor, Record, RecordKey};
use serde_json::{Map, Value as Json, json};

use crate::types::{Sample, full, sparse};

fn row(record: &Sample) -> Map<String, Json> {
    match record.to_json() {
        Json::Object(row) => row,
        _ => panic!("a record is an object"),
    }
}

#[test]
fn a_row_is_encoded_as_the_typed_record_is() {
    for record in [full(), sparse()] {
        let encoded = Sample::descriptor().encode_row(&row(&record)).unwrap();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        record.key().encode(&mut key);
        record.encode(&mut value);
        assert_eq!(encoded.key, key);
        assert_eq!(encoded.value, value);
    }
}

#[test]
fn columns_that_are_not_there_are_null() {
    let mut row = row(&sparse());
    row.retain(|_, cell| !cell.is_null());
    let encoded = Sample::descriptor().encode_row(&row).unwrap();
    let mut value = Vec::new();
    sparse().encode(&mut value);
    assert_eq!(encoded.value, value);
}

#[test]
fn decimals_may_be_numbers() {
    let mut row = row(&sparse());
    row.insert("price".into(), json!(127.99));
    let encoded = Sample::descriptor().encode_row(&row).unwrap();
    let mut value = Vec::new();
    sparse().encode(&mut value);
    assert_eq!(encoded.value, value);
}

#[test]
fn what_the_contract_does_not_allow_is_refused_by_name() {
    let check = |column: &str, cell: Option<Json>, field: &str, message: &str| {
        let mut row = row(&full());
        match cell {
            Some(cell) => row.insert(column.into(), cell),
            None => row.remove(column),
        };
        let error = Sample::descriptor().encode_row(&row).unwrap_err();
        let named = error.context().iter().find(|(name, _)| *name == "field");
        assert_eq!(
            named.map(|(_, field)| field.as_str()),
            Some(field),
            "{error}"
        );
        assert!(error.message().contains(message), "{error}");
        assert!(!error.to_string().contains("SECRET"), "{error}");
    };
    check("sample_id", None, "sample_id", "is missing");
    check("price", Some(Json::Null), "price", "is missing");
    check("sample_id", Some(json!(0)), "sample_id", "less than 1");
    check("sample_id", Some(json!("SECRET")), "sample_id", "a long");
    check("count", Some(json!(1i64 << 40)), "count", "an int");
    check("count", Some(json!(1.5)), "count", "an int");
    check("status", Some(json!("SECRET")), "status", "symbols");
    check("price", Some(json!("1.005")), "price", "2 digits");
    check("price", Some(json!("SECRET")), "price", "decimal(12,2)");
    check("tube", Some(json!("SECRET")), "tube", "a UUID");
    check("taken_on", Some(json!("1999-02-30")), "taken_on", "a date");
    check("taken_at", Some(json!("SECRET")), "taken_at", "RFC 3339");
    check("note", Some(json!("SECRET12345")), "note", "longer than 10");
    check("labels", Some(json!(["a", ""])), "labels[1]", "shorter");
    check("labels", Some(json!(["a", null])), "labels[1]", "a string");
    check("labels", Some(json!("SECRET")), "labels", "an array");
    check(
        "place",
        Some(json!({"street": "SECRET"})),
        "place.street",
        "longer than 5",
    );
    check(
        "place",
        Some(json!({"level": 1})),
        "place.street",
        "is missing",
    );
    check(
        "place",
        Some(json!({"street": "a", "x": 1})),
        "place.x",
        "no such column",
    );
    check(
        "steps",
        Some(json!([{"kind": "SECRET"}])),
        "steps[0].kind",
        "symbols",
    );
    check("colour", Some(json!("SECRET")), "colour", "no such column");
}

#[test]
fn cells_of_delimited_files_are_read_by_the_columns_type() {
    let contract = &Sample::descriptor().contract;
    let check = |column: &str, text: &str, expected: Option<Json>| {
        let field = contract.schema.field(column).unwrap();
        let cell = Descriptor::cell(field, text);
        match expected {
            Some(expected) => assert_eq!(cell.unwrap(), expected, "{column}"),
            None => assert!(!cell.unwrap_err().to_string().contains(text), "{column}"),
        }
    };
    check("sample_id", "12", Some(json!(12)));
    check("sample_id", "1x2", None);
    check("series", "", Some(json!("")));
    check("note", "", Some(Json::Null));
    check("ratio", "0.25", Some(json!(0.25)));
    check("price", "-1.50", Some(json!("-1.50")));
    check("ok", "TRUE", Some(json!(true)));
    check("ok", "0", Some(json!(false)));
    check("ok", "perhaps", None);
    check(
        "taken_at",
        "2024-05-06 07:08:09.25",
        Some(json!("2024-05-06T07:08:09.250+00:00")),
    );
    check(
        "taken_at",
        "2024-05-06T07:08:09+02:00",
        Some(json!("2024-05-06T07:08:09+02:00")),
    );
    check("taken_at", "6.5.2024", None);
    check("labels", r#"["a"]"#, Some(json!(["a"])));
    check("labels", "a,b", None);
}
