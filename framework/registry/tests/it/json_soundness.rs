//! The verdict on JSON Schemas held against a validator: of generated pairs that are called
//! compatible, the reader accepts every generated document that the writer accepts.

use jsonschema::{Draft, Validator};
use mesh_registry::compat::json::{JsonSchema, can_read};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

const PAIRS: usize = 3_000;
const DOCUMENTS: usize = 60;

const DRAFTS: [(Draft, &str); 5] = [
    (Draft::Draft7, "http://json-schema.org/draft-07/schema#"),
    (
        Draft::Draft202012,
        "https://json-schema.org/draft/2020-12/schema",
    ),
    (
        Draft::Draft201909,
        "https://json-schema.org/draft/2019-09/schema",
    ),
    (Draft::Draft6, "http://json-schema.org/draft-06/schema#"),
    (Draft::Draft4, "http://json-schema.org/draft-04/schema#"),
];

#[test]
fn no_document_of_the_writer_is_refused_where_none_should_be() {
    let mut compatible = 0;
    let mut judged = 0;
    let mut unproven = 0;
    for seed in 0..PAIRS as u64 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let drafts = match rng.random_range(0..10) {
            // A change of draft between two versions is rare, and is judged too.
            0 => (pick(&mut rng, &DRAFTS), pick(&mut rng, &DRAFTS)),
            _ => {
                let draft = pick(&mut rng, &DRAFTS);
                (draft, draft)
            }
        };
        let mut writer = schema(&mut rng, drafts.1.0, 3);
        let mut reader = match rng.random_range(0..8) {
            0 => schema(&mut rng, drafts.0.0, 3),
            _ => writer.clone(),
        };
        for _ in 0..rng.random_range(0..3) {
            change(&mut rng, drafts.0.0, &mut reader, 3);
        }
        rooted(&mut writer, drafts.1.1);
        rooted(&mut reader, drafts.0.1);
        let (Some(reads), Some(writes)) = (parse(&reader), parse(&writer)) else {
            continue;
        };
        let differences = can_read(&reads, &writes).unwrap();
        let (reads, writes) = (validator(&reader), validator(&writer));
        let mut refused = None;
        for _ in 0..DOCUMENTS {
            let document = document(&mut rng, &writer, &writer, 4);
            if writes.is_valid(&document) {
                judged += 1;
                if !reads.is_valid(&document) {
                    refused = Some(document);
                }
            }
        }
        if differences.is_empty() {
            compatible += 1;
            assert_eq!(
                refused, None,
                "seed {seed}: the reader refuses this document of the writer\n\
                 reader {reader}\nwriter {writer}"
            );
        } else if refused.is_none() {
            unproven += 1;
        }
    }
    assert!(
        compatible > PAIRS / 4,
        "{compatible} compatible pairs say little"
    );
    assert!(judged > PAIRS * 10, "{judged} documents say little");
    // Caution is cheap only as long as it is rare.
    assert!(
        unproven < PAIRS / 10,
        "{unproven} pairs are refused and no document shows why"
    );
}

fn pick<T: Copy>(rng: &mut impl Rng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())]
}

/// Names the draft, and holds the definition that references lead to.
fn rooted(schema: &mut Value, draft: &str) {
    if !schema.is_object() {
        *schema = json!({"allOf": [schema.clone()]});
        if draft.contains("draft-04") {
            *schema = json!({});
        }
    }
    schema["$schema"] = draft.into();
    schema["definitions"] = json!({
        "node": {
            "type": "object", "required": ["a"],
            "properties": {"a": {"type": "integer"}, "b": {"$ref": "#/definitions/node"}}
        }
    });
}

/// Changed pairs may break a rule of the draft itself; those are left out.
fn parse(schema: &Value) -> Option<JsonSchema> {
    JsonSchema::parse(&schema.to_string(), &[]).ok()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options()
        .should_validate_formats(false)
        .build(schema)
        .unwrap_or_else(|error| panic!("{schema}: {error}"))
}

fn schema(rng: &mut impl Rng, draft: Draft, depth: usize) -> Value {
    if draft != Draft::Draft4 && rng.random_range(0..20) == 0 {
        return Value::Bool(rng.random_range(0..3) > 0);
    }
    let mut out = Map::new();
    for _ in 0..rng.random_range(1..4) {
        keyword(rng, draft, depth, &mut out);
    }
    Value::Object(out)
}

fn keyword(rng: &mut impl Rng, draft: Draft, depth: usize, out: &mut Map<String, Value>) {
    let old = draft == Draft::Draft4;
    let late = matches!(draft, Draft::Draft201909 | Draft::Draft202012);
    let name = |rng: &mut _| pick(rng, &["a", "b", "c"]).to_owned();
    let sub = |rng: &mut _| schema(rng, draft, depth.saturating_sub(1));
    let subs = |rng: &mut _| -> Value { (0..pick(rng, &[1, 2, 2, 3])).map(|_| sub(rng)).collect() };
    let small = rng.random_range(0..4);
    let choice = match depth {
        0 => rng.random_range(0..14),
        _ => rng.random_range(0..36),
    };
    let (key, value): (&str, Value) = match choice {
        0..=3 => {
            let words = [
                "integer", "number", "string", "object", "array", "null", "boolean",
            ];
            let one = pick(rng, &words);
            let other = pick(rng, &words);
            match rng.random_range(0..3) {
                0 if one != other => ("type", json!([one, other])),
                _ => ("type", json!(one)),
            }
        }
        4 => ("minimum", json!(small)),
        5 => ("maximum", json!(small)),
        6 if old => ("multipleOf", json!(small + 1)),
        6 => (
            pick(rng, &["exclusiveMinimum", "exclusiveMaximum"]),
            json!(small),
        ),
        7 => ("multipleOf", json!(pick(rng, &[1.0, 2.0, 0.5]))),
        8 => (pick(rng, &["minLength", "maxLength"]), json!(small)),
        9 => ("pattern", json!(pick(rng, &["^a", "b$", "c"]))),
        10 => (pick(rng, &["minItems", "maxItems"]), json!(small)),
        11 => (pick(rng, &["minProperties", "maxProperties"]), json!(small)),
        12 => {
            let all = [
                json!("a"),
                json!("abc"),
                json!(1),
                json!(2.0),
                json!(null),
                json!({"a": 1}),
            ];
            let from = rng.random_range(0..3);
            ("enum", all[from..from + rng.random_range(1..4)].into())
        }
        13 if old => ("uniqueItems", json!(true)),
        13 => ("const", pick(rng, &[0, 1, 2]).into()),
        14..=18 => {
            let properties: Map<String, Value> =
                (0..small + 1).map(|_| (name(rng), sub(rng))).collect();
            ("properties", Value::Object(properties))
        }
        19 => ("required", json!([name(rng)])),
        20 => ("additionalProperties", Value::Bool(false)),
        21 => ("additionalProperties", sub(rng)),
        22 => (
            "patternProperties",
            json!({pick(rng, &["^a", "b|c"]): sub(rng)}),
        ),
        23 if old => ("dependencies", json!({name(rng): [name(rng)]})),
        23 => (
            "propertyNames",
            json!({"maxLength": small, "pattern": "^[ab]"}),
        ),
        24 if late => ("dependentRequired", json!({name(rng): [name(rng)]})),
        24 => ("dependencies", json!({name(rng): [name(rng)]})),
        25 if late => ("dependentSchemas", json!({name(rng): sub(rng)})),
        25 => ("dependencies", json!({name(rng): sub(rng)})),
        26 => ("items", sub(rng)),
        27 if draft == Draft::Draft202012 => ("prefixItems", subs(rng)),
        27 => {
            out.insert("additionalItems".to_owned(), sub(rng));
            ("items", subs(rng))
        }
        28 if late => {
            out.insert("minContains".to_owned(), pick(rng, &[0, 1, 2]).into());
            out.insert("maxContains".to_owned(), pick(rng, &[1, 2, 3]).into());
            ("contains", sub(rng))
        }
        28 if !old => ("contains", sub(rng)),
        29 if late => ("unevaluatedProperties", pick(rng, &[false, true]).into()),
        30 if late => ("unevaluatedItems", sub(rng)),
        29..=30 => ("$ref", json!("#/definitions/node")),
        31 => ("anyOf", subs(rng)),
        32 => ("oneOf", subs(rng)),
        33 => ("allOf", subs(rng)),
        34 => ("not", sub(rng)),
        _ if !old && draft != Draft::Draft6 => {
            out.insert("then".to_owned(), sub(rng));
            out.insert("else".to_owned(), sub(rng));
            ("if", sub(rng))
        }
        _ => ("uniqueItems", json!(true)),
    };
    out.insert(key.to_owned(), value);
}

/// Changes one thing somewhere in the schema.
fn change(rng: &mut impl Rng, draft: Draft, json: &mut Value, depth: usize) {
    let Value::Object(object) = json else {
        *json = schema(rng, draft, depth);
        return;
    };
    let keys: Vec<String> = object.keys().cloned().collect();
    let key = match keys.len() {
        0 => String::new(),
        n => keys[rng.random_range(0..n)].clone(),
    };
    match rng.random_range(0..6) {
        0 => {
            object.remove(&key);
        }
        1 => keyword(rng, draft, depth, object),
        _ => match object.get_mut(&key) {
            Some(Value::Number(number)) => {
                let by = pick(rng, &[-1.0, 1.0]);
                let changed = number.as_f64().unwrap() + by;
                if changed > 0.0 {
                    object[&key] = json!(changed as i64 + i64::from(key == "multipleOf"));
                }
            }
            Some(Value::Array(items)) if !items.is_empty() => {
                let at = rng.random_range(0..items.len());
                match rng.random_range(0..3) {
                    0 if items.len() > 1 => {
                        items.remove(at);
                    }
                    1 => {
                        let item = items[at].clone();
                        if item.is_object() {
                            items.push(schema(rng, draft, depth.saturating_sub(1)));
                        }
                    }
                    _ if items[at].is_object() => {
                        change(rng, draft, &mut items[at], depth.saturating_sub(1));
                    }
                    _ => {}
                }
            }
            Some(inner @ Value::Object(_)) => match key.as_str() {
                "properties" | "patternProperties" | "dependentSchemas" => {
                    let inner = inner.as_object_mut().unwrap();
                    match rng.random_range(0..3) {
                        0 => {
                            let new = pick(rng, &["a", "b", "c", "d"]);
                            inner.insert(new.to_owned(), schema(rng, draft, depth - 1));
                        }
                        _ => {
                            let n = inner.len();
                            if let Some(value) =
                                inner.values_mut().nth(rng.random_range(0..n.max(1)))
                            {
                                change(rng, draft, value, depth.saturating_sub(1));
                            }
                        }
                    }
                }
                "dependencies" | "dependentRequired" | "const" => {}
                _ => change(rng, draft, inner, depth.saturating_sub(1)),
            },
            _ => keyword(rng, draft, depth, object),
        },
    }
}

/// A document that has a fair chance of being valid, and is not too tame.
fn document(rng: &mut impl Rng, schema: &Value, root: &Value, depth: usize) -> Value {
    if depth == 0 || rng.random_range(0..6) == 0 {
        return any(rng, depth);
    }
    let Value::Object(object) = schema else {
        return any(rng, depth);
    };
    if let Some(Value::String(to)) = object.get("$ref") {
        let target = root.pointer(&to[1..]).unwrap();
        return document(rng, target, root, depth - 1);
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(branches)) = object.get(key)
            && rng.random_range(0..2) == 0
        {
            let branch = &branches[rng.random_range(0..branches.len())];
            return document(rng, branch, root, depth - 1);
        }
    }
    for key in ["if", "then", "else"] {
        if let Some(branch) = object.get(key)
            && rng.random_range(0..4) == 0
        {
            return document(rng, branch, root, depth - 1);
        }
    }
    if let Some(Value::Array(values)) = object.get("enum") {
        return values[rng.random_range(0..values.len())].clone();
    }
    if let Some(value) = object.get("const") {
        return value.clone();
    }
    let word = match object.get("type") {
        Some(Value::String(word)) => word.as_str(),
        Some(Value::Array(words)) => words[rng.random_range(0..words.len())].as_str().unwrap(),
        _ if object.contains_key("items") || object.contains_key("prefixItems") => "array",
        _ if object.contains_key("contains") => "array",
        _ if object
            .keys()
            .any(|key| key.contains("ropert") || key.contains("depend")) =>
        {
            "object"
        }
        _ if object.contains_key("required") => "object",
        _ => return any(rng, depth),
    };
    match word {
        "object" => {
            let mut out = Map::new();
            let empty = Map::new();
            let properties = object
                .get("properties")
                .and_then(Value::as_object)
                .unwrap_or(&empty);
            for (name, schema) in properties {
                if rng.random_range(0..3) > 0 {
                    out.insert(name.clone(), document(rng, schema, root, depth - 1));
                }
            }
            let required = object.get("required").and_then(Value::as_array);
            for name in required.into_iter().flatten().filter_map(Value::as_str) {
                let schema = properties.get(name).unwrap_or(&Value::Null);
                out.insert(name.to_owned(), document(rng, schema, root, depth - 1));
            }
            if rng.random_range(0..3) == 0 {
                let name = pick(rng, &["a", "b", "c", "d", "ab"]);
                let other = object.get("additionalProperties").unwrap_or(&Value::Null);
                out.entry(name)
                    .or_insert(document(rng, other, root, depth - 1));
            }
            Value::Object(out)
        }
        "array" => (0..rng.random_range(0..4))
            .map(|at| {
                let place = |key: &str| object.get(key).and_then(|list| list.get(at));
                let schema = place("prefixItems")
                    .or(place("items"))
                    .or(object.get("items"))
                    .or(object.get("contains"))
                    .unwrap_or(&Value::Null);
                document(rng, schema, root, depth - 1)
            })
            .collect(),
        "string" => text(rng),
        "null" => Value::Null,
        "boolean" => Value::Bool(rng.random_range(0..2) == 0),
        _ => number(rng),
    }
}

fn any(rng: &mut impl Rng, depth: usize) -> Value {
    match rng.random_range(0..if depth == 0 { 5 } else { 8 }) {
        0 => Value::Null,
        1 => Value::Bool(rng.random_range(0..2) == 0),
        2 => text(rng),
        3 | 4 => number(rng),
        5 => (0..rng.random_range(0..3))
            .map(|_| any(rng, depth - 1))
            .collect(),
        _ => {
            let names = ["a", "b", "c", "d", "ab"];
            let entries = (0..rng.random_range(0..4))
                .map(|_| (pick(rng, &names).to_owned(), any(rng, depth - 1)));
            Value::Object(entries.collect())
        }
    }
}

fn text(rng: &mut impl Rng) -> Value {
    pick(rng, &["", "a", "b", "ab", "abc", "cb", "aaaa"]).into()
}

fn number(rng: &mut impl Rng) -> Value {
    match rng.random_range(0..4) {
        0 => json!(f64::from(rng.random_range(-4..10)) / 2.0),
        _ => json!(rng.random_range(-1..6)),
    }
}
