use mesh_core::Result;
use mesh_scaffold::{Changes, ConsumerWishes, Flavour, ProductName, Templates, new_consumer};

use crate::support::{Folder, key, refused};

/// `shop` with the product `orders`, and `billing` beside it.
fn two() -> Folder {
    let folder = Folder::with_shop(Flavour::Code);
    let columns = ["order_id:long:required", "note:string"];
    folder
        .product("orders", &columns, &key(&["order_id"]))
        .unwrap()
        .write()
        .unwrap();
    folder.domain("billing", None).unwrap().write().unwrap();
    folder
}

fn consumer(folder: &Folder, name: &str, of: &str, contract: Option<&str>) -> Result<Changes> {
    let wishes = ConsumerWishes {
        of: ProductName::parse(of).unwrap(),
        contract: contract.map(|text| ("given".into(), text.to_owned())),
    };
    new_consumer(
        &folder.place(),
        &ProductName::parse(name).unwrap(),
        &wishes,
        &Templates::default(),
    )
}

#[test]
fn a_consumer_keeps_a_copy_of_the_contract() {
    let folder = two();
    let before = folder.files();
    consumer(&folder, "billing/invoices", "shop/orders", None)
        .unwrap()
        .write()
        .unwrap();
    let copy = folder.read("domains/billing/inputs/orders.odcs.yaml");
    let contract = folder.read("domains/shop/products/orders/contract.odcs.yaml");
    assert!(copy.ends_with(&contract), "{copy}");
    let products = folder.read("domains/billing/src/products.rs");
    assert!(
        products
            .contains("pub mod inputs {\n    mesh_macros::contract!(\"inputs/orders.odcs.yaml\");"),
        "{products}"
    );
    let lib = folder.read("domains/billing/src/lib.rs");
    assert!(
        lib.contains(".handler::<products::inputs::Order, _>(\"invoices\", invoices::Consumer)"),
        "{lib}"
    );
    let code = folder.read("domains/billing/src/invoices.rs");
    assert!(code.contains("None => Ok(forget(&event.key))"), "{code}");
    for (file, text) in before {
        if !file.starts_with("domains/billing/") {
            assert_eq!(folder.read(&file), text, "{file}");
        }
    }

    refused(
        consumer(&folder, "billing/again", "shop/orders", None),
        &["reads `shop/orders` already", "inputs"],
    );
    let columns = ["id:string:required"];
    folder
        .product("returns", &columns, &key(&["id"]))
        .unwrap()
        .write()
        .unwrap();
    consumer(&folder, "billing/refunds", "shop/returns", None)
        .unwrap()
        .write()
        .unwrap();
    let products = folder.read("domains/billing/src/products.rs");
    assert_eq!(
        products.matches("pub mod inputs {").count(),
        1,
        "{products}"
    );
    assert!(
        products.contains("    mesh_macros::contract!(\"inputs/returns.odcs.yaml\");"),
        "{products}"
    );
}

#[test]
fn what_cannot_be_consumed_is_refused() {
    let folder = two();
    let contract = folder.read("domains/shop/products/orders/contract.odcs.yaml");
    for (name, of, text, words) in [
        (
            "billing/Bad",
            "shop/orders",
            None,
            &["`Bad` is not a valid name"][..],
        ),
        (
            "billing/loop",
            "shop/orders",
            None,
            &["it is a word of Rust"],
        ),
        (
            "shipping/a",
            "shop/orders",
            None,
            &["there is no domain `shipping`"],
        ),
        (
            "shop/own",
            "shop/orders",
            None,
            &["a product of the same domain"],
        ),
        (
            "billing/a",
            "shop/gone",
            None,
            &[
                "no contract of `shop/gone` here",
                "--contract FILE",
                "--url",
            ],
        ),
        (
            "billing/a",
            "shop/gone",
            Some(contract.as_str()),
            &["another product's", "found=shop/orders"],
        ),
        (
            "billing/a",
            "shop/orders",
            Some("kind: x"),
            &["is not valid", "given:1"],
        ),
    ] {
        refused(consumer(&folder, name, of, text), words);
    }
    let free = Folder::with_shop(Flavour::CodeFree);
    refused(
        consumer(&free, "shop/a", "loan/applications", None),
        &["the domain `shop` has no code", "--code"],
    );
}

#[test]
fn a_second_record_of_one_name_is_told_apart() {
    let folder = two();
    consumer(&folder, "billing/invoices", "shop/orders", None)
        .unwrap()
        .write()
        .unwrap();
    let contract = folder.read("domains/shop/products/orders/contract.odcs.yaml");
    let other = contract.replace("shop", "depot");
    refused(
        consumer(&folder, "billing/depots", "depot/orders", Some(&other)),
        &["`Order`", "inputs/orders.odcs.yaml", "--contract"],
    );
    let renamed = other.replace("name: order\n", "name: depot_order\n");
    consumer(&folder, "billing/depots", "depot/orders", Some(&renamed))
        .unwrap()
        .write()
        .unwrap();
    assert!(
        folder
            .path()
            .join("domains/billing/inputs/depot_orders.odcs.yaml")
            .exists()
    );
}
