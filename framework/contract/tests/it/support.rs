//! Helpers of the tests, here and of `framework/formats`.

use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::Value as Json;

/// A file of `documents/`.
pub(crate) fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../contract/tests/it/documents")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file of the repository whose name ends with `ending`, but not the broken ones.
pub(crate) fn files(ending: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    walk(&path, ending, found);
                }
            } else if name.ends_with(ending) && !name.starts_with("broken") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in ["catalog", "domains", "framework", "governance"] {
        walk(&root.join(folder), ending, &mut found);
    }
    found.sort();
    found
}

/// A text as JSON, read with the library alone.
pub(crate) fn to_json(text: &str) -> Json {
    fn convert(yaml: &Yaml<'_>) -> Json {
        match yaml {
            Yaml::Value(Scalar::Null) => Json::Null,
            Yaml::Value(Scalar::Boolean(value)) => (*value).into(),
            Yaml::Value(Scalar::Integer(value)) => (*value).into(),
            Yaml::Value(Scalar::FloatingPoint(value)) => {
                let value = value.into_inner();
                // The library has no integers above 63 bits.
                if value == u64::MAX as f64 {
                    u64::MAX.into()
                } else {
                    value.into()
                }
            }
            Yaml::Value(Scalar::String(value)) => value.to_string().into(),
            Yaml::Sequence(items) => items.iter().map(convert).collect(),
            Yaml::Mapping(entries) => entries
                .iter()
                .map(|(key, value)| (key.as_str().unwrap().to_owned(), convert(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => panic!("{other:?}"),
        }
    }
    convert(&Yaml::load_from_str(text).unwrap()[0])
}
