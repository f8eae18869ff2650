//! From a domain's folder to what hosts it.

use std::path::{Path, PathBuf};

use mesh_contract::SourceKind;
use mesh_core::{Descriptor, Error, ErrorKind, Result};
use mesh_runtime::Domain;

use crate::file::FileRows;

/// The largest file of a product that is read, in bytes; the parser's own limit is lower.
const MAX_BYTES: u64 = 16 << 20;

/// The domain in `folder`, whose name is the folder's: every product below `products/`,
/// and the sources that they declare.
///
/// # Errors
/// A file that cannot be read; everything that is wrong in the files, by file, line and
/// field; a folder without products.
pub fn load(folder: &Path) -> Result<Domain> {
    let name = folder
        .canonicalize()
        .ok()
        .and_then(|folder| Some(folder.file_name()?.to_str()?.to_owned()))
        .ok_or_else(|| {
            Error::not_found("there is no such folder of a domain")
                .with("folder", folder.display())
                .mend("name a folder like `domains/shipping`")
        })?;
    let mut domain = Domain::new(&name);
    let products = products(&folder.join("products"))?;
    if products.is_empty() {
        return Err(Error::not_found("the domain has no products")
            .with("folder", folder.display())
            .mend(
                "make a folder `products/<name>` with product.odps.yaml and contract.odcs.yaml",
            ));
    }
    for product in products {
        let descriptor = descriptor(&product)?;
        domain = declare(domain.declared(descriptor), descriptor)?;
    }
    Ok(domain)
}

/// The folders of products, by name.
fn products(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(folder, error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn descriptor(folder: &Path) -> Result<&'static Descriptor> {
    let read = |name: &str| -> Result<(String, &'static str)> {
        let path = folder.join(name);
        let length = std::fs::metadata(&path)
            .map_err(|error| unreadable(&path, error))?
            .len();
        if length > MAX_BYTES {
            return Err(
                Error::new(ErrorKind::ResourceExhausted, "a file is too large")
                    .with("file", path.display())
                    .with("bytes", length)
                    .with("limit", MAX_BYTES),
            );
        }
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        // A domain is loaded once and its products live as long as the process.
        Ok((path.display().to_string(), text.leak()))
    };
    let (product_file, product) = read("product.odps.yaml")?;
    let (contract_file, contract) = read("contract.odcs.yaml")?;
    let descriptor = Descriptor::parse(&contract_file, contract, Some((&product_file, product)))?;
    Ok(Box::leak(Box::new(descriptor)))
}

fn declare(mut domain: Domain, descriptor: &'static Descriptor) -> Result<Domain> {
    let product = &descriptor.contract.product;
    let sources = descriptor
        .product
        .iter()
        .flat_map(|product| &product.sources);
    for source in sources {
        domain = match &source.kind {
            SourceKind::File(file) => {
                let rows = FileRows::new(descriptor, file)?;
                domain.source(&format!("{product}_{}", source.name), rows)
            }
            SourceKind::Http { path } => {
                let path = path.clone().unwrap_or_else(|| format!("/v1/{product}"));
                domain.api(|api| api.ingest(&path, descriptor))
            }
        };
    }
    Ok(domain)
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::FailedPrecondition,
    };
    Error::new(kind, "a file of the domain cannot be read")
        .with("file", path.display())
        .mend("put it there as UTF-8 text and let this process read it")
        .because(error)
}
