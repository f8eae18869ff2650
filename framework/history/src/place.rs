//! Where tables are: a local directory, or an object store.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use mesh_core::{Error, Result};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use url::Url;
use uuid::Uuid;

use crate::fault;

/// The directory of a table's log.
pub(crate) const LOG: &str = "_delta_log";

/// A product's major version, which has a table of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProductRef {
    /// The domain.
    pub domain: String,
    /// The product.
    pub product: String,
    /// The major version.
    pub major: u64,
}

impl ProductRef {
    /// A reference to `product` of `domain`.
    pub fn new(domain: impl Into<String>, product: impl Into<String>, major: u64) -> Self {
        Self {
            domain: domain.into(),
            product: product.into(),
            major,
        }
    }
}

impl std::fmt::Display for ProductRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}_v{}", self.domain, self.product, self.major)
    }
}

/// Where all tables are.
pub(crate) struct Root {
    /// With a slash at its end.
    url: Url,
    store: Arc<dyn ObjectStore>,
    /// The path of `url` in the store.
    path: Path,
}

/// Where one table is.
pub(crate) struct Place {
    /// Its address, as a Delta reader takes it.
    pub(crate) url: Url,
    /// Paths begin at the table.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// The Delta library's way to the table.
    pub(crate) log: LogStoreRef,
    /// The directory, if it is a local one.
    local: Option<PathBuf>,
}

impl Root {
    /// # Errors
    /// If the location is no address of a store that is known, or its settings are wrong.
    pub(crate) fn open(location: &str, options: &BTreeMap<String, String>) -> Result<Self> {
        let wrong = || {
            Error::invalid("the history's location is no directory and no address of a store")
                .with("location", location)
                .mend("give a path, or an address like `s3://bucket/folder`")
        };
        let mut url = if location.contains("://") {
            Url::parse(location).map_err(|error| wrong().because(error))?
        } else {
            // Made only when something is written; the path of what is not there cannot be
            // made canonical.
            let path = std::path::absolute(location).map_err(|error| wrong().because(error))?;
            Url::from_directory_path(path).map_err(|()| wrong())?
        };
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let environment = std::env::vars().filter(|(name, _)| {
            ["AWS_", "AZURE_", "GOOGLE_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        });
        let environment = environment.map(|(name, value)| (name.to_ascii_lowercase(), value));
        let given = options
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        let settings: BTreeMap<String, String> = environment.chain(given).collect();
        let (store, path) =
            object_store::parse_url_opts(&url, settings).map_err(|error| wrong().because(error))?;
        Ok(Self {
            url,
            store: Arc::from(store),
            path,
        })
    }

    /// The table of `product`.
    pub(crate) fn table(&self, product: &ProductRef) -> Result<Place> {
        let name = format!("{}_v{}", product.product, product.major);
        let url = self
            .url
            .join(&format!("{}/{name}/", product.domain))
            .map_err(|error| Error::invalid("the product has no address").because(error))?;
        let prefix = self
            .path
            .clone()
            .join(product.domain.as_str())
            .join(name.as_str());
        let store: Arc<dyn ObjectStore> =
            Arc::new(PrefixStore::new(Arc::clone(&self.store), prefix));
        let local = match url.scheme() {
            "file" => Some(url.to_file_path().map_err(|()| {
                Error::invalid("the table's directory has no path on this machine")
            })?),
            _ => None,
        };
        let log = default_logstore(
            Arc::clone(&store),
            Arc::clone(&self.store),
            &url,
            &StorageConfig::default(),
        );
        Ok(Self::place(url, store, log, local))
    }

    fn place(
        url: Url,
        store: Arc<dyn ObjectStore>,
        log: LogStoreRef,
        local: Option<PathBuf>,
    ) -> Place {
        Place {
            url,
            store,
            log,
            local,
        }
    }
}

/// The file of commit `version`.
pub(crate) fn commit_path(version: u64) -> Path {
    Path::from(format!("{LOG}/{version:020}.json"))
}

impl Place {
    /// Writes commit `version`, once and whole: `false` if another has written it.
    pub(crate) async fn put_commit(&self, version: u64, bytes: Bytes) -> Result<bool> {
        const WHAT: &str = "the table's log cannot be written";
        if let Some(root) = self.local.clone() {
            // The store neither syncs what it writes nor the directory: after a power cut a
            // commit could be there and be empty, and no reader would open the table again.
            let written = tokio::task::spawn_blocking(move || put_local(&root, version, &bytes));
            return written
                .await
                .map_err(fault::task)?
                .map_err(|error| unwritten(WHAT, error));
        }
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        match self
            .store
            .put_opts(&commit_path(version), bytes.into(), options)
            .await
        {
            Ok(_) => Ok(true),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(false),
            Err(error) => Err(fault::store(WHAT, error)),
        }
    }

    /// The text of commit `version`, if it is there.
    pub(crate) async fn read_commit(&self, version: u64) -> Result<Option<Bytes>> {
        const WHAT: &str = "the table's log cannot be read";
        match self.store.get(&commit_path(version)).await {
            Ok(found) => found
                .bytes()
                .await
                .map(Some)
                .map_err(|error| fault::store(WHAT, error)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(fault::store(WHAT, error)),
        }
    }

    /// Makes sure that the file at `path` outlives a power cut.
    pub(crate) async fn settle(&self, path: &str) -> Result<()> {
        let Some(root) = self.local.clone() else {
            return Ok(());
        };
        let file = root.join(path);
        let synced = tokio::task::spawn_blocking(move || {
            File::open(file)?.sync_all()?;
            File::open(root)?.sync_all()
        });
        synced
            .await
            .map_err(fault::task)?
            .map_err(|error| unwritten("a file of the history cannot be written", error))
    }

    /// The local directory, if it is one.
    pub(crate) fn local(&self) -> Option<&std::path::Path> {
        self.local.as_deref()
    }
}

fn unwritten(what: &'static str, error: io::Error) -> Error {
    Error::unavailable(what)
        .mend("look at the rights and the free space of the history's directory")
        .because(error)
}

/// As [`Place::put_commit`], in directory `root`.
fn put_local(root: &std::path::Path, version: u64, bytes: &[u8]) -> io::Result<bool> {
    let log = root.join(LOG);
    fs::create_dir_all(&log)?;
    let staged = log.join(format!(".{}.tmp", Uuid::new_v4().simple()));
    let put = || {
        let mut file = File::create_new(&staged)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // Unlike a rename, a link does not replace what is there.
        match fs::hard_link(&staged, log.join(format!("{version:020}.json"))) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    };
    let put = put();
    if let Err(error) = fs::remove_file(&staged)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "a temporary file of the history stays behind");
    }
    if let Ok(true) = put {
        File::open(&log)?.sync_all()?;
    }
    put
}
