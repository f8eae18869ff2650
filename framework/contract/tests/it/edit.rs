//! Edits keep what they do not touch, and documents that are written say what was meant.

use mesh_contract::Source;
use mesh_contract::standard::{DataContract, DataProduct};
use serde_json::{Value as Json, json};

use crate::support::{document, files, to_json};

const TEXT: &str = "\
# A contract.
apiVersion: v3.2.0   # the newest
kind: DataContract

id: 'a''b'
name: \"Quoted\" # keep
status: active
tags: [one, two]
options: { format: i64, minimum: 1 }
empty:
usage: |
  One line.

  Another.
schema:
  # The only one.
  - name: first   # its name
    properties:
    - name: a
      required: true
    # About b.
    - name: b
      tags:
      - x
      - y # why
  - name: second
last: 1";

enum Do {
    Set(&'static str, Json),
    Insert(&'static str, Json),
    Remove(&'static str),
    Rename(&'static str, &'static str),
}
use Do::{Insert, Remove, Rename, Set};

fn edit(source: &mut Source, what: &Do) -> Result<(), String> {
    match what {
        Set(path, value) => source.set(path, value),
        Insert(path, value) => source.insert(path, value),
        Remove(path) => source.remove(path),
        Rename(path, key) => source.rename(path, key),
    }
    .map_err(|problems| problems.to_string())
}

/// Does the edit and expects that it replaced exactly `from` by `to`, with either line end.
fn check(what: &Do, from: &str, to: &str) -> Result<(), String> {
    assert_eq!(TEXT.matches(from).count(), 1, "{from:?}");
    for end in ["\n", "\r\n"] {
        let text = TEXT.replace('\n', end);
        let mut source = Source::parse("c.yaml", &text).unwrap();
        assert_eq!(source.text(), text);
        edit(&mut source, what).map_err(|problems| format!("{to:?}: {problems}"))?;
        if source.text() != TEXT.replace(from, to).replace('\n', end) {
            return Err(format!("{to:?}:\n{}", source.text()));
        }
    }
    Ok(())
}

#[test]
fn an_edit_changes_its_place_and_nothing_else() {
    #[rustfmt::skip]
    let cases = [
    (Set("status", json!("deprecated")),
        "status: active",
        "status: deprecated",
    ),
    (Set("apiVersion", json!("v3.1.0")),
        "v3.2.0   #",
        "v3.1.0   #",
    ),
    (Set("id", json!("it's")), "'a''b'", "'it''s'"),
    (Set("name", json!("say \"yes\"")),
        "\"Quoted\"",
        "\"say \\\"yes\\\"\"",
    ),
    (Set("status", json!("yes")),
        "status: active",
        "status: 'yes'",
    ),
    (Set("status", json!("1.0")),
        "status: active",
        "status: '1.0'",
    ),
    (Set("status", json!("a: b # c")),
        "status: active",
        "status: 'a: b # c'",
    ),
    (Set("status", json!(7)), "status: active", "status: 7"),
    (Set("empty", json!("now")), "empty:\n", "empty: now\n"),
    (Set("tags", json!(["three"])), "[one, two]", "[three]"),
    (Set("tags[1]", json!("2")), "two]", "'2']"),
    (Set("options.minimum", json!(2)),
        "minimum: 1",
        "minimum: 2",
    ),
    (Set("usage", json!("Short.")),
        "|\n  One line.\n\n  Another.\n",
        "Short.\n",
    ),
    (Set("usage", json!("Two\nlines.\n")),
        "  One line.\n\n  Another.\n",
        "  Two\n  lines.\n",
    ),
    (Set("schema[0].name", json!("other")),
        "first   #",
        "other   #",
    ),
    (Set("schema[1]", json!({"name": "x"})),
        "name: second",
        "name: x",
    ),
    (Set("status", json!({"word": "active"})),
        "status: active",
        "status:\n  word: active",
    ),
    (Set("schema[0].properties[1].tags[1]", json!("z")),
        "- y #",
        "- z #",
    ),

    (Insert("options.maximum", json!(9)),
        "minimum: 1 }",
        "minimum: 1, maximum: 9 }",
    ),
    (Insert("tags[2]", json!("three")), "two]", "two, three]"),
    (Insert("tags[0]", json!("zero")), "[one", "[zero, one"),
    (Set("domain", json!("lab")),
        "last: 1",
        "last: 1\ndomain: lab",
    ),
    (Set("schema[0].properties[0].description", json!("It is.")),
        "      required: true\n",
        "      required: true\n      description: It is.\n",
    ),
    (Insert(
            "schema[0].properties[1]",
            json!({"name": "between", "tags": ["t"]}),
        ),
        "      required: true\n",
        "      required: true\n    - name: between\n      tags: [t]\n",
    ),
    (Insert(
            "schema[2]",
            json!({"name": "third", "properties": [{"name": "c"}]}),
        ),
        "  - name: second\n",
        "  - name: second\n  - name: third\n    properties:\n      - name: c\n",
    ),
    (Insert("schema[0].properties[1].tags[2]", json!("z")),
        "- y # why\n",
        "- y # why\n      - z\n",
    ),
    (Insert("schema[0].properties[0]", json!({"name": "z"})),
        "    - name: a\n",
        "    - name: z\n    - name: a\n",
    ),

    (Remove("status"), "status: active\n", ""),
    (Remove("empty"), "empty:\n", ""),
    (Remove("last"),
        "  - name: second\nlast: 1",
        "  - name: second\n",
    ),
    (Remove("usage"),
        "usage: |\n  One line.\n\n  Another.\n",
        "",
    ),
    (Remove("options.format"), "format: i64, ", ""),
    (Remove("options.minimum"), ", minimum: 1", ""),
    (Remove("tags[0]"), "one, ", ""),
    (Remove("schema[0].properties[0]"),
        "    - name: a\n      required: true\n",
        "",
    ),
    (Remove("schema[0].properties[0].name"),
        "- name: a\n      required",
        "- required",
    ),
    (Remove("schema[1]"), "  - name: second\n", ""),
    (Remove("schema[0].properties[1].tags[1]"),
        "      - y # why\n",
        "",
    ),
    (Remove("schema[1].name"), "name: second", "{}"),

    (Rename("status", "state"), "status:", "state:"),
    (Rename("options.format", "form"), "format:", "form:"),
    (Rename("schema[0].properties[0].required", "must"),
        "required:",
        "must:",
    ),
    ];
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|(what, from, to)| check(what, from, to).err())
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn an_edit_that_cannot_be_done_says_where_and_leaves_the_text() {
    for (what, line, part) in [
        (Set("nowhere.to", json!(1)), 1, "is not there"),
        (Set("schema[7].name", json!(1)), 17, "is not there"),
        (Remove("schema[0].names"), 17, "is not there"),
        (Insert("status", json!(1)), 1, "set it instead"),
        (Insert("tags[5]", json!(1)), 8, "is not there"),
        (Rename("status", "name"), 1, "choose another name"),
        (Remove(""), 1, "is no path"),
        (Set("a[", json!(1)), 1, "is no path"),
    ] {
        let mut source = Source::parse("c.yaml", TEXT).unwrap();
        let problems = edit(&mut source, &what).unwrap_err();
        assert!(problems.contains(part), "{problems}");
        assert!(
            problems.starts_with(&format!("c.yaml:{line}:")),
            "{line}: {problems}"
        );
        assert_eq!(source.text(), TEXT);
    }
    // A way of writing that no patch is known for.
    let odd = "? a\n: b\nc: d\n";
    let mut source = Source::parse("c.yaml", odd).unwrap();
    match edit(&mut source, &Set("a", json!("x"))) {
        Ok(()) => assert_eq!(source.get("a"), Some(json!("x"))),
        Err(problems) => {
            assert!(problems.contains("by hand"), "{problems}");
            assert_eq!(source.text(), odd);
        }
    }
}

#[test]
fn positions_and_values_are_found_by_path() {
    let source = Source::parse("c.yaml", TEXT).unwrap();
    assert_eq!(
        source.position("schema[0].properties[1].tags[1]"),
        Some((25, 9))
    );
    assert_eq!(source.get("schema[0].properties[1].name"), Some(json!("b")));
    assert_eq!(source.get("schema[9]"), None);
    let odd = Source::parse("c.yaml", "a.b:\n  c[0]: 1\n").unwrap();
    assert_eq!(odd.get("[\"a.b\"][\"c[0]\"]"), Some(json!(1)));
}

/// All paths of a document's values.
fn paths(value: &Json, path: &str, found: &mut Vec<String>) {
    match value {
        Json::Object(map) => {
            for (key, inner) in map {
                let path = match path {
                    "" => key.clone(),
                    _ => format!("{path}.{key}"),
                };
                paths(inner, &path, found);
                found.push(path);
            }
        }
        Json::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                let path = format!("{path}[{at}]");
                paths(inner, &path, found);
                found.push(path);
            }
        }
        _ => {}
    }
}

/// How many lines of `before` stand between those that `after` begins and ends with too.
fn changed_lines(before: &str, after: &str) -> usize {
    let same = |(one, other): &(&str, &str)| one == other;
    let first = before.lines().zip(after.lines()).take_while(same).count();
    let last = before
        .lines()
        .rev()
        .zip(after.lines().rev())
        .take_while(same)
        .count();
    before.lines().count().saturating_sub(first + last)
}

#[test]
fn every_place_of_every_example_can_be_edited() {
    let mut edits = 0;
    let mut texts = vec![
        document("everything.odcs.yaml"),
        document("later.odps.yaml"),
    ];
    texts.extend(
        files(".odcs.yaml")
            .iter()
            .step_by(6)
            .map(|path| std::fs::read_to_string(path).unwrap()),
    );
    for text in texts {
        let whole = to_json(&text);
        let mut all = Vec::new();
        paths(&whole, "", &mut all);
        let original = Source::parse("c.yaml", &text).unwrap();
        assert_eq!(original.text(), text);
        for path in all.iter().step_by(5) {
            let scalar = !matches!(original.get(path), Some(Json::Array(_) | Json::Object(_)));
            // The edit itself compares what the text says with what was asked.
            let mut source = original.clone();
            edit_or_panic(source.set(path, &json!("a new: text")), path);
            assert_eq!(source.get(path), Some(json!("a new: text")), "{path}");
            if scalar {
                assert!(changed_lines(&text, source.text()) <= 5, "{path}");
            }
            let mut source = original.clone();
            edit_or_panic(source.set(path, &json!({"k": [1, {"l": "m"}]})), path);
            let mut source = original.clone();
            edit_or_panic(source.remove(path), path);
            edits += 3;
            if path.ends_with(']') {
                let mut source = original.clone();
                edit_or_panic(source.insert(path, &json!({"k": ["v"], "l": 1})), path);
                edits += 1;
            } else {
                let mut source = original.clone();
                edit_or_panic(source.rename(path, "renamed"), path);
                edits += 1;
            }
        }
    }
    assert!(edits > 1_000, "{edits}");
}

fn edit_or_panic(result: Result<(), mesh_contract::Diagnostics>, path: &str) {
    result.unwrap_or_else(|problems| panic!("{path}: {problems}"));
}

#[test]
fn a_document_that_is_written_parses_to_the_same_model() {
    let mut contracts: Vec<String> = ["everything.odcs.yaml", "v3.1.odcs.yaml", "v3.0.odcs.yaml"]
        .map(document)
        .to_vec();
    contracts.extend(
        files(".odcs.yaml")
            .iter()
            .map(|path| std::fs::read_to_string(path).unwrap()),
    );
    for text in contracts {
        let read = DataContract::parse("c.yaml", &text).unwrap();
        let written = read.to_yaml();
        let again = DataContract::parse("written.yaml", &written)
            .unwrap_or_else(|problems| panic!("{problems}\n{written}"));
        assert_eq!(again, read);
        // The library, which knows nothing of our writer, reads the same.
        assert_eq!(to_json(&written), to_json(&text));
    }
    let mut products: Vec<String> = ["everything.odps.yaml", "later.odps.yaml"]
        .map(document)
        .to_vec();
    products.extend(
        files(".odps.yaml")
            .iter()
            .map(|path| std::fs::read_to_string(path).unwrap()),
    );
    for text in products {
        let read = DataProduct::parse("p.yaml", &text).unwrap();
        let again = DataProduct::parse("written.yaml", &read.to_yaml()).unwrap();
        assert_eq!(again, read);
    }
}

#[test]
fn the_writer_puts_keys_in_the_standards_order_and_quotes_what_needs_it() {
    let text = document("everything.odcs.yaml");
    let keys = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()))
            .filter_map(|line| line.split_once(':').map(|(key, _)| key.to_owned()))
            .collect()
    };
    let written = DataContract::parse("c.yaml", &text).unwrap().to_yaml();
    assert_eq!(keys(&written), keys(&text));

    for value in [
        "",
        " ",
        "a ",
        " a",
        "yes",
        "No",
        "null",
        "~",
        "1",
        "-1",
        "1.5",
        "0x1f",
        "1e3",
        ".inf",
        "12:30:00",
        "2020-01-01",
        "a: b",
        "a #b",
        "#a",
        "a:",
        "- a",
        "? a",
        "[a]",
        "{a}",
        "a, b",
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "'",
        "\"",
        "it's",
        "a\\b",
        "a\nb",
        "a\n\nb\n",
        "a\nb\n\n\n",
        "\na",
        " a\nb",
        "a\tb",
        "a\r\nb",
        "\u{1}",
        "\u{85}",
        "\u{feff}a",
        "\u{2028}",
        "é",
        "日本",
        "<<",
        "=",
        "a  b",
        "true",
        "${VAR}",
        "y",
        "---",
        "...",
        "a\n---\nb",
        "key: |\n  block",
    ] {
        let contract = DataContract {
            api_version: "v3.2.0".into(),
            kind: "DataContract".into(),
            id: value.into(),
            version: "1.0.0".into(),
            tags: vec![value.into(), "x".into()],
            custom_properties: vec![mesh_contract::standard::CustomProperty {
                property: "p".into(),
                value: json!({ value: [value, { "inner": value }] }),
                ..Default::default()
            }],
            ..Default::default()
        };
        let written = contract.to_yaml();
        let read = DataContract::parse("c.yaml", &written)
            .unwrap_or_else(|problems| panic!("{value:?}: {problems}\n{written}"));
        assert_eq!(read, contract, "{written}");
    }
}
