//! The file of those who may log in, with what they may do.
//!
//! ```json
//! {"version": 1,
//!  "users": {"loan": {"password": {"iterations": 210000, "salt": "…", "hash": "…"},
//!                     "grants": [{"role": "write", "subjects": "loan."}]}},
//!  "tokens": {"ci": {"sha256": "…", "grants": [{"role": "read", "subjects": ""}]}}}
//! ```
//!
//! No password and no token stands in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::str::FromStr;

use mesh_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::credential::{Password, is_token_hash, new_token, token_hash};

const FORMAT: u32 = 1;

/// What may be done with subjects; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read schemas and settings, and check compatibility.
    Read,
    /// Register schemas, delete them softly, and configure subjects.
    Write,
    /// Delete for good, and set modes.
    Admin,
}

impl Role {
    /// The role's name in files and arguments.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// A role for all subjects that begin with a text. One that begins with `:.context:` is for
/// that context, and the empty one is for everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// What may be done.
    pub role: Role,
    /// How the subjects begin.
    pub subjects: String,
}

impl FromStr for Grant {
    type Err = Error;

    /// Reads `write:loan.`, or `read` for everything.
    fn from_str(text: &str) -> Result<Self> {
        let (role, subjects) = text.split_once(':').unwrap_or((text, ""));
        let role = [Role::Read, Role::Write, Role::Admin]
            .into_iter()
            .find(|known| known.as_str() == role)
            .ok_or_else(|| {
                Error::invalid("there is no such role")
                    .with("role", role)
                    .mend("write read, write or admin, and the start of the subjects: write:loan.")
            })?;
        Ok(Self {
            role,
            subjects: subjects.to_owned(),
        })
    }
}

/// All who may log in.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    version: u32,
    #[serde(default)]
    pub(super) users: BTreeMap<String, User>,
    #[serde(default)]
    pub(super) tokens: BTreeMap<String, Token>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub(super) password: Password,
    pub(super) grants: Vec<Grant>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub(super) sha256: String,
    pub(super) grants: Vec<Grant>,
}

/// Sets the password and the grants of a user in a file of users, which is made when it is
/// missing. A running registry sees the change at the next request.
///
/// # Errors
/// With a mend: an empty name or password, a name with a colon, a file that cannot be read
/// or written.
pub fn set_user(file: &Path, name: &str, password: &str, grants: Vec<Grant>) -> Result<()> {
    check_name(file, name)?;
    if password.is_empty() {
        return Err(wrong(file, "the password is empty", "give one"));
    }
    let password = Password::of(password).ok_or_else(no_randomness)?;
    let mut known = read(file)?.unwrap_or_default();
    known
        .users
        .insert(name.to_owned(), User { password, grants });
    save(file, known)
}

/// Makes a bearer token with these grants and hands it out, which cannot be done again. A
/// token of that name that was there before holds no more.
///
/// # Errors
/// As [`set_user`].
pub fn add_token(file: &Path, name: &str, grants: Vec<Grant>) -> Result<String> {
    check_name(file, name)?;
    let token = new_token().ok_or_else(no_randomness)?;
    let mut known = read(file)?.unwrap_or_default();
    let sha256 = token_hash(&token);
    known
        .tokens
        .insert(name.to_owned(), Token { sha256, grants });
    save(file, known)?;
    Ok(token)
}

/// Removes the user and the token of that name; `false` if there is neither.
///
/// # Errors
/// With a mend: a file that cannot be read or written.
pub fn remove_user(file: &Path, name: &str) -> Result<bool> {
    let mut known = read(file)?.unwrap_or_default();
    let user = known.users.remove(name).is_some();
    let token = known.tokens.remove(name).is_some();
    if user || token {
        save(file, known)?;
    }
    Ok(user || token)
}

/// The names in a file of users, whether each is a token's, and what they were granted; none
/// if there is no file.
///
/// # Errors
/// With a mend: a file that cannot be read.
pub fn user_names(file: &Path) -> Result<Vec<(String, bool, Vec<Grant>)>> {
    let known = read(file)?.unwrap_or_default();
    let users = known.users.into_iter();
    let tokens = known.tokens.into_iter();
    Ok(users
        .map(|(name, user)| (name, false, user.grants))
        .chain(tokens.map(|(name, token)| (name, true, token.grants)))
        .collect())
}

fn check_name(file: &Path, name: &str) -> Result<()> {
    if name.is_empty() || name.contains(':') || name.chars().any(char::is_control) {
        return Err(wrong(
            file,
            "a user of the schema registry has a wrong name",
            "use a name without colons",
        ));
    }
    Ok(())
}

fn wrong(file: &Path, why: &'static str, mend: &'static str) -> Error {
    Error::invalid(why).with("file", file.display()).mend(mend)
}

fn no_randomness() -> Error {
    Error::internal("there is no randomness for a secret")
}

fn failed(file: &Path, why: &'static str, mend: &'static str) -> Error {
    Error::new(ErrorKind::FailedPrecondition, why)
        .with("file", file.display())
        .mend(mend)
}

/// Reads the file; `None` if there is none.
pub(super) fn read(file: &Path) -> Result<Option<Known>> {
    let unreadable = |error: io::Error| {
        failed(
            file,
            "the schema registry's file of users cannot be read",
            "give the process the right to read it",
        )
        .because(error)
    };
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mode = fs::metadata(file).map_err(unreadable)?.permissions().mode();
    if mode & 0o002 != 0 {
        return Err(failed(
            file,
            "everybody may write the schema registry's file of users",
            "take the right away: chmod 600",
        ));
    }
    if mode & 0o077 != 0 {
        tracing::warn!(file = %file.display(), mode = format!("{:o}", mode & 0o777),
            "others may read or write the file of users: chmod 600");
    }
    let known: Known = serde_json::from_slice(&bytes).map_err(|error| {
        failed(
            file,
            "the schema registry's file of users is not well formed",
            "mend the JSON, or make the entries anew with `mesh registry-users`",
        )
        // The parser's message can hold a part of the file.
        .with("line", error.line())
        .with("column", error.column())
    })?;
    if known.version != FORMAT {
        return Err(failed(
            file,
            "the schema registry's file of users has an unknown version",
            "write version 1",
        ));
    }
    let user = known
        .users
        .iter()
        .find(|(_, user)| !user.password.is_well_formed());
    let token = known
        .tokens
        .iter()
        .find(|(_, token)| !is_token_hash(&token.sha256));
    match user.map(|(name, _)| name).or(token.map(|(name, _)| name)) {
        Some(name) => Err(failed(
            file,
            "an entry of the schema registry's file of users is not well formed",
            "make it anew with `mesh registry-users`",
        )
        .with("user", name)),
        None => Ok(Some(known)),
    }
}

fn save(file: &Path, known: Known) -> Result<()> {
    let known = Known {
        version: FORMAT,
        ..known
    };
    let write = || -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(&known).map_err(io::Error::other)?;
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".tmp");
        let temporary = file.with_file_name(name);
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut new = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        new.write_all(&bytes)?;
        new.sync_all()?;
        fs::rename(&temporary, file)
    };
    write().map_err(|error| {
        failed(
            file,
            "the schema registry's file of users cannot be written",
            "give the process the right to write there",
        )
        .because(error)
    })
}
