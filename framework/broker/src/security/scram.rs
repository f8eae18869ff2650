//! SCRAM (RFC 5802, RFC 7677) without channel binding: what is stored of a password, and
//! the server's side of the exchange.
//!
//! As in Apache Kafka, names and passwords are taken as the UTF-8 they come as (no SASLprep).

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The least iterations that are stored or accepted, as in Kafka and RFC 7677.
pub(crate) const MIN_ITERATIONS: u32 = 4096;
/// The most, as in Kafka: the client does the work, and one login should not take seconds.
pub(crate) const MAX_ITERATIONS: u32 = 16_384;
const SALT_LEN: usize = 24;
const NONCE_LEN: usize = 24;

/// The hash that a SCRAM mechanism stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    pub(crate) const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    pub(crate) fn mechanism(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// Kafka's number of the mechanism.
    pub(crate) fn code(self) -> i8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    pub(crate) fn from_code(code: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.code() == code)
    }

    pub(crate) fn len(self) -> usize {
        self.digest().output_len()
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        let key = hmac::Key::new(algorithm, key);
        hmac::sign(&key, message).as_ref().to_vec()
    }

    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        digest::digest(self.digest(), bytes).as_ref().to_vec()
    }

    /// RFC 5802's Hi: what takes the time.
    fn salted_password(self, password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        };
        let mut salted = vec![0; self.len()];
        pbkdf2::derive(algorithm, iterations, salt, password, &mut salted);
        salted
    }
}

/// What is stored of a password: enough to check it, not enough to log in with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) iterations: NonZeroU32,
    pub(crate) salt: Vec<u8>,
    pub(crate) stored_key: Vec<u8>,
    pub(crate) server_key: Vec<u8>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

impl Credential {
    /// The credential of a password under a new random salt.
    pub(crate) fn of_password(hash: Hash, password: &str, iterations: NonZeroU32) -> Option<Self> {
        let mut salt = vec![0; SALT_LEN];
        rand::fill(&mut salt).ok()?;
        let salted = hash.salted_password(password.as_bytes(), &salt, iterations);
        Some(Self::of_salted(hash, &salted, salt, iterations))
    }

    /// The credential of a password that the client has salted itself.
    pub(crate) fn of_salted(
        hash: Hash,
        salted: &[u8],
        salt: Vec<u8>,
        iterations: NonZeroU32,
    ) -> Self {
        Self {
            iterations,
            salt,
            stored_key: hash.hash(&hash.hmac(salted, b"Client Key")),
            server_key: hash.hmac(salted, b"Server Key"),
        }
    }

    /// What a user who is not there is answered with: always the same for one name and
    /// `secret`, so that asking twice tells nothing, and fitting no password.
    pub(crate) fn decoy(hash: Hash, name: &str, secret: &[u8], iterations: NonZeroU32) -> Self {
        let mut salt = hash.hmac(secret, name.as_bytes());
        salt.truncate(SALT_LEN);
        Self {
            iterations,
            salt,
            stored_key: hash.hmac(secret, &[name.as_bytes(), b"\0stored"].concat()),
            server_key: hash.hmac(secret, &[name.as_bytes(), b"\0server"].concat()),
        }
    }

    /// Whether this is the credential of `password`. Takes as long as the iterations ask for.
    pub(crate) fn verify(&self, hash: Hash, password: &str) -> bool {
        let salted = hash.salted_password(password.as_bytes(), &self.salt, self.iterations);
        let stored = hash.hash(&hash.hmac(&salted, b"Client Key"));
        constant_time::verify_slices_are_equal(&stored, &self.stored_key).is_ok()
    }
}

/// The client's first message, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientFirst {
    /// Who logs in.
    pub(crate) name: String,
    gs2_header: String,
    bare: String,
    nonce: String,
}

impl ClientFirst {
    /// Reads the message; an error says what is wrong with it.
    pub(crate) fn parse(message: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(message).map_err(|_| "the message is not UTF-8")?;
        let (binding, rest) = text.split_once(',').ok_or("the header is missing")?;
        // "y": the client could bind to the channel and sees that we cannot.
        if !matches!(binding, "n" | "y") {
            return Err("channel binding is not supported");
        }
        let (authorization, bare) = rest.split_once(',').ok_or("the header is not whole")?;
        let mut attributes = bare.split(',');
        let name = attributes
            .next()
            .and_then(|attribute| attribute.strip_prefix("n="))
            .ok_or("the user name is missing")?;
        let name = unescape(name).ok_or("the user name is not well formed")?;
        let nonce = attributes
            .next()
            .and_then(|attribute| attribute.strip_prefix("r="))
            .filter(|nonce| is_printable(nonce))
            .ok_or("the nonce is missing or not printable")?;
        if attributes.any(|extension| extension.eq_ignore_ascii_case("tokenauth=true")) {
            return Err("there are no delegation tokens");
        }
        match authorization.strip_prefix("a=") {
            None if authorization.is_empty() => {}
            Some(other) if unescape(other).as_deref() == Some(name.as_str()) => {}
            _ => return Err("nobody may log in for somebody else"),
        }
        Ok(Self {
            gs2_header: format!("{binding},{authorization},"),
            bare: bare.to_owned(),
            nonce: nonce.to_owned(),
            name,
        })
    }
}

fn is_printable(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A name with `=2C` and `=3D` for the comma and the equals sign.
fn unescape(name: &str) -> Option<String> {
    let plain = name.replace("=2C", "").replace("=3D", "");
    let sound = !name.is_empty() && !plain.contains('=');
    sound.then(|| name.replace("=2C", ",").replace("=3D", "="))
}

/// An exchange that waits for the client's proof.
#[derive(Debug)]
pub(crate) struct Exchange {
    hash: Hash,
    first: ClientFirst,
    credential: Credential,
    nonce: String,
    server_first: String,
}

impl Exchange {
    /// Begins an exchange; the message goes to the client. `None` when there is no randomness.
    pub(crate) fn begin(hash: Hash, first: ClientFirst, credential: Credential) -> Option<Self> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        Some(Self::with_nonce(
            hash,
            first,
            credential,
            &BASE64.encode(nonce),
        ))
    }

    fn with_nonce(hash: Hash, first: ClientFirst, credential: Credential, own: &str) -> Self {
        let nonce = format!("{}{own}", first.nonce);
        let server_first = format!(
            "r={nonce},s={},i={}",
            BASE64.encode(&credential.salt),
            credential.iterations
        );
        Self {
            hash,
            first,
            credential,
            nonce,
            server_first,
        }
    }

    /// The server's first message.
    pub(crate) fn challenge(&self) -> &str {
        &self.server_first
    }

    /// Checks the client's proof; the name it has proved to be and the server's last
    /// message, or `None` when the message or the proof is wrong.
    pub(crate) fn finish(self, message: &[u8]) -> Option<(String, String)> {
        let text = std::str::from_utf8(message).ok()?;
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let binding = BASE64.decode(attributes.next()?.strip_prefix("c=")?).ok()?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        if binding != self.first.gs2_header.as_bytes() || nonce != self.nonce {
            return None;
        }
        let proof = BASE64.decode(proof).ok()?;
        let auth_message = format!("{},{},{without_proof}", self.first.bare, self.server_first);
        let signature = self
            .hash
            .hmac(&self.credential.stored_key, auth_message.as_bytes());
        if proof.len() != signature.len() {
            return None;
        }
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let stored_key = self.hash.hash(&client_key);
        constant_time::verify_slices_are_equal(&stored_key, &self.credential.stored_key).ok()?;
        let signature = self
            .hash
            .hmac(&self.credential.server_key, auth_message.as_bytes());
        Some((self.first.name, format!("v={}", BASE64.encode(signature))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn credential(hash: Hash, salt: &str) -> Credential {
        let iterations = NonZeroU32::new(4096).unwrap();
        let salt = BASE64.decode(salt).unwrap();
        let salted = hash.salted_password(b"pencil", &salt, iterations);
        Credential::of_salted(hash, &salted, salt, iterations)
    }

    fn exchange() -> Exchange {
        let first = ClientFirst::parse(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!(first.name, "user");
        Exchange::with_nonce(
            Hash::Sha256,
            first,
            credential(Hash::Sha256, "W22ZaJ0SNY7soEsUEjb6gQ=="),
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        )
    }

    const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    #[test]
    fn the_exchange_of_rfc_7677_section_3() {
        let exchange = exchange();
        assert_eq!(
            exchange.challenge(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let (name, last) = exchange.finish(FINAL.as_bytes()).unwrap();
        assert_eq!(name, "user");
        assert_eq!(last, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn any_other_last_message_is_refused() {
        let wrong = [
            FINAL.replace("p=dH", "p=dA"),
            FINAL.replace("c=biws", "c=eSws"),
            FINAL.replace("k0,", "k1,"),
            FINAL.replace(",p=", ",x="),
            FINAL.replace("AndVQ=", "And"),
            String::new(),
        ];
        for message in wrong {
            assert!(exchange().finish(message.as_bytes()).is_none(), "{message}");
        }
    }

    /// The message of the RFC's exchange under SHA-512, signed with the client's formulas.
    #[test]
    fn sha_512_agrees_with_the_clients_formulas() {
        let hash = Hash::Sha512;
        let stored = credential(hash, "W22ZaJ0SNY7soEsUEjb6gQ==");
        let salted = hash.salted_password(b"pencil", &stored.salt, stored.iterations);
        let first = ClientFirst::parse(b"n,,n=user,r=abc").unwrap();
        let exchange = Exchange::begin(hash, first, stored.clone()).unwrap();
        let challenge = exchange.challenge().to_owned();
        let nonce = challenge[2..].split(',').next().unwrap();
        let without_proof = format!("c=biws,r={nonce}");
        let auth = format!("n=user,r=abc,{challenge},{without_proof}");
        let client_key = hash.hmac(&salted, b"Client Key");
        let signature = hash.hmac(&hash.hash(&client_key), auth.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(&signature)
            .map(|(a, b)| a ^ b)
            .collect();
        let last = format!("{without_proof},p={}", BASE64.encode(proof));
        let (_, answer) = exchange.finish(last.as_bytes()).unwrap();
        let expected = hash.hmac(&stored.server_key, auth.as_bytes());
        assert_eq!(answer, format!("v={}", BASE64.encode(expected)));
    }

    #[test]
    fn passwords_are_verified_against_what_is_stored() {
        let iterations = NonZeroU32::new(4096).unwrap();
        for hash in Hash::ALL {
            let one = Credential::of_password(hash, "secret", iterations).unwrap();
            let two = Credential::of_password(hash, "secret", iterations).unwrap();
            assert_ne!(one.salt, two.salt);
            assert!(one.verify(hash, "secret") && !one.verify(hash, "Secret"));
            let decoy = Credential::decoy(hash, "nobody", b"key", iterations);
            assert_eq!(decoy, Credential::decoy(hash, "nobody", b"key", iterations));
            assert_eq!(decoy.salt.len(), one.salt.len());
            assert!(!decoy.verify(hash, "secret"));
        }
    }

    #[test]
    fn first_messages() {
        let parsed = ClientFirst::parse(b"y,a=a=2Cb=3D,n=a=2Cb=3D,r=x,ext=1").unwrap();
        assert_eq!(parsed.name, "a,b=");
        for wrong in [
            "",
            "n,,",
            "n,,n=,r=x",
            "n,,n=a=b,r=x",
            "n,,n=user",
            "n,,n=user,r=",
            "p=tls-unique,,n=user,r=x",
            "n,a=other,n=user,r=x",
            "n,,n=user,r=x,tokenauth=true",
        ] {
            assert!(ClientFirst::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
