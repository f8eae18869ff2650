//! Who is connected, by the token that a login gave.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use datafusion::common::ScalarValue;
use mesh_core::{Error, ErrorKind, Principal, Purpose, Result};
use mesh_enforcement::{Logins, PRINCIPAL_HEADER, PURPOSE_HEADER};
use tokio::sync::Semaphore;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request};

use super::peer::Peer;
use super::shelf::{Shelf, secret};
use crate::basic::{AUTHORIZATION, name_and_password, wrong};
use crate::cancel::Cancel;
use crate::connection::Connection;
use crate::engine::Engine;
use crate::settings::Settings;

/// Sessions of one principal; the one that was left alone longest goes for another.
const MOST_SESSIONS: usize = 256;
/// Prepared statements of one session, and how long one is kept unused.
const MOST_PREPARED: usize = 256;
const PREPARED_LIFE: Duration = Duration::from_secs(3600);
/// Statements of one session that are planned and not fetched, and how long one is kept.
const MOST_TICKETS: usize = 256;
const TICKET_LIFE: Duration = Duration::from_secs(600);
/// Passwords that are verified at a time, which is made to cost time.
const VERIFYING: usize = 2;

/// One client that stays.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) prepared: Shelf<Arc<Prepared>>,
    pub(super) tickets: Shelf<Arc<Planned>>,
    running: Mutex<HashMap<Bytes, Cancel>>,
}

/// A statement to be run several times.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) sql: String,
    /// The columns of its answer; none for a command.
    pub(super) schema: Option<SchemaRef>,
    pub(super) bound: Mutex<Vec<ScalarValue>>,
}

/// A statement that is to run when its rows are fetched.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) sql: String,
    pub(super) parameters: Vec<ScalarValue>,
    /// What was set when it was planned.
    pub(super) settings: Settings,
    /// The columns that were promised.
    pub(super) schema: SchemaRef,
    /// Whether it is done already, as a command is.
    pub(super) done: bool,
}

impl Session {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            prepared: Shelf::new("prepared statements", MOST_PREPARED, PREPARED_LIFE),
            tickets: Shelf::new("tickets", MOST_TICKETS, TICKET_LIFE),
            running: Mutex::default(),
        }
    }

    /// Notes that the statement of `handle` runs, until what it gives is dropped.
    pub(super) fn running(self: &Arc<Self>, handle: Bytes) -> Running {
        let cancel = Cancel::new();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(handle.clone(), cancel.clone());
        Running {
            session: Arc::clone(self),
            handle,
            cancel,
        }
    }

    /// Ends what `handle` stands for, whether it runs or waits to. False if it does neither.
    pub(super) fn cancel(&self, handle: &Bytes) -> bool {
        if self.tickets.take(handle).is_some() {
            return true;
        }
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.get(handle) {
            Some(cancel) => {
                cancel.cancel();
                true
            }
            None => false,
        }
    }

    /// Ends all that runs.
    pub(super) fn cancel_all(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.values().for_each(Cancel::cancel);
    }
}

/// A statement that runs.
#[derive(Debug)]
pub(super) struct Running {
    session: Arc<Session>,
    handle: Bytes,
    pub(super) cancel: Cancel,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self
            .session
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.handle);
    }
}

/// A call of a client that is known.
pub(super) struct Call {
    pub(super) session: Arc<Session>,
    purpose: Option<Purpose>,
}

impl Call {
    /// What is set for this call: the session's settings, with the purpose of its header.
    pub(super) fn settings(&self) -> Settings {
        let mut settings = self.session.connection.settings();
        if let Some(purpose) = &self.purpose {
            settings.purpose = Some(purpose.clone());
        }
        settings
    }
}

/// The sessions of all clients that have logged in.
#[derive(Debug)]
pub(super) struct Sessions {
    engine: Engine,
    logins: Option<Arc<dyn Logins>>,
    life: Duration,
    verifying: Semaphore,
    /// By the hash of the token: whoever reads this memory cannot speak for anybody.
    known: Mutex<HashMap<[u8; 32], Known>>,
}

#[derive(Debug)]
struct Known {
    session: Arc<Session>,
    until: Instant,
}

impl Sessions {
    pub(super) fn new(engine: Engine, logins: Option<Arc<dyn Logins>>, life: Duration) -> Self {
        Self {
            engine,
            logins,
            life,
            verifying: Semaphore::new(VERIFYING),
            known: Mutex::default(),
        }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Begins a session of whoever the header names, and gives its token.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] if name or password is missing or wrong.
    pub(super) async fn login(&self, headers: &MetadataMap) -> Result<String> {
        let (name, password) = basic(headers)?;
        let principal: Principal = name.parse().map_err(|_| wrong())?;
        if let Some(logins) = &self.logins {
            let turn = self.verifying.acquire().await;
            let _turn = turn.map_err(|_| Error::internal("no password can be verified"))?;
            if !logins.verify(&name, &password).await? {
                tracing::warn!(principal = %principal, "login refused");
                return Err(wrong());
            }
        }
        let settings = Settings {
            purpose: one(headers, PURPOSE_HEADER)?,
            ..Settings::default()
        };
        let connection = self.engine.connect(principal.clone(), settings);
        let token = secret()?;
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| known.until > now);
        let own = |known: &Known| *known.session.connection.principal() == principal;
        if known.values().filter(|known| own(known)).count() >= MOST_SESSIONS {
            let idle = known
                .iter()
                .filter(|(_, known)| own(known))
                .min_by_key(|(_, known)| known.until)
                .map(|(hash, _)| *hash);
            idle.and_then(|hash| known.remove(&hash));
        }
        let until = now + self.life;
        let session = Arc::new(Session::new(connection));
        known.insert(hash(&token), Known { session, until });
        Ok(token)
    }

    /// Who calls.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] if that is not known.
    pub(super) fn call<T>(&self, request: &Request<T>) -> Result<Call> {
        let headers = request.metadata();
        let purpose = one(headers, PURPOSE_HEADER)?;
        let session = match bearer(headers)? {
            Some(token) => self.of_token(token)?,
            None => self.of_peer(headers, request.extensions())?,
        };
        Ok(Call { session, purpose })
    }

    fn of_token(&self, token: &str) -> Result<Arc<Session>> {
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known
            .get_mut(&hash(token))
            .filter(|known| known.until > now)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Unauthenticated,
                    "the session is not known, or has ended",
                )
                .mend("log in again")
            })?;
        known.until = now + self.life;
        Ok(Arc::clone(&known.session))
    }

    /// Where nobody logs in, the headers are believed, as at the HTTP door.
    fn of_peer(&self, headers: &MetadataMap, extensions: &Extensions) -> Result<Arc<Session>> {
        if self.logins.is_some() {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "the call does not carry the token of a session",
            )
            .mend(
                "log in with name and password (a handshake), and send `authorization: Bearer …`",
            ));
        }
        let principal: Principal = one(headers, PRINCIPAL_HEADER)?.ok_or_else(|| {
            Error::new(ErrorKind::Unauthenticated, "the call does not say who asks")
                .mend("log in with a name (a handshake), or send the header `mesh-principal: anna`")
        })?;
        peer(extensions)?.session(&principal, || {
            let connection = self.engine.connect(principal.clone(), Settings::default());
            Session::new(connection)
        })
    }

    /// Ends the session of the caller and all that runs in it.
    pub(super) fn close<T>(&self, request: &Request<T>) -> Result<()> {
        let call = self.call(request)?;
        match bearer(request.metadata())? {
            Some(token) => {
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.remove(&hash(token));
            }
            None => peer(request.extensions())?.end(call.session.connection.principal()),
        }
        call.session.cancel_all();
        Ok(())
    }
}

fn hash(token: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    bytes
}

fn peer(extensions: &Extensions) -> Result<&Peer> {
    extensions
        .get::<Peer>()
        .ok_or_else(|| Error::internal("a call without a connection"))
}

fn bearer(headers: &MetadataMap) -> Result<Option<&str>> {
    let Some(value) = text(headers, AUTHORIZATION)? else {
        return Ok(None);
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Error::new(
            ErrorKind::Unauthenticated,
            "the header `authorization` holds no token of a session",
        )
        .mend("log in with name and password (a handshake), and send the token that it gives")),
    }
}

/// Name and password of `authorization: Basic …`.
fn basic(headers: &MetadataMap) -> Result<(String, String)> {
    text(headers, AUTHORIZATION)?
        .and_then(name_and_password)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthenticated,
                "the handshake has no name and password",
            )
            .mend(
                "send `authorization: Basic …`, as Flight SQL clients do for a user and a password",
            )
        })
}

fn text<'a>(headers: &'a MetadataMap, name: &'static str) -> Result<Option<&'a str>> {
    let refuse = |message: &'static str| {
        Error::new(ErrorKind::Unauthenticated, message).with("header", name)
    };
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Two values mean that somebody between client and service added one: refuse to guess.
    if values.next().is_some() {
        return Err(refuse("a header of the call stands there twice"));
    }
    let value = value.to_str();
    value
        .map(Some)
        .map_err(|_| refuse("a header of the call is malformed"))
}

fn one<T: std::str::FromStr<Err = Error>>(
    headers: &MetadataMap,
    name: &'static str,
) -> Result<Option<T>> {
    let Some(value) = text(headers, name)? else {
        return Ok(None);
    };
    value.parse().map(Some).map_err(|_| {
        Error::new(
            ErrorKind::Unauthenticated,
            "a header of the call is malformed",
        )
        .with("header", name)
    })
}
