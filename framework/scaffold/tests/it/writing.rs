use std::fs;
use std::os::unix::fs::PermissionsExt;

use mesh_scaffold::Flavour;

use crate::support::{Folder, key, refused};

const COLUMNS: [&str; 2] = ["id:string:required", "note:string"];

#[test]
fn a_file_that_is_there_stops_all() {
    let folder = Folder::with_shop(Flavour::Code);
    folder.write("domains/shop/tests/it/orders.rs", "// ours\n");
    let before = folder.files();
    let changes = folder.product("orders", &COLUMNS, &key(&["id"])).unwrap();
    refused(
        changes.write(),
        &[
            "the file is there already",
            "tests/it/orders.rs",
            "nothing was written",
        ],
    );
    assert_eq!(folder.files(), before);
}

#[test]
fn a_file_that_was_changed_meanwhile_stops_all() {
    let folder = Folder::with_shop(Flavour::Code);
    let changes = folder.product("orders", &COLUMNS, &key(&["id"])).unwrap();
    let lib = folder.read("domains/shop/src/lib.rs");
    folder.write("domains/shop/src/lib.rs", &format!("{lib}\n// mine\n"));
    let before = folder.files();
    refused(changes.write(), &["was changed meanwhile", "src/lib.rs"]);
    assert_eq!(folder.files(), before);
    assert!(!folder.path().join("domains/shop/products").exists());
}

#[test]
fn a_file_that_is_gone_on_the_way_leaves_all_as_it_was() {
    let folder = Folder::with_shop(Flavour::Code);
    let changes = folder.product("orders", &COLUMNS, &key(&["id"])).unwrap();
    fs::remove_file(folder.path().join("domains/shop/tests/it/main.rs")).unwrap();
    let before = folder.files();
    refused(
        changes.write(),
        &["a file cannot be read", "tests/it/main.rs"],
    );
    assert_eq!(folder.files(), before);
    assert!(!folder.path().join("domains/shop/products").exists());
}

#[test]
fn a_mark_that_is_gone_is_named_with_the_lines() {
    let folder = Folder::with_shop(Flavour::Code);
    let lib = folder.read("domains/shop/src/lib.rs");
    folder.write(
        "domains/shop/src/lib.rs",
        &lib.replace("// mesh new: parts", ""),
    );
    refused(
        folder.product("orders", &COLUMNS, &key(&["id"])),
        &[
            "not marked",
            "src/lib.rs",
            "mesh new: parts",
            ".api(orders::routes)",
        ],
    );
}

#[test]
fn rust_passes_through_the_formatter() {
    let folder = Folder::with_shop(Flavour::Code);
    let mut changes = folder.product("orders", &COLUMNS, &key(&["id"])).unwrap();
    changes.format_rust(|text| {
        (!text.contains("mod contracts")).then(|| format!("// formatted\n{text}"))
    });
    changes.write().unwrap();
    for (file, formatted) in [
        ("src/orders.rs", true),
        ("src/lib.rs", true),
        ("tests/it/main.rs", false),
        ("products/orders/contract.odcs.yaml", false),
    ] {
        let text = folder.read(&format!("domains/shop/{file}"));
        assert_eq!(text.starts_with("// formatted"), formatted, "{file}");
    }
}

#[test]
fn a_folder_that_may_not_be_written_is_named() {
    let folder = Folder::with_shop(Flavour::CodeFree);
    let changes = folder.product("orders", &COLUMNS, &key(&["id"])).unwrap();
    let shop = folder.path().join("domains/shop");
    fs::set_permissions(&shop, fs::Permissions::from_mode(0o500)).unwrap();
    // Root may write anywhere.
    let may = fs::write(shop.join("probe"), "").is_ok();
    let written = changes.write();
    fs::set_permissions(&shop, fs::Permissions::from_mode(0o700)).unwrap();
    if !may {
        refused(written, &["cannot be written", "domains/shop", "rights"]);
        assert!(!shop.join("products").exists());
    }
}
