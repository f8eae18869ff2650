//! Logical types and the options that each of them has.

use serde_json::{Number, Value as Json};

use super::model::model;
use crate::node::{Map, Value, quoted};
use crate::yaml::shown;

model! {
    /// More about a kind of value; which options there are depends on the logical type.
    pub struct LogicalTypeOptions {
        format = "format": opt<String>, "the format, such as `uuid` or `i64`.";
        min_length = "minLength": opt<i64>, "of a string: the shortest.";
        max_length = "maxLength": opt<i64>, "of a string: the longest.";
        pattern = "pattern": opt<String>, "of a string: a regular expression (ECMA-262).";
        minimum = "minimum": opt<Json>, "the smallest value.";
        maximum = "maximum": opt<Json>, "the largest value.";
        exclusive_minimum = "exclusiveMinimum": opt<Json>, "a lower bound that is not allowed itself.";
        exclusive_maximum = "exclusiveMaximum": opt<Json>, "an upper bound that is not allowed itself.";
        multiple_of = "multipleOf": opt<Number>, "of a number: what it is a multiple of.";
        timezone = "timezone": opt<bool>, "of a time: whether it has a time zone.";
        default_timezone = "defaultTimezone": opt<String>, "of a time: its zone, `Etc/UTC` by default.";
        min_properties = "minProperties": opt<i64>, "of an object: the fewest fields.";
        max_properties = "maxProperties": opt<i64>, "of an object: the most fields.";
        required = "required": list<String>, "of an object: the fields that must be there.";
        min_items = "minItems": opt<i64>, "of a list: the fewest items.";
        max_items = "maxItems": opt<i64>, "of a list: the most items.";
        unique_items = "uniqueItems": opt<bool>, "of a list: whether no item stands twice.";
        dimensions = "dimensions": opt<i64>, "of a vector: its length.";
        element_type = "elementType": opt<String>, "of a vector: its numbers, `float32` by default.";
        distance_metric = "distanceMetric": opt<String>, "of a vector: how far two are apart.";
        embedding_model = "embeddingModel": opt<String>, "of a vector: the model that made it.";
        embedding_model_version = "embeddingModelVersion": opt<String>, "of a vector: the model's version.";
        normalized = "normalized": opt<bool>, "of a vector: whether its length is one.";
    }
}

/// The logical types with the version that brought them and their options.
const TYPES: &[(&str, u8, &[&str])] = &[
    (
        "string",
        30,
        &["minLength", "maxLength", "pattern", "format"],
    ),
    (
        "date",
        30,
        &[
            "format",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
        ],
    ),
    ("timestamp", 31, TIME),
    ("time", 31, TIME),
    ("integer", 30, NUMBER),
    ("number", 30, NUMBER),
    ("boolean", 30, &[]),
    (
        "object",
        30,
        &["minProperties", "maxProperties", "required"],
    ),
    ("array", 30, &["minItems", "maxItems", "uniqueItems"]),
    ("map", 32, &[]),
    (
        "vector",
        32,
        &[
            "dimensions",
            "elementType",
            "distanceMetric",
            "embeddingModel",
            "embeddingModelVersion",
            "normalized",
        ],
    ),
];

const TIME: &[&str] = &[
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "timezone",
    "defaultTimezone",
];

const NUMBER: &[&str] = &[
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
];

const COUNTS: &[&str] = &[
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "minItems",
    "maxItems",
];

const INTEGERS: &[&str] = &[
    "i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128",
];

/// Checks a property's logical type, its options, and what it holds.
pub(super) fn check(map: &Map<'_>) {
    let Some(name) = map.text("logicalType") else {
        return;
    };
    let Some((name, since, allowed)) = TYPES.iter().find(|(known, ..)| *known == name) else {
        let names: Vec<&str> = TYPES.iter().map(|(name, ..)| *name).collect();
        map.refuse(
            "logicalType",
            format!("`{}` is no logical type", shown(name)),
            format!("write {}", quoted(&names)),
        );
        return;
    };
    if map.reader.edition().contract_before(*since) {
        let version = format!("v{}.{}.0", since / 10, since % 10);
        map.refuse(
            "logicalType",
            format!("`{name}` came with {version} of the standard"),
            format!("write `apiVersion: {version}`"),
        );
    }
    for (key, of, mend) in [
        ("items", "array", "write `logicalType: array` or remove it"),
        ("map", "map", "write `logicalType: map` or remove it"),
        (
            "properties",
            "object",
            "write `logicalType: object` or remove it",
        ),
    ] {
        if map.has(key) && *name != of {
            map.refuse_key(
                key,
                format!("a value of type `{name}` does not have this"),
                mend,
            );
        }
    }
    if *name == "map" && !map.has("map") {
        map.missing("map");
    }
    if let Some(options) = map.peek_map("logicalTypeOptions") {
        check_options(&options, name, allowed);
    }
}

fn check_options(options: &Map<'_>, name: &str, allowed: &[&str]) {
    let known: Vec<&str> = TYPES
        .iter()
        .flat_map(|(_, _, options)| options.iter().copied())
        .collect();
    for key in options.keys() {
        if known.contains(&key) && !allowed.contains(&key) {
            options.refuse_key(
                key,
                format!("a value of type `{name}` does not have this"),
                if allowed.is_empty() {
                    "remove it".to_owned()
                } else {
                    format!("remove it or use {}", quoted(allowed))
                },
            );
        }
    }
    for key in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
        if allowed.contains(&key) {
            bound(options, key, matches!(name, "integer" | "number"));
        }
    }
    for key in COUNTS {
        if let Some(Value::Number(count)) = options.value(key)
            && count.as_i64().is_some_and(|count| count < 0)
        {
            options.refuse(key, "is less than 0", "write a count");
        }
    }
    match name {
        "integer" => options.among("format", INTEGERS),
        "number" => options.among("format", &["f32", "f64"]),
        "object" => required_fields(options),
        "vector" => {
            if !options.has("dimensions") {
                options.missing("dimensions");
            }
            if let Some(Value::Number(count)) = options.value("dimensions")
                && count.as_i64().is_some_and(|count| count < 1)
            {
                options.refuse("dimensions", "is less than 1", "write the vector's length");
            }
            options.among(
                "elementType",
                &[
                    "bfloat16", "binary", "float16", "float32", "float64", "int8", "uint8",
                ],
            );
            options.among(
                "distanceMetric",
                &["cosine", "dotProduct", "euclidean", "hamming", "manhattan"],
            );
        }
        _ => {}
    }
}

/// A bound is of the type's own kind; an exclusive one was a flag before v3.1.0.
fn bound(options: &Map<'_>, key: &'static str, number: bool) {
    let Some(value) = options.value(key) else {
        return;
    };
    let flag = key.starts_with("exclusive") && options.reader.edition().contract_before(31);
    let (fits, expected, mend) = if flag {
        (
            matches!(value, Value::Bool(_)),
            "a boolean",
            "write true or false, or `apiVersion: v3.1.0`",
        )
    } else if number {
        (
            matches!(value, Value::Number(_)),
            "a number",
            "write a number without quotes",
        )
    } else {
        (
            matches!(value, Value::Str(_)),
            "a string",
            "put the value in quotes",
        )
    };
    if !fits {
        options.refuse(
            key,
            format!("expected {expected}, found {}", value.kind()),
            mend,
        );
    }
}

fn required_fields(options: &Map<'_>) {
    let Some(Value::Seq(names)) = options.value("required") else {
        return;
    };
    let mut seen: Vec<Json> = names.iter().map(|name| name.to_json()).collect();
    seen.sort_by_key(ToString::to_string);
    if names.is_empty() || seen.windows(2).any(|pair| pair[0] == pair[1]) {
        options.refuse(
            "required",
            "is empty or names a field twice",
            "name each field once, or remove it",
        );
    }
}
