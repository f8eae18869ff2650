//! How a connection begins: encryption, the client's wishes, who it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use mesh_core::{Error, ErrorKind, Principal, Result};
use pgwire::messages::PgWireBackendMessage as Out;
use pgwire::messages::startup::{Authentication, NegotiateProtocolVersion};
use tokio::net::TcpStream;

use super::Door;
use super::client::Client;
use super::report::Failure;
use super::scram::{Channel, Exchange, PLAIN, PLUS};
use super::wire::{Io, Reader, SMALL, Wire, malformed};
use crate::provider::CATALOG;

/// What a client that begins with TLS at once names in its hello.
pub(super) const ALPN: &[u8] = b"postgresql";
/// The first byte of TLS.
const TLS_HANDSHAKE: u8 = 0x16;

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;
const VERSION_3: u32 = 3 << 16;

/// What a client says at the start.
pub(super) struct Wishes {
    pub(super) user: String,
    pub(super) principal: Principal,
    /// Settings by their names.
    pub(super) settings: Vec<(String, String)>,
}

/// Brings a connection to where it can ask; nothing for one that had nothing to ask or was
/// refused, and knows why.
pub(super) async fn start(door: &Arc<Door>, socket: TcpStream) -> Result<Option<Client>> {
    let mut first = [0];
    let direct =
        socket.peek(&mut first).await.is_ok_and(|read| read == 1) && first == [TLS_HANDSHAKE];
    let mut secure = false;
    let mut wire = match (direct, &door.acceptor) {
        (true, Some(_)) => {
            secure = true;
            Wire::new(encrypted(door, Box::new(socket), true).await?)
        }
        _ => Wire::new(Box::new(socket)),
    };
    loop {
        let Some(mut message) = wire.next_startup().await? else {
            return Ok(None);
        };
        match message.try_get_u32().map_err(|_| malformed())? {
            SSL if !secure => {
                let Some(_) = &door.acceptor else {
                    wire.push_byte(b'N');
                    wire.flush().await?;
                    continue;
                };
                wire.push_byte(b'S');
                wire.flush().await?;
                let io = wire.into_io().ok_or_else(malformed)?;
                wire = Wire::new(encrypted(door, io, false).await?);
                secure = true;
            }
            GSS => {
                wire.push_byte(b'N');
                wire.flush().await?;
            }
            CANCEL => {
                let key = (message.try_get_i32(), message.try_get_i32());
                if let (Ok(pid), Ok(secret)) = key {
                    door.cancels.request(pid, secret);
                }
                return Ok(None);
            }
            version if version >> 16 == 3 => {
                return match begin(door, &mut wire, version, message, secure).await {
                    Ok(wishes) => Client::enter(door, wire, wishes).await,
                    Err(failure) => refuse(&mut wire, &failure).await.map(|()| None),
                };
            }
            _ => {
                let failure = Failure::new("0A000", "the server speaks version 3 of the protocol");
                return refuse(&mut wire, &failure).await.map(|()| None);
            }
        }
    }
}

/// Says why the connection ends.
pub(super) async fn refuse(wire: &mut Wire, failure: &Failure) -> Result<()> {
    wire.push(&failure.message("FATAL"))?;
    wire.flush().await?;
    wire.close().await
}

async fn encrypted(door: &Door, io: Box<dyn Io>, direct: bool) -> Result<Box<dyn Io>> {
    let broken = |error: std::io::Error| {
        Error::new(ErrorKind::Unauthenticated, "the TLS handshake failed").because(error)
    };
    let acceptor = door
        .acceptor
        .as_ref()
        .ok_or_else(|| Error::internal("there is no TLS here"))?;
    let stream = acceptor.accept(io).await.map_err(broken)?;
    // Without it, a browser could be made to speak to us.
    if direct && stream.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(Error::new(
            ErrorKind::Unauthenticated,
            "a client begins with TLS and does not say for what",
        ));
    }
    Ok(Box::new(stream))
}

/// Reads the wishes and finds out who it is.
async fn begin(
    door: &Door,
    wire: &mut Wire,
    version: u32,
    message: Bytes,
    secure: bool,
) -> Result<Wishes, Failure> {
    let mut parameters = parameters(message)?;
    let unknown: Vec<String> = parameters
        .extract_if(.., |name, _| name.starts_with("_pq_."))
        .map(|(name, _)| name)
        .collect();
    if version != VERSION_3 || !unknown.is_empty() {
        let newest = VERSION_3.cast_signed();
        wire.push(&Out::NegotiateProtocolVersion(
            NegotiateProtocolVersion::new(newest, unknown),
        ))?;
    }
    let user = parameters
        .remove("user")
        .filter(|user| !user.is_empty())
        .ok_or_else(|| Failure::new("28000", "no user name was given"))?;
    if parameters
        .remove("replication")
        .is_some_and(|value| value != "false")
    {
        return Err(Failure::new("0A000", "there is no replication here"));
    }
    if door.options.logins.is_some() {
        log_in(door, wire, &user, secure).await?;
    }
    // A principal is told of after the login, like the database.
    let principal = user.parse::<Principal>().map_err(|error| Failure {
        state: "28000",
        error,
    })?;
    wire.push(&Out::Authentication(Authentication::Ok))?;
    let database = parameters
        .remove("database")
        .unwrap_or_else(|| user.clone());
    if database != CATALOG {
        let database: String = database.chars().take(64).collect();
        let failure = Failure::new("3D000", format!("database \"{database}\" does not exist"));
        return Err(failure.mend(format!("the one database is `{CATALOG}`")));
    }
    let mut settings = match parameters.remove("options") {
        Some(options) => parse_options(&options)?,
        None => Vec::new(),
    };
    settings.extend(parameters);
    Ok(Wishes {
        user,
        principal,
        settings,
    })
}

fn parameters(message: Bytes) -> Result<BTreeMap<String, String>> {
    let mut reader = Reader(message);
    let mut parameters = BTreeMap::new();
    loop {
        let name = reader.text()?;
        if name.is_empty() {
            return Ok(parameters);
        }
        parameters.insert(name, reader.text()?);
    }
}

/// `-c name=value`, `--name=value`; a backslash keeps the space or backslash after it.
fn parse_options(options: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut words = vec![String::new()];
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => words
                .last_mut()
                .into_iter()
                .for_each(|word| word.extend(characters.next())),
            character if character.is_whitespace() => words.push(String::new()),
            character => words
                .last_mut()
                .into_iter()
                .for_each(|word| word.push(character)),
        }
    }
    let wrong = || {
        Failure::new("22023", "the start-up parameter `options` cannot be read")
            .mend("write it as `-c name=value`")
    };
    let mut settings = Vec::new();
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") if word == "-c" => words.next().ok_or_else(wrong)?,
            Some(setting) => setting.to_owned(),
            None => return Err(wrong()),
        };
        let (name, value) = setting.split_once('=').ok_or_else(wrong)?;
        // As in PostgreSQL, a hyphen stands for an underscore in `--statement-timeout`.
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

/// SCRAM with the secret of the user, or with one that nobody can know.
async fn log_in(door: &Door, wire: &mut Wire, user: &str, secure: bool) -> Result<(), Failure> {
    let wrong = || {
        let user: String = user.chars().take(64).collect();
        Failure {
            state: "28P01",
            error: Error::new(
                ErrorKind::Unauthenticated,
                format!("password authentication failed for user \"{user}\""),
            ),
        }
    };
    let Some(logins) = &door.options.logins else {
        return Err(wrong());
    };
    let certificate = door.end_point.as_deref().filter(|_| secure);
    let mut mechanisms = vec![PLAIN.to_owned()];
    if certificate.is_some() {
        mechanisms.insert(0, PLUS.to_owned());
    }
    wire.push(&Out::Authentication(Authentication::SASL(mechanisms)))?;
    wire.flush().await?;

    let mut reader = Reader(answer(wire).await?);
    let mechanism = reader.text()?;
    let first = reader.value()?.ok_or_else(malformed)?;
    let known = logins.scram_secret(user).await.map_err(|error| {
        tracing::error!(
            error = error.log_line(),
            "the users cannot be read, so nobody gets in"
        );
        Error::unavailable("the users cannot be read now, so nobody can log in")
    })?;
    let known_user = known.is_some();
    let secret = known.unwrap_or_else(|| door.decoy.secret(user));
    let channel = Channel {
        mechanism: &mechanism,
        certificate,
    };
    let exchange = Exchange::begin(&first, secret, channel)?;
    let challenge = Bytes::copy_from_slice(exchange.challenge().as_bytes());
    wire.push(&Out::Authentication(Authentication::SASLContinue(
        challenge,
    )))?;
    wire.flush().await?;

    let proof = answer(wire).await?;
    let last = exchange.finish(&proof).filter(|_| known_user);
    let Some(last) = last else {
        let user: String = user.chars().take(64).collect();
        tracing::warn!(user, "a login to SQL failed");
        return Err(wrong());
    };
    wire.push(&Out::Authentication(Authentication::SASLFinal(last.into())))?;
    Ok(())
}

/// The client's next message of the login.
async fn answer(wire: &mut Wire) -> Result<Bytes> {
    match wire.next(SMALL).await? {
        Some((b'p', body)) => Ok(body),
        Some(_) => Err(malformed()),
        None => Err(Error::unavailable("the client left while it logged in")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn options_are_read_as_postgres_reads_them() {
        let options = |text| parse_options(text).map_err(|failure| failure.state);
        let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert_eq!(options("").unwrap(), []);
        assert_eq!(options("-c a.b=c").unwrap(), one("a.b", "c"));
        assert_eq!(options("-ca=b").unwrap(), one("a", "b"));
        assert_eq!(
            options("--statement-timeout=5s").unwrap(),
            one("statement_timeout", "5s")
        );
        assert_eq!(options("-c a=b\\ c\\\\").unwrap(), one("a", "b c\\"));
        assert_eq!(
            options(" -c a=b  -c c=d ").unwrap(),
            [one("a", "b"), one("c", "d")].concat()
        );
        for bad in ["-c", "-c a", "a=b", "-x a=b"] {
            assert_eq!(options(bad).unwrap_err(), "22023", "{bad}");
        }
    }
}
