//! Changes of a product file.

use mesh_contract::DataProduct;
use mesh_contract::diff::{Bump, Diff, File};

use crate::support::{BASE, edited, told};

const PRODUCT: &str = r#"apiVersion: v1.0.0
kind: DataProduct
id: urn:mesh:product:shop.orders
name: orders
version: "1.2.0"
status: active
domain: shop
description:
  purpose: Orders for all.
team:
  name: Shop
inputPorts:
  - {name: carts, version: "1.0.0", contractId: "urn:mesh:contract:shop.carts"}
outputPorts:
  - {name: stream, type: kafka, version: "1.2.0", contractId: "urn:mesh:contract:shop.orders"}
  - {name: api, type: rest, version: "1.0.0"}
"#;

fn read(product: &str, contract: &str) -> DataProduct {
    match DataProduct::parse("product.odps.yaml", product, "contract.odcs.yaml", contract) {
        Ok(product) => product,
        Err(problems) => panic!("{problems}"),
    }
}

fn check(edits: &[(&str, &str)], required: Bump, expected: &[&str]) {
    let diff = Diff::products(&read(PRODUCT, BASE), &read(&edited(PRODUCT, edits), BASE));
    let found: Vec<String> = diff.of(File::Product).map(told).collect();
    assert_eq!(found, expected);
    assert_eq!(diff.of(File::Contract).count(), 0);
    assert_eq!(diff.required(File::Product), required);
    assert_eq!(diff.required(File::Contract), Bump::None);
}

#[test]
fn ports_come_and_go() {
    check(&[], Bump::None, &[]);
    check(
        &[("  - {name: api, type: rest, version: \"1.0.0\"}\n", "")],
        Bump::Major,
        &["breaking outputPorts.api removed 1.0.0 [topic weaker]"],
    );
    check(
        &[(
            "outputPorts:\n",
            "outputPorts:\n  - {name: sql, type: sql, version: \"1.0.0\"}\n",
        )],
        Bump::Minor,
        &["compatible outputPorts.sql added 1.0.0"],
    );
    check(
        &[("type: rest", "type: graphql")],
        Bump::Major,
        &["breaking outputPorts.api.type changed rest → graphql [topic different]"],
    );
    for (version, bump, class) in [
        ("1.0.7", Bump::Patch, "documentation"),
        ("1.1.0", Bump::Minor, "compatible"),
        ("2.0.0", Bump::Major, "breaking"),
    ] {
        check(
            &[(
                "type: rest, version: \"1.0.0\"",
                &format!("type: rest, version: \"{version}\""),
            )],
            bump,
            &[&format!(
                "{class} outputPorts.api.version changed 1.0.0 → {version}"
            )],
        );
    }
    check(
        &[("  - {name: carts,", "  - {name: baskets,")],
        Bump::Minor,
        &[
            "compatible inputPorts.carts removed urn:mesh:contract:shop.carts 1.0.0",
            "compatible inputPorts.baskets added urn:mesh:contract:shop.carts 1.0.0",
        ],
    );
}

#[test]
fn words_and_life_are_as_in_a_contract() {
    check(
        &[("purpose: Orders for all.", "purpose: Orders.")],
        Bump::Patch,
        &["documentation description.purpose changed Orders for all. → Orders."],
    );
    check(
        &[("status: active", "status: deprecated")],
        Bump::Minor,
        &["compatible status changed active → deprecated [lifecycle weaker]"],
    );
    check(
        &[("id: urn:mesh:product:shop.orders", "id: urn:other")],
        Bump::Major,
        &["breaking id changed urn:mesh:product:shop.orders → urn:other [topic different]"],
    );
}

#[test]
fn each_file_has_its_own_version() {
    let old = read(PRODUCT, BASE);
    let contract = edited(
        BASE,
        &[
            ("tags: [retail]", "tags: [sale]"),
            ("version: \"1.2.0\"", "version: \"1.2.1\""),
        ],
    );
    let stream = "type: kafka, version: \"1.2.0\"";
    let port = edited(PRODUCT, &[(stream, "type: kafka, version: \"1.2.1\"")]);
    let check = Diff::products(&old, &read(&port, &contract)).check();
    let [refusal] = check.refusals.as_slice() else {
        panic!("{check:?}");
    };
    assert_eq!(
        (refusal.file, refusal.path.as_str()),
        (File::Product, "version")
    );
    assert!(refusal.mend.contains("1.2.1"), "{refusal:?}");
    let raised = edited(
        &port,
        &[(
            "name: orders\nversion: \"1.2.0\"",
            "name: orders\nversion: \"1.2.1\"",
        )],
    );
    let check = Diff::products(&old, &read(&raised, &contract)).check();
    assert!(check.holds(), "{check:?}");
}
