//! Arrays and combinations of JSON Schemas: what accepts what.

use serde_json::{Value, json};

use crate::json_schema::check;

#[test]
fn arrays() {
    let array = |keyword: &str, value: Value| json!({"type": "array", keyword: value});
    let any = json!({"type": "array"});
    check(
        array("minItems", json!(1)),
        array("minItems", json!(2)),
        "",
        "MIN_ITEMS_INCREASED /minItems",
    );
    check(
        any.clone(),
        array("maxItems", json!(2)),
        "",
        "MAX_ITEMS_ADDED /maxItems",
    );
    check(
        any.clone(),
        array("uniqueItems", json!(true)),
        "",
        "UNIQUE_ITEMS_ADDED /uniqueItems",
    );
    check(
        array("uniqueItems", json!(true)),
        array("maxItems", json!(1)),
        "",
        "MAX_ITEMS_ADDED /maxItems",
    );
    check(
        array("items", json!({"type": "number"})),
        array("items", json!({"type": "integer"})),
        "",
        "TYPE_NARROWED /items/type",
    );
    check(
        any.clone(),
        array("items", json!({"type": "integer"})),
        "",
        "ADDITIONAL_ITEMS_NARROWED /items",
    );
    check(
        any.clone(),
        array("contains", json!({"type": "integer"})),
        "",
        "CONTAINS_NARROWED /contains",
    );
    check(
        array("contains", json!({"type": "number"})),
        json!({"type": "array", "items": {"type": "integer"}, "minItems": 1}),
        "",
        "MIN_ITEMS_ADDED /minItems; ADDITIONAL_ITEMS_NARROWED /items",
    );
    // Tuples.
    let tuple = |places: Value, more: Value| json!({"type": "array", "items": places, "additionalItems": more});
    let (int, string) = (json!({"type": "integer"}), json!({"type": "string"}));
    check(
        tuple(json!([int, string]), json!(false)),
        tuple(json!([int]), json!(false)),
        "",
        "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL /additionalItems",
    );
    check(
        tuple(json!([int, string]), json!(true)),
        tuple(json!([int]), json!(true)),
        "ITEM_ADDED_TO_OPEN_CONTENT_MODEL /items/1",
        "",
    );
    check(
        tuple(json!([int]), json!(true)),
        tuple(json!([int]), json!(false)),
        "",
        "ADDITIONAL_ITEMS_REMOVED /additionalItems",
    );
    let new = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "array", "prefixItems": [int], "items": false
    });
    check(new, tuple(json!([int]), json!(false)), "", "");
}

#[test]
fn combinations() {
    let (int, string) = (json!({"type": "integer"}), json!({"type": "string"}));
    for keyword in ["anyOf", "oneOf"] {
        let of = |branches: Value| json!({keyword: branches});
        check(of(json!([int, string])), of(json!([string, int])), "", "");
        check(
            of(json!([int, string])),
            of(json!([int])),
            "",
            &format!("SUM_TYPE_NARROWED /{keyword}"),
        );
        check(
            of(json!([int, string])),
            json!({"type": ["string", "integer"]}),
            "",
            "",
        );
    }
    // Two alternatives that one document may fit.
    check(
        json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
        json!({"required": ["a"]}),
        "SUM_TYPE_OVERLAPS /oneOf",
        "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL /required",
    );
    let kind = |kind: &str, more: &str| {
        json!({
            "type": "object", "properties": {"kind": {"const": kind}, more: {"type": "string"}},
            "required": ["kind"]
        })
    };
    // Set apart by a property with one value.
    check(
        json!({"oneOf": [kind("a", "x"), kind("b", "y"), kind("c", "z")]}),
        json!({"oneOf": [kind("a", "x"), kind("b", "y")]}),
        "",
        "SUM_TYPE_NARROWED /oneOf",
    );
    check(
        json!({"allOf": [{"minimum": 1}, {"maximum": 5}]}),
        json!({"type": "integer", "minimum": 2, "maximum": 3}),
        "",
        "TYPE_NARROWED /type; MINIMUM_INCREASED /minimum; MAXIMUM_DECREASED /maximum",
    );
    check(
        json!({"minimum": 1, "maximum": 5}),
        json!({"allOf": [{"minimum": 1}, {"maximum": 5}]}),
        "",
        "",
    );
    check(
        json!({"not": {"type": "string"}}),
        int.clone(),
        "",
        "TYPE_NARROWED /type",
    );
    check(
        json!({"not": {"required": ["a"]}}),
        json!({}),
        "NOT_TYPE_EXTENDED /not",
        "",
    );
    let when = |then: Value| {
        json!({
            "if": {"properties": {"k": {"const": 1}}, "required": ["k"]},
            "then": {"required": then}
        })
    };
    check(
        when(json!(["a"])),
        when(json!(["a", "b"])),
        "",
        "CONDITION_NARROWED /if",
    );
}
