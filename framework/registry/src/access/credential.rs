//! What is stored of passwords and tokens: enough to check them, not enough to log in with.

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, pbkdf2, rand};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// OWASP's number for PBKDF2 with SHA-512 (Password Storage Cheat Sheet).
const ITERATIONS: u32 = 210_000;
const SALT_LEN: usize = 16;
const HASH_LEN: usize = 64;
const TOKEN_LEN: usize = 32;
/// What a file may ask for: less is guessed too fast, more holds up a processor.
const ALLOWED: std::ops::RangeInclusive<u32> = 100_000..=5_000_000;

/// The salted hash of a password (PBKDF2 with HMAC-SHA-512).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    iterations: u32,
    salt: String,
    hash: String,
}

impl Password {
    /// The hash under a new random salt; `None` if there is no randomness.
    pub(super) fn of(password: &str) -> Option<Self> {
        let mut salt = [0; SALT_LEN];
        rand::fill(&mut salt).ok()?;
        let hash = derive(password, &salt, NonZeroU32::new(ITERATIONS)?);
        Some(Self {
            iterations: ITERATIONS,
            salt: STANDARD.encode(salt),
            hash: STANDARD.encode(hash),
        })
    }

    /// What a name that is not there is checked against, so that it takes as long.
    pub(super) fn decoy() -> Self {
        Self {
            iterations: ITERATIONS,
            salt: STANDARD.encode([0; SALT_LEN]),
            hash: STANDARD.encode([0; HASH_LEN]),
        }
    }

    pub(super) fn is_well_formed(&self) -> bool {
        ALLOWED.contains(&self.iterations)
            && STANDARD
                .decode(&self.salt)
                .is_ok_and(|salt| !salt.is_empty())
            && STANDARD
                .decode(&self.hash)
                .is_ok_and(|hash| hash.len() == HASH_LEN)
    }

    /// Whether it is the hash of `password`. Takes as long as the iterations ask for.
    pub(super) fn verify(&self, password: &str) -> bool {
        let (Ok(salt), Ok(hash)) = (STANDARD.decode(&self.salt), STANDARD.decode(&self.hash))
        else {
            return false;
        };
        let Some(iterations) = NonZeroU32::new(self.iterations) else {
            return false;
        };
        same(&derive(password, &salt, iterations), &hash)
    }
}

fn derive(password: &str, salt: &[u8], iterations: NonZeroU32) -> [u8; HASH_LEN] {
    let mut hash = [0; HASH_LEN];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA512,
        iterations,
        salt,
        password.as_bytes(),
        &mut hash,
    );
    hash
}

/// A new token; `None` if there is no randomness.
pub(super) fn new_token() -> Option<String> {
    let mut token = [0; TOKEN_LEN];
    rand::fill(&mut token).ok()?;
    Some(URL_SAFE_NO_PAD.encode(token))
}

/// The hash of a token. A token is 32 random bytes, which nobody guesses: it needs neither
/// salt nor iterations.
pub(super) fn token_hash(token: &str) -> String {
    STANDARD.encode(digest::digest(&digest::SHA256, token.as_bytes()))
}

pub(super) fn is_token_hash(hash: &str) -> bool {
    STANDARD
        .decode(hash)
        .is_ok_and(|hash| hash.len() == digest::SHA256_OUTPUT_LEN)
}

/// Compares without telling by the time where two differ.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}
