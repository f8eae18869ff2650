//! How a client of the schema registry logs in.

use std::fmt;

use mesh_core::{Error, Result};
use reqwest::header::HeaderValue;

/// The variables of the environment that a login is read from.
const USER: &str = "MESH_REGISTRY_USER";
const PASSWORD: &str = "MESH_REGISTRY_PASSWORD";
const TOKEN: &str = "MESH_REGISTRY_TOKEN";

/// What a client shows to the schema registry. Nothing prints the secret.
#[derive(Clone, PartialEq, Eq)]
pub enum RegistryLogin {
    /// A name and a password (RFC 7617).
    Basic {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token (RFC 6750).
    Bearer(String),
}

impl fmt::Debug for RegistryLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { user, .. } => write!(f, "Basic({user})"),
            Self::Bearer(_) => f.write_str("Bearer"),
        }
    }
}

impl RegistryLogin {
    /// The login of `MESH_REGISTRY_USER` and `MESH_REGISTRY_PASSWORD`, or of
    /// `MESH_REGISTRY_TOKEN`; none if neither is set.
    ///
    /// # Errors
    /// If a user has no password, or both ways are set.
    pub fn from_environment() -> Result<Option<Self>> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The same with variables from elsewhere.
    ///
    /// # Errors
    /// As [`RegistryLogin::from_environment`].
    pub fn from_variables(read: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let read = |name| read(name).filter(|value| !value.is_empty());
        let wrong = |mend: String| {
            Err(Error::invalid("the login for the schema registry is not clear").mend(mend))
        };
        match (read(USER), read(PASSWORD), read(TOKEN)) {
            (None, None, None) => Ok(None),
            (None, None, Some(token)) => Ok(Some(Self::Bearer(token))),
            (Some(user), Some(password), None) => Ok(Some(Self::Basic { user, password })),
            (_, _, Some(_)) => wrong(format!("set {TOKEN}, or {USER} and {PASSWORD}, not both")),
            (_, _, None) => wrong(format!("set both {USER} and {PASSWORD}")),
        }
    }

    /// Takes the login out of an address like `http://user:password@host:8081`.
    pub(crate) fn take_from(url: &mut reqwest::Url) -> Option<Self> {
        let decoded = |text: &str| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8_lossy()
                .into_owned()
        };
        let password = url.password().map(decoded)?;
        let user = decoded(url.username());
        // An address with a host, which this is, takes them.
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        Some(Self::Basic { user, password })
    }

    /// The value of the header `Authorization`.
    pub(crate) fn header(&self) -> Result<HeaderValue> {
        use base64::Engine;
        let text = match self {
            Self::Basic { user, password } => {
                let proof = format!("{user}:{password}");
                let proof = base64::engine::general_purpose::STANDARD.encode(proof);
                format!("Basic {proof}")
            }
            Self::Bearer(token) => format!("Bearer {token}"),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            Error::invalid("the token for the schema registry holds a character that no token has")
                .mend("give the token as it was handed out")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}
