//! What is wrong with a folder is told whole, with file, line and mend.

use std::path::Path;

use mesh_plan::Wish;

use crate::folder::product;

fn problems(root: &Path, only: Option<&str>) -> Vec<String> {
    match Wish::read(root, only) {
        Ok(wish) => panic!("{} products", wish.products.len()),
        Err(problems) => problems.0.iter().map(ToString::to_string).collect(),
    }
}

/// Expects one problem for each of `expected`, which holds all of its words.
fn check(problems: &[String], expected: &[&[&str]]) {
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, words) in problems.iter().zip(expected) {
        for word in *words {
            assert!(problem.contains(word), "`{word}` in {problem}");
        }
    }
}

#[test]
fn every_problem_of_every_file_is_told() {
    let root = tempfile::tempdir().unwrap();
    let folder = |name: &str| root.path().join("domains/shop/products").join(name);
    product("shop.orders").write(root.path());
    let mut bad = product("shop.stock");
    bad.kind = "table";
    bad.write(root.path());
    std::fs::remove_file(folder("orders_v1").join("product.odps.yaml")).unwrap();
    // A folder without either file is no product.
    std::fs::create_dir_all(folder("notes")).unwrap();
    check(
        &problems(root.path(), None),
        &[
            &["orders_v1/product.odps.yaml", "cannot be read"],
            &["stock_v1/contract.odcs.yaml:", "mesh.kind", "event"],
        ],
    );
}

#[test]
fn two_folders_do_not_wish_the_same_thing() {
    let root = tempfile::tempdir().unwrap();
    product("shop.orders").write(root.path());
    let folder = root.path().join("domains/shop/products");
    std::fs::create_dir_all(folder.join("second")).unwrap();
    for file in ["product.odps.yaml", "contract.odcs.yaml"] {
        std::fs::copy(
            folder.join("orders_v1").join(file),
            folder.join("second").join(file),
        )
        .unwrap();
    }
    check(
        &problems(root.path(), None),
        &[&["second/contract.odcs.yaml", "shop.orders.v1", "orders_v1"]],
    );
}

#[test]
fn a_folder_is_that_of_all_domains_or_of_one() {
    let root = tempfile::tempdir().unwrap();
    check(&problems(root.path(), None), &[&["no product is here"]]);
    product("shop.orders").write(root.path());
    product("bank.loans").write(root.path());
    let names = |root: &Path, only| -> Vec<String> {
        let wish = Wish::read(root, only).unwrap();
        wish.products.iter().map(|p| p.id().to_string()).collect()
    };
    assert_eq!(names(root.path(), None), ["bank.loans", "shop.orders"]);
    assert_eq!(names(root.path(), Some("shop")), ["shop.orders"]);
    let own = root.path().join("domains/shop");
    assert_eq!(names(&own, None), ["shop.orders"]);
    check(
        &problems(&own, Some("bank")),
        &[&["orders_v1", "`shop`", "`bank`"]],
    );
    // A domain whose products are all gone still speaks for itself.
    std::fs::remove_dir_all(own.join("products/orders_v1")).unwrap();
    let wish = Wish::read(root.path(), Some("shop")).unwrap();
    assert!(wish.domains.contains("shop") && wish.products.is_empty());
}
