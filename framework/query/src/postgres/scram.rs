//! The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), with channel binding
//! (`tls-server-end-point`, RFC 5929) where there is a certificate to bind to.

use aws_lc_rs::{constant_time, digest, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use mesh_core::{Error, ErrorKind, Result};
use mesh_enforcement::ScramSecret;

pub(super) const PLAIN: &str = "SCRAM-SHA-256";
pub(super) const PLUS: &str = "SCRAM-SHA-256-PLUS";

const NONCE_LEN: usize = 18;
const SALT_LEN: usize = 16;
/// Rounds that are told for a user who is not there, as for those that `mesh users` makes.
const ITERATIONS: u32 = 8192;
const KEY_LEN: usize = 32;

/// Who is not there has a salt too, the same at each try, so that names cannot be tried out.
#[derive(Clone)]
pub(super) struct Decoy(hmac::Key);

impl Decoy {
    pub(super) fn new() -> Result<Self> {
        let mut secret = [0; KEY_LEN];
        rand::fill(&mut secret).map_err(|_| no_randomness())?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    pub(super) fn secret(&self, name: &str) -> ScramSecret {
        let part = |what: &[u8]| {
            let mut text = name.as_bytes().to_vec();
            text.push(0);
            text.extend_from_slice(what);
            hmac::sign(&self.0, &text).as_ref().to_vec()
        };
        ScramSecret {
            salt: part(b"salt")[..SALT_LEN].to_vec(),
            iterations: ITERATIONS,
            // No key hashes to it, as far as anybody knows.
            stored_key: part(b"stored"),
            server_key: part(b"server"),
        }
    }
}

/// An exchange that waits for the client's proof.
pub(super) struct Exchange {
    secret: ScramSecret,
    /// What the client must send back base64-coded: its header and the channel's hash.
    binding: Vec<u8>,
    client_first: String,
    server_first: String,
    nonce: String,
}

/// How far the channel is bound to.
#[derive(Clone, Copy)]
pub(super) struct Channel<'a> {
    /// The mechanism that the client chose.
    pub(super) mechanism: &'a str,
    /// The hash of the server's certificate, if the client could have bound to it.
    pub(super) certificate: Option<&'a [u8]>,
}

impl Exchange {
    /// Reads the client's first message and answers it.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] for a message that is not one, or where the client has
    /// been told of fewer mechanisms than there are.
    pub(super) fn begin(message: &[u8], secret: ScramSecret, channel: Channel<'_>) -> Result<Self> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| no_randomness())?;
        Self::with_nonce(message, secret, channel, &BASE64.encode(nonce))
    }

    fn with_nonce(
        message: &[u8],
        secret: ScramSecret,
        channel: Channel<'_>,
        own: &str,
    ) -> Result<Self> {
        let text = std::str::from_utf8(message).map_err(|_| malformed())?;
        let (flag, rest) = text.split_once(',').ok_or_else(malformed)?;
        let (authorization, bare) = rest.split_once(',').ok_or_else(malformed)?;
        let bound = match (channel.mechanism, flag, channel.certificate) {
            (PLAIN, "n", _) | (PLAIN, "y", None) => None,
            // It could bind and was not told that we can: somebody took that out.
            (PLAIN, "y", Some(_)) => return Err(downgraded()),
            (PLUS, "p=tls-server-end-point", Some(certificate)) => Some(certificate),
            _ => return Err(malformed()),
        };
        if !authorization.is_empty() {
            return Err(malformed());
        }
        // The name was said at the start and is not looked at here, as in PostgreSQL.
        let nonce = bare
            .split(',')
            .nth(1)
            .and_then(|attribute| attribute.strip_prefix("r="))
            .filter(|nonce| !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic()))
            .filter(|_| bare.starts_with("n="))
            .ok_or_else(malformed)?;
        let nonce = format!("{nonce}{own}");
        let mut binding = format!("{flag},,").into_bytes();
        binding.extend_from_slice(bound.unwrap_or_default());
        Ok(Self {
            server_first: format!(
                "r={nonce},s={},i={}",
                BASE64.encode(&secret.salt),
                secret.iterations
            ),
            client_first: bare.to_owned(),
            secret,
            binding,
            nonce,
        })
    }

    /// The server's first message.
    pub(super) fn challenge(&self) -> &str {
        &self.server_first
    }

    /// Checks the client's proof and gives the server's; nothing if the proof is wrong.
    pub(super) fn finish(self, message: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(message).ok()?;
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let binding = BASE64.decode(attributes.next()?.strip_prefix("c=")?).ok()?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        if binding != self.binding || nonce != self.nonce {
            return None;
        }
        let signed = format!(
            "{},{},{without_proof}",
            self.client_first, self.server_first
        );
        let signature = sign(&self.secret.stored_key, &signed);
        let proof = BASE64.decode(proof).ok()?;
        if proof.len() != signature.len() {
            return None;
        }
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let stored_key = digest::digest(&digest::SHA256, &client_key);
        constant_time::verify_slices_are_equal(stored_key.as_ref(), &self.secret.stored_key)
            .ok()?;
        let proof = sign(&self.secret.server_key, &signed);
        Some(format!("v={}", BASE64.encode(proof)))
    }
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

/// The hash of a certificate that a channel is bound to (RFC 5929, 4.1): by the hash of its
/// own signature, or SHA-256 for weaker ones. Nothing where the signature names none.
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, whole, _) = der(certificate)?;
    let (_, _, rest) = der(whole)?;
    let (_, algorithm, _) = der(rest)?;
    let (tag, oid, _) = der(algorithm)?;
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    let (last, prefix) = oid.split_last()?;
    let algorithm = match (prefix, last) {
        _ if tag != 6 => return None,
        (RSA, 4 | 5 | 11) | (ECDSA, 2) => &digest::SHA256,
        (RSA, 12) | (ECDSA, 3) => &digest::SHA384,
        (RSA, 13) | (ECDSA, 4) => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

/// The first element of DER: its tag, its content and what follows.
fn der(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = length
                .iter()
                .fold(0_usize, |all, byte| (all << 8) | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn malformed() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "a message of the login is not well formed",
    )
}

fn downgraded() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "the client could bind the login to the channel, and was not told that the server can",
    )
}

fn no_randomness() -> Error {
    Error::internal("there is no randomness for a login")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::num::NonZeroU32;

    use aws_lc_rs::pbkdf2;

    use super::*;

    /// The keys of a password, as the client derives them.
    fn secret(password: &str, salt: &[u8], iterations: u32) -> (ScramSecret, Vec<u8>) {
        let mut salted = [0; KEY_LEN];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            NonZeroU32::new(iterations).unwrap(),
            salt,
            password.as_bytes(),
            &mut salted,
        );
        let client_key = sign(&salted, "Client Key");
        let secret = ScramSecret {
            salt: salt.to_vec(),
            iterations,
            stored_key: digest::digest(&digest::SHA256, &client_key)
                .as_ref()
                .to_vec(),
            server_key: sign(&salted, "Server Key"),
        };
        (secret, client_key)
    }

    const UNBOUND: Channel<'static> = Channel {
        mechanism: PLAIN,
        certificate: None,
    };

    /// The example of RFC 7677, 3.
    #[test]
    fn the_exchange_of_the_rfc_succeeds_and_no_other() {
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let begin = || {
            let (secret, _) = secret("pencil", &salt, 4096);
            Exchange::with_nonce(
                b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                secret,
                UNBOUND,
                "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            )
            .unwrap()
        };
        assert_eq!(
            begin().challenge(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(
            begin().finish(last.as_bytes()).unwrap(),
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
        for wrong in [
            last.replace("dHzb", "dHzc"),
            last.replace("c=biws", "c=eSws"),
            last.replace("k0,", "k1,"),
            last.replace(",p=", ",q="),
            String::new(),
        ] {
            assert!(begin().finish(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_channel_is_bound_to_and_not_left_unbound_by_others() {
        let (secret, client_key) = secret("pencil", b"0123456789abcdef", 4096);
        let bound = Channel {
            mechanism: PLUS,
            certificate: Some(b"the hash"),
        };
        let proof = |exchange: &Exchange, binding: &[u8]| {
            let last = format!("c={},r={}", BASE64.encode(binding), exchange.nonce);
            let signed = format!("n=,r=abc,{},{last}", exchange.server_first);
            let signature = sign(&exchange.secret.stored_key, &signed);
            let proof: Vec<u8> = client_key
                .iter()
                .zip(&signature)
                .map(|(a, b)| a ^ b)
                .collect();
            format!("{last},p={}", BASE64.encode(proof))
        };
        for (binding, passes) in [
            (&b"p=tls-server-end-point,,the hash"[..], true),
            (b"p=tls-server-end-point,,another", false),
        ] {
            let first = b"p=tls-server-end-point,,n=,r=abc";
            let exchange = Exchange::begin(first, secret.clone(), bound).unwrap();
            let last = proof(&exchange, binding);
            assert_eq!(exchange.finish(last.as_bytes()).is_some(), passes);
        }
        let offered = Channel {
            mechanism: PLAIN,
            certificate: Some(b"the hash"),
        };
        for (first, channel, passes) in [
            (&b"n,,n=,r=abc"[..], offered, true),
            (b"y,,n=,r=abc", offered, false),
            (b"y,,n=,r=abc", UNBOUND, true),
            (b"p=tls-unique,,n=,r=abc", bound, false),
            (b"p=tls-server-end-point,,n=,r=abc", UNBOUND, false),
            (b"n,a=admin,n=,r=abc", UNBOUND, false),
            (b"n,,n=,r=", UNBOUND, false),
            (b"n,,r=abc", UNBOUND, false),
        ] {
            let begun = Exchange::begin(first, secret.clone(), channel);
            assert_eq!(begun.is_ok(), passes, "{}", String::from_utf8_lossy(first));
        }
    }

    #[test]
    fn who_is_not_there_has_a_salt_of_his_own_that_stays() {
        let decoy = Decoy::new().unwrap();
        let (one, again, other) = (decoy.secret("a"), decoy.secret("a"), decoy.secret("b"));
        assert_eq!(one.salt, again.salt);
        assert_ne!(one.salt, other.salt);
        assert_eq!(one.stored_key.len(), KEY_LEN);
    }
}
