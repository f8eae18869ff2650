use mesh_core::contract::{ProductKind, SourceKind, Type};
use mesh_scaffold::{Column, Flavour, ProductName, ProductWishes};

use crate::support::{Folder, key, refused};

const ORDER: [&str; 6] = [
    "order_id:uuid:required",
    "placed_at:timestamp:required",
    "total:decimal(12,2)",
    "state:enum(OPEN,PAID)",
    "email:string:personal",
    "lines:integer",
];

#[test]
fn an_event_and_a_state_are_ready_to_be_published() {
    for (kind, cleanup) in [
        (ProductKind::Event, "every record"),
        (ProductKind::State, "latest record"),
    ] {
        let folder = Folder::with_shop(Flavour::CodeFree);
        let wishes = ProductWishes {
            kind: Some(kind),
            owner: Some("Shop: \"desk\" #1".into()),
            purpose: Some("- what: is ordered".into()),
            ..key(&["order_id"])
        };
        folder
            .product("orders", &ORDER, &wishes)
            .unwrap()
            .write()
            .unwrap();
        let made = folder.parsed("orders");
        let (contract, product) = (&made.contract, &made.product);
        assert_eq!(
            (contract.status.as_str(), product.status.as_str()),
            ("active", "active")
        );
        assert_eq!(contract.schema.kind, kind);
        assert_eq!(contract.schema.topic, "shop.orders.v1");
        assert_eq!(contract.schema.type_name, "Order");
        assert_eq!(product.owner(), Some("Shop: \"desk\" #1"));
        assert_eq!(
            contract.description.purpose.as_deref(),
            Some("- what: is ordered")
        );
        let names: Vec<&str> = contract
            .schema
            .kafka_key()
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        assert_eq!(names, ["order_id"]);
        let time = (kind == ProductKind::Event).then_some("placed_at");
        assert_eq!(contract.schema.event_time.as_deref(), time);
        let port = product.output_ports[0].description.as_deref().unwrap();
        assert!(port.contains(cleanup), "{port}");
        assert!(matches!(
            product.sources[0].kind,
            SourceKind::Http {
                path: None,
                deleted: None
            }
        ));
        let field = |name: &str| contract.schema.field(name).unwrap();
        assert!(!field("placed_at").nullable && field("total").nullable);
        assert_eq!(
            field("total").ty,
            Type::Decimal {
                precision: 12,
                scale: 2
            }
        );
        assert!(matches!(&field("state").ty, Type::Enum(kind) if kind.symbols.len() == 2));
    }
}

#[test]
fn personal_columns_say_whose_they_are() {
    let folder = Folder::with_shop(Flavour::CodeFree);
    let changes = folder
        .product("orders", &ORDER, &key(&["order_id"]))
        .unwrap();
    let notes = changes.notes.join("\n");
    assert!(
        notes.contains("order_id: taken to identify the person"),
        "{notes}"
    );
    changes.write().unwrap();
    let schema = folder.parsed("orders").contract.schema;
    assert_eq!(schema.subject_key.as_deref(), Some("order_id"));
    assert!(schema.field("email").unwrap().is_personal());
    // Said, not guessed.
    assert!(schema.field("email").unwrap().custom.is_empty());

    let wishes = ProductWishes {
        subject_key: Some("email".into()),
        personal: vec!["total".into()],
        ..key(&["order_id", "lines"])
    };
    let columns = [
        "order_id:uuid:required",
        "lines:integer:required",
        "total:number",
        "email:string",
    ];
    folder
        .product("lines", &columns, &wishes)
        .unwrap()
        .write()
        .unwrap();
    let schema = folder.parsed("lines").contract.schema;
    assert_eq!(schema.subject_key.as_deref(), Some("email"));
    assert!(schema.field("total").unwrap().is_personal());

    let without = ProductWishes {
        subject_key: None,
        ..wishes.clone()
    };
    refused(
        folder.product("more", &columns, &without),
        &["whose the personal data are", "--subject-key COLUMN"],
    );
    let unknown = ProductWishes {
        subject_key: Some("person".into()),
        ..wishes.clone()
    };
    refused(
        folder.product("more", &columns, &unknown),
        &["`person` is no column", "--subject-key"],
    );
    let unknown = ProductWishes {
        personal: vec!["phone".into()],
        ..wishes
    };
    refused(
        folder.product("more", &columns, &unknown),
        &[
            "`phone` is no column",
            "order_id, lines, total, email",
            "--personal",
        ],
    );
}

#[test]
fn what_is_wrong_is_named_with_its_mend() {
    let folder = Folder::with_shop(Flavour::CodeFree);
    let one = key(&["id"]);
    let check = |from: &[&str], wishes: &ProductWishes, words: &[&str]| {
        let before = folder.files();
        refused(folder.product("orders", from, wishes), words);
        assert_eq!(folder.files(), before);
    };
    check(&[], &one, &["no columns", "--field", "--from-sample"]);
    check(&["id"], &one, &["`id` has no type", "decimal(12,2)"]);
    check(&["id:text"], &one, &["`text` is no type", "field=id:text"]);
    check(&["id:decimal(50,2)"], &one, &["`decimal(50,2)` is no type"]);
    check(&["id:decimal(2,3)"], &one, &["`decimal(2,3)` is no type"]);
    check(&["id:enum(a-b)"], &one, &["`enum(a-b)` is no type"]);
    check(&["Id:string"], &one, &["`Id` is not a valid name"]);
    check(
        &["id:string:needed"],
        &one,
        &["`needed` is nothing that a column can be", "`required`"],
    );
    check(&["id:string", "id:long"], &one, &["`id` is given twice"]);
    check(&["id:number"], &one, &["cannot be part of a key", "--key"]);
    check(
        &["name:string"],
        &one,
        &["`id` is no column", "name", "--key"],
    );
    check(
        &["name:string"],
        &key(&[]),
        &["no column is known to be the key", "--key"],
    );
    let timed = ProductWishes {
        event_time: Some("id".into()),
        ..one.clone()
    };
    check(&["id:string"], &timed, &["tells no time", "--event-time"]);
    check(&["gone.csv"], &one, &["cannot be opened", "gone.csv"]);

    refused(
        ProductName::parse("orders").map(|_| ()),
        &["does not name a domain", "`shipping/shipments`"],
    );
    assert_eq!(
        ProductName::parse("shop.orders").unwrap(),
        ProductName::parse("shop/orders").unwrap()
    );
    refused("a:b:c".parse::<Column>().map(|_| ()), &["`b` is no type"]);
}

#[test]
fn names_and_places_are_checked() {
    let folder = Folder::with_shop(Flavour::CodeFree);
    let columns = ["id:string:required"];
    refused(
        folder.product("Orders", &columns, &key(&["id"])),
        &["the product", "`Orders` is not a valid name"],
    );
    folder
        .product("type", &columns, &key(&["id"]))
        .unwrap()
        .write()
        .unwrap();
    let before = folder.files();
    refused(
        folder.product("type", &columns, &key(&["id"])),
        &["`shop/type` is there already", "products/type"],
    );
    assert_eq!(folder.files(), before);

    let code = Folder::with_shop(Flavour::Code);
    refused(
        code.product("type", &columns, &key(&["id"])),
        &["it is a word of Rust"],
    );
    // A module is there already, whatever it holds.
    for taken in ["products", "lib", "main"] {
        let changes = code.product(taken, &columns, &key(&["id"])).unwrap();
        refused(
            changes.write(),
            &[
                "the file is there already",
                &format!("src/{taken}.rs"),
                "nothing was written",
            ],
        );
    }
    assert!(!code.path().join("domains/shop/products").exists());

    let empty = Folder::empty();
    refused(
        empty.product("orders", &columns, &key(&["id"])),
        &["there is no domain `shop`", "`mesh new domain shop`"],
    );
}

#[test]
fn code_is_made_known_to_the_domain() {
    let folder = Folder::with_shop(Flavour::Code);
    let state = ProductWishes {
        kind: Some(ProductKind::State),
        ..key(&["order_id"])
    };
    folder
        .product("orders", &ORDER, &state)
        .unwrap()
        .write()
        .unwrap();
    let event = ProductWishes {
        kind: Some(ProductKind::Event),
        ..key(&["id", "part"])
    };
    let columns = [
        "id:string:required",
        "part:integer:required",
        "weight:number",
    ];
    folder
        .product("deliveries", &columns, &event)
        .unwrap()
        .write()
        .unwrap();

    let lib = folder.read("domains/shop/src/lib.rs");
    let at = |text: &str| lib.find(text).unwrap_or_else(|| panic!("{text}: {lib}"));
    assert!(at("pub mod deliveries;") < at("pub mod orders;"));
    assert!(at("pub mod orders;") < at("pub mod products;"));
    assert!(at("pub mod products;") < at("// mesh new: modules"));
    assert!(at(".api(orders::routes)\n") < at(".keep::<products::Order>(orders::DOCUMENTS)\n"));
    assert!(at(".keep::<") < at(".api(deliveries::routes)\n"));
    assert!(!lib.contains("deliveries::DOCUMENTS"), "{lib}");
    let products = folder.read("domains/shop/src/products.rs");
    for line in [
        "mesh_macros::contract!(\"products/orders/contract.odcs.yaml\");",
        "        <Order as mesh_core::Record>::descriptor(),",
        "        <Delivery as mesh_core::Record>::descriptor(),",
    ] {
        assert!(products.contains(line), "{line}: {products}");
    }
    let orders = folder.read("domains/shop/src/orders.rs");
    assert!(
        orders.contains(".get(\"/v1/orders/{order_id}\", latest)"),
        "{orders}"
    );
    let deliveries = folder.read("domains/shop/src/deliveries.rs");
    assert!(deliveries.contains("event.key().to_text()") && !deliveries.contains("latest"));
    let tests = folder.read("domains/shop/tests/it/main.rs");
    assert!(
        tests.contains(
            "mod contracts;\nmod deliveries;\nmod mesh;\nmod orders;\n// mesh new: tests"
        ),
        "{tests}"
    );
    // Code takes rows by itself.
    assert!(folder.parsed("orders").product.sources.is_empty());
}
