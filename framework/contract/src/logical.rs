//! From a logical type with its options to the type of a column.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value as Json;

use crate::custom::{custom_properties, refuse_custom, refuse_unknown};
use crate::field::read_fields;
use crate::names::upper_camel;
use crate::node::{Map, quoted};
use crate::types::{ArrayType, EnumSymbol, EnumType, MapType, ObjectType, TimeUnit, Type};
use crate::yaml::shown;

/// The options of a logical type; `None` if there are none.
fn options<'a>(map: &Map<'a>) -> Option<Map<'a>> {
    map.child("logicalTypeOptions")
}

fn limits(options: Option<&Map<'_>>) -> (Option<i64>, Option<i64>) {
    let Some(options) = options else {
        return (None, None);
    };
    (options.integer("minimum"), options.integer("maximum"))
}

fn length(options: &Map<'_>, key: &'static str) -> Option<u32> {
    let value = options.integer(key)?;
    match u32::try_from(value) {
        Ok(value) => Some(value),
        Err(_) => {
            options.refuse(key, "is out of range", "write a length in characters");
            None
        }
    }
}

pub(crate) fn read_type(map: &Map<'_>, custom: &mut BTreeMap<String, Json>) -> Option<Type> {
    let logical = map.one_of(
        "logicalType",
        &[
            "string",
            "integer",
            "number",
            "boolean",
            "date",
            "timestamp",
            "time",
            "array",
            "map",
            "object",
        ],
    )?;
    let options = options(map);
    let physical = map.string("physicalType");
    let ty = match logical.as_str() {
        "string" => read_string(map, options.as_ref(), physical.as_deref())?,
        "integer" => {
            let (minimum, maximum) = limits(options.as_ref());
            let format = options
                .as_ref()
                .filter(|options| options.node("format").is_some())
                .and_then(|options| options.one_of("format", &["i32", "i64"]));
            let long = format.as_deref() == Some("i64");
            expect_physical(
                map,
                physical.as_deref(),
                &[if long { "long" } else { "int" }],
            );
            if long {
                Type::Int64 { minimum, maximum }
            } else {
                Type::Int32 { minimum, maximum }
            }
        }
        "number" => read_number(map, options.as_ref(), physical.as_deref(), custom)?,
        "boolean" => {
            expect_physical(map, physical.as_deref(), &["boolean"]);
            Type::Boolean
        }
        "date" => {
            expect_physical(map, physical.as_deref(), &["date"]);
            Type::Date
        }
        "timestamp" => {
            expect_physical(
                map,
                physical.as_deref(),
                &["timestamp-millis", "timestamp-micros"],
            );
            if let Some(options) = &options
                && options.boolean("timezone") == Some(false)
            {
                options.refuse(
                    "timezone",
                    "a timestamp without time zone is not supported",
                    "store instants in UTC and write `timezone: true`",
                );
            }
            Type::Timestamp(match physical.as_deref() {
                Some("timestamp-micros") => TimeUnit::Micros,
                _ => TimeUnit::Millis,
            })
        }
        "time" => {
            expect_physical(map, physical.as_deref(), &["time-millis", "time-micros"]);
            if let Some(options) = &options
                && options.boolean("timezone") == Some(true)
            {
                options.refuse(
                    "timezone",
                    "a time of day with time zone is not supported",
                    "use a timestamp, or write `timezone: false`",
                );
            }
            Type::Time(match physical.as_deref() {
                Some("time-micros") => TimeUnit::Micros,
                _ => TimeUnit::Millis,
            })
        }
        "array" => {
            expect_physical(map, physical.as_deref(), &["array"]);
            let Some(items) = map.child("items") else {
                map.refuse("items", "is missing", "say what the list holds");
                return None;
            };
            let (items, nullable) = read_element(&items)?;
            Type::Array(Box::new(ArrayType { items, nullable }))
        }
        "map" => {
            expect_physical(map, physical.as_deref(), &["map"]);
            let Some(types) = map.child("map") else {
                map.refuse("map", "is missing", "say what the map holds");
                return None;
            };
            check_key(&types.child("key")?);
            let (values, nullable) = read_element(&types.child("value")?)?;
            Type::Map(Box::new(MapType { values, nullable }))
        }
        _ => {
            expect_physical(map, physical.as_deref(), &["record"]);
            let fields = read_fields(map);
            if fields.is_empty() {
                map.refuse("properties", "an object without fields", "add properties");
            }
            if fields
                .iter()
                .any(|field| field.primary_key.is_some() || field.partition_key.is_some())
            {
                map.refuse(
                    "properties",
                    "a key column inside an object",
                    "keys stand at the top level",
                );
            }
            Type::Object(ObjectType { fields })
        }
    };
    Some(ty)
}

/// What a list or map holds, and whether it may be null; it must not unless it says so.
fn read_element(map: &Map<'_>) -> Option<(Type, bool)> {
    let mut custom = custom_properties(map);
    let ty = read_type(map, &mut custom);
    refuse_unknown(map, &custom, &[]);
    let nullable = !map.boolean("required").unwrap_or(true);
    Some((ty?, nullable))
}

/// The keys of a map are plain texts, as Avro has them.
fn check_key(map: &Map<'_>) {
    let mut custom = custom_properties(map);
    let plain = Type::String {
        min_length: None,
        max_length: None,
    };
    match read_type(map, &mut custom) {
        Some(ty) if ty == plain => {}
        Some(_) => map.refuse(
            "logicalType",
            "the keys of a map are no plain texts",
            "write `logicalType: string` without options; put limits into a quality check",
        ),
        None => {}
    }
    if map.boolean("required") == Some(false) {
        map.refuse("required", "the keys of a map cannot be null", "remove it");
    }
    refuse_unknown(map, &custom, &[]);
}

fn expect_physical(map: &Map<'_>, physical: Option<&str>, allowed: &[&str]) {
    if let Some(physical) = physical
        && !allowed.contains(&physical)
    {
        map.refuse(
            "physicalType",
            format!("`{}` does not fit the logical type", shown(physical)),
            format!("write {} or leave it out", quoted(allowed)),
        );
    }
}

/// The formats of a string that the standard names.
const FORMATS: [&str; 9] = [
    "uuid", "email", "uri", "hostname", "ipv4", "ipv6", "password", "byte", "binary",
];

fn read_string(map: &Map<'_>, options: Option<&Map<'_>>, physical: Option<&str>) -> Option<Type> {
    // The standard leaves the words open; a misspelt one would silently be a plain text.
    let format = options
        .filter(|options| options.has("format"))
        .and_then(|options| options.one_of("format", &FORMATS));
    let (min_length, max_length) = match options {
        Some(options) => (length(options, "minLength"), length(options, "maxLength")),
        None => (None, None),
    };
    expect_physical(map, physical, &["string", "enum", "uuid"]);
    let mut symbols: Vec<EnumSymbol> = Vec::new();
    let mut names = HashSet::new();
    for symbol in map.maps("enum") {
        let value = symbol.required_string("value");
        let description = symbol.string("description");
        let Some(value) = value else { continue };
        let valid = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid {
            symbol.refuse(
                "value",
                format!("`{}` cannot be an Avro symbol", shown(&value)),
                "use letters, digits and `_`, not starting with a digit",
            );
        }
        if !names.insert(upper_camel(&value)) {
            symbol.refuse(
                "value",
                format!("`{}` collides with another symbol", shown(&value)),
                "make the symbols differ in more than case and underscores",
            );
        }
        symbols.push(EnumSymbol { value, description });
    }
    if !symbols.is_empty() {
        if format.as_deref() == Some("uuid") || min_length.is_some() || max_length.is_some() {
            map.refuse(
                "logicalTypeOptions",
                "an enumeration with string options",
                "remove the options",
            );
        }
        return Some(Type::Enum(EnumType { symbols }));
    }
    if format.as_deref() == Some("uuid") {
        return Some(Type::Uuid);
    }
    Some(Type::String {
        min_length,
        max_length,
    })
}

fn read_number(
    map: &Map<'_>,
    options: Option<&Map<'_>>,
    physical: Option<&str>,
    custom: &mut BTreeMap<String, Json>,
) -> Option<Type> {
    let precision = custom.remove("precision");
    let scale = custom.remove("scale");
    if let Some(inner) = physical.and_then(|text| text.strip_prefix("decimal")) {
        let parsed = inner
            .trim()
            .strip_prefix('(')
            .and_then(|inner| inner.strip_suffix(')'))
            .and_then(|inner| inner.split_once(','))
            .and_then(|(p, s)| Some((p.trim().parse::<u8>().ok()?, s.trim().parse::<u8>().ok()?)));
        let Some((p, s)) = parsed.filter(|(p, s)| (1..=38).contains(p) && s <= p) else {
            map.refuse(
                "physicalType",
                "not a decimal type",
                "write `decimal(p,s)` with 1 <= p <= 38 and s <= p",
            );
            return None;
        };
        for (name, value, expected) in [("precision", precision, p), ("scale", scale, s)] {
            let as_number = match &value {
                Some(Json::String(text)) => text.parse::<u64>().ok(),
                Some(other) => other.as_u64(),
                None => None,
            };
            if as_number != Some(u64::from(expected)) {
                refuse_custom(
                    map,
                    name,
                    format!("`{name}` does not say {expected} as `physicalType` does"),
                    &format!("add `- property: {name}` with `value: {expected}`"),
                );
            }
        }
        return Some(Type::Decimal {
            precision: p,
            scale: s,
        });
    }
    expect_physical(map, physical, &["float", "double", "decimal(p,s)"]);
    let format = options
        .filter(|options| options.node("format").is_some())
        .and_then(|options| options.one_of("format", &["f32", "f64"]));
    Some(match format.as_deref() {
        Some("f32") => Type::Float32,
        _ => Type::Float64,
    })
}
