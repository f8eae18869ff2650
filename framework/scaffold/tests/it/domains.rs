use mesh_scaffold::{DomainWishes, Flavour, Place, Templates, new_domain};

use crate::support::{Folder, WORKSPACE, refused};

#[test]
fn names_are_checked_and_say_what_is_wrong() {
    let folder = Folder::workspace();
    for (name, words) in [
        ("Shop", &["`Shop` is not a valid name", "lower-case"][..]),
        ("shop-floor", &["`shop-floor` is not a valid name"]),
        ("shop_v2", &["ends like a version"]),
        ("../shop", &["is not a valid name"]),
        ("", &["is not a valid name"]),
        (
            "platform",
            &["the mesh calls its own parts so", "choose another name"],
        ),
        ("information_schema", &["the mesh calls its own parts so"]),
        ("match", &["it is a word of Rust"]),
        ("tokio", &["another crate is"]),
        ("mesh_core", &["another crate is"]),
        ("test", &["another crate is"]),
    ] {
        refused(folder.domain(name, Some(Flavour::Code)), words);
    }
    // Without code a word of Rust is a name as any other.
    let folder = Folder::empty();
    folder.domain("match", None).unwrap().write().unwrap();
    assert!(
        folder
            .read("domains/match/README.md")
            .starts_with("# match\n")
    );
}

#[test]
fn the_flavour_follows_from_the_place() {
    let folder = Folder::empty();
    folder.domain("shop", None).unwrap().write().unwrap();
    let files: Vec<String> = folder.files().into_keys().collect();
    assert_eq!(files, ["domains/shop/README.md"]);

    let folder = Folder::workspace();
    let changes = folder.domain("shop", None).unwrap();
    changes.write().unwrap();
    assert!(changes.notes[0].contains("Cargo.lock"));
    let files: Vec<String> = folder.files().into_keys().collect();
    assert_eq!(
        files,
        [
            "Cargo.toml",
            "domains/shop/Cargo.toml",
            "domains/shop/README.md",
            "domains/shop/src/lib.rs",
            "domains/shop/src/main.rs",
            "domains/shop/src/products.rs",
            "domains/shop/tests/it/contracts.rs",
            "domains/shop/tests/it/main.rs",
            "domains/shop/tests/it/mesh.rs",
        ]
    );
    assert_eq!(folder.read("Cargo.toml"), WORKSPACE);
    let manifest = folder.read("domains/shop/Cargo.toml");
    for line in [
        "name = \"shop\"",
        "version.workspace = true",
        "publish = false",
        "[lints]\nworkspace = true",
        "mesh-runtime.workspace = true",
        "tempfile.workspace = true",
        "name = \"shop_it\"",
    ] {
        assert!(manifest.contains(line), "{line}: {manifest}");
    }
    assert!(!manifest.contains("license"), "{manifest}");
}

#[test]
fn a_folder_without_code_does_not_break_a_workspace() {
    let folder = Folder::workspace();
    refused(
        folder.domain("shop", Some(Flavour::CodeFree)),
        &["for a crate", "Cargo.toml", "--code"],
    );
    // One that does not take domains/ does not mind.
    folder.write("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n");
    folder.domain("shop", None).unwrap().write().unwrap();
    assert!(!folder.path().join("domains/shop/Cargo.toml").exists());
}

#[test]
fn code_outside_of_the_framework_needs_to_know_where_that_is() {
    let framework = Folder::workspace();
    let folder = Folder::empty();
    refused(
        folder.domain("shop", Some(Flavour::Code)),
        &["where the framework is", "--framework DIR"],
    );
    let with = |framework: Option<std::path::PathBuf>| {
        let wishes = DomainWishes {
            flavour: Some(Flavour::Code),
            framework,
            owner: Some("Shop \"desk\"".into()),
            purpose: Some("What is sold.".into()),
        };
        new_domain(&folder.place(), "shop", &wishes, &Templates::default())
    };
    refused(
        with(Some(folder.path().join("nowhere"))),
        &["no such folder of the framework"],
    );
    with(Some(framework.path().to_owned()))
        .unwrap()
        .write()
        .unwrap();
    let manifest: toml::Table = folder.read("domains/shop/Cargo.toml").parse().unwrap();
    let core = manifest["dependencies"]["mesh-core"]["path"]
        .as_str()
        .unwrap();
    let expected = framework
        .path()
        .canonicalize()
        .unwrap()
        .join("framework/core");
    assert_eq!(core, expected.display().to_string());
    assert_eq!(
        manifest["dependencies"]["async-trait"].as_str(),
        Some("0.1")
    );
    assert_eq!(manifest["package"]["edition"].as_str(), Some("2024"));
    let readme = folder.read("domains/shop/README.md");
    assert!(
        readme.contains("What is sold.\n\nOwned by Shop \"desk\"."),
        "{readme}"
    );
}

#[test]
fn what_is_there_is_not_touched() {
    let folder = Folder::with_shop(Flavour::CodeFree);
    folder.write("domains/shop/README.md", "ours");
    let before = folder.files();
    refused(
        folder.domain("shop", None),
        &[
            "`shop` is there already",
            "domains/shop",
            "mesh new product shop/",
        ],
    );
    assert_eq!(folder.files(), before);
    let gone = Place::find(Some(&folder.path().join("gone")));
    refused(gone.map(|_| ()), &["no such folder", "--folder DIR"]);
}
