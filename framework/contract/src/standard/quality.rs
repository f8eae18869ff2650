//! Quality checks of all four kinds: in words, from the library, in SQL, and of an engine.

use serde_json::{Number, Value as Json};

use super::common::{AuthoritativeDefinition, CustomProperty, custom};
use super::model::model;
use crate::node::{Map, Value};

model! {
    /// A promise about the data that can be checked.
    pub struct DataQuality check quality {
        id = "id": id, "its stable id.";
        name = "name": opt<String>, "its name.";
        description = "description": opt<String>, "the promise in words.";
        kind = "type": opt<String>, "`library`, which is the default, `text`, `sql` or `custom`.";
        metric = "metric": opt<String> [31, 0], "of the library: what is counted.";
        rule = "rule": opt<String>, "of the library: the older word for `metric`.";
        arguments = "arguments": opt<Json> [31, 0], "of the library: the metric's arguments.";
        query = "query": opt<String>, "of SQL: the statement that gives the value.";
        engine = "engine": opt<String>, "of an engine: its name.";
        implementation = "implementation": opt<Json>, "of an engine: its own text or mapping.";
        must_be = "mustBe": opt<Json>, "the value itself.";
        must_not_be = "mustNotBe": opt<Json>, "a value that it is not.";
        must_be_greater_than = "mustBeGreaterThan": opt<Number>, "a lower bound that it is not.";
        must_be_greater_or_equal_to = "mustBeGreaterOrEqualTo": opt<Number>, "a lower bound.";
        must_be_less_than = "mustBeLessThan": opt<Number>, "an upper bound that it is not.";
        must_be_less_or_equal_to = "mustBeLessOrEqualTo": opt<Number>, "an upper bound.";
        must_be_between = "mustBeBetween": list<Number>, "a lower and an upper bound.";
        must_not_be_between = "mustNotBeBetween": list<Number>, "bounds that it is not within.";
        dimension = "dimension": opt<String>, "`accuracy`, `completeness` and the like.";
        method = "method": opt<String>, "how it is checked, such as `reconciliation`.";
        severity = "severity": opt<String>, "how bad a breach is.";
        business_impact = "businessImpact": opt<String>, "what a breach leads to.";
        unit = "unit": opt<String>, "of the value, such as `rows` or `percent`.";
        schedule = "schedule": opt<String>, "when it is checked.";
        scheduler = "scheduler": opt<String>, "what checks it, such as `cron`.";
        tags = "tags": list<String>, "free tags.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition>, "links.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
    }
}

const OPERATORS: [&str; 8] = [
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
];

const METRICS: [&str; 5] = [
    "nullValues",
    "missingValues",
    "invalidValues",
    "duplicateValues",
    "rowCount",
];

const DIMENSIONS: [&str; 7] = [
    "accuracy",
    "completeness",
    "conformity",
    "consistency",
    "coverage",
    "timeliness",
    "uniqueness",
];

fn quality(map: &Map<'_>) {
    custom(map);
    map.among("type", &["text", "library", "sql", "custom"]);
    map.among("dimension", &DIMENSIONS);
    map.among("metric", &METRICS);
    let old = map.reader.edition().contract_before(31);
    let kind = map.text("type").unwrap_or("library");
    let library = map.has("metric") || (map.has("type") && kind == "library");

    if library && !map.has(if old { "rule" } else { "metric" }) {
        map.missing(if old { "rule" } else { "metric" });
    }
    let own: &[&str] = match kind {
        "sql" => &["query"],
        "custom" => &["engine", "implementation"],
        _ => &[],
    };
    for key in own.iter().filter(|key| !map.has(key)) {
        map.missing(key);
    }
    for key in ["query", "engine", "implementation"] {
        if map.has(key) && !own.contains(&key) {
            stray(map, key, kind);
        }
    }
    if !library && !old {
        for key in ["rule", "arguments"] {
            if map.has(key) {
                stray(map, key, kind);
            }
        }
    }

    let used: Vec<&str> = OPERATORS.into_iter().filter(|key| map.has(key)).collect();
    let compares = library || kind == "sql" || (old && kind == "library");
    match used.as_slice() {
        [first, ..] if !compares => stray(map, first, kind),
        [] if compares && !old => map.reader.refuse(
            map.at,
            &map.path,
            "nothing is said about the value",
            format!("add one of {}", crate::node::quoted(&OPERATORS)),
        ),
        [_, second, ..] if !old => map.refuse_key(
            second,
            format!("stands beside `{}`", used[0]),
            "keep one of the two, or write two checks",
        ),
        _ => {}
    }
    for key in ["mustBeBetween", "mustNotBeBetween"] {
        if let Some(Value::Seq(bounds)) = map.value(key)
            && (bounds.len() != 2 || bounds[0].to_json() == bounds[1].to_json())
        {
            map.refuse(
                key,
                "is not two different numbers",
                "write `[lower, upper]`",
            );
        }
    }
    if let Some(value) = map.value("implementation")
        && !matches!(value, Value::Str(_) | Value::Map(_))
    {
        map.refuse(
            "implementation",
            format!("expected a string or a mapping, found {}", value.kind()),
            "write the engine's own text here",
        );
    }
    if let Some(value) = map.value("arguments")
        && !matches!(value, Value::Map(_))
    {
        map.refuse(
            "arguments",
            format!("expected a mapping, found {}", value.kind()),
            "write `key: value` lines here",
        );
    }
}

fn stray(map: &Map<'_>, key: &str, kind: &str) {
    let mend = match key {
        "query" => "write `type: sql` or remove it",
        "engine" | "implementation" => "write `type: custom` or remove it",
        _ => "add `metric: …` or remove it",
    };
    map.refuse_key(
        key,
        format!("a check of type `{kind}` does not have this"),
        mend,
    );
}
