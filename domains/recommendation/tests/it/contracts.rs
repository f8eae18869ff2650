use std::path::Path;

use mesh_core::Record;
use mesh_core::contract::{Field, Retention, Type};
use recommendation::products::{all, inputs::WatchedView};

use crate::mesh::Mesh;

fn described(fields: &[Field], topic: &str) {
    for field in fields {
        let name = &field.name;
        assert!(field.description.is_some(), "{topic}: {name} says nothing");
        if let Type::Array(array) = &field.ty
            && let Type::Object(object) = &array.items
        {
            described(&object.fields, topic);
        }
    }
}

#[test]
fn every_folder_of_a_product_is_handed_out_and_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("products");
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut folders: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut handed_out: Vec<String> = all()
        .iter()
        .map(|product| product.contract.product.clone())
        .collect();
    handed_out.sort();
    assert_eq!(folders, handed_out, "folders, and `products::all`");
    let known = [WatchedView::descriptor().contract.id.as_str()];
    for descriptor in all() {
        let topic = descriptor.topic.as_str();
        let (contract, product) = (&descriptor.contract, descriptor.product.as_ref());
        let product = product.unwrap_or_else(|| panic!("{topic} has no product.odps.yaml"));
        assert_eq!(contract.domain, env!("CARGO_PKG_NAME"), "{topic}");
        assert_eq!(contract.retention, Retention::Unlimited, "{topic}");
        let about_persons = contract.product == "lists";
        assert_eq!(
            contract.schema.subject_key.is_some(),
            about_persons,
            "{topic}"
        );
        assert!(
            product.owner().is_some() && !contract.support.is_empty(),
            "{topic}"
        );
        described(&contract.schema.fields, topic);
        for port in &product.input_ports {
            let id = port.contract_id.as_str();
            assert!(known.contains(&id), "{topic}: {id} is not of this folder");
        }
    }
}

#[tokio::test]
async fn the_domain_starts_and_is_ready() {
    let mesh = Mesh::start().await;
    let status = mesh.until("ready", |status| status["ready"] == true).await;
    assert_eq!(status["domain"], env!("CARGO_PKG_NAME"));
    assert_eq!(status["products"].as_array().unwrap().len(), all().len());
    mesh.stop().await;
}
