//! JSON Schemas: what is read, what is the same, and what accepts what.

use mesh_registry::compat::json::{JsonSchema, can_read};
use serde_json::{Value, json};

fn parse(schema: &Value) -> JsonSchema {
    JsonSchema::parse(&schema.to_string(), &[]).unwrap_or_else(|error| panic!("{schema}: {error}"))
}

/// Every rule that is broken with its place: `RULE path`, joined by `; `.
fn broken(reader: &Value, writer: &Value) -> String {
    let differences = can_read(&parse(reader), &parse(writer)).unwrap();
    let told: Vec<String> = differences
        .iter()
        .map(|difference| format!("{} {}", difference.rule, difference.path))
        .collect();
    told.join("; ")
}

/// Reader, writer, and what is broken when the reader takes what the writer wrote, and the
/// other way round; "" for compatible.
#[track_caller]
pub(crate) fn check(reader: Value, writer: Value, expected: &str, reversed: &str) {
    let forth = broken(&reader, &writer);
    assert_eq!(forth, expected, "{reader}\n <- {writer}");
    let back = broken(&writer, &reader);
    assert_eq!(back, reversed, "{writer}\n <- {reader}");
}

/// An object with these properties whose content model is open.
fn open(properties: Value) -> Value {
    json!({"type": "object", "properties": properties})
}

/// The same, closed.
fn closed(properties: Value) -> Value {
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

#[test]
fn types() {
    let of = |types: Value| json!({"type": types});
    check(of(json!("integer")), of(json!("integer")), "", "");
    check(
        of(json!("number")),
        of(json!("integer")),
        "",
        "TYPE_NARROWED /type",
    );
    check(
        of(json!(["string", "null"])),
        of(json!("string")),
        "",
        "TYPE_NARROWED /type",
    );
    check(
        of(json!("string")),
        of(json!("integer")),
        "TYPE_CHANGED /type",
        "TYPE_CHANGED /type",
    );
    check(json!({}), of(json!("string")), "", "TYPE_NARROWED /type");
    check(json!(true), json!(false), "", "SCHEMA_REMOVED /");
    check(of(json!("string")), json!(false), "", "SCHEMA_REMOVED /");
    // Annotations and formats count for nothing.
    check(
        json!({"type": "string", "title": "a", "format": "date", "default": "x"}),
        json!({"type": "string", "description": "b"}),
        "",
        "",
    );
    // A boolean is a list of two values.
    check(json!({"enum": [true, false]}), of(json!("boolean")), "", "");
    check(
        json!({"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer"}),
        of(json!("integer")),
        "TYPE_NARROWED /type",
        "",
    );
}

#[test]
fn listed_values() {
    check(
        json!({"enum": ["A", "B"]}),
        json!({"enum": ["A"]}),
        "",
        "ENUM_ARRAY_NARROWED /enum",
    );
    check(json!({"const": 1}), json!({"enum": [1.0]}), "", "");
    check(
        json!({"type": "string"}),
        json!({"const": "x"}),
        "",
        "ENUM_ARRAY_NARROWED /enum",
    );
    check(
        json!({"type": "string", "maxLength": 2, "pattern": "^[a-z]"}),
        json!({"enum": ["ab", "c"]}),
        "",
        "ENUM_ARRAY_NARROWED /enum",
    );
    check(
        json!({"type": "string"}),
        json!({"enum": ["a", 1]}),
        "TYPE_NARROWED /type",
        "ENUM_ARRAY_NARROWED /enum",
    );
    // A value that the writer lists and its other keywords rule out is never written.
    check(
        json!({"enum": ["ab"]}),
        json!({"enum": ["ab", "abc"], "maxLength": 2}),
        "",
        "",
    );
    check(
        open(json!({"a": {"type": "integer"}})),
        json!({"enum": [{"a": 1}, {}]}),
        "",
        "ENUM_ARRAY_NARROWED /enum",
    );
}

#[test]
fn numbers() {
    let table = [
        ("minimum", 1, 0, "MINIMUM_INCREASED"),
        ("maximum", 1, 2, "MAXIMUM_DECREASED"),
        ("exclusiveMinimum", 1, 0, "EXCLUSIVE_MINIMUM_INCREASED"),
        ("exclusiveMaximum", 1, 2, "EXCLUSIVE_MAXIMUM_DECREASED"),
    ];
    for (keyword, narrow, wide, rule) in table {
        let number = |at: i32| json!({"type": "number", keyword: at});
        check(
            number(wide),
            number(narrow),
            "",
            &format!("{rule} /{keyword}"),
        );
        let added = rule.rsplit_once('_').unwrap().0;
        check(
            json!({"type": "number"}),
            number(narrow),
            "",
            &format!("{added}_ADDED /{keyword}"),
        );
    }
    check(
        json!({"type": "number", "minimum": 1}),
        json!({"type": "number", "exclusiveMinimum": 1}),
        "",
        "EXCLUSIVE_MINIMUM_INCREASED /exclusiveMinimum",
    );
    check(
        json!({"type": "integer", "minimum": 2}),
        json!({"type": "integer", "exclusiveMinimum": 1}),
        "",
        "",
    );
    let old = |body: Value| {
        let mut schema = json!({"$schema": "http://json-schema.org/draft-04/schema#"});
        for (key, value) in body.as_object().unwrap() {
            schema[key] = value.clone();
        }
        schema
    };
    check(
        old(json!({"minimum": 1})),
        old(json!({"minimum": 1, "exclusiveMinimum": true})),
        "",
        "EXCLUSIVE_MINIMUM_INCREASED /exclusiveMinimum",
    );
    // Beyond what a float can tell apart.
    check(
        json!({"type": "integer", "minimum": 9_007_199_254_740_992_i64}),
        json!({"type": "integer", "minimum": 9_007_199_254_740_993_i64}),
        "",
        "MINIMUM_INCREASED /minimum",
    );
    let multiple = |of: f64| json!({"type": "number", "multipleOf": of});
    check(
        multiple(2.0),
        multiple(4.0),
        "",
        "MULTIPLE_OF_CHANGED /multipleOf",
    );
    check(
        json!({"type": "number"}),
        multiple(0.01),
        "",
        "MULTIPLE_OF_ADDED /multipleOf",
    );
}

#[test]
fn strings() {
    let string = |keyword: &str, value: Value| json!({"type": "string", keyword: value});
    let any = json!({"type": "string"});
    check(
        string("minLength", json!(1)),
        string("minLength", json!(2)),
        "",
        "MIN_LENGTH_INCREASED /minLength",
    );
    check(
        any.clone(),
        string("minLength", json!(2)),
        "",
        "MIN_LENGTH_ADDED /minLength",
    );
    check(
        string("maxLength", json!(2)),
        string("maxLength", json!(1)),
        "",
        "MAX_LENGTH_DECREASED /maxLength",
    );
    check(
        any.clone(),
        string("maxLength", json!(2)),
        "",
        "MAX_LENGTH_ADDED /maxLength",
    );
    check(
        any,
        string("pattern", json!("^a")),
        "",
        "PATTERN_ADDED /pattern",
    );
    check(
        string("pattern", json!("^a")),
        string("pattern", json!("^ab")),
        "PATTERN_CHANGED /pattern",
        "PATTERN_CHANGED /pattern",
    );
}

#[test]
fn properties_come_and_go() {
    let a = json!({"a": {"type": "string"}});
    let ab = json!({"a": {"type": "string"}, "b": {"type": "integer"}});
    // An open content model may hold anything under the new name.
    check(
        open(ab.clone()),
        open(a.clone()),
        "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL /properties/b",
        "",
    );
    check(
        open(json!({"a": {"type": "string"}, "b": true})),
        open(a.clone()),
        "",
        "",
    );
    check(
        closed(ab.clone()),
        closed(a.clone()),
        "",
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL /additionalProperties",
    );
    check(
        closed(json!({"a": {"type": "string"}, "b": false})),
        closed(a.clone()),
        "",
        "",
    );
    // Partially open: others have a schema.
    let partly = |properties: &Value, others: &str| {
        json!({
            "type": "object", "properties": properties,
            "additionalProperties": {"type": others}
        })
    };
    check(partly(&ab, "integer"), partly(&a, "integer"), "", "");
    check(
        partly(&ab, "string"),
        partly(&a, "string"),
        "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL /properties/b",
        "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL /additionalProperties",
    );
    check(
        open(a.clone()),
        closed(a.clone()),
        "",
        "ADDITIONAL_PROPERTIES_REMOVED /additionalProperties",
    );
    check(
        open(a.clone()),
        partly(&a, "string"),
        "",
        "ADDITIONAL_PROPERTIES_NARROWED /additionalProperties",
    );
    check(
        closed(json!({"a": {"type": "string"}})),
        closed(json!({"a": {"type": "integer"}})),
        "TYPE_CHANGED /properties/a/type",
        "TYPE_CHANGED /properties/a/type",
    );
}

#[test]
fn required_properties() {
    let object = |required: Value, default: bool| {
        let b = match default {
            true => json!({"type": "integer", "default": 0}),
            false => json!({"type": "integer"}),
        };
        let mut schema = closed(json!({"a": {"type": "string"}, "b": b}));
        schema["required"] = required;
        schema
    };
    check(
        object(json!(["a"]), false),
        object(json!(["a", "b"]), false),
        "",
        "REQUIRED_ATTRIBUTE_ADDED /required",
    );
    let a = closed(json!({"a": {"type": "string"}}));
    let unknown = "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL /required";
    let removed = "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL /additionalProperties";
    check(object(json!(["b"]), false), a.clone(), unknown, removed);
    // No validator fills a default in.
    check(object(json!(["b"]), true), a, unknown, removed);
}

#[test]
fn objects() {
    let object = |keyword: &str, value: Value| json!({"type": "object", keyword: value});
    let any = json!({"type": "object"});
    check(
        object("minProperties", json!(1)),
        object("minProperties", json!(2)),
        "",
        "MIN_PROPERTIES_INCREASED /minProperties",
    );
    check(
        object("minProperties", json!(1)),
        object("required", json!(["a"])),
        "",
        "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL /required",
    );
    check(
        object("maxProperties", json!(2)),
        object("maxProperties", json!(1)),
        "",
        "MAX_PROPERTIES_DECREASED /maxProperties",
    );
    check(
        any.clone(),
        object("maxProperties", json!(1)),
        "",
        "MAX_PROPERTIES_ADDED /maxProperties",
    );
    check(
        object("propertyNames", json!({"maxLength": 3})),
        closed(json!({"a": true, "abc": true})),
        "",
        "ADDITIONAL_PROPERTIES_REMOVED /additionalProperties",
    );
    check(
        any.clone(),
        object("propertyNames", json!({"pattern": "^a"})),
        "",
        "PROPERTY_NAMES_NARROWED /propertyNames",
    );
    check(
        any.clone(),
        object("dependencies", json!({"a": ["b"]})),
        "",
        "DEPENDENCY_ARRAY_ADDED /dependentRequired/a",
    );
    check(
        object("dependencies", json!({"a": ["b"]})),
        object("dependencies", json!({"a": ["b", "c"]})),
        "",
        "DEPENDENCY_ARRAY_ADDED /dependentRequired/a",
    );
    check(
        any.clone(),
        object("dependencies", json!({"a": {"required": ["b"]}})),
        "",
        "DEPENDENCY_SCHEMA_ADDED /dependentSchemas/a",
    );
    let pattern = |types: Value| object("patternProperties", json!({"^x": {"type": types}}));
    check(
        pattern(json!(["string", "null"])),
        pattern(json!("string")),
        "",
        "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL /patternProperties/^x",
    );
    check(
        pattern(json!("string")),
        closed(json!({"xa": {"type": "string"}, "b": {"type": "integer"}})),
        "",
        "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL /properties/b; \
         ADDITIONAL_PROPERTIES_REMOVED /additionalProperties",
    );
}
