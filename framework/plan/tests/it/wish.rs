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

#[test]
fn a_topic_that_was_there_keeps_its_name_and_its_schema() {
    let orders = product("shop.orders");
    let root = tempfile::tempdir().unwrap();
    orders.write(root.path());
    let file = root
        .path()
        .join("domains/shop/products/orders_v1/contract.odcs.yaml");
    let foreign = concat!(
        r#"{"type":"record","name":"O","namespace":"x","fields":[{"name":"entry_id","#,
        r#""type":"long"},{"name":"note","type":["null","string"]}]}"#
    );
    let text = orders
        .contract_text()
        .replace("physicalName: shop.orders.v1", "physicalName: Prod-Orders")
        .replace(
            "slaProperties:",
            "customProperties:\n  - property: mesh.product\n    value: orders\nslaProperties:",
        )
        .replace(
            "      - property: mesh.kind",
            &format!(
                "      - property: mesh.valueSchema\n        value: '{foreign}'\n      \
                 - property: mesh.keySchema\n        value: unregistered\n      \
                 - property: mesh.topic.segment.ms\n        value: 3600000\n      \
                 - property: mesh.kind"
            ),
        );
    std::fs::write(&file, &text).unwrap();
    let wish = Wish::read(root.path(), None).unwrap();
    let found = &wish.products[0];
    assert_eq!(found.id().to_string(), "shop.orders");
    assert_eq!(found.topic().name, "Prod-Orders");
    assert_eq!(found.topic().configs["segment.ms"], "3600000");
    let value = "Prod-Orders-value".to_owned();
    assert_eq!(found.schemas(), [(value, foreign)]);

    for (from, to, words) in [
        (
            "name: entry_id\n",
            "name: entry_no\n",
            ["mesh.valueSchema", "entry_no"],
        ),
        ("value: orders", "value: Orders", ["mesh.product", "Orders"]),
        (
            "Prod-Orders",
            "Prod Orders",
            ["physicalName", "as Kafka has it"],
        ),
        ("3600000", "[1]", ["mesh.topic.segment.ms", "single value"]),
        (
            "  - property: mesh.product\n    value: orders\n",
            "  - property: note\n    value: x\n",
            ["physicalName", "`mesh.product`"],
        ),
    ] {
        assert!(text.contains(from), "{from}");
        std::fs::write(&file, text.replace(from, to)).unwrap();
        let problems = problems(root.path(), None).join("\n");
        for word in words {
            assert!(problems.contains(word), "{word} in {problems}");
        }
    }
}
