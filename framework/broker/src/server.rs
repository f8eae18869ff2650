//! Listening: connections are accepted, shake hands and are served, each by a task.
//!
//! TLS handshakes and logins happen on the connection's own task and within a time limit,
//! so that nobody who is slow at them holds up others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::protocol::StrBytes;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;

use crate::api::Session;
use crate::connection::Connection;
use crate::listeners::Bound;
use crate::security::{Principal, certificate_principal};
use crate::shared::{Caller, Shared};

/// After an error of the listener, such as too many open files, it rests for so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the broker stops.
pub(crate) async fn accept(shared: Arc<Shared>, listener: Arc<Bound>, socket: TcpListener) {
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = shared.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let open = shared.metrics.connections.get();
                if open >= shared.config.max_connections as u64 {
                    shared.metrics.refused_connections.add(1);
                    tracing::warn!(%peer, open, "too many connections, closing a new one");
                    continue;
                }
                shared.metrics.connections.add(1);
                let shared = Arc::clone(&shared);
                let listener = Arc::clone(&listener);
                shared.tasks.clone().spawn(async move {
                    let _open = Open(Arc::clone(&shared));
                    serve(&shared, &listener, stream, peer).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Counts a connection as open until dropped, however its task ends.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.metrics.connections.subtract(1);
    }
}

async fn serve(shared: &Arc<Shared>, listener: &Bound, stream: TcpStream, peer: SocketAddr) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set tcp_nodelay");
    }
    let local = match stream.local_addr() {
        Ok(local) => local,
        Err(error) => {
            tracing::debug!(%peer, %error, "connection lost");
            return;
        }
    };
    let (host, port) = listener.advertised(local);
    let mut connection = Connection {
        shared: Arc::clone(shared),
        caller: Caller {
            client_id: StrBytes::default(),
            principal: Principal::anonymous(),
            peer_host: peer.ip().to_canonical().to_string().into(),
            host,
            port,
        },
        session: None,
        peer,
    };
    let protocol = listener.listener.protocol;
    if protocol.has_sasl() {
        connection.session = Some(Session::new(Arc::clone(&shared.logins)));
    }
    if !protocol.has_tls() {
        let (reading, writing) = stream.into_split();
        return connection.converse(reading, writing).await;
    }
    match shake_hands(shared, stream).await {
        Ok((stream, principal)) => {
            if let Some(principal) = principal {
                connection.caller.principal = principal;
            }
            let (reading, writing) = tokio::io::split(stream);
            connection.converse(reading, writing).await;
        }
        Err(why) => {
            shared.metrics.failed_authentications.add(1);
            tracing::info!(%peer, why, "a TLS handshake failed");
        }
    }
}

/// The TLS handshake; who the client's certificate says it is, if it has shown one.
async fn shake_hands(
    shared: &Shared,
    stream: TcpStream,
) -> Result<(TlsStream<TcpStream>, Option<Principal>), String> {
    let tls = shared.tls.as_ref().ok_or("TLS is not set up")?;
    let limit = shared.config.security.authentication_timeout;
    let stream = tokio::select! {
        shaken = tls.acceptor().accept(stream) => shaken.map_err(|error| error.to_string())?,
        () = tokio::time::sleep(limit) => return Err("it took too long".to_owned()),
        () = shared.stop.cancelled() => return Err("the broker stops".to_owned()),
    };
    let certificates = stream.get_ref().1.peer_certificates();
    let principal = match certificates.and_then(<[_]>::first) {
        None => None,
        Some(certificate) => {
            let principal = certificate_principal(certificate);
            let principal =
                principal.ok_or("the name in the client's certificate is unreadable")?;
            shared.metrics.successful_authentications.add(1);
            Some(principal)
        }
    };
    Ok((stream, principal))
}
