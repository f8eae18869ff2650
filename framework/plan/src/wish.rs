//! The wish: the products in a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use mesh_core::avro::{SchemaUse, value_schema};
use mesh_core::contract::{DataProduct, Diagnostic, KeySchema, ProductId};
use mesh_core::{Descriptor, Error};
use mesh_stream::TopicSpec;

use crate::action::{Entry, Resource};

const PRODUCT_FILE: &str = "product.odps.yaml";
const CONTRACT_FILE: &str = "contract.odcs.yaml";

/// A product as its folder wishes it.
#[derive(Debug)]
pub struct Wished {
    /// Its folder.
    pub folder: PathBuf,
    /// The contract and what follows from it.
    pub descriptor: Descriptor,
}

impl Wished {
    /// The product's name in the mesh.
    pub fn id(&self) -> ProductId {
        ProductId {
            domain: self.descriptor.contract.domain.clone(),
            product: self.descriptor.contract.product.clone(),
        }
    }

    /// The version.
    pub fn version(&self) -> String {
        self.descriptor.contract.version.to_string()
    }

    /// The topic.
    pub fn topic(&self) -> TopicSpec {
        TopicSpec::from(&self.descriptor)
    }

    /// The schemas by their subjects, that of keys first; keys may have none.
    pub fn schemas(&self) -> Vec<(String, &str)> {
        let topic = &self.descriptor.topic;
        let mut schemas = Vec::new();
        if self.registered_keys() {
            schemas.push((topic.key_subject(), self.descriptor.key_schema.as_str()));
        }
        schemas.push((topic.value_subject(), self.descriptor.value_schema.as_str()));
        schemas
    }

    /// Whether keys are written under a registered schema.
    pub fn registered_keys(&self) -> bool {
        self.descriptor.contract.schema.key_schema != Some(KeySchema::Unregistered)
    }

    /// The version as the catalog takes it.
    pub fn entry(&self) -> Entry {
        let contract = &self.descriptor.contract;
        Entry {
            domain: contract.domain.clone(),
            product: contract.product.clone(),
            version: contract.version.to_string(),
            status: contract.status.clone(),
            topic: self.descriptor.topic.as_str().to_owned(),
            registered_keys: self.registered_keys(),
            product_text: self
                .descriptor
                .product_text
                .as_deref()
                .unwrap_or_default()
                .to_owned(),
            contract_text: self.descriptor.contract_text.clone().into_owned(),
            key_schema: self.descriptor.key_schema.clone(),
            value_schema: self.descriptor.value_schema.clone(),
        }
    }

    /// The entry's name.
    pub fn resource(&self) -> Resource {
        let id = self.id();
        Resource::product(&id.domain, &id.product, &self.version())
    }
}

/// All products that a folder wishes, in the order of their names and versions.
#[derive(Debug, Default)]
pub struct Wish {
    /// The domains that the folder speaks for. What earlier runs made for others is theirs.
    pub domains: BTreeSet<String>,
    /// The products.
    pub products: Vec<Wished>,
}

/// All that is wrong with the files of a folder; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Diagnostic>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Error::invalid(problems.to_string()).mend("mend the files at the lines named")
    }
}

impl Wish {
    /// Reads `domains/*/products/*` below `folder`, or `products/*` where `folder` is that of
    /// one domain; of one domain alone if it is named.
    ///
    /// # Errors
    /// All that is wrong in any of the files, or between them.
    pub fn read(folder: &Path, only: Option<&str>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut wish = Self::default();
        let mut found = Vec::new();
        let domains = match folder.join("domains").is_dir() {
            true => list(&folder.join("domains"), &mut problems),
            false => vec![folder.to_owned()],
        };
        for domain in domains {
            let name = domain.file_name().map(|name| name.to_string_lossy());
            let wanted = match (only, &name) {
                (Some(only), Some(name)) if folder.join("domains").is_dir() => only == name,
                _ => true,
            };
            if !wanted || !domain.join("products").is_dir() {
                continue;
            }
            // The folder of a domain speaks for it, even when no product is left in it.
            if folder.join("domains").is_dir()
                && let Some(name) = name
            {
                wish.domains.insert(name.into_owned());
            }
            for product in list(&domain.join("products"), &mut problems) {
                found.push(product);
            }
        }
        if let Some(only) = only {
            wish.domains.insert(only.to_owned());
        }
        for product in found {
            match read(&product) {
                Ok(Some(product)) => wish.products.push(product),
                Ok(None) => {}
                Err(more) => problems.extend(more),
            }
        }
        if let Some(only) = only {
            for other in &wish.products {
                let domain = &other.descriptor.contract.domain;
                if domain != only {
                    problems.push(problem(
                        &other.folder.join(CONTRACT_FILE),
                        "domain",
                        format!("`{domain}` stands in the folder of the domain `{only}`"),
                        "move the product to the folder of its domain",
                    ));
                }
            }
        }
        for product in &wish.products {
            wish.domains
                .insert(product.descriptor.contract.domain.clone());
        }
        if wish.domains.is_empty() && problems.is_empty() {
            problems.push(problem(
                folder,
                "",
                "no product is here".to_owned(),
                "name a folder that holds domains/<domain>/products/<product>, or a domain's own",
            ));
        }
        wish.products.sort_by_cached_key(|product| {
            (product.id(), product.descriptor.contract.version.clone())
        });
        check_between(&wish.products, &mut problems);
        match problems.is_empty() {
            true => Ok(wish),
            false => Err(Problems(problems)),
        }
    }

    /// The topics wished.
    pub fn topics(&self) -> BTreeSet<&str> {
        self.products
            .iter()
            .map(|product| product.descriptor.topic.as_str())
            .collect()
    }
}

fn problem(file: &Path, field: &str, message: String, mend: impl Into<String>) -> Diagnostic {
    Diagnostic {
        file: file.display().to_string(),
        line: 1,
        column: 1,
        field: field.to_owned(),
        message,
        mend: mend.into(),
    }
}

/// The folders in a folder, by name.
fn list(folder: &Path, problems: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    match std::fs::read_dir(folder) {
        Ok(entries) => {
            let mut found: Vec<PathBuf> = entries
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.is_dir())
                .collect();
            found.sort();
            found
        }
        Err(error) => {
            problems.push(problem(
                folder,
                "",
                format!("the folder cannot be read: {error}"),
                "check its name and who may read it",
            ));
            Vec::new()
        }
    }
}

/// Reads the product in `folder`; `None` if there is none.
fn read(folder: &Path) -> Result<Option<Wished>, Vec<Diagnostic>> {
    let (product_file, contract_file) = (folder.join(PRODUCT_FILE), folder.join(CONTRACT_FILE));
    if !product_file.exists() && !contract_file.exists() {
        return Ok(None);
    }
    let mut problems = Vec::new();
    let mut text = |file: &Path| match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            problems.push(problem(
                file,
                "",
                format!("the file cannot be read: {error}"),
                "a product has both files, in UTF-8",
            ));
            String::new()
        }
    };
    let (product_text, contract_text) = (text(&product_file), text(&contract_file));
    if !problems.is_empty() {
        return Err(problems);
    }
    let (product_name, contract_name) = (
        product_file.display().to_string(),
        contract_file.display().to_string(),
    );
    let both = DataProduct::parse(&product_name, &product_text, &contract_name, &contract_text)
        .map_err(|problems| problems.items().to_vec())?;
    let descriptor = Descriptor::of(
        both.contract,
        contract_text.into(),
        Some(both.product),
        Some(product_text.into()),
    );
    if descriptor.contract.schema.value_schema.is_some()
        && let Err(error) =
            mesh_stream::check_readable(&by_columns(&descriptor), &descriptor.value_schema)
    {
        return Err(vec![problem(
            &contract_file,
            "schema[0].customProperties",
            format!("`mesh.valueSchema`: {error}"),
            "make the columns what the schema says, or leave `mesh.valueSchema` out",
        )]);
    }
    Ok(Some(Wished {
        folder: folder.to_owned(),
        descriptor,
    }))
}

/// The schema that the columns alone would give.
fn by_columns(descriptor: &Descriptor) -> String {
    value_schema(&descriptor.contract, SchemaUse::Write).to_string()
}

/// Checks that no two folders wish the same thing.
fn check_between(products: &[Wished], problems: &mut Vec<Diagnostic>) {
    let mut topics: BTreeMap<&str, &Wished> = BTreeMap::new();
    let mut contracts: BTreeMap<&str, &Wished> = BTreeMap::new();
    for product in products {
        let file = product.folder.join(CONTRACT_FILE);
        let topic = product.descriptor.topic.as_str();
        match topics.get(topic) {
            Some(other) => problems.push(problem(
                &file,
                "schema[0].physicalName",
                format!(
                    "the topic `{topic}` is that of {} too",
                    other.folder.display()
                ),
                "keep one folder for each topic: the newest version of its major",
            )),
            None => {
                topics.insert(topic, product);
            }
        }
        let id = product.descriptor.contract.id.as_str();
        match contracts.get(id) {
            Some(other) if other.id() != product.id() => problems.push(problem(
                &file,
                "id",
                format!("the id `{id}` is that of {} too", other.folder.display()),
                "give the contract an `id` of its own",
            )),
            Some(_) => {}
            None => {
                contracts.insert(id, product);
            }
        }
    }
}
