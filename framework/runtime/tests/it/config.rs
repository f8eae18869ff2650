//! Where settings come from, and what is said about a wrong one.

use std::ffi::OsString;

use mesh_runtime::{Config, Running};

use super::shop;

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

#[tokio::test]
async fn a_setting_of_librdkafka_that_breaks_the_guarantees_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("isolation.level", "read_uncommitted"),
        ("auto.offset.reset", "latest"),
        ("enable.partition.eof", "true"),
        ("enable.auto.commit", "true"),
        ("acks", "1"),
        ("group.id", "mine"),
    ] {
        let mut config = Config::new("shop", dir.path().join("shop")).unwrap();
        config.kafka.insert(name.into(), value.into());
        let started = Running::start(shop::domain(0, 100), config).await;
        let error = started.err().expect(name).to_string();
        for word in [name, value, "[kafka]"] {
            assert!(error.contains(word), "`{word}` is not in {error}");
        }
        assert!(!dir.path().join("shop").exists(), "nothing was begun");
    }
}

#[test]
fn the_store_is_a_folder_unless_a_database_is_named() {
    let config = load(&[], &[]).unwrap().unwrap();
    assert!(config.store_url.is_none());
    assert_eq!(config.store_schema, "mesh_shop");
    let url = "postgresql://anna:s%40cret@db:6543/mesh?sslmode=verify-full&sslrootcert=/ca.pem";
    let environment = [("MESH_STORE_URL", url), ("MESH_STORE_SCHEMA", "shop_2")];
    let config = load(&[], &environment).unwrap().unwrap();
    assert_eq!(config.store_schema, "shop_2");
    let shown = format!("{config:?}");
    for word in ["db:6543/mesh", "anna", "VerifyFull"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert!(!shown.contains("cret"), "{shown}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.toml");
    std::fs::write(
        &file,
        "store_url = \"postgres://u@h/d\"\nstore_schema = \"a\"\n",
    )
    .unwrap();
    let file = file.display().to_string();
    let config = load(&["--config", &file, "--store-schema", "b"], &[]);
    let config = config.unwrap().unwrap();
    assert!(config.store_url.is_some());
    assert_eq!(config.store_schema, "b");
}

#[test]
fn a_wrong_store_is_refused_without_its_password() {
    for (url, word) in [
        ("anna:hush@db/mesh", "postgres://user@host"),
        ("mysql://anna:hush@db/mesh", "postgres://user@host"),
        ("postgres://anna:hush@db", "postgres://user@host"),
        ("postgres://anna:hush@db:x/mesh", "postgres://user@host"),
        (
            "postgres://anna:hush@db/mesh?ssl_mode=require",
            "parameters are sslmode",
        ),
        ("postgres://anna:hush@db/mesh?sslmode=hush", "verify-full"),
    ] {
        let error = load(&[], &[("MESH_STORE_URL", url)]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(word), "{url}: {text}");
        assert!(text.contains("MESH_STORE_URL"), "{text}");
        assert!(!text.contains("hush"), "{text}");
        assert!(!format!("{error:?} {}", error.log_line()).contains("hush"));
    }
    for schema in ["Shop", "pg_shop", "1shop", "a\"b", &"x".repeat(64)] {
        let error = load(&[], &[("MESH_STORE_SCHEMA", schema)]).unwrap_err();
        assert!(error.to_string().contains("MESH_STORE_SCHEMA"), "{error}");
    }
}
