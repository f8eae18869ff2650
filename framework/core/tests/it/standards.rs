//! Every product and contract file of the repository is valid under the official JSON
//! Schemas, which the environment variable MESH_SHARED leads to.

use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::Value as Json;

fn to_json(yaml: &Yaml<'_>) -> Json {
    match yaml {
        Yaml::Value(Scalar::Null) => Json::Null,
        Yaml::Value(Scalar::Boolean(value)) => (*value).into(),
        Yaml::Value(Scalar::Integer(value)) => (*value).into(),
        Yaml::Value(Scalar::FloatingPoint(value)) => value.into_inner().into(),
        Yaml::Value(Scalar::String(value)) => value.to_string().into(),
        Yaml::Sequence(items) => items.iter().map(to_json).collect(),
        Yaml::Mapping(entries) => entries
            .iter()
            .map(|(key, value)| (key.as_str().unwrap().to_owned(), to_json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => panic!("{other:?}"),
    }
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
}

#[test]
fn every_file_is_valid_under_the_official_schemas() {
    let Some(shared) = std::env::var_os("MESH_SHARED") else {
        assert!(std::env::var_os("CI").is_none(), "MESH_SHARED is not set");
        eprintln!("skipped: MESH_SHARED is not set; name the folder that holds standards/");
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (schema, ending, least) in [
        ("odcs-v3.2.0.schema.json", ".odcs.yaml", 7),
        ("odps-v1.0.0.schema.json", ".odps.yaml", 7),
    ] {
        let text = std::fs::read_to_string(Path::new(&shared).join("standards").join(schema));
        let validator =
            jsonschema::validator_for(&serde_json::from_str(&text.unwrap()).unwrap()).unwrap();
        let mut found = Vec::new();
        files(&root.join("domains"), ending, &mut found);
        assert!(
            found.len() >= least,
            "{} files end with {ending}",
            found.len()
        );
        found.push(root.join("framework/core/tests/it/contracts/sample.odcs.yaml"));
        for file in found
            .iter()
            .filter(|file| file.to_string_lossy().ends_with(ending))
        {
            let text = std::fs::read_to_string(file).unwrap();
            let document = to_json(&Yaml::load_from_str(&text).unwrap()[0]);
            let problems: Vec<String> = validator
                .iter_errors(&document)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(problems.is_empty(), "{}: {problems:#?}", file.display());
        }
    }
}
