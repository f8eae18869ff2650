//! Checking the proof that a request brings: `Basic` (RFC 7617) or `Bearer` (RFC 6750).

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mesh_core::{Error, Result};
use tokio::sync::Semaphore;

use super::Access;
use super::credential::{Password, same, token_hash};
use super::file::{Grant, Known, read};

/// Passwords that are checked at once: it takes a processor for a tenth of a second each.
const AT_ONCE: usize = 2;
/// Logins that are remembered, so that a password is hashed once and not at every request.
const REMEMBERED: usize = 10_000;

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It brings no proof.
    Nobody,
    /// Its proof is wrong.
    Wrong,
}

/// Lets in whom the file of users knows; the file is read again when it has changed.
#[derive(Debug)]
pub(crate) struct Doorman {
    file: PathBuf,
    state: Mutex<State>,
    /// Of this process alone: what is remembered is of no use outside of it.
    secret: hmac::Key,
    checks: Semaphore,
}

struct State {
    stamp: Option<Stamp>,
    known: Arc<Known>,
    /// The grants by the keyed hash of name and password.
    remembered: HashMap<[u8; 32], Arc<[Grant]>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// What changes when the file is written or replaced.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    number: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &std::path::Path) -> Option<Self> {
        let data = fs::metadata(file).ok()?;
        Some(Self {
            number: data.ino(),
            len: data.len(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        })
    }
}

impl Doorman {
    /// Reads the file, which has to be there.
    pub(crate) fn open(file: PathBuf) -> Result<Self> {
        let stamp = Stamp::of(&file);
        let known = read(&file)?.ok_or_else(|| {
            Error::invalid("the schema registry's file of users is missing")
                .with("file", file.display())
                .mend("make it with `mesh registry-users add NAME --grant admin`")
        })?;
        let mut secret = [0; 32];
        rand::fill(&mut secret)
            .map_err(|_| Error::internal("there is no randomness for a secret"))?;
        Ok(Self {
            file,
            state: Mutex::new(State {
                stamp,
                known: Arc::new(known),
                remembered: HashMap::new(),
            }),
            secret: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            checks: Semaphore::new(AT_ONCE),
        })
    }

    /// Checks the value of the header `Authorization`.
    pub(crate) async fn admit(&self, header: Option<&[u8]>) -> Result<Access, Refused> {
        let header = header.ok_or(Refused::Nobody)?;
        let header = std::str::from_utf8(header).map_err(|_| Refused::Wrong)?;
        let (scheme, proof) = header.split_once(' ').ok_or(Refused::Wrong)?;
        let grants = if scheme.eq_ignore_ascii_case("basic") {
            self.basic(proof.trim()).await
        } else if scheme.eq_ignore_ascii_case("bearer") {
            self.bearer(proof.trim())
        } else {
            None
        };
        grants.map(Access::Granted).ok_or(Refused::Wrong)
    }

    async fn basic(&self, proof: &str) -> Option<Arc<[Grant]>> {
        let proof = String::from_utf8(STANDARD.decode(proof).ok()?).ok()?;
        let tag = hmac::sign(&self.secret, proof.as_bytes());
        let tag: [u8; 32] = tag.as_ref().try_into().ok()?;
        let known = {
            let state = self.current();
            if let Some(grants) = state.remembered.get(&tag) {
                return Some(Arc::clone(grants));
            }
            Arc::clone(&state.known)
        };
        let (name, password) = proof.split_once(':')?;
        let user = known.users.get(name).cloned();
        let (stored, password) = (
            user.as_ref()
                .map_or_else(Password::decoy, |user| user.password.clone()),
            password.to_owned(),
        );
        let permit = self.checks.acquire().await.ok()?;
        let verified = tokio::task::spawn_blocking(move || stored.verify(&password)).await;
        drop(permit);
        if !verified.unwrap_or(false) {
            return None;
        }
        let grants: Arc<[Grant]> = user?.grants.into();
        let mut state = self.current();
        // Only if the users are still those that it was checked against.
        if Arc::ptr_eq(&state.known, &known) {
            if state.remembered.len() >= REMEMBERED {
                state.remembered.clear();
            }
            state.remembered.insert(tag, Arc::clone(&grants));
        }
        Some(grants)
    }

    fn bearer(&self, proof: &str) -> Option<Arc<[Grant]>> {
        let hash = token_hash(proof);
        let known = Arc::clone(&self.current().known);
        let mut found = None;
        for token in known.tokens.values() {
            if same(token.sha256.as_bytes(), hash.as_bytes()) {
                found = Some(token.grants.as_slice().into());
            }
        }
        found
    }

    /// The users now. When the file has changed and cannot be read, the users before the
    /// change stay, and the log says so; when it is gone, there are none.
    fn current(&self) -> std::sync::MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Stamp::of(&self.file);
        if stamp == state.stamp {
            return state;
        }
        state.stamp = stamp;
        match read(&self.file) {
            Ok(known) => {
                state.known = Arc::new(known.unwrap_or_default());
                state.remembered.clear();
                tracing::info!(file = %self.file.display(), "users read again");
            }
            Err(error) => {
                tracing::error!(error = error.log_line(), "the users before the change stay");
            }
        }
        state
    }
}
