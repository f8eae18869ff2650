//! Connections: frames in, responses out in the order of the requests.
//!
//! One request of a connection is worked on at a time, as in Kafka, except that a Produce
//! waiting for its fsync lets the next ones in. A response is written by a task of its own,
//! and the next request after a fetch waits until it is out, so that a slow client holds at
//! most one fetch's worth of memory and nobody else up.
//!
//! TLS handshakes and logins happen on the connection's own task and within a time limit,
//! so that nobody who is slow at them holds up others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures::future::BoxFuture;
use kafka_protocol::protocol::StrBytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

use crate::api::{self, Outcome, Session, Step};
use crate::listeners::Bound;
use crate::security::{Principal, certificate_principal};
use crate::shared::{Caller, Shared};
use crate::wire::Frame;

/// Produce requests of one connection that may wait for their fsync together.
const PIPELINE: usize = 32;
/// How much is read from a socket at a time; larger frames get a buffer of their size.
const READ_CHUNK: usize = 64 * 1024;
/// After an error of the listener, such as too many open files, it rests for so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a client may take for its last response when the broker stops.
const LAST_WRITE: Duration = Duration::from_secs(2);

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

enum Outgoing {
    Ready(Frame, oneshot::Sender<()>),
    Later(BoxFuture<'static, Result<Frame, String>>),
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

/// A connection that is ready for requests.
struct Connection {
    shared: Arc<Shared>,
    caller: Caller,
    /// The login, where there is one to be made.
    session: Option<Session>,
    peer: SocketAddr,
}

impl Connection {
    async fn converse(
        mut self,
        reading: impl AsyncRead + Unpin,
        writing: impl AsyncWrite + Unpin + Send + 'static,
    ) {
        let (outgoing, queue) = mpsc::channel(PIPELINE);
        let peer = self.peer;
        let shared = Arc::clone(&self.shared);
        let writing = write_responses(Arc::clone(&shared), writing, queue, peer);
        let writer = shared.tasks.spawn(writing);
        if let Err(why) = self.read_requests(reading, outgoing).await {
            shared.metrics.malformed_requests.add(1);
            tracing::warn!(%peer, why, "closing a connection");
        }
        if let Err(error) = writer.await {
            tracing::error!(%peer, %error, "a connection's writer failed");
        }
    }

    async fn read_requests(
        &mut self,
        mut socket: impl AsyncRead + Unpin,
        outgoing: mpsc::Sender<Outgoing>,
    ) -> Result<(), String> {
        let shared = Arc::clone(&self.shared);
        let security = &shared.config.security;
        let login_until = Instant::now() + security.authentication_timeout;
        let mut buffer = BytesMut::with_capacity(READ_CHUNK);
        loop {
            let pending = self.session.as_ref().is_some_and(Session::is_pending);
            let limit = match pending {
                true => security
                    .max_unauthenticated_bytes
                    .min(shared.config.max_request_bytes),
                false => shared.config.max_request_bytes,
            };
            let frame = tokio::select! {
                frame = read_frame(&mut socket, &mut buffer, limit) => frame?,
                () = shared.stop.cancelled() => return Ok(()),
                () = tokio::time::sleep_until(login_until), if pending => {
                    shared.metrics.failed_authentications.add(1);
                    tracing::info!(peer = %self.peer, "a login took too long");
                    return Ok(());
                }
            };
            let Some(mut frame) = frame else {
                return Ok(());
            };
            shared.metrics.bytes_in.add(frame.len() as u64 + 4);
            if let Some(session) = &mut self.session {
                match session.take(&shared, frame).await {
                    Step::Pass(passed) => frame = passed,
                    Step::Answer(answer) => {
                        if let Some(principal) = session.principal() {
                            self.caller.principal = principal.clone();
                        }
                        if !send(&outgoing, answer).await {
                            return Ok(());
                        }
                        continue;
                    }
                    Step::Close(Some(answer), why) => {
                        send(&outgoing, answer).await;
                        tracing::info!(peer = %self.peer, why, "closing a connection");
                        return Ok(());
                    }
                    Step::Close(None, why) => return Err(why),
                }
            }
            match api::answer(&shared, &self.caller, frame).await? {
                Outcome::Reply(frame) => {
                    if !send(&outgoing, frame).await {
                        return Ok(());
                    }
                }
                Outcome::Later(response) => {
                    if outgoing.send(Outgoing::Later(response)).await.is_err() {
                        return Ok(());
                    }
                }
                Outcome::Nothing => {}
            }
        }
    }
}

/// Hands a response to the writer and waits until it is out; false when it cannot be sent.
async fn send(outgoing: &mpsc::Sender<Outgoing>, frame: Frame) -> bool {
    let (sent, written) = oneshot::channel();
    outgoing.send(Outgoing::Ready(frame, sent)).await.is_ok() && written.await.is_ok()
}

/// The next request without its length; `None` when the client has gone.
async fn read_frame(
    socket: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    limit: usize,
) -> Result<Option<Bytes>, String> {
    loop {
        if let Some(length) = buffer.get(..4) {
            let length = length
                .iter()
                .fold(0u32, |all, byte| (all << 8) | u32::from(*byte));
            let length = usize::try_from(length as i32)
                .ok()
                .filter(|length| *length <= limit)
                .ok_or_else(|| format!("a request of {} bytes is refused", length as i32))?;
            if buffer.len() >= 4 + length {
                buffer.advance(4);
                return Ok(Some(buffer.split_to(length).freeze()));
            }
            // Memory grows with what has really come, not with what was announced.
            let missing = 4 + length - buffer.len();
            buffer.reserve(missing.min(READ_CHUNK.max(2 * buffer.len())));
        } else {
            buffer.reserve(READ_CHUNK);
        }
        match socket.read_buf(buffer).await {
            Ok(0) if buffer.is_empty() => return Ok(None),
            Ok(0) => return Err("the connection ended within a request".to_owned()),
            Ok(_) => {}
            // A client that is killed is no fault of its requests.
            Err(_) => return Ok(None),
        }
    }
}

async fn write_responses(
    shared: Arc<Shared>,
    mut socket: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Outgoing>,
    peer: SocketAddr,
) {
    while let Some(outgoing) = queue.recv().await {
        let (frame, sent) = match outgoing {
            Outgoing::Ready(frame, sent) => (Ok(frame), Some(sent)),
            Outgoing::Later(response) => (response.await, None),
        };
        let frame = match frame {
            Ok(frame) => frame,
            Err(why) => {
                tracing::error!(%peer, why, "cannot encode a response");
                return;
            }
        };
        shared.metrics.bytes_out.add(frame.len() as u64);
        let too_late = async {
            shared.stop.cancelled().await;
            tokio::time::sleep(LAST_WRITE).await;
        };
        tokio::select! {
            written = frame.write_to(&mut socket) => if let Err(error) = written {
                tracing::debug!(%peer, %error, "connection lost");
                return;
            },
            () = too_late => {
                tracing::debug!(%peer, "the client does not read its last response");
                return;
            }
        }
        if let Some(sent) = sent {
            // The reader may have ended; then nobody waits.
            let _ = sent.send(());
        }
    }
    // TLS says goodbye; a client that has gone already is none the worse.
    match tokio::time::timeout(LAST_WRITE, socket.shutdown()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "connection lost"),
        Err(_) => tracing::debug!(%peer, "the client does not let the connection end"),
    }
}
