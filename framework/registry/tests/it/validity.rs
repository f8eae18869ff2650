//! Which schemas are refused, and how their texts are written back.

use mesh_registry::compat::Schema;
use serde_json::json;

use crate::harness::{Server, record};

#[test]
fn a_schema_that_breaks_the_specification_is_refused_with_its_place() {
    let table: &[(&str, &[&str])] = &[
        ("", &["empty"]),
        ("{", &["not valid JSON", "line: 1"]),
        ("{\"type\":\n \"int\",}", &["not valid JSON", "line: 2"]),
        ("\"int\" x", &["trailing"]),
        ("int", &["not valid JSON"]),
        ("1", &["at: /"]),
        ("null", &["at: /"]),
        ("{}", &["no 'type'"]),
        (r#"{"type":{"type":"int"}}"#, &["at: /type"]),
        (r#""integer""#, &["'integer' is neither"]),
        (r#""record""#, &["cannot stand alone"]),
        (r#"{"type":"array"}"#, &["no 'items'"]),
        (r#"{"type":"map"}"#, &["no 'values'"]),
        (r#"{"type":"array","items":"nope"}"#, &["at: /items"]),
        (r#"["int","int"]"#, &["'int' twice", "at: /1"]),
        (r#"["int",["null"]]"#, &["another union", "at: /1"]),
        (
            r#"[{"type":"map","values":"int"},{"type":"map","values":"long"}]"#,
            &["'map' twice"],
        ),
        (r#"{"type":"record","name":"R"}"#, &["no array 'fields'"]),
        (r#"{"type":"record","fields":[]}"#, &["needs a 'name'"]),
        (
            r#"{"type":"record","name":"2R","fields":[]}"#,
            &["'2R' is not a name", "at: /name"],
        ),
        (
            r#"{"type":"record","name":"a-b","fields":[]}"#,
            &["'a-b' is not a name"],
        ),
        (
            r#"{"type":"record","name":"Kůň","fields":[]}"#,
            &["is not a name"],
        ),
        (r#"{"type":"record","name":"","fields":[]}"#, &["empty"]),
        (
            r#"{"type":"record","name":"a..R","fields":[]}"#,
            &["not a namespace"],
        ),
        (
            r#"{"type":"record","name":"int","fields":[]}"#,
            &["primitive"],
        ),
        (
            r#"{"type":"record","name":7,"fields":[]}"#,
            &["'name' must be a string"],
        ),
        (
            r#"{"type":"record","name":"R","namespace":"a-b","fields":[]}"#,
            &["at: /namespace", "'a-b'"],
        ),
        (
            r#"{"type":"record","name":"R","aliases":"S","fields":[]}"#,
            &["at: /aliases"],
        ),
        (
            r#"{"type":"record","name":"R","aliases":["S","1"],"fields":[]}"#,
            &["at: /aliases/1"],
        ),
        (r#"{"type":"enum","name":"E"}"#, &["no array 'symbols'"]),
        (
            r#"{"type":"enum","name":"E","symbols":["A","A"]}"#,
            &["'A' twice", "at: /symbols/1"],
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["A b"]}"#,
            &["at: /symbols/0"],
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["A"],"default":"B"}"#,
            &["'B' is not a symbol"],
        ),
        (r#"{"type":"fixed","name":"F"}"#, &["'size'"]),
        (r#"{"type":"fixed","name":"F","size":-1}"#, &["'size'"]),
        (r#"{"type":"fixed","name":"F","size":2.5}"#, &["'size'"]),
        (
            r#"[{"type":"fixed","name":"F","size":1},{"type":"enum","name":"F","symbols":[]}]"#,
            &["'F' is defined twice", "at: /1"],
        ),
    ];
    let fields: &[(&str, &[&str])] = &[
        (
            r#"{"name":"a","type":"int"},{"name":"a","type":"int"}"#,
            &["'a' twice", "at: /fields/1"],
        ),
        (r#"{"name":"a-b","type":"int"}"#, &["at: /fields/0/name"]),
        (r#"{"type":"int"}"#, &["no 'name'"]),
        (r#"{"name":"a"}"#, &["'a' of record bank.R has no 'type'"]),
        (r#""a""#, &["a field is an object"]),
        (
            r#"{"name":"a","type":"inte"}"#,
            &["'inte'", "at: /fields/0/type"],
        ),
        (
            r#"{"name":"a","type":{"type":"inte"}}"#,
            &["at: /fields/0/type/type"],
        ),
        (
            r#"{"name":"a","type":"int","order":"up"}"#,
            &["at: /fields/0/order"],
        ),
        (
            r#"{"name":"a","type":"int","doc":5}"#,
            &["at: /fields/0/doc"],
        ),
        (
            r#"{"name":"a","type":"int","aliases":["ok","not ok"]}"#,
            &["at: /fields/0/aliases/1"],
        ),
        (
            r#"{"name":"a","type":"Later"},{"name":"b","type":{"type":"fixed","name":"Later","size":1}}"#,
            &["'Later' is neither"],
        ),
    ];
    let defaults: &[(&str, &str, &str)] = &[
        (r#""int""#, "\"x\"", "32 bits"),
        (r#""int""#, "2147483648", "32 bits"),
        (r#""int""#, "1.0", "32 bits"),
        (r#""long""#, "9223372036854775808", "64 bits"),
        (r#""int""#, "null", "32 bits"),
        (r#""boolean""#, "0", "true or false"),
        (r#""string""#, "null", "a string"),
        (r#""null""#, "\"null\"", "null is expected"),
        (r#""double""#, "\"much\"", "a number"),
        (r#""bytes""#, "\"ž\"", "above 255"),
        (r#"["null","int"]"#, "\"x\"", "no branch"),
        (r#"{"type":"array","items":"int"}"#, "[1,\"x\"]", "32 bits"),
        (r#"{"type":"array","items":"int"}"#, "{}", "an array"),
        (
            r#"{"type":"map","values":"int"}"#,
            "{\"a\":null}",
            "32 bits",
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["A"]}"#,
            "\"B\"",
            "not a symbol of enum bank.E",
        ),
        (
            r#"{"type":"fixed","name":"F","size":2}"#,
            "\"abc\"",
            "3 bytes",
        ),
        (
            r#"{"type":"record","name":"I","fields":[{"name":"x","type":"int"}]}"#,
            "{}",
            "field 'x'",
        ),
        (
            r#"{"type":"record","name":"I","fields":[{"name":"x","type":"int"}]}"#,
            "{\"x\":\"1\"}",
            "field 'x'",
        ),
        (r#""R""#, "{}", "hold itself"),
    ];
    let refuse = |text: &str, words: &[&str]| {
        let error = Schema::parse(text).expect_err(text).to_string();
        for word in words {
            assert!(error.contains(word), "{text}: '{word}' in {error}");
        }
    };
    for (text, words) in table {
        refuse(text, words);
    }
    for (text, words) in fields {
        refuse(&record(text), words);
    }
    for (kind, default, word) in defaults {
        let field = format!(r#"{{"name":"a","type":{kind},"default":{default}}}"#);
        refuse(
            &record(&field),
            &[word, "field 'a' of record bank.R", "at: /fields/0/default"],
        );
    }
}

/// Each text, and how it is written back; "" for unchanged.
#[test]
fn the_canonical_text_keeps_what_means_something() {
    let table = [
        (r#"{"type":"int"}"#, r#""int""#),
        (
            r#" [ "null" , {"type" : "string"} ] "#,
            r#"["null","string"]"#,
        ),
        (r#"{"type":"int","logicalType":"date"}"#, ""),
        (
            r#"{"logicalType":"date","type":"int","doc":"dropped: no doc on a primitive"}"#,
            r#"{"type":"int","logicalType":"date"}"#,
        ),
        (
            r#"{"type":"array","items":{"type":"long"},"x":1}"#,
            r#"{"type":"array","items":"long","x":1}"#,
        ),
        (
            r#"{"name":"a.b.E","symbols":["X","Y"],"aliases":["F","c.G"],"default":"X","type":"enum","doc":"d","x":[1]}"#,
            r#"{"type":"enum","name":"E","namespace":"a.b","doc":"d","symbols":["X","Y"],"default":"X","x":[1],"aliases":["F","c.G"]}"#,
        ),
        (
            r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":{"type":"fixed","name":"F","size":3}},{"name":"b","type":"n.F"},{"name":"c","type":{"type":"enum","name":"o.E","symbols":[]}},{"name":"d","type":"o.E"},{"name":"e","type":["null","R"],"default":null}]}"#,
            r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":{"type":"fixed","name":"F","size":3}},{"name":"b","type":"F"},{"name":"c","type":{"type":"enum","name":"E","namespace":"o","symbols":[]}},{"name":"d","type":"o.E"},{"name":"e","type":["null","R"],"default":null}]}"#,
        ),
        (
            r#"{"type":"record","name":"R","namespace":"","doc":null,"fields":[{"name":"a","type":"float","default":"NaN","order":"ascending"},{"name":"b","type":"double","default":"1.5","order":"IGNORE","aliases":["c","c"]}]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"float","default":"NaN"},{"name":"b","type":"double","default":1.5,"order":"ignore","aliases":["c"]}]}"#,
        ),
        (r#"{"type":"error","name":"E","fields":[]}"#, ""),
    ];
    for (text, expected) in table {
        let expected = if expected.is_empty() { text } else { expected };
        let canonical = Schema::parse(text).unwrap().canonical();
        assert_eq!(canonical, expected);
        assert_eq!(
            Schema::parse(&canonical).unwrap().canonical(),
            expected,
            "a fixed point"
        );
        let normalized = Schema::parse(text).unwrap().normalized();
        assert_eq!(Schema::parse(&normalized).unwrap().normalized(), normalized);
    }
}

#[test]
fn hostile_schemas_cost_little_and_never_panic() {
    let deep = |open: &str, middle: &str, close: &str, n: usize| {
        format!("{}{middle}{}", open.repeat(n), close.repeat(n))
    };
    for text in [
        deep(r#"{"type":"array","items":"#, "\"int\"", "}", 100_000 / 8),
        deep("[", "", "]", 100_000),
        deep(r#"{"a":"#, "1", "}", 100_000),
    ] {
        let error = Schema::parse(&text).unwrap_err().to_string();
        assert!(error.contains("recursion limit"), "{error}");
    }
    let shallow = deep(r#"{"type":"array","items":"#, "\"int\"", "}", 100);
    assert!(Schema::parse(&shallow).is_ok());
    // A default whose every level fits two branches until the innermost fits none.
    let branches = r#"[{"type":"record","name":"P","fields":[{"name":"n","type":["P",
        {"type":"record","name":"Q","fields":[{"name":"n","type":["P","Q"]}]}]}]},"Q"]"#;
    let default = deep(r#"{"n":"#, "7", "}", 50);
    let text = record(&format!(
        r#"{{"name":"x","type":{branches},"default":{default}}}"#
    ));
    assert!(
        Schema::parse(&text)
            .unwrap_err()
            .to_string()
            .contains("no branch")
    );
}

#[tokio::test]
async fn an_invalid_schema_is_refused_everywhere_with_42201() {
    let server = Server::start().await;
    server.register("s", "\"int\"").await;
    let bad = record(r#"{"name":"a","type":"money"}"#);
    for request in [
        "POST /subjects/s/versions",
        "POST /subjects/s",
        "POST /compatibility/subjects/s/versions",
        "POST /compatibility/subjects/s/versions/latest",
    ] {
        let words = ["'money'", "/fields/0/type"];
        server
            .refused(request, json!({"schema": bad}), 42201, &words)
            .await;
    }
}
