//! The Flight SQL door: SQL over gRPC, with rows as Arrow.
//!
//! Whoever logs in gets a token that stands for a session: a [`Connection`](crate::Connection)
//! with its settings, prepared statements and planned statements, none of which another
//! session can reach. A statement is planned when it is asked for and runs when its rows are
//! fetched, once for each time it was planned. Dropping the call ends it.

mod actions;
mod door;
mod facts;
mod metadata;
mod peer;
mod plan;
mod service;
mod sessions;
mod shelf;
mod status;
mod tls;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use mesh_core::{Error, ErrorKind, Result};
use mesh_enforcement::Logins;
use tokio::net::TcpListener;
use tonic::transport::Server;

use crate::engine::Engine;
use door::Door;
use service::Service;
use sessions::Sessions;

/// Bytes of one message of a client: a statement, or its parameters.
const MAX_MESSAGE: usize = 4 << 20;
/// How often a silent client is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How the Flight SQL door is kept. The default is one without logins, for the own machine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FlightOptions {
    /// Who may log in. Without logins clients are believed who they are, which is allowed on
    /// the loopback address alone.
    pub logins: Option<Arc<dyn Logins>>,
    /// What the door shows for TLS; needed where passwords come from other machines.
    pub tls: Option<FlightTls>,
    /// How long a session stays that is not used.
    pub session_life: Duration,
}

impl Default for FlightOptions {
    fn default() -> Self {
        Self {
            logins: None,
            tls: None,
            session_life: Duration::from_secs(3600),
        }
    }
}

/// A certificate with its chain and its key, both in PEM.
#[derive(Clone)]
pub struct FlightTls {
    /// The certificate, and those that vouch for it.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
}

impl fmt::Debug for FlightTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlightTls").finish_non_exhaustive()
    }
}

/// Serves Flight SQL at `listener` until `shutdown`.
///
/// # Errors
/// [`ErrorKind::PermissionDenied`] if other machines could come in without a login, or
/// would send passwords that others can read; [`ErrorKind::InvalidInput`] for a certificate
/// or key that cannot be used.
pub async fn serve_flight(
    engine: Engine,
    listener: TcpListener,
    options: FlightOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<()> {
    let address = listener
        .local_addr()
        .map_err(|error| Error::internal("a listener has no address").because(error))?;
    safe(address, &options)?;
    let tls = options.tls.as_ref().map(tls::acceptor).transpose()?;
    let sessions = Arc::new(Sessions::new(engine, options.logins, options.session_life));
    let service =
        FlightServiceServer::new(Door(Service { sessions })).max_decoding_message_size(MAX_MESSAGE);
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .add_service(service)
        .serve_with_incoming_shutdown(peer::incoming(listener, tls), shutdown)
        .await
        .map_err(|error| Error::internal("the Flight SQL server failed").because(error))
}

fn safe(address: SocketAddr, options: &FlightOptions) -> Result<()> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let refuse = |message: &'static str, mend: &'static str| {
        let error = Error::new(ErrorKind::PermissionDenied, message);
        Err(error.with("address", address).mend(mend))
    };
    if options.logins.is_none() {
        return refuse(
            "Flight SQL would let anybody in from other machines",
            "say who may log in, or listen on 127.0.0.1",
        );
    }
    if options.tls.is_none() {
        return refuse(
            "passwords for Flight SQL would cross the network readable",
            "give a certificate and its key, or listen on 127.0.0.1",
        );
    }
    Ok(())
}
