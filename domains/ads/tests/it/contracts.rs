use std::path::Path;

use ads::products::all;
use mesh_core::contract::{Field, Type};

use crate::mesh::Mesh;

#[test]
fn every_folder_of_a_product_is_handed_out_and_has_an_owner() {
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
    for descriptor in all() {
        let topic = descriptor.topic.as_str();
        let product = descriptor.product.as_ref();
        let product = product.unwrap_or_else(|| panic!("{topic} has no product.odps.yaml"));
        assert_eq!(
            descriptor.contract.domain,
            env!("CARGO_PKG_NAME"),
            "{topic}"
        );
        assert!(product.owner().is_some(), "{topic} has no owner");
        assert!(!descriptor.contract.support.is_empty(), "{topic}");
        described(&descriptor.contract.schema.fields, topic);
    }
}

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

/// What is known of a viewer is a pseudonym and ages: no product has a column for more, and each that
/// has a pseudonym says that it is personal, whose it is, and when it goes.
#[test]
fn viewers_are_pseudonyms_and_go_in_time() {
    for descriptor in all() {
        let topic = descriptor.topic.as_str();
        let schema = &descriptor.contract.schema;
        let viewer = schema.fields.iter().find(|field| field.name == "viewer");
        let user = |field: &&Field| field.name.contains("user") || field.name.contains("mail");
        assert!(!schema.fields.iter().any(|field| user(&field)), "{topic}");
        let Some(viewer) = viewer else {
            assert!(schema.subject_key.is_none(), "{topic}");
            continue;
        };
        assert_eq!(
            viewer.classification.as_deref(),
            Some("personal"),
            "{topic}"
        );
        assert_eq!(schema.subject_key.as_deref(), Some("viewer"), "{topic}");
        let retention = format!("{:?}", descriptor.contract.retention);
        assert_ne!(retention, "Unlimited", "{topic}");
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
