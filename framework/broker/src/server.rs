//! Connections: frames in, responses out in the order of the requests.
//!
//! One request of a connection is worked on at a time, as in Kafka, except that a Produce
//! waiting for its fsync lets the next ones in. A response is written by a task of its own,
//! and the next request after a fetch waits until it is out, so that a slow client holds at
//! most one fetch's worth of memory and nobody else up.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures::future::BoxFuture;
use kafka_protocol::protocol::StrBytes;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use crate::api::{self, Outcome};
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
pub(crate) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
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
                shared.tasks.clone().spawn(async move {
                    let _open = Open(Arc::clone(&shared));
                    serve(&shared, stream, peer).await;
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

async fn serve(shared: &Arc<Shared>, stream: TcpStream, peer: SocketAddr) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set tcp_nodelay");
    }
    let caller = match stream.local_addr() {
        Ok(local) => caller(shared, local, peer),
        Err(error) => {
            tracing::debug!(%peer, %error, "connection lost");
            return;
        }
    };
    let (reading, writing) = stream.into_split();
    let (outgoing, queue) = mpsc::channel(PIPELINE);
    let writer = shared
        .tasks
        .spawn(write_responses(Arc::clone(shared), writing, queue, peer));
    if let Err(why) = read_requests(shared, reading, &caller, outgoing).await {
        shared.metrics.malformed_requests.add(1);
        tracing::warn!(%peer, why, "closing a connection");
    }
    if let Err(error) = writer.await {
        tracing::error!(%peer, %error, "a connection's writer failed");
    }
}

/// Where this client is told to connect to: the advertised address, or the one it used.
fn caller(shared: &Shared, local: SocketAddr, peer: SocketAddr) -> Caller {
    let (host, port) = match &shared.config.advertised {
        Some((host, port)) => (host.clone(), *port),
        None => {
            let address = match local.ip() {
                IpAddr::V6(address) => address.to_canonical(),
                address => address,
            };
            (address.to_string(), local.port())
        }
    };
    Caller {
        client_id: StrBytes::default(),
        client_host: StrBytes::from_string(format!("/{}", peer.ip().to_canonical())),
        host: StrBytes::from_string(host),
        port: i32::from(port),
    }
}

async fn read_requests(
    shared: &Arc<Shared>,
    mut socket: OwnedReadHalf,
    caller: &Caller,
    outgoing: mpsc::Sender<Outgoing>,
) -> Result<(), String> {
    let mut buffer = BytesMut::with_capacity(READ_CHUNK);
    loop {
        let frame = tokio::select! {
            frame = read_frame(&mut socket, &mut buffer, shared.config.max_request_bytes) => frame?,
            () = shared.stop.cancelled() => return Ok(()),
        };
        let Some(frame) = frame else { return Ok(()) };
        shared.metrics.bytes_in.add(frame.len() as u64 + 4);
        match api::answer(shared, caller, frame).await? {
            Outcome::Reply(frame) => {
                let (sent, written) = oneshot::channel();
                if outgoing.send(Outgoing::Ready(frame, sent)).await.is_err()
                    || written.await.is_err()
                {
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

/// The next request without its length; `None` when the client has gone.
async fn read_frame(
    socket: &mut OwnedReadHalf,
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
    mut socket: OwnedWriteHalf,
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
}
