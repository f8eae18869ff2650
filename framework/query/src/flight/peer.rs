//! The connections of clients.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Stream, stream};
use mesh_core::{Error, ErrorKind, Principal, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::sessions::Session;

/// Principals that one connection may speak for, where nobody logs in.
const MOST_PRINCIPALS: usize = 64;
/// How long to wait when no connection can be taken, as when there are no file descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a client may take to speak TLS, and how many may do so at a time.
const GREETING: Duration = Duration::from_secs(10);
const MOST_GREETING: usize = 64;

/// One connection. It holds the sessions of those who did not log in, which end with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Peer {
    sessions: Arc<Mutex<HashMap<Principal, Arc<Session>>>>,
}

impl Peer {
    /// The session of `principal` on this connection, made with `make` the first time.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceExhausted`] if the connection speaks for too many principals.
    pub(super) fn session(
        &self,
        principal: &Principal,
        make: impl FnOnce() -> Session,
    ) -> Result<Arc<Session>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get(principal) {
            return Ok(Arc::clone(session));
        }
        if sessions.len() >= MOST_PRINCIPALS {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                "the connection speaks for too many principals",
            )
            .with("most", MOST_PRINCIPALS)
            .mend("open another connection"));
        }
        let session = Arc::new(make());
        sessions.insert(principal.clone(), Arc::clone(&session));
        Ok(session)
    }

    /// Ends the session of `principal`.
    pub(super) fn end(&self, principal: &Principal) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(principal);
    }
}

/// A socket that knows its [`Peer`].
pub(super) struct Wire {
    socket: Socket,
    peer: Peer,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The connections that come to `listener`, once they speak TLS if that is asked for. One
/// that fails to come ends nothing, and one that takes long keeps no other waiting.
pub(super) fn incoming(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
) -> impl Stream<Item = io::Result<Wire>> {
    let (ready, wires) = mpsc::channel(1);
    tokio::spawn(accept(listener, tls, ready));
    stream::unfold(wires, |mut wires| async move {
        let socket = wires.recv().await?;
        let peer = Peer::default();
        Some((Ok(Wire { socket, peer }), wires))
    })
}

/// Takes connections until nobody wants them.
async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, ready: mpsc::Sender<Socket>) {
    let greeting = Arc::new(Semaphore::new(MOST_GREETING));
    loop {
        let accepted = tokio::select! {
            () = ready.closed() => return,
            accepted = listener.accept() => accepted,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::warn!(cause = %error.kind(), "a connection cannot be taken");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Small messages go back and forth; waiting to fill packets slows them.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(cause = %error.kind(), "a connection went away");
            continue;
        }
        let Some(tls) = &tls else {
            // If it fails, nobody wants connections any more.
            ready.send(Socket::Plain(socket)).await.ok();
            continue;
        };
        let Ok(turn) = Arc::clone(&greeting).acquire_owned().await else {
            return;
        };
        let (greeted, ready) = (tls.accept(socket), ready.clone());
        tokio::spawn(async move {
            let greeted = tokio::time::timeout(GREETING, greeted).await;
            drop(turn);
            match greeted {
                Ok(Ok(socket)) => {
                    ready.send(Socket::Tls(Box::new(socket))).await.ok();
                }
                Ok(Err(error)) => tracing::debug!(cause = %error.kind(), "no TLS was spoken"),
                Err(_) => tracing::debug!("a client was too slow to speak TLS"),
            }
        });
    }
}

impl Connected for Wire {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

/// Does the same with either kind of socket.
macro_rules! either {
    ($wire:ident, $socket:ident => $does:expr) => {
        match &mut $wire.socket {
            Socket::Plain(socket) => {
                let $socket = Pin::new(socket);
                $does
            }
            Socket::Tls(socket) => {
                let $socket = Pin::new(socket.as_mut());
                $does
            }
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, socket => socket.poll_read(context, buffer))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, socket => socket.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, socket => socket.poll_write_vectored(context, parts))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(socket) => socket.is_write_vectored(),
            Socket::Tls(socket) => socket.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, socket => socket.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, socket => socket.poll_shutdown(context))
    }
}
