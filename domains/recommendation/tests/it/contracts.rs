use std::path::Path;

use recommendation::products::all;

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
