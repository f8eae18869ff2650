//! Where settings come from, and what is said about a wrong one.

use std::ffi::OsString;

use mesh_runtime::Config;

fn load(arguments: &[&str], environment: &[(&str, &str)]) -> mesh_core::Result<Option<Config>> {
    let arguments = std::iter::once("shop").chain(arguments.iter().copied());
    Config::load("shop", arguments.map(OsString::from), |name| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value))
    })
}

#[test]
fn arguments_win_over_environment_over_file_over_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.toml");
    std::fs::write(
        &file,
        "bootstrap = \"file:1\"\nregistry_url = \"http://file:2\"\nlisten = \"127.0.0.1:3\"\n\
         batch_events = 7\n[kafka]\n\"linger.ms\" = 9\n",
    )
    .unwrap();
    let path = file.display().to_string();
    let environment = [
        ("MESH_CONFIG", path.as_str()),
        ("MESH_BOOTSTRAP", "env:1"),
        ("MESH_REGISTRY_URL", "http://env:2"),
        ("MESH_DATA_DIR", ""),
    ];
    let config = load(&["--bootstrap", "arg:1"], &environment)
        .unwrap()
        .unwrap();
    assert_eq!(config.bootstrap, "arg:1");
    assert_eq!(config.registry_url.as_str(), "http://env:2/");
    assert_eq!(config.listen.to_string(), "127.0.0.1:3");
    assert_eq!(config.batch_events, 7);
    assert_eq!(config.kafka["linger.ms"], "9");
    assert_eq!(config.catalog_url.as_str(), "http://127.0.0.1:8080/");
    assert_eq!(config.data_dir, std::path::Path::new("data/shop"));
}

#[test]
fn a_wrong_setting_is_named_with_its_place_and_mend() {
    let dir = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str], environment: &[(&str, &str)], words: &[&str]| {
        let error = load(arguments, environment).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "`{word}` is not in {error}");
        }
    };
    check(
        &["--listen", "8100"],
        &[],
        &["argument --listen", "8100", "127.0.0.1:8100"],
    );
    check(&["--no-such"], &[], &["--no-such"]);
    check(
        &[],
        &[("MESH_CATALOG_URL", "localhost")],
        &["MESH_CATALOG_URL", "http://"],
    );
    check(
        &[],
        &[("MESH_BOOTSTRAP", "localhost")],
        &["MESH_BOOTSTRAP", "host:port"],
    );
    check(
        &["--batch-events", "0"],
        &[],
        &["--batch-events", "from 1 on"],
    );
    check(
        &["--source-dir", "/no/such"],
        &[],
        &["--source-dir", "exists"],
    );
    check(
        &["--config", "/no/such.toml"],
        &[],
        &["/no/such.toml", "cannot be read"],
    );
    for (text, words) in [
        ("bootstrap = [", &["not TOML", "line 1"][..]),
        ("a = 1", &["unknown setting `a`"]),
        ("listen = [1]", &["`listen` is not a text"]),
        ("\nbatch_events = -1", &["batch_events", "the file"]),
        ("kafka = 1", &["[kafka]"]),
    ] {
        let file = dir.path().join("shop.toml");
        std::fs::write(&file, text).unwrap();
        check(&["--config", &file.display().to_string()], &[], words);
    }
}
