//! Logins by PLAIN (RFC 4616) and SCRAM, apart from how their messages travel.

use std::num::NonZeroU32;
use std::sync::Arc;

use aws_lc_rs::rand;
use bytes::Bytes;
use mesh_core::{Error, Result};
use tokio::sync::Semaphore;

use super::config::{SaslMechanism, SecurityConfig};
use super::scram::{ClientFirst, Credential, Exchange, Hash, MIN_ITERATIONS};
use super::users::{Map, Users};

const LEAST_ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(MIN_ITERATIONS - 1);

impl SaslMechanism {
    /// The name the mechanism is registered under.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => Hash::Sha256.mechanism(),
            Self::ScramSha512 => Hash::Sha512.mechanism(),
        }
    }
}

/// What all logins share.
#[derive(Debug)]
pub(crate) struct Logins {
    mechanisms: Vec<SaslMechanism>,
    users: Arc<Users>,
    /// What decoys are made from: new at each start.
    secret: [u8; 32],
    /// Passwords are hashed by so many at a time, however many log in.
    hashing: Arc<Semaphore>,
}

/// How far a login is.
#[derive(Debug)]
pub(crate) struct Login {
    mechanism: SaslMechanism,
    exchange: Option<Box<Exchange>>,
}

/// What a message of a client has led to.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The client has to answer this.
    Challenge(Login, Bytes),
    /// The client has proved to be this user, and is told so with this.
    Done(String, Bytes),
    /// It has not. The sentence is for the client, and the same whether the user exists or
    /// not; the reason is for the log.
    Failed(String, &'static str),
}

impl Logins {
    pub(crate) fn new(config: &SecurityConfig, users: Arc<Users>) -> Result<Self> {
        let mut secret = [0; 32];
        rand::fill(&mut secret)
            .map_err(|error| Error::internal("there is no randomness").because(error))?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            mechanisms: config.sasl_mechanisms.clone(),
            users,
            secret,
            hashing: Arc::new(Semaphore::new(processors)),
        })
    }

    /// The names of the mechanisms that are offered.
    pub(crate) fn mechanisms(&self) -> impl Iterator<Item = &'static str> {
        self.mechanisms.iter().map(|mechanism| mechanism.name())
    }

    /// Begins a login; `None` when the mechanism is not offered.
    pub(crate) fn begin(&self, mechanism: &str) -> Option<Login> {
        let mut offered = self.mechanisms.iter();
        offered
            .find(|offered| offered.name() == mechanism)
            .map(|mechanism| Login {
                mechanism: *mechanism,
                exchange: None,
            })
    }

    /// Takes the next message of a login.
    pub(crate) async fn advance(&self, login: Login, message: &[u8]) -> Progress {
        let hash = match login.mechanism {
            SaslMechanism::Plain => return self.plain(message).await,
            SaslMechanism::ScramSha256 => Hash::Sha256,
            SaslMechanism::ScramSha512 => Hash::Sha512,
        };
        let refuse = |why| {
            let name = hash.mechanism();
            Progress::Failed(
                format!(
                    "Authentication failed during authentication due to invalid credentials \
                     with SASL mechanism {name}"
                ),
                why,
            )
        };
        match login.exchange {
            None => {
                let first = match ClientFirst::parse(message) {
                    Ok(first) => first,
                    Err(why) => return refuse(why),
                };
                let credential = self.credential(hash, &first.name);
                match Exchange::begin(hash, first, credential) {
                    None => refuse("there is no randomness for a nonce"),
                    Some(exchange) => {
                        let challenge = Bytes::from(exchange.challenge().to_owned());
                        let exchange = Some(Box::new(exchange));
                        Progress::Challenge(Login { exchange, ..login }, challenge)
                    }
                }
            }
            Some(exchange) => match exchange.finish(message) {
                Some((name, last)) => Progress::Done(name, Bytes::from(last)),
                None => refuse("the user or the proof is wrong"),
            },
        }
    }

    /// The user's credential, or one that looks like it and fits no password.
    fn credential(&self, hash: Hash, name: &str) -> Credential {
        let users = self.users.current();
        let found = users
            .get(name)
            .and_then(|credentials| credentials.get(&hash));
        match found {
            Some(credential) => credential.clone(),
            None => Credential::decoy(hash, name, &self.secret, usual_iterations(&users, hash)),
        }
    }

    async fn plain(&self, message: &[u8]) -> Progress {
        let refuse = |why| {
            Progress::Failed(
                "Authentication failed: Invalid username or password".to_owned(),
                why,
            )
        };
        let Some((name, password)) = plain_message(message) else {
            return refuse("the message of PLAIN is not well formed");
        };
        let users = self.users.current();
        let known = users.get(&name).and_then(|credentials| {
            // The strongest there is.
            let (hash, credential) = credentials.last_key_value()?;
            Some((*hash, credential.clone()))
        });
        let hash = Hash::Sha512;
        let (hash, credential) = known.unwrap_or_else(|| {
            let iterations = usual_iterations(&users, hash);
            let decoy = Credential::decoy(hash, &name, &self.secret, iterations);
            (hash, decoy)
        });
        let Ok(_turn) = self.hashing.acquire().await else {
            return refuse("the broker stops");
        };
        let verified =
            tokio::task::spawn_blocking(move || credential.verify(hash, &password)).await;
        match verified {
            Ok(true) => Progress::Done(name, Bytes::new()),
            Ok(false) => refuse("the user or the password is wrong"),
            Err(_) => refuse("the password could not be verified"),
        }
    }
}

/// The iterations that a user who is not there is said to have: those of the first who is.
fn usual_iterations(users: &Map, hash: Hash) -> NonZeroU32 {
    let mut credentials = users
        .values()
        .filter_map(|credentials| credentials.get(&hash));
    credentials
        .next()
        .map_or(LEAST_ITERATIONS, |credential| credential.iterations)
}

/// Name and password of a PLAIN message: `[for whom] NUL name NUL password`.
fn plain_message(message: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(message).ok()?;
    let mut parts = text.split('\0');
    let (for_whom, name, password) = (parts.next()?, parts.next()?, parts.next()?);
    let sound = parts.next().is_none()
        && !name.is_empty()
        && !password.is_empty()
        // Nobody may log in for somebody else.
        && (for_whom.is_empty() || for_whom == name);
    sound.then(|| (name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_messages() {
        let some = |name: &str| Some((name.to_owned(), "p".to_owned()));
        assert_eq!(plain_message(b"\0alice\0p"), some("alice"));
        assert_eq!(plain_message(b"alice\0alice\0p"), some("alice"));
        for wrong in [
            &b""[..],
            b"alice",
            b"\0alice",
            b"\0alice\0",
            b"\0\0p",
            b"bob\0alice\0p",
            b"\0alice\0p\0",
            b"\0alice\0\xff",
        ] {
            assert_eq!(plain_message(wrong), None, "{wrong:?}");
        }
    }
}
