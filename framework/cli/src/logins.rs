//! Who may log in to SQL: the users of a file that `mesh users` keeps.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use mesh_broker::UsersFile;
use mesh_core::{Error, Result};
use mesh_enforcement::{Logins, ScramSecret};
use tokio::sync::Semaphore;

/// Passwords that are verified at a time; each keeps a processor for some milliseconds.
const VERIFIED_AT_A_TIME: usize = 2;

/// The logins of a file.
#[derive(Debug)]
pub(crate) struct FileLogins {
    file: Arc<UsersFile>,
    turns: Semaphore,
}

impl FileLogins {
    /// Reads the file; it is read again when it has changed.
    ///
    /// # Errors
    /// If it is missing, cannot be read or is not well formed.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            file: Arc::new(UsersFile::open(path)?),
            turns: Semaphore::new(VERIFIED_AT_A_TIME),
        })
    }
}

#[async_trait]
impl Logins for FileLogins {
    async fn scram_secret(&self, name: &str) -> Result<Option<ScramSecret>> {
        Ok(self.file.scram_sha_256(name).map(|keys| ScramSecret {
            salt: keys.salt,
            iterations: keys.iterations,
            stored_key: keys.stored_key,
            server_key: keys.server_key,
        }))
    }

    async fn verify(&self, name: &str, password: &str) -> Result<bool> {
        let _turn = self
            .turns
            .acquire()
            .await
            .map_err(|error| Error::internal("nobody can be verified").because(error))?;
        let (file, name, password) = (Arc::clone(&self.file), name.to_owned(), password.to_owned());
        tokio::task::spawn_blocking(move || file.verify(&name, &password))
            .await
            .map_err(|error| Error::internal("a password could not be verified").because(error))
    }
}
