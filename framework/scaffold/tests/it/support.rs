//! A folder for one test.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mesh_core::contract::DataProduct;
use mesh_core::{Error, Result};
use mesh_scaffold::{
    Changes, DomainWishes, Flavour, Given, Place, ProductName, ProductWishes, Templates,
    new_domain, new_product,
};

/// A place as the framework's own: every folder below domains/ is a crate.
pub(crate) const WORKSPACE: &str = r#"
[workspace]
members = ["domains/*"]

[workspace.package]
version = "0.1.0"
edition = "2024"

[workspace.lints.rust]
missing_docs = "warn"

[workspace.dependencies]
mesh-core = { path = "framework/core" }
mesh-macros = { path = "framework/macros" }
mesh-stream = { path = "framework/stream" }
mesh-runtime = { path = "framework/runtime" }
mesh-broker = { path = "framework/broker" }
mesh-catalog = { path = "catalog" }
mesh-registry = { path = "framework/registry" }
async-trait = "0.1"
axum = { version = "0.8", features = ["macros"] }
reqwest = "0.13"
serde_json = "1"
tempfile = "3"
tokio = { version = "1", features = ["full"] }
"#;

pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn workspace() -> Self {
        let folder = Self::empty();
        folder.write("Cargo.toml", WORKSPACE);
        folder
    }

    /// One with a domain `shop`.
    pub(crate) fn with_shop(flavour: Flavour) -> Self {
        let folder = match flavour {
            Flavour::Code => Self::workspace(),
            Flavour::CodeFree => Self::empty(),
        };
        folder.domain("shop", None).unwrap().write().unwrap();
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn place(&self) -> Place {
        Place::find(Some(self.path())).unwrap()
    }

    pub(crate) fn domain(&self, name: &str, flavour: Option<Flavour>) -> Result<Changes> {
        let wishes = DomainWishes {
            flavour,
            ..DomainWishes::default()
        };
        new_domain(&self.place(), name, &wishes, &Templates::default())
    }

    /// A product of `shop`, from columns as on the command line or a file.
    pub(crate) fn product(
        &self,
        name: &str,
        from: &[&str],
        wishes: &ProductWishes,
    ) -> Result<Changes> {
        let given = match from {
            [file] if file.contains('.') => Given::File {
                path: self.path().join(file),
                options: Box::default(),
            },
            columns => Given::Columns(
                columns
                    .iter()
                    .map(|column| column.parse())
                    .collect::<Result<_>>()?,
            ),
        };
        let name = ProductName {
            domain: "shop".into(),
            name: name.into(),
        };
        new_product(&self.place(), &name, &given, wishes, &Templates::default())
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let file = self.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        let file = self.path().join(path);
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    /// The product of `shop` called `name`, as the framework reads its files.
    pub(crate) fn parsed(&self, name: &str) -> DataProduct {
        let read = |file: &str| self.read(&format!("domains/shop/products/{name}/{file}"));
        let (product, contract) = (read("product.odps.yaml"), read("contract.odcs.yaml"));
        DataProduct::parse("product", &product, "contract", &contract)
            .unwrap_or_else(|problems| panic!("{problems}\n{contract}"))
    }

    /// Every file, by its path, with its text.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        walk(self.path(), self.path(), &mut files);
        files
    }
}

fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(root, &path, files);
        } else {
            let below = path.strip_prefix(root).unwrap().display().to_string();
            files.insert(below, fs::read_to_string(&path).unwrap());
        }
    }
}

pub(crate) fn key(columns: &[&str]) -> ProductWishes {
    ProductWishes {
        key: columns.iter().map(|column| (*column).to_owned()).collect(),
        ..ProductWishes::default()
    }
}

/// What is said of an error: its message, its context and its mend.
pub(crate) fn said<T>(result: Result<T>) -> String {
    let Err(error) = result else {
        panic!("it is allowed");
    };
    let error: Error = error;
    let context: Vec<String> = error
        .context()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!(
        "{} [{}] {}",
        error.message(),
        context.join(" "),
        error.mend_text().unwrap_or_default()
    )
}

/// Checks that an error says all of `words`.
pub(crate) fn refused<T>(result: Result<T>, words: &[&str]) {
    let said = said(result);
    for word in words {
        assert!(said.contains(word), "`{word}` is not said: {said}");
    }
}
