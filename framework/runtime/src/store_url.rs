//! The URL of a domain's store in Postgres.

use std::fmt;
use std::str::FromStr;

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

/// Where a domain's store in Postgres is, with what logs in there. Nothing prints the
/// password.
#[derive(Clone)]
pub struct StoreUrl(Box<PgConnectOptions>);

impl StoreUrl {
    /// Options of a connection.
    pub fn options(&self) -> PgConnectOptions {
        (*self.0).clone()
    }

    /// The server and its database, for people.
    pub fn server(&self) -> String {
        let database = self.0.get_database().unwrap_or_default();
        match self.0.get_socket() {
            Some(socket) => format!("{}/{database}", socket.display()),
            None => format!("{}:{}/{database}", self.0.get_host(), self.0.get_port()),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreUrl")
            .field("server", &self.server())
            .field("user", &self.0.get_username())
            .field("sslmode", &self.0.get_ssl_mode())
            .finish_non_exhaustive()
    }
}

/// Why a text is no [`StoreUrl`]; it quotes nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongStoreUrl(pub(crate) &'static str);

impl fmt::Display for WrongStoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for WrongStoreUrl {}

impl FromStr for StoreUrl {
    type Err = WrongStoreUrl;

    fn from_str(text: &str) -> Result<Self, WrongStoreUrl> {
        let form = WrongStoreUrl(
            "write `postgres://user@host:5432/database?sslmode=verify-full`, with what is special \
             in a password as %XX",
        );
        let url = Url::parse(text).map_err(|_| form)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") || url.path().len() < 2 {
            return Err(form);
        }
        for (name, value) in url.query_pairs() {
            if !PARAMETERS.contains(&&*name) {
                return Err(WrongStoreUrl(
                    "parameters are sslmode, sslrootcert, sslcert, sslkey, host, port, user and \
                     password",
                ));
            }
            if name == "sslmode" && value.parse::<PgSslMode>().is_err() {
                return Err(WrongStoreUrl(
                    "sslmode is disable, allow, prefer, require, verify-ca or verify-full",
                ));
            }
        }
        match text.parse::<PgConnectOptions>() {
            Ok(options) => Ok(Self(Box::new(options))),
            Err(_) => Err(form),
        }
    }
}
