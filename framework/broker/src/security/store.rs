//! The access control lists on disk: one file, replaced as a whole.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};

use mesh_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use super::acl::{Acl, Filter};
use super::verdict::Acls;
use crate::files;
use crate::sync::{lock, read, write};

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredFile {
    version: u32,
    acls: Vec<Acl>,
}

/// The entries, in memory and on disk.
#[derive(Debug)]
pub(crate) struct AclStore {
    path: PathBuf,
    acls: RwLock<Arc<Acls>>,
    changing: Mutex<()>,
}

impl AclStore {
    /// Reads the file, which may not be there yet.
    pub(crate) fn open(path: PathBuf) -> mesh_core::Result<Self> {
        let failed = |message: &'static str| {
            Error::new(ErrorKind::Corrupt, message)
                .with("file", path.display())
                .mend(
                    "restore the file from a backup; without it nobody but super users has access",
                )
        };
        let bytes = files::read_checked(&path)
            .map_err(|error| failed("the access control lists cannot be read").because(error))?;
        let stored = match bytes {
            None => Vec::new(),
            Some(bytes) => {
                let stored: StoredFile = serde_json::from_slice(&bytes).map_err(|error| {
                    failed("the access control lists are not well formed").because(error)
                })?;
                if stored.version != FORMAT {
                    return Err(failed("the access control lists have an unknown version"));
                }
                stored.acls
            }
        };
        Ok(Self {
            path,
            acls: RwLock::new(Arc::new(stored.into_iter().collect())),
            changing: Mutex::new(()),
        })
    }

    pub(crate) fn current(&self) -> Arc<Acls> {
        Arc::clone(&read(&self.acls))
    }

    /// Adds entries; they are durable when this returns.
    pub(crate) fn add(&self, new: impl IntoIterator<Item = Acl>) -> io::Result<()> {
        let _changing = lock(&self.changing);
        let before = self.current();
        let after: Acls = before.all().iter().cloned().chain(new).collect();
        self.replace(&before, after)
    }

    /// Removes the entries that match a filter and tells which these were, filter by
    /// filter; an entry that two filters match is told of twice, as in Kafka.
    pub(crate) fn remove(&self, filters: &[Filter]) -> io::Result<Vec<Vec<Acl>>> {
        let _changing = lock(&self.changing);
        let before = self.current();
        let matching = |filter: &Filter| {
            let all = before.all().iter();
            all.filter(|acl| filter.matches(acl)).cloned().collect()
        };
        let removed: Vec<Vec<Acl>> = filters.iter().map(matching).collect();
        let is_kept = |acl: &&Acl| !filters.iter().any(|filter| filter.matches(acl));
        let after: Acls = before.all().iter().filter(is_kept).cloned().collect();
        self.replace(&before, after)?;
        Ok(removed)
    }

    fn replace(&self, before: &Acls, after: Acls) -> io::Result<()> {
        if before.all() == after.all() {
            return Ok(());
        }
        let stored = StoredFile {
            version: FORMAT,
            acls: after.all().iter().cloned().collect(),
        };
        let bytes = serde_json::to_vec_pretty(&stored).map_err(io::Error::other)?;
        files::write_checked(&self.path, &bytes)?;
        *write(&self.acls) = Arc::new(after);
        Ok(())
    }
}
