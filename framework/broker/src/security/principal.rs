//! Who is at the other end of a connection.

use std::fmt;
use std::sync::Arc;

/// Kafka's principal: a type and a name, written `User:alice`; all are users here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Principal(Arc<str>);

impl Principal {
    /// Who has not said who it is.
    pub(crate) fn anonymous() -> Self {
        Self::user("ANONYMOUS")
    }

    pub(crate) fn user(name: &str) -> Self {
        Self(format!("User:{name}").into())
    }

    /// Type and name with a colon in between.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
