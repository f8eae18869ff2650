//! What is wrong with a folder is said before anything starts.

use super::harness::{contract, product};

fn refused(sources: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("shipping");
    let parcels = folder.join("products/parcels");
    std::fs::create_dir_all(&parcels).unwrap();
    std::fs::write(
        parcels.join("product.odps.yaml"),
        product("shipping", sources),
    )
    .unwrap();
    std::fs::write(parcels.join("contract.odcs.yaml"), contract("shipping")).unwrap();
    match mesh_ingest::load(&folder) {
        Ok(_) => panic!("{sources} is taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_wrong_declaration_is_named() {
    let check = |sources: &str, parts: &[&str]| {
        let error = refused(sources);
        for part in parts {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    };
    let value = "customProperties[0].value[0]";
    check("[]", &["product.odps.yaml:14", "no source"]);
    check(
        "[{ type: ftp }]",
        &[value, "`ftp`", "`file`, `product`, `postgres`, `http`"],
    );
    check("[{ type: file }]", &[value, "path", "is missing"]);
    check(
        "[{ type: file, path: /etc/passwd, format: csv }]",
        &["leads out"],
    );
    check("[{ type: file, path: in/../../x.csv }]", &["leads out"]);
    check("[{ type: file, path: in/x.bin }]", &["add `format: csv`"]);
    check(
        "[{ type: file, path: x.csv, delimiter: xx }]",
        &["delimiter"],
    );
    check(
        "[{ type: file, path: x.jsonl, delimiter: \";\" }]",
        &["a meaning for CSV only"],
    );
    check(
        "[{ type: file, path: x.csv, colums: {} }]",
        &["did you mean `columns`"],
    );
    check(
        "[{ type: file, path: x.csv, columns: [a] }]",
        &["no mapping"],
    );
    check("[{ type: http, path: parcels }]", &["`/v1/shipments`"]);
    check("[{ type: http }, { type: http }]", &["twice"]);
    let deleted = "mesh.sources.deleted";
    check(
        "[{ type: http, deleted: gone }]",
        &[deleted, "rows of a product of events stay"],
    );
    check(
        "[{ type: file, path: x.csv, deleted: gone }]",
        &[deleted, "rows of a product of events stay"],
    );
    check(
        "[{ type: product, contract: x.odcs.yaml, deleted: gone }]",
        &[value, "deleted"],
    );
    check(
        "[{ type: file, path: x.csv, columns: { a: b } }]",
        &["mesh.sources.columns.a", "does not have"],
    );
    check(
        "[{ type: file, path: x.csv, columns: { a: town, b: town } }]",
        &["two names"],
    );
}

#[test]
fn a_folder_without_products_is_no_domain() {
    let dir = tempfile::tempdir().unwrap();
    let error = mesh_ingest::load(dir.path()).err().unwrap().to_string();
    assert!(error.contains("no products"), "{error}");
    let error = mesh_ingest::load(&dir.path().join("nowhere"))
        .err()
        .unwrap();
    assert!(error.to_string().contains("no such folder"), "{error}");
}
