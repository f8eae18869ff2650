//! The standards whole: every field is read and kept, and what is refused is what the
//! official JSON Schemas refuse.

use std::collections::BTreeSet;

use mesh_core::contract::standard::{DataContract, DataProduct};
use serde_json::{Value as Json, json};

use crate::documents::{document, files, to_json};
use crate::support::official;

/// Reads a contract or a product, by the ending of the file's name, into its JSON.
fn read(file: &str, text: &str) -> Result<Json, String> {
    if file.ends_with(".odps.yaml") {
        DataProduct::parse(file, text)
            .map(|read| read.to_json())
            .map_err(|all| all.to_string())
    } else {
        DataContract::parse(file, text)
            .map(|read| read.to_json())
            .map_err(|all| all.to_string())
    }
}

const DOCUMENTS: [&str; 5] = [
    "everything.odcs.yaml",
    "v3.1.odcs.yaml",
    "v3.0.odcs.yaml",
    "everything.odps.yaml",
    "later.odps.yaml",
];

#[test]
fn every_field_of_every_document_is_kept() {
    for name in DOCUMENTS {
        let text = document(name);
        let read = read(name, &text).unwrap_or_else(|problems| panic!("{name}: {problems}"));
        assert_eq!(read, to_json(&text), "{name}");
    }
    for ending in [".odcs.yaml", ".odps.yaml"] {
        let found = files(ending);
        assert!(found.len() >= 15, "{} files end with {ending}", found.len());
        for path in found {
            let name = path.to_string_lossy();
            let text = std::fs::read_to_string(&path).unwrap();
            let read = read(&name, &text).unwrap_or_else(|problems| panic!("{name}: {problems}"));
            assert_eq!(read, to_json(&text), "{name}");
        }
    }
}

#[test]
fn every_file_of_the_domains_is_valid_under_the_official_schemas() {
    for (schema, ending) in [
        ("odcs-v3.2.0.schema.json", ".odcs.yaml"),
        ("odps-v1.0.0.schema.json", ".odps.yaml"),
    ] {
        let Some(schema) = official(schema) else {
            return;
        };
        let validator = jsonschema::validator_for(&schema).unwrap();
        let found: Vec<_> = files(ending)
            .into_iter()
            .filter(|file| {
                let file = file.to_string_lossy();
                file.contains("/domains/") || file.ends_with("/contracts/sample.odcs.yaml")
            })
            .collect();
        assert!(found.len() >= 7, "{} files end with {ending}", found.len());
        for file in found {
            let document = to_json(&std::fs::read_to_string(&file).unwrap());
            let problems: Vec<String> = validator
                .iter_errors(&document)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(problems.is_empty(), "{}: {problems:#?}", file.display());
        }
    }
}

/// All names of properties anywhere in a JSON Schema.
fn properties(schema: &Json, found: &mut BTreeSet<String>) {
    match schema {
        Json::Object(map) => {
            for (key, value) in map {
                if key == "properties"
                    && let Json::Object(own) = value
                {
                    found.extend(own.keys().cloned());
                }
                properties(value, found);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| properties(item, found)),
        _ => {}
    }
}

/// All keys anywhere in a document.
fn keys(document: &Json, found: &mut BTreeSet<String>) {
    match document {
        Json::Object(map) => {
            for (key, value) in map {
                found.insert(key.clone());
                keys(value, found);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

#[test]
fn the_documents_use_every_field_and_are_valid_under_the_official_schemas() {
    for (schema, name) in [
        ("odcs-v3.2.0.schema.json", "everything.odcs.yaml"),
        ("odps-v1.0.0.schema.json", "everything.odps.yaml"),
    ] {
        let Some(schema) = official(schema) else {
            return;
        };
        let json = to_json(&document(name));
        let validator = jsonschema::validator_for(&schema).unwrap();
        let problems: Vec<String> = validator
            .iter_errors(&json)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(problems.is_empty(), "{name}: {problems:#?}");
        let (mut known, mut used) = (BTreeSet::new(), BTreeSet::new());
        properties(&schema, &mut known);
        keys(&json, &mut used);
        let unused: Vec<_> = known.difference(&used).collect();
        assert!(unused.is_empty(), "{name} does not use {unused:?}");
        assert!(known.len() > 30, "{name}");
    }
}

#[derive(Debug, Clone)]
struct Mutant {
    pointer: String,
    what: &'static str,
    document: Json,
}

/// Documents that differ from `root` in one place: a key removed, a key added, a value of
/// another kind.
fn mutants(root: &Json) -> Vec<Mutant> {
    fn visit(root: &Json, at: &Json, pointer: &str, found: &mut Vec<Mutant>) {
        let mut add = |what, change: &dyn Fn(&mut Json)| {
            let mut document = root.clone();
            change(document.pointer_mut(pointer).unwrap());
            found.push(Mutant {
                pointer: pointer.to_owned(),
                what,
                document,
            });
        };
        for (what, value) in [
            ("as a list", json!([7])),
            ("as a text", json!("no such word")),
            ("as nothing", Json::Null),
            ("as a boolean", json!(true)),
        ] {
            add(what, &|place| *place = value.clone());
        }
        match at {
            Json::Object(map) => {
                add("with a key more", &|place| place["zzz"] = json!(1));
                for key in map.keys() {
                    let inner = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                    let mut document = root.clone();
                    let place = document.pointer_mut(pointer).unwrap();
                    place.as_object_mut().unwrap().shift_remove(key);
                    found.push(Mutant {
                        pointer: inner.clone(),
                        what: "removed",
                        document,
                    });
                    visit(root, &map[key], &inner, found);
                }
            }
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    visit(root, item, &format!("{pointer}/{index}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    visit(root, root, "", &mut found);
    found
}

/// Where we are stricter or laxer than the JSON Schema, and why.
fn explained(mutant: &Mutant, ours: bool) -> bool {
    let last = mutant.pointer.rsplit('/').next().unwrap_or_default();
    if ours {
        // The schema's `if` holds for a property without `logicalType`, so that it asks for
        // a map there; the standard's text leaves the key open.
        last == "logicalType" && mutant.what == "removed"
    } else {
        // The schema leaves the description open; a misspelt key would be lost there.
        // It asks for different entries of an enumeration, we for different values.
        mutant.pointer == "/description" || mutant.pointer.contains("/enum/")
    }
}

#[test]
fn what_is_refused_is_what_the_official_schemas_refuse() {
    let mut compared = 0;
    for (schema, name) in [
        ("odcs-v3.2.0.schema.json", "everything.odcs.yaml"),
        ("odps-v1.0.0.schema.json", "everything.odps.yaml"),
    ] {
        let Some(schema) = official(schema) else {
            return;
        };
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut differences = Vec::new();
        let mut refused = 0;
        for mutant in mutants(&to_json(&document(name))) {
            let theirs = validator.is_valid(&mutant.document);
            // JSON is YAML.
            let ours = read(name, &mutant.document.to_string());
            refused += usize::from(!theirs);
            compared += 1;
            if ours.is_ok() != theirs && !explained(&mutant, ours.is_ok()) {
                differences.push(format!(
                    "{} {}: {}",
                    mutant.pointer,
                    mutant.what,
                    match ours {
                        Ok(_) => "only the schema refuses it".to_owned(),
                        Err(problems) => problems,
                    }
                ));
            }
        }
        assert!(
            differences.is_empty(),
            "{name}: {} differences\n{}",
            differences.len(),
            differences.join("\n")
        );
        assert!(refused > 300, "{name}: {refused}");
    }
    println!("{compared} documents compared");
    assert!(compared > 3_000, "{compared}");
}
