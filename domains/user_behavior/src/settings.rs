//! The domain's own settings, read once from the environment.

use std::fmt;

use mesh_core::{Error, Result};

/// The environment variable with the seconds without a view after which a session is over.
pub const GAP: &str = "MESH_SESSION_GAP_SECONDS";
/// The environment variable with the seconds that a session is kept open for views that come late.
pub const LATENESS: &str = "MESH_SESSION_LATENESS_SECONDS";
/// The environment variable with the secret under which users get their pseudonyms, 64 or more
/// hexadecimal digits.
pub const KEY: &str = "MESH_PSEUDONYM_KEY";

/// What the domain needs to know besides what its host reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// When sessions are over.
    pub limits: Limits,
    /// The secret of pseudonyms; without one the domain makes its own and keeps it in its store.
    pub key: Option<Secret>,
}

/// When a session is over, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The time without a view that ends a session: two views further apart are in two sessions.
    pub gap: i64,
    /// How much longer a session is kept open, for views that come late.
    pub lateness: i64,
}

impl Default for Limits {
    /// Half an hour, the usual choice (J. Catledge, J. Pitkow, "Characterizing Browsing Strategies
    /// in the World-Wide Web", 1995, measured 25.5 minutes), and five minutes.
    fn default() -> Self {
        Self {
            gap: 1_800_000,
            lateness: 300_000,
        }
    }
}

/// A secret: neither printed nor compared by anything but its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The secret `bytes`.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Settings {
    /// Reads the settings with `environment`, normally `std::env::var`'s answer.
    ///
    /// # Errors
    /// If a value is not of its form, by its variable.
    pub fn read(environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let text = |name: &str| environment(name).filter(|text| !text.is_empty());
        let seconds = |name: &'static str, least: i64, otherwise: i64| match text(name) {
            None => Ok(otherwise),
            Some(text) => text
                .parse()
                .ok()
                // A year, so that no sum of times can overflow.
                .filter(|seconds| (least..=31_536_000).contains(seconds))
                .map(|seconds: i64| seconds * 1000)
                .ok_or_else(|| {
                    Error::invalid("a setting is not a number of seconds")
                        .with("variable", name)
                        .mend(format!("write a whole number from {least} to 31536000"))
                }),
        };
        let usual = Limits::default();
        let limits = Limits {
            gap: seconds(GAP, 1, usual.gap)?,
            lateness: seconds(LATENESS, 0, usual.lateness)?,
        };
        let key = text(KEY)
            .map(|text| {
                from_hex(&text)
                    .filter(|bytes| bytes.len() >= 32)
                    .map(Secret)
                    .ok_or_else(|| {
                        Error::invalid("a setting is not a secret of at least 32 bytes")
                            .with("variable", KEY)
                            .mend("write 64 or more hexadecimal digits, such as `openssl rand -hex 32` makes")
                    })
            })
            .transpose()?;
        Ok(Self { limits, key })
    }
}

/// The bytes that `text` writes as hexadecimal digits.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| {
            let digits = text.get(at..at + 2)?;
            // `from_str_radix` would take a sign.
            let valid = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            valid.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
        })
        .collect()
}

/// `bytes` as hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
