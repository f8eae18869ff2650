//! Who asks, for what purpose, and the ids that travel with an event.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Result};

/// Who reads or writes: a person, or the service of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Principal(String);

/// For what reason somebody reads, in the mesh's vocabulary: `credit_assessment`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Purpose(String);

macro_rules! word {
    ($name:ident, $what:literal, $extra:literal) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                let valid = !text.is_empty()
                    && text.len() <= 200
                    && text
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || $extra.contains(c));
                if valid {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(Error::invalid(concat!("not a valid ", $what))
                        .mend(concat!("use up to 200 letters, digits and any of ", $extra)))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> String {
                word.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

word!(Principal, "principal", "_-.@:/");
word!(Purpose, "purpose", "_-");

impl Principal {
    /// The service identity of a domain, `service:<domain>`.
    ///
    /// # Errors
    /// If `domain` is no name.
    pub fn service(domain: &str) -> Result<Self> {
        format!("service:{domain}").parse()
    }
}

/// The identity of an event, kept from its first writing through every retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub Uuid);

impl EventId {
    /// A new id that sorts by time (UUIDv7).
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id that always follows from the same `parts` (UUIDv5): the same row of a file,
    /// or the same cause and step, gives the same event.
    pub fn derived(parts: &[&str]) -> Self {
        // A fixed namespace keeps the ids stable across releases.
        const NAMESPACE: Uuid = Uuid::from_u128(0x6d65_7368_2d65_5656_8000_0000_0000_0001);
        Self(Uuid::new_v5(&NAMESPACE, parts.join("\u{1f}").as_bytes()))
    }
}

impl Default for EventId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EventId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Uuid::parse_str(text)
            .map(Self)
            .map_err(|_| Error::invalid("an event id is not a UUID"))
    }
}
