//! The users who may log in, in a file of their own.
//!
//! ```json
//! {"version": 1, "users": {"alice": {"SCRAM-SHA-256": {"iterations": 8192,
//!  "salt": "<base64>", "stored_key": "<base64>", "server_key": "<base64>"}}}}
//! ```
//!
//! No password stands in it. PLAIN is verified against the same hashes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use mesh_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use super::scram::{Credential, Hash, MIN_ITERATIONS};
use super::stamp::Stamp;
use crate::files;
use crate::sync::lock;

/// Iterations of the entries that this crate makes.
const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(8191);
/// More than this would let one login by PLAIN hold a processor for long.
const MOST_ITERATIONS: u32 = 1_000_000;
const FORMAT: u32 = 1;

/// The credentials of each user, by mechanism.
pub(crate) type Map = BTreeMap<String, BTreeMap<Hash, Credential>>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredFile {
    version: u32,
    users: BTreeMap<String, BTreeMap<String, StoredCredential>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCredential {
    iterations: u32,
    salt: String,
    stored_key: String,
    server_key: String,
}

/// Sets the password of a user in a file of users, which is made when it is missing. Only
/// salted hashes are stored, one for each SCRAM mechanism; a running broker sees the change
/// at the next login.
///
/// # Errors
/// With a mend: an empty name or password, a file that cannot be read or written.
pub fn set_password(file: &Path, name: &str, password: &str) -> mesh_core::Result<()> {
    if name.is_empty() || password.is_empty() {
        return Err(Error::invalid("a user has a name and a password")
            .with("file", file.display())
            .mend("name both"));
    }
    let mut users = read(file)?.unwrap_or_default();
    let mut credentials = BTreeMap::new();
    for hash in Hash::ALL {
        let credential = Credential::of_password(hash, password, ITERATIONS)
            .ok_or_else(|| Error::internal("there is no randomness for a salt"))?;
        credentials.insert(hash, credential);
    }
    users.insert(name.to_owned(), credentials);
    save(file, &users)
}

/// Removes a user from a file of users; `false` if there is none of that name. Connections
/// that are logged in stay until their session ends.
///
/// # Errors
/// With a mend: a file that cannot be read or written.
pub fn remove_user(file: &Path, name: &str) -> mesh_core::Result<bool> {
    let mut users = read(file)?.unwrap_or_default();
    if users.remove(name).is_none() {
        return Ok(false);
    }
    save(file, &users)?;
    Ok(true)
}

/// The names in a file of users, each with the mechanisms that it can log in by; none if
/// there is no file.
///
/// # Errors
/// With a mend: a file that cannot be read.
pub fn user_names(file: &Path) -> mesh_core::Result<BTreeMap<String, Vec<&'static str>>> {
    let users = read(file)?.unwrap_or_default();
    let named = users.into_iter().map(|(name, credentials)| {
        let mechanisms = credentials.keys().map(|hash| hash.mechanism()).collect();
        (name, mechanisms)
    });
    Ok(named.collect())
}

fn save(file: &Path, users: &Map) -> mesh_core::Result<()> {
    write(file, users).map_err(|error| {
        Error::new(
            ErrorKind::FailedPrecondition,
            "the file of users cannot be written",
        )
        .with("file", file.display())
        .mend("give the process the right to write there")
        .because(error)
    })
}

/// The users of a running broker; the file is read again when it has changed.
#[derive(Debug)]
pub(crate) struct Users {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stamp: Stamp,
    users: Arc<Map>,
}

impl Users {
    /// Reads the file; it may be missing, then there are no users yet, which is worth a
    /// warning when some are `needed`.
    pub(crate) fn open(path: PathBuf, needed: bool) -> mesh_core::Result<Self> {
        let stamp = Stamp::of([path.as_path()]);
        let users = match read(&path)? {
            Some(users) => users,
            None => {
                if needed {
                    tracing::warn!(file = %path.display(),
                        "there is no file of users yet, so nobody can log in");
                }
                Map::new()
            }
        };
        let state = Mutex::new(State {
            stamp,
            users: Arc::new(users),
        });
        Ok(Self { path, state })
    }

    /// The users now. When the file has changed and cannot be read, the users before the
    /// change stay, and the log says so; when it is gone, there are none.
    pub(crate) fn current(&self) -> Arc<Map> {
        let mut state = lock(&self.state);
        self.refresh(&mut state);
        Arc::clone(&state.users)
    }

    fn refresh(&self, state: &mut State) {
        let stamp = Stamp::of([self.path.as_path()]);
        if stamp == state.stamp {
            return;
        }
        state.stamp = stamp;
        match read(&self.path) {
            Ok(users) => {
                state.users = Arc::new(users.unwrap_or_default());
                tracing::info!(file = %self.path.display(), users = state.users.len(), "users read again");
            }
            Err(error) => {
                tracing::error!(error = error.log_line(), "the users before the change stay");
            }
        }
    }

    /// Changes the users and makes the change durable before it holds.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Map) -> T) -> io::Result<T> {
        let mut state = lock(&self.state);
        self.refresh(&mut state);
        let mut users = Map::clone(&state.users);
        let outcome = change(&mut users);
        if users != *state.users {
            write(&self.path, &users)?;
            state.stamp = Stamp::of([self.path.as_path()]);
            state.users = Arc::new(users);
        }
        Ok(outcome)
    }
}

/// A file of users for other doors than Kafka's, read again when it has changed.
#[derive(Debug)]
pub struct UsersFile {
    users: Users,
    /// What is verified for a user who is not there, so that it takes as long.
    nobody: Credential,
}

/// What is kept of a password for SCRAM-SHA-256 (RFC 5802, RFC 7677).
#[derive(Clone)]
pub struct ScramKeys {
    /// The salt.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// The hash of the client's key.
    pub stored_key: Vec<u8>,
    /// The server's key.
    pub server_key: Vec<u8>,
}

impl std::fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScramKeys")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

impl UsersFile {
    /// Reads the file, which must be there.
    ///
    /// # Errors
    /// With a mend: a file that is missing, cannot be read or is not well formed.
    pub fn open(path: &Path) -> mesh_core::Result<Self> {
        if !path.exists() {
            return Err(Error::not_found("there is no such file of users")
                .with("file", path.display())
                .mend("`mesh users add` makes it"));
        }
        Ok(Self {
            users: Users::open(path.to_owned(), true)?,
            nobody: Credential::of_password(Hash::Sha256, "", ITERATIONS)
                .ok_or_else(|| Error::internal("there is no randomness for a salt"))?,
        })
    }

    /// The keys of `name`; nothing if there is no such user.
    pub fn scram_sha_256(&self, name: &str) -> Option<ScramKeys> {
        let users = self.users.current();
        let credential = users.get(name)?.get(&Hash::Sha256)?;
        Some(ScramKeys {
            salt: credential.salt.clone(),
            iterations: credential.iterations.get(),
            stored_key: credential.stored_key.clone(),
            server_key: credential.server_key.clone(),
        })
    }

    /// Whether `password` is that of `name`. Computes for some milliseconds, whether there is
    /// such a user or not.
    pub fn verify(&self, name: &str, password: &str) -> bool {
        let users = self.users.current();
        let found = users
            .get(name)
            .and_then(|credentials| credentials.get(&Hash::Sha256));
        let matches = found.unwrap_or(&self.nobody).verify(Hash::Sha256, password);
        matches && found.is_some()
    }
}

fn read(path: &Path) -> mesh_core::Result<Option<Map>> {
    let failed = |why: &'static str, mend: &'static str| {
        Error::new(ErrorKind::FailedPrecondition, why)
            .with("file", path.display())
            .mend(mend)
    };
    let unreadable = |error: io::Error| {
        failed(
            "the file of users cannot be read",
            "give the process the right to read it",
        )
        .because(error)
    };
    let Some(bytes) = files::read_optional(path).map_err(unreadable)? else {
        return Ok(None);
    };
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o002 != 0 {
        return Err(failed(
            "everybody may write the file of users",
            "take the right away: chmod 600",
        ));
    }
    if mode & 0o077 != 0 {
        tracing::warn!(file = %path.display(), mode = format!("{:o}", mode & 0o777),
            "others may read or write the file of users: chmod 600");
    }
    let stored: StoredFile = serde_json::from_slice(&bytes).map_err(|error| {
        failed(
            "the file of users is not well formed",
            "mend the JSON, or make the entries anew with `set_password`",
        )
        // The parser's message can hold a part of the file.
        .detail(format!("line {}, column {}", error.line(), error.column()))
    })?;
    if stored.version != FORMAT {
        return Err(failed(
            "the file of users has a version this broker does not know",
            "write version 1",
        ));
    }
    let mut users = Map::new();
    for (name, credentials) in stored.users {
        let mut read = BTreeMap::new();
        for (mechanism, credential) in credentials {
            let entry = decode(&mechanism, &credential).ok_or_else(|| {
                failed(
                    "an entry of the file of users is not well formed",
                    "name SCRAM-SHA-256 or SCRAM-SHA-512, 4096 iterations or more, and the \
                     salt and both keys in base64; `set_password` makes such an entry",
                )
                .with("user", &name)
                .with("mechanism", &mechanism)
            })?;
            read.insert(entry.0, entry.1);
        }
        users.insert(name, read);
    }
    Ok(Some(users))
}

fn decode(mechanism: &str, stored: &StoredCredential) -> Option<(Hash, Credential)> {
    let hash = Hash::ALL
        .into_iter()
        .find(|hash| hash.mechanism() == mechanism)?;
    let allowed = MIN_ITERATIONS..=MOST_ITERATIONS;
    let credential = Credential {
        iterations: NonZeroU32::new(stored.iterations)
            .filter(|iterations| allowed.contains(&iterations.get()))?,
        salt: BASE64.decode(&stored.salt).ok()?,
        stored_key: BASE64.decode(&stored.stored_key).ok()?,
        server_key: BASE64.decode(&stored.server_key).ok()?,
    };
    let whole = !credential.salt.is_empty()
        && credential.stored_key.len() == hash.len()
        && credential.server_key.len() == hash.len();
    whole.then_some((hash, credential))
}

fn write(path: &Path, users: &Map) -> io::Result<()> {
    let encode = |credential: &Credential| StoredCredential {
        iterations: credential.iterations.get(),
        salt: BASE64.encode(&credential.salt),
        stored_key: BASE64.encode(&credential.stored_key),
        server_key: BASE64.encode(&credential.server_key),
    };
    let users = users
        .iter()
        .map(|(name, credentials)| {
            let credentials = credentials
                .iter()
                .map(|(hash, credential)| (hash.mechanism().to_owned(), encode(credential)));
            (name.clone(), credentials.collect())
        })
        .collect();
    let stored = StoredFile {
        version: FORMAT,
        users,
    };
    let bytes = serde_json::to_vec_pretty(&stored).map_err(io::Error::other)?;
    files::write_secret(path, &bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_holds_users_and_no_password_and_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.json");
        let users = Users::open(path.clone(), true).unwrap();
        assert!(users.current().is_empty());
        set_password(&path, "alice", "wonderland").unwrap();
        let current = users.current();
        for hash in Hash::ALL {
            assert!(current["alice"][&hash].verify(hash, "wonderland"));
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("alice") && !text.contains("wonderland"));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        set_password(&path, "bob", "builder").unwrap();
        let mechanisms = vec!["SCRAM-SHA-256", "SCRAM-SHA-512"];
        assert_eq!(user_names(&path).unwrap()["bob"], mechanisms);
        assert!(remove_user(&path, "bob").unwrap() && !remove_user(&path, "bob").unwrap());
        assert!(!users.current().contains_key("bob"));

        fs::write(&path, b"{ half").unwrap();
        assert!(
            users.current().contains_key("alice"),
            "the last good ones stay"
        );
        fs::remove_file(&path).unwrap();
        assert!(users.current().is_empty());
    }

    #[test]
    fn other_doors_find_the_same_users() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.json");
        let missing = UsersFile::open(&path).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        set_password(&path, "alice", "wonderland").unwrap();
        let file = UsersFile::open(&path).unwrap();
        let keys = file.scram_sha_256("alice").unwrap();
        assert_eq!((keys.stored_key.len(), keys.iterations), (32, 8192));
        assert!(file.scram_sha_256("bob").is_none());
        assert!(file.verify("alice", "wonderland"));
        for (name, password) in [("alice", "x"), ("alice", ""), ("bob", ""), ("", "")] {
            assert!(!file.verify(name, password), "{name}");
        }
        set_password(&path, "bob", "builder").unwrap();
        assert!(file.verify("bob", "builder"), "the file is read again");
    }

    #[test]
    fn unfit_files_are_refused_with_a_mend() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.json");
        set_password(&path, "alice", "wonderland").unwrap();
        let sound = fs::read_to_string(&path).unwrap();
        let cases = [
            sound.replace("8192", "4095"),
            sound.replace("SCRAM-SHA-256", "SCRAM-SHA-1"),
            sound.replace("\"version\": 1", "\"version\": 2"),
            sound.replace("stored_key\": \"", "stored_key\": \"AAAA"),
            sound.replace("salt", "pepper"),
        ];
        for text in cases {
            assert_ne!(text, sound);
            fs::write(&path, text).unwrap();
            let error = Users::open(path.clone(), true).unwrap_err();
            assert!(error.mend_text().is_some(), "{error}");
        }
        fs::write(&path, sound).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o606)).unwrap();
        assert!(Users::open(path.clone(), true).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Users::open(path.clone(), true).is_ok());
        assert!(set_password(&path, "", "x").is_err());
    }
}
