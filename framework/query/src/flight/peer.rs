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
use tonic::transport::server::Connected;

use super::sessions::Session;

/// Principals that one connection may speak for, where nobody logs in.
const MOST_PRINCIPALS: usize = 64;
/// How long to wait when no connection can be taken, as when there are no file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

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
    socket: TcpStream,
    peer: Peer,
}

/// The connections that come to `listener`. One that fails to come ends nothing.
pub(super) fn incoming(listener: TcpListener) -> impl Stream<Item = io::Result<Wire>> {
    stream::unfold(listener, |listener| async move {
        loop {
            match listener.accept().await {
                Ok((socket, _)) => {
                    // Small messages go back and forth; waiting to fill packets slows them.
                    if let Err(error) = socket.set_nodelay(true) {
                        tracing::debug!(cause = %error.kind(), "a connection went away");
                        continue;
                    }
                    let peer = Peer::default();
                    return Some((Ok(Wire { socket, peer }), listener));
                }
                Err(error) => {
                    tracing::warn!(cause = %error.kind(), "a connection cannot be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    })
}

impl Connected for Wire {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
