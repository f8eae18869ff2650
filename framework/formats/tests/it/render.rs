//! An imported record becomes the two files of a product.

use mesh_core::contract::{Contract, DataProduct, ProductKind};
use mesh_formats::sample::{CsvOptions, Limits, read_csv};
use mesh_formats::{Choice, Imported, Wishes};

use crate::support::{columns, golden, rendered};

fn csv(name: &str, text: &str) -> Imported {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    read_csv(
        &path,
        &CsvOptions::default(),
        &Choice::default(),
        Limits::default(),
    )
    .unwrap()
}

const ORDERS: &str = "\
Order ID,Customer E-Mail,total,placed_at,paid
1,ann@shop.example,12.50,2024-01-01T10:00:00Z,true
2,bob@shop.example,7.05,2024-01-02T10:00:00Z,
";

#[test]
fn a_sample_becomes_a_product_that_the_framework_reads() {
    let imported = csv("orders.csv", ORDERS);
    let files = rendered(&imported, Wishes::default()).unwrap();
    assert_eq!(
        (files.domain.as_str(), files.product.as_str()),
        ("shop", "orders")
    );
    assert_eq!(files.kind, ProductKind::Event);
    golden("orders.contract.odcs.yaml", &files.contract_file);
    golden("orders.product.odps.yaml", &files.product_file);
    let product = DataProduct::parse(
        "product.odps.yaml",
        &files.product_file,
        "contract.odcs.yaml",
        &files.contract_file,
    )
    .unwrap();
    let schema = &product.contract.schema;
    assert_eq!(columns(&schema.fields), columns(&imported.fields));
    assert_eq!(schema.topic, "shop.orders.v1");
    assert_eq!(schema.type_name, "Order");
    assert_eq!(schema.event_time.as_deref(), Some("placed_at"));
    let email = schema.field("customer_e_mail").unwrap();
    assert!(email.is_personal());
    let why = email.custom["guess"].as_str().unwrap();
    assert!(
        why.contains("e-mail address") && !why.contains("ann"),
        "{why}"
    );
    assert_eq!(email.custom["sourceName"], "Customer E-Mail");
}

#[test]
fn wishes_go_before_guesses() {
    let imported = csv("orders.csv", ORDERS);
    let wishes = Wishes {
        product: Some("sales".into()),
        kind: Some(ProductKind::State),
        key: vec!["customer_e_mail".into(), "order_id".into()],
        owner: Some("Sales: \"desk\" # 1".into()),
        ..Wishes::default()
    };
    let files = rendered(&imported, wishes).unwrap();
    let contract = Contract::parse("c", &files.contract_file).unwrap();
    assert_eq!(contract.product, "sales");
    assert_eq!(contract.schema.kind, ProductKind::State);
    let key: Vec<&str> = contract
        .schema
        .kafka_key()
        .iter()
        .map(|f| f.name.as_str())
        .collect();
    assert_eq!(key, ["customer_e_mail", "order_id"]);
    assert_eq!(contract.team.unwrap().name.unwrap(), "Sales: \"desk\" # 1");
    assert_eq!(contract.schema.event_time, None);
    // Events that share a key are ordered by it.
    let lines = csv("lines.csv", "order_id,at\n1,2024-01-01\n1,2024-01-02\n");
    let wishes = Wishes {
        key: vec!["order_id".into()],
        ..Wishes::default()
    };
    let files = rendered(&lines, wishes).unwrap();
    let contract = Contract::parse("c", &files.contract_file).unwrap();
    assert!(contract.schema.primary_key().is_empty());
    assert_eq!(contract.schema.kafka_key().len(), 1);
}

#[test]
fn what_cannot_be_known_is_asked_for() {
    let check = |imported: &Imported, wishes: Wishes, expected: &[&str]| {
        let text = rendered(imported, wishes).unwrap_err().to_string();
        for part in expected {
            assert!(part.is_empty() || text.contains(part), "{part:?} in {text}");
        }
    };
    let orders = csv("orders.csv", ORDERS);
    let open = csv("x.csv", "a,b\n1,2\n2,3\n");
    let key = |names: &[&str]| Wishes {
        key: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Wishes::default()
    };
    check(
        &open,
        Wishes::default(),
        &["no column is known to be the key", "a, b", "--key"],
    );
    check(
        &orders,
        key(&["nothing"]),
        &["`nothing` is no column", "order_id", "--key"],
    );
    check(
        &orders,
        key(&["total"]),
        &["decimal(12,2)", "cannot be part of a key"],
    );
    check(&orders, key(&["paid"]), &["empty in some rows"]);
    check(&orders, key(&["order_id", "order_id"]), &["twice"]);
    let time = |name: &str| Wishes {
        event_time: Some(name.into()),
        ..Wishes::default()
    };
    check(&orders, time("paid"), &["tells no time", "--event-time"]);
    check(&orders, time("nothing"), &["no column", "--event-time"]);
    let product = Wishes {
        product: Some("My-Orders".into()),
        ..Wishes::default()
    };
    check(
        &orders,
        product,
        &["`My-Orders`", "--product", "lower-case"],
    );
    let error = mesh_formats::render(&orders, &Wishes::default()).unwrap_err();
    assert!(error.to_string().contains("--domain"), "{error}");
}
