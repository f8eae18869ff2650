//! What several tests use.

use std::path::{Path, PathBuf};

use mesh_core::Result;
use mesh_core::contract::{Contract, Field, Type};
use mesh_formats::{Imported, Rendered, Wishes};
use serde_json::Value as Json;

use crate::documents::to_json;

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it")
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The sample with every type of the type table.
pub(crate) fn every_type() -> Contract {
    let text = std::fs::read_to_string(folder().join("contracts/sample.odcs.yaml")).unwrap();
    Contract::parse("sample.odcs.yaml", &text).unwrap()
}

/// Compares `text` with the golden file `name`, or writes it if `UPDATE_GOLDEN` is set.
pub(crate) fn golden(name: &str, text: &str) {
    let path = folder().join("golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run with UPDATE_GOLDEN=1", path.display()));
    for (at, (ours, theirs)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(ours, theirs, "{name}:{}", at + 1);
    }
    assert_eq!(text, expected, "{name}; UPDATE_GOLDEN=1 writes it anew");
}

/// `name type`, with `?` where it may be null, for each column; nested ones in brackets.
pub(crate) fn columns(fields: &[Field]) -> Vec<String> {
    fields
        .iter()
        .map(|field| {
            let mark = if field.nullable { "?" } else { "" };
            format!("{} {}{mark}", field.name, shown(&field.ty))
        })
        .collect()
}

fn shown(ty: &Type) -> String {
    match ty {
        Type::Object(object) => format!("{{{}}}", columns(&object.fields).join(", ")),
        Type::Array(array) => {
            let mark = if array.nullable { "?" } else { "" };
            format!("[{}{mark}]", shown(&array.items))
        }
        Type::Map(map) => {
            let mark = if map.nullable { "?" } else { "" };
            format!("{{string: {}{mark}}}", shown(&map.values))
        }
        other => other.display(),
    }
}

pub(crate) fn has_note(imported: &Imported, place: &str, part: &str) {
    assert!(
        imported
            .notes
            .iter()
            .any(|note| note.place == place && note.text.contains(part)),
        "no note on `{place}` with {part:?} in {:#?}",
        imported.notes
    );
}

/// The product made of `imported` in the domain `shop`.
pub(crate) fn rendered(imported: &Imported, wishes: Wishes) -> Result<Rendered> {
    let wishes = Wishes {
        domain: Some("shop".into()),
        ..wishes
    };
    let rendered = mesh_formats::render(imported, &wishes)?;
    check_standards(&rendered);
    Ok(rendered)
}

/// The official JSON Schema called `name`; `None`, said on standard error, without
/// MESH_SHARED, which must be set in CI.
pub(crate) fn official(name: &str) -> Option<Json> {
    let Some(shared) = std::env::var_os("MESH_SHARED") else {
        assert!(std::env::var_os("CI").is_none(), "MESH_SHARED is not set");
        eprintln!("skipped: MESH_SHARED is not set; name the folder that holds standards/");
        return None;
    };
    let path = Path::new(&shared).join("standards").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// Both files are valid under the official JSON Schemas.
fn check_standards(rendered: &Rendered) {
    for (schema, text) in [
        ("odcs-v3.2.0.schema.json", &rendered.contract_file),
        ("odps-v1.0.0.schema.json", &rendered.product_file),
    ] {
        let Some(schema) = official(schema) else {
            return;
        };
        let validator = jsonschema::validator_for(&schema).unwrap();
        let problems: Vec<String> = validator
            .iter_errors(&to_json(text))
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(problems.is_empty(), "{problems:#?} in {text}");
    }
}
