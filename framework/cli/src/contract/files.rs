//! Finds and reads the files of products.

use std::fs;
use std::path::{Path, PathBuf};

use mesh_core::contract::{Contract, DataProduct, Diagnostics, Product};
use mesh_core::{Error, ErrorKind, Result};

/// The file with a product's contract.
pub(super) const CONTRACT: &str = "contract.odcs.yaml";
/// The file with the product.
pub(super) const PRODUCT: &str = "product.odps.yaml";

/// A contract, and the product beside it if there is one.
pub(crate) struct Loaded {
    pub(crate) contract: Contract,
    pub(crate) product: Option<Product>,
}

/// Reads the text at `path`.
pub(super) fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::InvalidInput,
        };
        Error::new(kind, "the file cannot be read")
            .with("file", path.display())
            .with("reason", error.kind())
            .mend("name a file that is there, may be read and is UTF-8")
            .because(error)
    })
}

/// Reads the product in the folder `path`, or the contract in the file `path` with the product
/// beside it.
pub(crate) fn load(path: &Path) -> Result<Loaded> {
    let contract = if path.is_dir() {
        path.join(CONTRACT)
    } else {
        path.to_owned()
    };
    let contract_text = text(&contract)?;
    let product = contract.with_file_name(PRODUCT);
    let belongs = contract.file_name().is_some_and(|name| name == CONTRACT);
    let names = (
        product.display().to_string(),
        contract.display().to_string(),
    );
    let read = if belongs && product.exists() {
        let product_text = text(&product)?;
        DataProduct::parse(&names.0, &product_text, &names.1, &contract_text).map(|both| Loaded {
            contract: both.contract,
            product: Some(both.product),
        })
    } else {
        Contract::parse(&names.1, &contract_text).map(|contract| Loaded {
            contract,
            product: None,
        })
    };
    read.map_err(|problems| refused(&problems))
}

fn refused(problems: &Diagnostics) -> Error {
    Error::invalid("the contract is not valid")
        .with("problems", format!("\n{problems}"))
        .mend("mend these lines; `mesh contract lint` checks them again")
}

/// The files of contracts and products at `path`: itself, or all below it.
pub(super) fn below(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    walk(path, &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|error| {
        Error::invalid("the folder cannot be read")
            .with("folder", folder.display())
            .with("reason", error.kind())
            .mend("name a folder that may be read")
            .because(error)
    })?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Links are not followed, so that a circle of them has an end.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && !name.starts_with('.') && name != "target" {
            walk(&entry.path(), found)?;
        } else if !is_folder && (name.ends_with(".odcs.yaml") || name.ends_with(".odps.yaml")) {
            found.push(entry.path());
        }
    }
    Ok(())
}
