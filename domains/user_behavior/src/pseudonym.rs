//! Pseudonyms: HMAC-SHA-256 of a user under a secret of the domain (H. Krawczyk, M. Bellare, R.
//! Canetti, RFC 2104; the technique is "keyed-hash function" in ENISA, "Pseudonymisation
//! techniques and best practices", 2019).
//!
//! The secret is the setting `MESH_PSEUDONYM_KEY`. Without it the domain makes a random one at the
//! first need and keeps it in its store, where the users' own numbers are too, so that a
//! pseudonym is never made under a key that anybody could guess. With it the store has only a
//! value to recognise it by. A domain never goes on under another secret than it began with:
//! everybody would get a second pseudonym unnoticed.

use aws_lc_rs::{hmac, rand};
use mesh_core::{Error, ErrorKind, Result};
use mesh_runtime::{Context, Effects};
use serde::{Deserialize, Serialize};

use crate::settings::{KEY, Secret, from_hex, to_hex};

/// The document about the secret.
const SECRET: (&str, &str) = ("secret", "pseudonym");

#[derive(Serialize, Deserialize)]
struct Kept {
    /// The domain's own secret; none if it is a setting.
    key: Option<String>,
    /// What tells the secret from others, and gives nothing of it away.
    check: String,
}

/// Makes pseudonyms.
pub struct Pseudonyms {
    key: hmac::Key,
}

impl Pseudonyms {
    /// Those under `secret`.
    pub fn new(secret: &Secret) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.bytes()),
        }
    }

    /// Those of the domain: under `setting`, or under the secret that the store keeps; what is
    /// to be kept is added to `effects`.
    ///
    /// # Errors
    /// Retryable, so that nothing is set aside, if the secret is not the one that the domain
    /// began with.
    pub async fn of_domain(
        setting: Option<&Secret>,
        ctx: &Context,
        effects: &mut Effects,
    ) -> Result<Self> {
        let kept: Option<Kept> = ctx.get(SECRET.0, SECRET.1).await?;
        let secret = match (setting, kept.as_ref().map(|kept| kept.key.as_deref())) {
            (Some(secret), _) => secret.clone(),
            (None, None) => random()?,
            (None, Some(Some(key))) => Secret::new(from_hex(key).ok_or_else(|| {
                Error::new(ErrorKind::Corrupt, "the secret in the store cannot be read")
                    .retryable(true)
            })?),
            (None, Some(None)) => {
                return Err(another("the domain began with a secret of its own setting"));
            }
        };
        let pseudonyms = Self::new(&secret);
        let check = pseudonyms.check();
        match kept {
            None => effects.add_put(
                SECRET.0,
                SECRET.1,
                &Kept {
                    key: setting.is_none().then(|| to_hex(secret.bytes())),
                    check,
                },
            ),
            Some(kept) if kept.check == check => {}
            Some(_) => return Err(another("the domain began with another secret")),
        }
        Ok(pseudonyms)
    }

    /// The pseudonym of a user, 64 hexadecimal digits.
    pub fn of(&self, user_id: i64) -> String {
        self.tag("user", &user_id.to_string())
    }

    fn check(&self) -> String {
        self.tag("check", "")
    }

    /// What is asked for is part of what is signed, so that no user's pseudonym is the check.
    fn tag(&self, what: &str, text: &str) -> String {
        let tag = hmac::sign(&self.key, format!("{what}/{text}").as_bytes());
        to_hex(tag.as_ref())
    }
}

fn random() -> Result<Secret> {
    let mut bytes = vec![0; 32];
    rand::fill(&mut bytes)
        .map_err(|_| Error::internal("the system gives no random numbers").retryable(true))?;
    Ok(Secret::new(bytes))
}

fn another(message: &'static str) -> Error {
    Error::new(ErrorKind::FailedPrecondition, message)
        .with("variable", KEY)
        .mend(
            "set the variable as it was when the data directory was new (unset, if it was unset); \
             for new pseudonyms start with an empty data directory",
        )
        .retryable(true)
}
