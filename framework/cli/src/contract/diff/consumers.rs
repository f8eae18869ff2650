//! Who reads a product, as the files of a mesh tell: input ports of products, and copies of
//! contracts in `inputs` folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mesh_core::contract::diff::Consumer;
use mesh_core::contract::{Contract, Product};
use mesh_core::{Error, Result};

/// The consumers of one contract.
#[derive(Default)]
pub(super) struct Found {
    /// One for each domain and major version that it reads.
    pub(super) consumers: Vec<Consumer>,
    /// Whether a mesh was searched at all.
    pub(super) searched: bool,
    /// What could not be told.
    pub(super) notes: Vec<String>,
}

/// Searches `domains/*` of `mesh` for those who read `contract`.
pub(super) fn find(mesh: &Path, contract: &Contract) -> Result<Found> {
    let mut found = Found {
        searched: true,
        ..Found::default()
    };
    for folder in entries(&mesh.join("domains"))? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let mut domain = Domain {
            name: &name,
            majors: BTreeMap::new(),
        };
        for product in entries(&folder.join("products"))? {
            let file = product.join("product.odps.yaml");
            if file.is_file() {
                match Product::parse(&file.display().to_string(), &read(&file)?) {
                    Ok(product) => domain.product(&file, &product, contract),
                    Err(problems) => found.notes.push(unread(&problems)),
                }
            }
        }
        for file in entries(&folder.join("inputs"))? {
            if file.to_string_lossy().ends_with(".odcs.yaml") {
                match Contract::parse(&file.display().to_string(), &read(&file)?) {
                    Ok(copy) if copy.id == contract.id => domain.copy(&file, copy),
                    Ok(_) => {}
                    Err(problems) => found.notes.push(unread(&problems)),
                }
            }
        }
        found.consumers.extend(domain.majors.into_values());
    }
    Ok(found)
}

/// A file of another team that is broken must not hide what the rest of the mesh says.
fn unread(problems: &mesh_core::contract::Diagnostics) -> String {
    let first = problems.items().first();
    let told = first.map(ToString::to_string).unwrap_or_default();
    format!("what this file reads is not known: {told}")
}

/// What one domain reads, by major version: while it moves it may read two.
struct Domain<'a> {
    name: &'a str,
    majors: BTreeMap<Option<u64>, Consumer>,
}

impl Domain<'_> {
    fn reads(&mut self, version: &str, file: &Path) -> &mut Consumer {
        let consumer = Consumer {
            domain: self.name.to_owned(),
            products: Vec::new(),
            version: version.to_owned(),
            files: Vec::new(),
            copy: None,
        };
        let consumer = self.majors.entry(consumer.major()).or_insert(consumer);
        consumer.files.push(file.display().to_string());
        consumer
    }

    fn product(&mut self, file: &Path, product: &Product, contract: &Contract) {
        for port in &product.input_ports {
            if port.contract_id == contract.id {
                let consumer = self.reads(&port.version, file);
                if !consumer.products.contains(&product.name) {
                    consumer.products.push(product.name.clone());
                }
            }
        }
    }

    fn copy(&mut self, file: &Path, copy: Contract) {
        let consumer = self.reads(&copy.version.to_string(), file);
        // The copy is what the domain's code is made from.
        consumer.version = copy.version.to_string();
        consumer.copy = Some(copy);
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|error| {
        Error::invalid("a file of the mesh cannot be read")
            .with("file", file.display())
            .with("cause", &error)
            .mend("mend it, or name another folder with --mesh")
            .because(error)
    })
}

/// What stands in a folder, in order; nothing if there is no such folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    match std::fs::read_dir(folder) {
        Ok(entries) => found.extend(entries.flatten().map(|entry| entry.path())),
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) => {}
        Err(error) => {
            return Err(Error::invalid("a folder cannot be read")
                .with("folder", folder.display())
                .mend("name another folder with --mesh")
                .because(error));
        }
    }
    found.sort();
    Ok(found)
}
