//! The door for clients of PostgreSQL: psql, psycopg, asyncpg, SQLAlchemy, JDBC.
//!
//! Version 3 of the protocol (PostgreSQL 16, chapter 55), with the simple and the extended
//! query protocol, cancelling, SCRAM-SHA-256 and TLS. `docs/postgres.md` says how clients
//! connect and what they find.
//!
//! Each connection is one [`Connection`](crate::Connection) with its own prepared statements
//! and portals, which live in its task and nowhere else. Rows go out as they are made; a
//! client that does not read stops its query, and one that leaves ends it.

mod cancel;
mod catalog;
mod client;
mod command;
mod cursor;
mod decode;
mod encode;
mod names;
mod numeric;
mod portal;
mod report;
mod run;
mod scram;
mod settings;
mod split;
mod startup;
mod text;
mod tls;
mod transaction;
mod types;
mod variables;
mod wire;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use mesh_enforcement::Logins;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::engine::Engine;
use cancel::Cancels;
use scram::Decoy;

use catalog::About;
pub(crate) use catalog::View;

/// Sockets that may be open beside the connections that are logged in: those that log in, and
/// requests to cancel.
const WAITING_ROOM: usize = 100;
/// How long to wait after a socket could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How the door is kept.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DoorOptions {
    /// Who may log in with which password. Without it everybody is believed to be who he says,
    /// which is allowed on loopback addresses only.
    pub logins: Option<Arc<dyn Logins>>,
    /// TLS for the clients that ask for it.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// The certificate of `tls` in DER, to which clients can bind their login.
    pub certificate: Option<Vec<u8>>,
    /// Connections at most.
    pub connections: usize,
    /// How long a client may take to log in.
    pub startup_timeout: Duration,
    /// How long a connection may do nothing, and how long a client may leave what it is sent
    /// unread.
    pub idle_timeout: Duration,
}

impl Default for DoorOptions {
    /// A hundred connections, half a minute to log in, eight hours to do nothing.
    fn default() -> Self {
        Self {
            logins: None,
            tls: None,
            certificate: None,
            connections: 100,
            startup_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(8 * 3600),
        }
    }
}

/// What all connections share.
struct Door {
    engine: Engine,
    base: Arc<catalog::Base>,
    options: DoorOptions,
    /// The hash of the certificate.
    end_point: Option<Vec<u8>>,
    acceptor: Option<tokio_rustls::TlsAcceptor>,
    decoy: Decoy,
    cancels: Cancels,
    places: Arc<Semaphore>,
}

/// Serves PostgreSQL's protocol on `listener` until `shutdown` completes, then ends all
/// connections.
///
/// # Errors
/// [`ErrorKind::FailedPrecondition`] where nobody would have to log in and the listener's
/// address is not a loopback one.
pub async fn serve_postgres(
    engine: Engine,
    listener: TcpListener,
    options: DoorOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<()> {
    let address = listener
        .local_addr()
        .map_err(|error| Error::internal("the listener has no address").because(error))?;
    if options.logins.is_none() && !address.ip().is_loopback() {
        return Err(Error::new(
            ErrorKind::FailedPrecondition,
            "without users anybody who reaches this address could read as anybody",
        )
        .with("address", address)
        .mend("name a file of users, or listen on a loopback address"));
    }
    let acceptor = options.tls.as_ref().map(|config| {
        let mut config = rustls::ServerConfig::clone(config);
        // Clients that begin with TLS at once tell by this what they want to speak.
        config.alpn_protocols = vec![startup::ALPN.to_vec()];
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
    });
    let door = Arc::new(Door {
        base: Arc::new(catalog::Base::new(engine.base_state())?),
        engine,
        end_point: options.certificate.as_deref().and_then(scram::end_point),
        acceptor,
        decoy: Decoy::new()?,
        cancels: Cancels::default(),
        places: Arc::new(Semaphore::new(options.connections)),
        options,
    });
    let sockets = Arc::new(Semaphore::new(door.options.connections + WAITING_ROOM));
    // Dropped at the end, and all connections with it.
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    tracing::info!(%address, logins = door.options.logins.is_some(), tls = door.options.tls.is_some(),
        "listening for clients of PostgreSQL");
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => return Ok(()),
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended
                    && error.is_panic()
                {
                    tracing::error!("a connection met a fault");
                }
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(cause = %error.kind(), "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // No room to say no in either.
        let Ok(room) = Arc::clone(&sockets).try_acquire_owned() else {
            continue;
        };
        let door = Arc::clone(&door);
        connections.spawn(async move {
            if let Err(error) = connection(&door, socket, peer).await {
                tracing::debug!(%peer, error = error.log_line(), "a connection broke off");
            }
            drop(room);
        });
    }
}

async fn connection(door: &Arc<Door>, socket: TcpStream, peer: SocketAddr) -> Result<()> {
    // Answers are small and waited for.
    socket.set_nodelay(true).ok();
    let started = tokio::time::timeout(door.options.startup_timeout, startup::start(door, socket));
    match started.await {
        Ok(Ok(Some(client))) => {
            tracing::info!(%peer, principal = %client.principal(), "a client of PostgreSQL logged in");
            client.serve().await
        }
        Ok(Ok(None)) => Ok(()),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::new(
            ErrorKind::Timeout,
            "a client took too long to log in",
        )),
    }
}
