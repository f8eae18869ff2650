//! Who may log in by name and password.

use std::fmt;

use async_trait::async_trait;
use mesh_core::Result;

/// What a server keeps of a password for SCRAM-SHA-256 (RFC 5802, RFC 7677).
#[derive(Clone)]
pub struct ScramSecret {
    /// The salt.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// The hash of the client's key, 32 bytes.
    pub stored_key: Vec<u8>,
    /// The server's key, 32 bytes.
    pub server_key: Vec<u8>,
}

impl fmt::Debug for ScramSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramSecret")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// The names and passwords that doors ask for.
#[async_trait]
pub trait Logins: Send + Sync + fmt::Debug {
    /// What is kept of the password of `name`; nothing if there is no such user.
    ///
    /// # Errors
    /// If the users cannot be read: nobody gets in then.
    async fn scram_secret(&self, name: &str) -> Result<Option<ScramSecret>>;

    /// Whether `password` is that of `name`. Takes as long for a user who is not there.
    ///
    /// # Errors
    /// As [`Logins::scram_secret`].
    async fn verify(&self, name: &str, password: &str) -> Result<bool>;
}
