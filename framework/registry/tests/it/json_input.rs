//! What is read as a JSON Schema and what is refused, references, texts and messages.

use std::time::{Duration, Instant};

use mesh_registry::compat::json::{JsonSchema, can_read};
use serde_json::json;

fn parse(text: &str) -> mesh_core::Result<JsonSchema> {
    JsonSchema::parse(text, &[])
}

fn reference(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

/// The message with its context: `message (at: …)`.
#[track_caller]
fn refused(text: &str, references: &[(String, String)], words: &[&str]) {
    let started = Instant::now();
    let error = JsonSchema::parse(text, references).expect_err(&text[..text.len().min(200)]);
    let told = format!("{error} {:?}", error.context());
    for word in words {
        assert!(told.contains(word), "'{word}' in {told}");
    }
    assert!(told.len() < 2_000, "{} bytes of error", told.len());
    assert!(started.elapsed() < Duration::from_secs(20), "{told}");
}

#[test]
fn bad_schemas_are_refused_with_their_place() {
    let table: &[(&str, &[&str])] = &[
        ("", &["empty"]),
        ("  \n", &["empty"]),
        ("{\n  \"type\": }", &["not valid JSON", "line", "2"]),
        ("\"string\"", &["an object"]),
        ("[]", &["an object"]),
        (r#"{"type": "strin"}"#, &["not a schema of", "/type"]),
        (r#"{"properties": {"a": 1}}"#, &["/properties/a"]),
        (r#"{"items": {"minLength": -1}}"#, &["/items/minLength"]),
        (r#"{"required": "a"}"#, &["/required"]),
        (
            r#"{"properties": {"a": {"pattern": "("}}}"#,
            &["/properties/a/pattern", "regex"],
        ),
        (
            r#"{"patternProperties": {"[": {}}}"#,
            &["patternProperties", "regex"],
        ),
        (
            r#"{"$schema": "http://example.com/own#"}"#,
            &["/$schema", "draft-07"],
        ),
        (r#"{"$schema": 7}"#, &["/$schema"]),
        (
            r##"{"properties": {"a": {"$ref": "#/definitions/none"}}}"##,
            &["#/definitions/none", "/properties/a/$ref"],
        ),
        (
            r#"{"properties": {"a": {"$ref": "other.json"}}}"#,
            &["other.json"],
        ),
        (
            r#"{"properties": {"a": {"$ref": "https://example.com/x"}}}"#,
            &["example.com/x"],
        ),
        (r##"{"$ref": "#"}"##, &["refers back to itself"]),
        (
            r##"{"allOf": [{"$ref": "#/definitions/a"}], "definitions": {"a": {"not": {"$ref": "#"}}}}"##,
            &["refers back to itself"],
        ),
    ];
    for (text, words) in table {
        refused(text, &[], words);
    }
    // What is wrong in a schema that is referred to is told with its name.
    let main = r#"{"properties": {"a": {"$ref": "a.json"}}}"#;
    refused(
        main,
        &[reference("a.json", "{")],
        &["not valid JSON", "a.json"],
    );
    refused(
        main,
        &[reference("a.json", r#"{"type": 1}"#)],
        &["/type", "a.json"],
    );
}

#[test]
fn large_and_deep_schemas_end_in_time() {
    refused(&"[".repeat(100_000), &[], &["not valid JSON"]);
    let deep = format!("{}{{}}{}", r#"{"items":"#.repeat(120), "}".repeat(120));
    parse(&deep).unwrap();
    refused(
        &format!("{{\"title\": \"{}\"}}", "x".repeat(1 << 20)),
        &[],
        &["too large"],
    );
    let half = format!("{{\"title\": \"{}\"}}", "x".repeat(600_000));
    refused(&half, &[reference("a.json", &half)], &["too large"]);

    // References one after another, as many as there is room for.
    let chain = |links: usize, link: &dyn Fn(usize) -> String| {
        let all: Vec<String> = (0..links)
            .map(|n| format!("\"d{n}\":{}", link(n + 1)))
            .collect();
        format!(
            r##"{{"$ref":"#/definitions/d0","definitions":{{{},"d{links}":{{}}}}}}"##,
            all.join(",")
        )
    };
    let plain = chain(15_000, &|n| format!(r##"{{"$ref":"#/definitions/d{n}"}}"##));
    refused(&plain, &[], &["chained too deeply"]);
    let inside = chain(15_000, &|n| {
        format!(r##"{{"items":{{"$ref":"#/definitions/d{n}"}}}}"##)
    });
    let started = Instant::now();
    let schema = parse(&inside).unwrap();
    let other = parse(&inside.replace(r#""d15000":{}"#, r#""d15000":{"type":"string"}"#)).unwrap();
    let error = can_read(&other, &schema).unwrap_err();
    assert!(error.to_string().contains("too deeply nested"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(30));

    // The same by the longest way through the rules.
    let around = chain(9_000, &|n| {
        format!(
            r##"{{"anyOf":[{{"required":["a"],"additionalProperties":{{"$ref":"#/definitions/d{n}"}}}},{{"type":"null"}}]}}"##
        )
    });
    let other = around.replace(r#""d9000":{}"#, r#""d9000":{"type":"string"}"#);
    let error = can_read(&parse(&other).unwrap(), &parse(&around).unwrap()).unwrap_err();
    assert!(error.to_string().contains("too deeply nested"), "{error}");

    // Many properties, and alternatives that cannot be told apart.
    let wide = |kind: &str| {
        let all: Vec<String> = (0..10_000)
            .map(|n| format!(r#""p{n}":{{"type":"{kind}"}}"#))
            .collect();
        parse(&format!(r#"{{"properties":{{{}}}}}"#, all.join(","))).unwrap()
    };
    let started = Instant::now();
    assert!(
        can_read(&wide("number"), &wide("integer"))
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        can_read(&wide("integer"), &wide("number")).unwrap().len(),
        50
    );
    let branches = |n: usize| -> Vec<_> {
        (0..n).map(|n| json!({"required": [format!("r{n}")], "oneOf": [{"minProperties": n}, {"maxProperties": n}]})).collect()
    };
    let many = |n| parse(&json!({"oneOf": branches(n)}).to_string()).unwrap();
    match can_read(&many(60), &many(61)) {
        Ok(differences) => assert!(!differences.is_empty()),
        Err(error) => assert!(error.to_string().contains("too complex"), "{error}"),
    }
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn references_are_followed_by_name_and_by_identifier() {
    let address = r#"{"type": "object", "properties": {"zip": {"type": "string"}}}"#;
    let strict = r#"{"type": "object", "properties": {"zip": {"type": "string", "maxLength": 5}}}"#;
    let with = |name: &str, id: &str, text: &str| {
        let main = json!({
            "$id": id, "type": "object",
            "properties": {"home": {"$ref": name}, "work": {"$ref": format!("{name}#/properties/zip")}}
        });
        JsonSchema::parse(&main.to_string(), &[reference(name, text)])
            .unwrap_or_else(|error| panic!("{name} {id}: {error}"))
    };
    for (name, id) in [
        ("address.json", "customer.json"),
        ("address.json", "https://example.com/schemas/customer.json"),
        (
            "https://example.com/address.json",
            "https://example.com/customer.json",
        ),
        ("urn:bank:address", "urn:bank:customer"),
    ] {
        let (wide, narrow) = (with(name, id, address), with(name, id, strict));
        assert!(can_read(&wide, &narrow).unwrap().is_empty(), "{name} {id}");
        let differences = can_read(&narrow, &wide).unwrap();
        let told: Vec<String> = differences
            .iter()
            .map(|d| format!("{} {}", d.rule, d.path))
            .collect();
        assert_eq!(
            told,
            [
                "MAX_LENGTH_ADDED /properties/home/properties/zip/maxLength",
                "MAX_LENGTH_ADDED /properties/work/maxLength"
            ],
            "{name} {id}"
        );
        assert_eq!(differences[0].field, "home.zip");
    }
    // By the identifier of the schema that is referred to, and by an anchor within.
    let other = r##"{"$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.com/other", "$defs": {"x": {"$anchor": "here", "type": "string"}}}"##;
    let main = r#"{"$schema": "https://json-schema.org/draft/2020-12/schema",
        "items": {"$ref": "https://example.com/other#here"}}"#;
    let schema = JsonSchema::parse(main, &[reference("any-name", other)]).unwrap();
    let plain = parse(r#"{"items": {"type": "string"}}"#).unwrap();
    assert!(can_read(&schema, &plain).unwrap().is_empty());
    assert!(can_read(&plain, &schema).unwrap().is_empty());
    // References between schemas that are referred to.
    let a = r#"{"properties": {"b": {"$ref": "b.json"}}}"#;
    let b = r#"{"properties": {"a": {"$ref": "a.json"}, "n": {"type": "integer"}}}"#;
    let refs = [reference("a.json", a), reference("b.json", b)];
    JsonSchema::parse(r#"{"$ref": "a.json"}"#, &refs).unwrap();
}

#[test]
fn a_reference_that_leads_nowhere_is_named_with_its_place() {
    let zip = r#"{"type": "string"}"#;
    let main = r#"{"properties": {"zip": {"$ref": "zip.json"}, "home": {"$ref": "home.json#/a"}}}"#;
    let home = r#"{"a": {"items": {"$ref": "street.json"}}}"#;
    for (references, words) in [
        (vec![], vec!["'zip.json'", "/properties/zip/$ref"]),
        (
            vec![reference("zip.json", zip)],
            vec!["'home.json'", "/properties/home/$ref"],
        ),
        (
            vec![reference("zip.json", zip), reference("home.json", home)],
            vec!["'street.json'", "/home.json#~1a/items/$ref"],
        ),
    ] {
        refused(main, &references, &words);
    }
}

#[test]
fn recursive_schemas_are_compared() {
    let tree = |value: &str| {
        parse(&format!(
            r##"{{"type": "object", "additionalProperties": false, "properties": {{
                "value": {{"type": "{value}"}}, "next": {{"$ref": "#"}},
                "all": {{"type": "array", "items": {{"$ref": "#"}}}}}}}}"##
        ))
        .unwrap()
    };
    assert!(
        can_read(&tree("number"), &tree("integer"))
            .unwrap()
            .is_empty()
    );
    let differences = can_read(&tree("integer"), &tree("number")).unwrap();
    let paths: Vec<&str> = differences.iter().map(|d| d.path.as_str()).collect();
    assert_eq!(paths, ["/properties/value/type"]);
}

#[test]
fn the_canonical_text_keeps_the_order_and_the_normalised_one_sorts() {
    let text = r#"{ "type" : "object", "required": ["b", "a"], "title":"x",
        "properties": {"b": {"type": ["string", "null"], "enum": ["z", "a"]}, "a": true}, "default": {"z": [2, 1], "a": 0} }"#;
    let schema = parse(text).unwrap();
    let canonical = r#"{"type":"object","required":["b","a"],"title":"x","properties":{"b":{"type":["string","null"],"enum":["z","a"]},"a":true},"default":{"z":[2,1],"a":0}}"#;
    let normalized = r#"{"default":{"a":0,"z":[2,1]},"properties":{"a":true,"b":{"enum":["z","a"],"type":["null","string"]}},"required":["a","b"],"title":"x","type":"object"}"#;
    assert_eq!(schema.canonical(), canonical);
    assert_eq!(schema.normalized(), normalized);
    for text in [canonical, normalized] {
        let again = parse(text).unwrap();
        assert_eq!(again.canonical(), text);
        assert_eq!(again.normalized(), normalized);
    }
    // A number stays the number that was written.
    let number = r#"{"maximum":1.50,"minimum":1e3}"#;
    assert_eq!(
        parse(number).unwrap().canonical(),
        r#"{"maximum":1.5,"minimum":1000.0}"#
    );
}

#[test]
fn a_difference_names_rule_field_and_mend() {
    let object = |properties: &str, required: &str| {
        parse(&format!(
            r#"{{"type": "object", "properties": {{"address": {{"type": "object",
                "properties": {{{properties}}}, "required": [{required}], "additionalProperties": false}}}}}}"#
        ))
        .unwrap()
    };
    let old = object(r#""zip": {"type": "string"}"#, "");
    let new = object(r#""zip": {"type": "integer"}"#, r#""zip""#);
    let differences = can_read(&new, &old).unwrap();
    let told: Vec<String> = differences
        .iter()
        .map(|d| {
            format!(
                "{} {} [{}] {}; {}",
                d.rule,
                d.path,
                d.field,
                d.describe("the new schema", "version 3"),
                d.mend("the new schema", "version 3")
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "REQUIRED_ATTRIBUTE_ADDED /properties/address/required [address] the new schema requires \
             the property 'zip', and version 3 may leave it out; take 'zip' out of 'required' in the \
             new schema",
            "TYPE_CHANGED /properties/address/properties/zip/type [address.zip] the new schema takes \
             the types integer, and version 3 may write string; let the new schema take string too \
             (number takes integers), or use a property of another name",
        ]
    );
}
