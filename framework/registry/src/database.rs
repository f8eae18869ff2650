//! Which database the registry keeps its state in.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use mesh_core::{Error, Result};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

/// The parameters that a URL may have. The driver only logs what it does not know, and
/// whoever misspells `sslmode` must not go unencrypted.
const PARAMETERS: [&str; 8] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "port",
    "user",
    "password",
];

/// A SQLite file, or a schema of a Postgres database. Nothing prints a password.
#[derive(Clone)]
pub struct Database {
    place: Place,
    schema: String,
}

#[derive(Clone)]
pub(crate) enum Place {
    File(PathBuf),
    Server(Box<PgConnectOptions>),
}

impl Database {
    /// A SQLite file; it is created, and its directory too, when missing.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            place: Place::File(path.into()),
            schema: "mesh_registry".to_owned(),
        }
    }

    /// The same server with another schema than `mesh_registry`; it is created when missing.
    ///
    /// # Errors
    /// If the name is not made of small letters, digits and `_`.
    pub fn in_schema(mut self, schema: &str) -> Result<Self> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if schema.is_empty() || schema.len() > 63 || !schema.chars().all(fits) {
            return Err(
                Error::invalid("the schema registry's schema has a wrong name")
                    .with("schema", schema)
                    .mend("use up to 63 small letters, digits and '_'"),
            );
        }
        schema.clone_into(&mut self.schema);
        Ok(self)
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }
}

impl From<PathBuf> for Database {
    fn from(path: PathBuf) -> Self {
        Self::file(path)
    }
}

impl From<&Path> for Database {
    fn from(path: &Path) -> Self {
        Self::file(path)
    }
}

impl From<&PathBuf> for Database {
    fn from(path: &PathBuf) -> Self {
        Self::file(path)
    }
}

/// The file, or the server and its database.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = match &self.place {
            Place::File(path) => return write!(f, "{}", path.display()),
            Place::Server(options) => options,
        };
        let database = options.get_database().unwrap_or_default();
        match options.get_socket() {
            Some(socket) => write!(f, "{}/{database}", socket.display()),
            None => write!(
                f,
                "{}:{}/{database}",
                options.get_host(),
                options.get_port()
            ),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({self})")
    }
}

impl FromStr for Database {
    type Err = Error;

    /// Reads `postgres://…`, or else the path of a SQLite file. The error quotes nothing of
    /// the text, in which a password may stand.
    fn from_str(text: &str) -> Result<Self> {
        if !text.starts_with("postgres:") && !text.starts_with("postgresql:") {
            if text.is_empty() || text.contains("://") {
                return Err(
                    Error::invalid("the schema registry's database is wrong").mend(
                        "give the path of a SQLite file, or a URL that begins with postgres://",
                    ),
                );
            }
            return Ok(Self::file(text));
        }
        let wrong = |mend: &'static str| {
            Error::invalid("the URL of the schema registry's database is wrong").mend(mend)
        };
        let form = "write `postgres://user@host:5432/database?sslmode=verify-full`, with what is \
                    special in a password as %XX";
        let url = Url::parse(text).map_err(|_| wrong(form))?;
        if url.path().len() < 2 {
            return Err(wrong(form));
        }
        for (name, value) in url.query_pairs() {
            if !PARAMETERS.contains(&&*name) {
                return Err(wrong(
                    "parameters are sslmode, sslrootcert, sslcert, sslkey, host, port, user and \
                     password",
                ));
            }
            if name == "sslmode" && value.parse::<PgSslMode>().is_err() {
                return Err(wrong(
                    "sslmode is disable, allow, prefer, require, verify-ca or verify-full",
                ));
            }
        }
        let options = text
            .parse::<PgConnectOptions>()
            .map_err(|_| wrong(form))?
            .application_name("mesh registry");
        Ok(Self {
            place: Place::Server(Box::new(options)),
            ..Self::file("")
        })
    }
}
