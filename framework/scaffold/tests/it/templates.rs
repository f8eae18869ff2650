use std::fs;

use mesh_core::Result;
use mesh_scaffold::{
    Changes, DomainWishes, Flavour, Given, ProductName, Templates, new_domain, new_product,
};

use crate::support::{Folder, key, refused};

const CONTRACT: &str = "product/files/products/__product__/contract.odcs.yaml.j2";

fn orders(folder: &Folder, templates: &Folder) -> Result<Changes> {
    let templates = Templates::with_folder(templates.path())?;
    let given = Given::Columns(vec!["id:string:required".parse()?]);
    let name = ProductName::parse("shop/orders")?;
    new_product(&folder.place(), &name, &given, &key(&["id"]), &templates)
}

#[test]
fn a_platform_team_replaces_some_and_adds_others() {
    let ours = Folder::empty();
    Templates::defaults_in(ours.path()).write().unwrap();
    refused(
        Templates::defaults_in(ours.path()).write(),
        &["the file is there already"],
    );
    let text = ours.read(CONTRACT);
    ours.write(
        CONTRACT,
        &text.replace(
            "{{ contract_document | yaml }}",
            "{{ contract_document | yaml }}\ntags: [{{ domain }}]",
        ),
    );
    ours.write(
        "product/files/products/__product__/OWNERS.j2",
        "{{ product_document.team.name | json }} of {{ domain }}\n",
    );
    ours.write("notes.txt", "not a template");
    fs::remove_file(ours.path().join("domain/folder/README.md.j2")).unwrap();

    let folder = Folder::with_shop(Flavour::CodeFree);
    orders(&folder, &ours).unwrap().write().unwrap();
    assert_eq!(folder.parsed("orders").contract.tags, ["shop"]);
    assert_eq!(
        folder.read("domains/shop/products/orders/OWNERS"),
        "\"shop\" of shop\n"
    );
    // What the folder leaves out is as it was.
    let templates = Templates::with_folder(ours.path()).unwrap();
    let changes = new_domain(
        &folder.place(),
        "depot",
        &DomainWishes::default(),
        &templates,
    )
    .unwrap();
    changes.write().unwrap();
    assert!(
        folder
            .read("domains/depot/README.md")
            .starts_with("# depot")
    );
}

#[test]
fn a_broken_template_is_named_with_its_line_and_writes_nothing() {
    let folder = Folder::with_shop(Flavour::CodeFree);
    let before = folder.files();
    for (text, words) in [
        (
            "one\n{% if %}\n",
            &["a template is broken", CONTRACT, "line=2"][..],
        ),
        (
            "one\n\n{{ nothing }}\n",
            &["a template is broken", CONTRACT, "line=3", "undefined"],
        ),
        ("{{ contract_document | shout }}\n", &["line=1", "shout"]),
        (
            "kind: DataContract\n",
            &[
                "what the templates make is not valid",
                "contract.odcs.yaml:1",
                "product/files",
            ],
        ),
        (
            "{{ contract_document | yaml }}\nextra: 1\n",
            &["is not valid", "extra"],
        ),
    ] {
        let ours = Folder::empty();
        ours.write(CONTRACT, text);
        refused(orders(&folder, &ours), words);
        assert_eq!(folder.files(), before);
    }
}

#[test]
fn templates_stand_where_they_are_looked_for() {
    let folder = Folder::with_shop(Flavour::CodeFree);
    let ours = Folder::empty();
    refused(
        orders(&folder, &ours),
        &["holds no template", "mesh new templates"],
    );
    ours.write("products/contract.odcs.yaml.j2", "");
    refused(
        orders(&folder, &ours),
        &[
            "where none is looked for",
            "products/contract.odcs.yaml.j2",
            "product/files/",
        ],
    );
    let ours = Folder::empty();
    ours.write("product/files/__consumer__.md.j2", "");
    refused(
        orders(&folder, &ours),
        &["cannot be made a file's", "__consumer__"],
    );
    let gone = Templates::with_folder(&folder.path().join("gone"));
    refused(gone.map(|_| ()), &["cannot be read", "--templates DIR"]);
}
