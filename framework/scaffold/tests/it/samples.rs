use mesh_core::contract::{FileFormat, ProductKind, SourceKind};
use mesh_formats::{Choice, read_registered};
use mesh_scaffold::{Flavour, Given, ProductName, ProductWishes, Templates, new_product};

use crate::support::{Folder, key, refused};

#[test]
fn a_sample_of_rows_feeds_the_product() {
    let folder = Folder::with_shop(Flavour::CodeFree);
    folder.write(
        "rows.csv",
        "Order No;placed at;Total\n1;2024-01-01T10:00:00Z;1.50\n2;2024-01-02T10:00:00Z;2.25",
    );
    let changes = folder
        .product("orders", &["rows.csv"], &key(&["order_no"]))
        .unwrap();
    changes.write().unwrap();
    let made = folder.parsed("orders");
    assert_eq!(made.contract.schema.kind, ProductKind::Event);
    assert_eq!(made.contract.schema.type_name, "Order");
    assert_eq!(made.contract.status, "active");
    let SourceKind::File(file) = &made.product.sources[0].kind else {
        panic!("{:?}", made.product.sources);
    };
    assert_eq!(file.path, "in/orders.csv");
    assert_eq!(file.format, FileFormat::Csv { delimiter: b';' });
    assert!(file.follow);
    let renamed: Vec<_> = file
        .columns
        .iter()
        .map(|(from, to)| (from.as_str(), to.as_str()))
        .collect();
    assert_eq!(
        renamed,
        [
            ("Order No", "order_no"),
            ("Total", "total"),
            ("placed at", "placed_at")
        ]
    );
    assert!(matches!(
        made.product.sources[1].kind,
        SourceKind::Http { .. }
    ));
    // Rows may be added to its end.
    assert!(
        folder
            .read("domains/shop/in/orders.csv")
            .ends_with("2.25\n")
    );
    assert!(!folder.read("rows.csv").ends_with('\n'));
}

#[test]
fn what_cannot_be_a_source_is_said() {
    let folder = Folder::with_shop(Flavour::CodeFree);
    folder.write(
        "lines.jsonl",
        "{\"id\": 1, \"name\": \"a\"}\n{\"id\": 2, \"name\": \"b\"}\n",
    );
    folder
        .product("lines", &["lines.jsonl"], &key(&["id"]))
        .unwrap()
        .write()
        .unwrap();
    let made = folder.parsed("lines");
    assert!(
        matches!(&made.product.sources[0].kind, SourceKind::File(file) if file.format == FileFormat::JsonLines)
    );

    folder.write("list.json", "[{\"id\": 1}, {\"id\": 2}]");
    folder.write("plain.csv", "1,2.5\n2,3.5\n");
    folder.write(
        "nested.jsonl",
        "{\"id\": 1, \"inner\": {\"Some Name\": 1}}\n",
    );
    folder.write(
        "orders.sql",
        "CREATE TABLE orders (id integer PRIMARY KEY, note text);",
    );
    for (file, product, id, why) in [
        ("list.json", "list", "id", "files of lines"),
        (
            "plain.csv",
            "plain",
            "column_1",
            "does not name the columns",
        ),
        ("nested.jsonl", "nested", "id", "inside of its objects"),
        ("orders.sql", "from_sql", "id", "it is a schema"),
    ] {
        let changes = folder.product(product, &[file], &key(&[id])).unwrap();
        let notes = changes.notes.join("\n");
        assert!(
            notes.contains(why) && notes.contains(&format!("POST /v1/{product}")),
            "{file}: {notes}"
        );
        changes.write().unwrap();
        assert_eq!(folder.parsed(product).product.sources.len(), 1);
        assert!(
            !folder
                .path()
                .join(format!("domains/shop/in/{product}.csv"))
                .exists()
        );
    }
}

#[test]
fn guesses_of_personal_data_stay_guesses_until_they_are_said() {
    let folder = Folder::with_shop(Flavour::CodeFree);
    folder.write(
        "people.csv",
        "person_id,email\n1,a@b.example\n2,c@d.example\n",
    );
    let changes = folder
        .product("people", &["people.csv"], &key(&["person_id"]))
        .unwrap();
    let notes = changes.notes.join("\n");
    assert!(
        notes.contains("email: taken for personal") && notes.contains("--personal email"),
        "{notes}"
    );
    assert!(!notes.contains("b.example"), "{notes}");
    let said = ProductWishes {
        personal: vec!["email".into()],
        ..key(&["person_id"])
    };
    let changes = folder.product("people", &["people.csv"], &said).unwrap();
    assert!(!changes.notes.join("\n").contains("a guess"));
    changes.write().unwrap();
    let schema = folder.parsed("people").contract.schema;
    assert_eq!(schema.subject_key.as_deref(), Some("person_id"));
    refused(
        folder.product("people", &["people.csv"], &said),
        &["`shop/people` is there already"],
    );
}

#[test]
fn a_subject_gives_columns_and_its_record() {
    let folder = Folder::with_shop(Flavour::CodeFree);
    let schema = r#"{"type": "record", "name": "Placed", "namespace": "legacy", "fields": [
        {"name": "order_id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}"#;
    let imported =
        read_registered("legacy.orders-value", None, schema, &Choice::default()).unwrap();
    let name = ProductName::parse("shop/orders").unwrap();
    let given = Given::Imported(Box::new(imported));
    let wishes = key(&["order_id"]);
    new_product(
        &folder.place(),
        &name,
        &given,
        &wishes,
        &Templates::default(),
    )
    .unwrap()
    .write()
    .unwrap();
    let made = folder.parsed("orders");
    assert_eq!(made.contract.domain, "shop");
    assert_eq!(made.contract.schema.name, "placed");
    assert_eq!(made.contract.schema.event_time.as_deref(), Some("at"));
    assert!(matches!(
        made.product.sources[0].kind,
        SourceKind::Http { .. }
    ));
}
