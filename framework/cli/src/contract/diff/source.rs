//! Where the two versions come from: files, folders, or the catalog.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mesh_core::contract::diff::{File, locate};
use mesh_core::contract::{Contract, DataProduct};
use mesh_core::record::invalid;
use mesh_core::{Error, ErrorKind, Principal, Problem, Purpose, Result};
use serde::Deserialize;

const PRODUCT: &str = "product.odps.yaml";
const CONTRACT: &str = "contract.odcs.yaml";
const TIMEOUT: Duration = Duration::from_secs(30);

/// The text of a file and what it is called.
struct Text {
    name: String,
    text: String,
}

/// One version of a product.
pub(super) struct Source {
    pub(super) contract: Contract,
    /// The product with its contract, where the product file is known.
    pub(super) product: Option<DataProduct>,
    contract_text: Text,
    product_text: Option<Text>,
}

impl Source {
    /// Reads what `named` names.
    pub(super) async fn read(named: &str, catalog: &Catalog) -> Result<Self> {
        let path = Path::new(named);
        if path.is_dir() {
            return Self::folder(path);
        }
        if path.is_file() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(".odps.yaml") {
                // A product file goes with the contract beside it.
                return Self::folder(path.parent().unwrap_or(Path::new(".")));
            }
            return Self::parse(read(path)?, None);
        }
        match registered(named) {
            Some((domain, product, version)) => catalog.version(domain, product, version).await,
            None => Err(Error::not_found("there is no such file or folder")
                .with("path", named)
                .mend(
                    "name a contract file, a product's folder, or a published version like \
                     `customer.credit_scores@1.0.0`",
                )),
        }
    }

    fn folder(folder: &Path) -> Result<Self> {
        let product = folder.join(PRODUCT);
        let product = match product.is_file() {
            true => Some(read(&product)?),
            false => None,
        };
        Self::parse(read(&folder.join(CONTRACT))?, product)
    }

    fn parse(contract_text: Text, product_text: Option<Text>) -> Result<Self> {
        let Text { name, text } = &contract_text;
        let (contract, product) = match &product_text {
            None => (Contract::parse(name, text).map_err(invalid)?, None),
            Some(product) => {
                let both = DataProduct::parse(&product.name, &product.text, name, text);
                let both = both.map_err(invalid)?;
                (both.contract.clone(), Some(both))
            }
        };
        Ok(Self {
            contract,
            product,
            contract_text,
            product_text,
        })
    }

    /// Whether the contracts have the same version and differ in their texts alone.
    pub(super) fn differs_in_text(&self, new: &Self) -> bool {
        self.contract.version == new.contract.version
            && self.contract_text.text != new.contract_text.text
    }

    /// The name of `file` and the line of `path` in it.
    pub(super) fn place(&self, file: File, path: &str) -> (&str, usize) {
        let text = match (file, &self.product_text) {
            (File::Product, Some(text)) => text,
            _ => &self.contract_text,
        };
        (&text.name, locate(&text.text, path))
    }
}

fn read(path: &Path) -> Result<Text> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::invalid("a file cannot be read")
            .with("file", path.display())
            .with("cause", &error)
            .mend("name a contract file in UTF-8, or a folder that holds `contract.odcs.yaml`")
            .because(error)
    })?;
    Ok(Text {
        name: path.display().to_string(),
        text,
    })
}

/// Domain, product and version out of `domain.product@version`.
fn registered(named: &str) -> Option<(&str, &str, &str)> {
    let (product, version) = named.split_once('@')?;
    let (domain, product) = product.split_once('.')?;
    let plain = |text: &str, more: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    (plain(domain, "_") && plain(product, "_") && plain(version, ".-+"))
        .then_some((domain, product, version))
}

/// The catalog, which keeps the files of every version.
pub(super) struct Catalog {
    http: reqwest::Client,
    url: String,
    principal: Principal,
    purpose: Purpose,
}

#[derive(Deserialize)]
struct Texts {
    version: String,
    contract_text: String,
    product_text: String,
}

impl Catalog {
    pub(super) fn new(url: &str, principal: &str, purpose: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build();
        Ok(Self {
            http: http
                .map_err(|error| Error::internal("the HTTP client cannot start").because(error))?,
            url: url.trim_end_matches('/').to_owned(),
            principal: principal.parse()?,
            purpose: purpose.parse()?,
        })
    }

    async fn version(&self, domain: &str, product: &str, version: &str) -> Result<Source> {
        let silent = |error: reqwest::Error| {
            Error::unavailable("the mesh does not answer")
                .with("url", &self.url)
                .mend("start it with `mesh up` or `mesh demo`, or say where it is with --url")
                .because(error.without_url())
        };
        let response = self
            .http
            .get(format!(
                "{}/api/v1/products/{domain}/{product}/versions/{version}",
                self.url
            ))
            .header("Mesh-Principal", self.principal.as_str())
            .header("Mesh-Purpose", self.purpose.as_str())
            .send()
            .await
            .map_err(silent)?;
        let status = response.status();
        let body = response.bytes().await.map_err(silent)?;
        if !status.is_success() {
            return Err(match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => Error::from(problem),
                Err(_) => Error::new(
                    ErrorKind::from_http_status(status.as_u16()),
                    format!("the mesh answered with status {}", status.as_u16()),
                )
                .mend("check that --url names a mesh platform"),
            }
            .with("url", &self.url));
        }
        let texts: Texts = serde_json::from_slice(&body).map_err(|error| {
            Error::internal("the answer of the catalog cannot be read")
                .with("url", &self.url)
                .mend("run the platform and `mesh` at the same release")
                .because(error)
        })?;
        let name = |file: &str| {
            let folder: PathBuf = format!("{domain}.{product}@{}", texts.version).into();
            folder.join(file).display().to_string()
        };
        Source::parse(
            Text {
                name: name(CONTRACT),
                text: texts.contract_text,
            },
            Some(Text {
                name: name(PRODUCT),
                text: texts.product_text,
            }),
        )
    }
}
