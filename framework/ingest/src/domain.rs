//! From a domain's folder to what hosts it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mesh_contract::SourceKind;
use mesh_core::{Descriptor, Error, ErrorKind, Result};
use mesh_runtime::Domain;

use crate::file::{FileRows, check_deleted};
use crate::postgres::PostgresRows;
use crate::product::Bridge;
use crate::sql::SqlRows;

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
    let mut fed = BTreeMap::new();
    for product in products {
        let descriptor = descriptor(&product)?;
        domain = declare(domain.declared(descriptor), descriptor, folder, &mut fed)?;
    }
    refuse_circles(&fed)?;
    Ok(domain)
}

/// Which topics feed which.
type Fed = BTreeMap<&'static str, Vec<&'static str>>;

/// Refuses products that feed each other: a record would go round for ever.
fn refuse_circles(fed: &Fed) -> Result<()> {
    for start in fed.keys() {
        let (mut next, mut seen) = (vec![*start], BTreeSet::new());
        while let Some(topic) = next.pop() {
            for from in fed.get(topic).into_iter().flatten() {
                if from == start {
                    return Err(Error::invalid("a product is fed by itself")
                        .with("topic", start)
                        .with("by", topic)
                        .mend("remove one of the sources of type `product` between the two"));
                }
                if seen.insert(*from) {
                    next.push(from);
                }
            }
        }
    }
    Ok(())
}

/// A contract that a product reads.
fn read_contract(folder: &Path, path: &str) -> Result<&'static Descriptor> {
    let file = folder.join(path);
    let text = read_text(&file)?;
    let descriptor = Descriptor::parse(&file.display().to_string(), text, None)?;
    Ok(Box::leak(Box::new(descriptor)))
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
        Ok((path.display().to_string(), read_text(&path)?))
    };
    let (product_file, product) = read("product.odps.yaml")?;
    let (contract_file, contract) = read("contract.odcs.yaml")?;
    let descriptor = Descriptor::parse(&contract_file, contract, Some((&product_file, product)))?;
    Ok(Box::leak(Box::new(descriptor)))
}

/// The text of a file. A domain is loaded once and its products live as long as the process.
fn read_text(path: &Path) -> Result<&'static str> {
    let length = std::fs::metadata(path)
        .map_err(|error| unreadable(path, error))?
        .len();
    if length > MAX_BYTES {
        return Err(
            Error::new(ErrorKind::ResourceExhausted, "a file is too large")
                .with("file", path.display())
                .with("bytes", length)
                .with("limit", MAX_BYTES),
        );
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
    Ok(text.leak())
}

fn declare(
    mut domain: Domain,
    descriptor: &'static Descriptor,
    folder: &Path,
    fed: &mut Fed,
) -> Result<Domain> {
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
            SourceKind::Postgres(table) => {
                let rows = PostgresRows::new(descriptor, table)?;
                domain.source(&format!("{product}_{}", source.name), rows)
            }
            SourceKind::Product(source_of) => {
                let from = read_contract(folder, &source_of.contract)?;
                let bridge = Bridge::new(from, descriptor, source_of)?;
                fed.entry(descriptor.topic.as_str())
                    .or_default()
                    .push(from.topic.as_str());
                domain.row_handler(&format!("{product}_{}", source.name), from, bridge)
            }
            SourceKind::Sql(statement) => {
                let name = format!("{product}_{}", source.name);
                let rows = SqlRows::new(descriptor, &name, statement);
                domain.source(&name, rows)
            }
            SourceKind::Http { path, deleted } => {
                let path = path.clone().unwrap_or_else(|| format!("/v1/{product}"));
                if let Some(name) = deleted {
                    check_deleted(descriptor, name)?;
                }
                domain.api(|api| match deleted {
                    Some(name) => api.ingest_changes(&path, descriptor, name),
                    None => api.ingest(&path, descriptor),
                })
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
