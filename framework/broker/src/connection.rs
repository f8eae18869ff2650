//! One connection: frames in, answers out in the order of the requests.
//!
//! One request of a connection is worked on at a time, as in Kafka, except that a Produce
//! waiting for its fsync lets the next ones in. All of it is one task: nothing is handed
//! from thread to thread. An answer goes out as soon as there is nothing to do at once;
//! those of small requests that came together go out together. No more requests are taken while a
//! large answer is being sent, so that a slow client holds at most one fetch's worth of
//! memory and nobody else up.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::Instant;

use crate::api::{self, Outcome, Session, Step};
use crate::outbox::{Outbox, Stuck};
use crate::shared::{Caller, Shared};

/// How much is read from a socket at a time; larger frames get a buffer of their size.
const READ_CHUNK: usize = 64 * 1024;
/// Up to this size a frame gets its buffer when its length is known, so that it is read
/// without being moved; a larger one gets more as more of it comes.
const TRUSTED_LEN: usize = (1 << 20) + READ_CHUNK;

/// Bytes of requests that are handled before their answers go out, though more is there:
/// for small ones the write costs more than the rest, for large ones the client shall go on
/// meanwhile.
const TOGETHER: usize = 16 * 1024;

/// A connection that is ready for requests.
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) caller: Caller,
    /// The login, where there is one to be made.
    pub(crate) session: Option<Session>,
    pub(crate) peer: SocketAddr,
}

/// Why a connection ends.
enum End {
    /// The client has closed it, or the broker stops.
    Over,
    /// The client has done what it may not.
    Refused(String),
    /// Nothing can be sent any more.
    Stuck(Stuck),
}

impl From<Stuck> for End {
    fn from(stuck: Stuck) -> Self {
        Self::Stuck(stuck)
    }
}

impl Connection {
    pub(crate) async fn converse(
        mut self,
        reading: impl AsyncRead + Unpin,
        writing: impl AsyncWrite + Unpin,
    ) {
        let shared = Arc::clone(&self.shared);
        let peer = self.peer;
        let mut outbox = Outbox::new(writing, &shared.stop, &shared.metrics.bytes_out);
        let end = match self.requests(reading, &mut outbox).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        let closed = match end {
            End::Stuck(stuck) => Err(stuck),
            End::Over => outbox.close().await,
            End::Refused(why) => {
                shared.metrics.malformed_requests.add(1);
                tracing::warn!(%peer, why, "closing a connection");
                outbox.close().await
            }
        };
        match closed {
            Ok(()) => {}
            Err(Stuck::Gone(error)) => tracing::debug!(%peer, %error, "connection lost"),
            Err(Stuck::Slow) => {
                tracing::debug!(%peer, "the client does not read its last response")
            }
            Err(Stuck::Unsayable(why)) => {
                tracing::error!(%peer, why, "cannot encode a response");
            }
        }
    }

    async fn requests<W: AsyncWrite + Unpin>(
        &mut self,
        mut socket: impl AsyncRead + Unpin,
        outbox: &mut Outbox<'_, W>,
    ) -> Result<std::convert::Infallible, End> {
        let shared = Arc::clone(&self.shared);
        let security = &shared.config.security;
        let login_until = Instant::now() + security.authentication_timeout;
        let mut buffer = BytesMut::with_capacity(READ_CHUNK);
        let mut stopped = pin!(shared.stop.cancelled());
        let mut handled = 0;
        loop {
            let pending = self.session.as_ref().is_some_and(Session::is_pending);
            let limit = match pending {
                true => security
                    .max_unauthenticated_bytes
                    .min(shared.config.max_request_bytes),
                false => shared.config.max_request_bytes,
            };
            let frame = loop {
                if !outbox.is_full()
                    && let Some(frame) = take_frame(&mut buffer, limit).map_err(End::Refused)?
                {
                    break frame;
                }
                tokio::select! {
                    biased;
                    () = &mut stopped => return Err(End::Over),
                    sent = outbox.advance(), if !outbox.is_empty() => {
                        sent?;
                        handled = 0;
                    }
                    more = read_more(&mut socket, &mut buffer), if !outbox.is_full() => more?,
                    () = tokio::time::sleep_until(login_until), if pending => {
                        shared.metrics.failed_authentications.add(1);
                        tracing::info!(peer = %self.peer, "a login took too long");
                        return Err(End::Over);
                    }
                }
            };
            shared.metrics.bytes_in.add(frame.len() as u64 + 4);
            handled += frame.len();
            let Some(frame) = self.log_in(&shared, frame, outbox).await? else {
                continue;
            };
            let mut watching = api::only_waits(&frame);
            let mut answering = pin!(api::answer(&shared, &self.caller, frame));
            let mut stuck = None;
            let outcome = loop {
                // A request that is being worked on is brought to its end, also when its
                // client has gone: no half of a transaction's end is left behind. One that
                // only waits is left when the client has sent nothing behind it and closed.
                tokio::select! {
                    biased;
                    outcome = &mut answering => break outcome,
                    sent = outbox.advance(), if stuck.is_none() && !outbox.is_empty() => {
                        stuck = sent.err();
                    }
                    more = read_more(&mut socket, &mut buffer), if watching => {
                        match more {
                            Err(end) if buffer.is_empty() => return Err(end),
                            more => watching = more.is_ok() && buffer.len() < READ_CHUNK,
                        }
                    }
                }
            };
            if let Some(stuck) = stuck {
                return Err(End::Stuck(stuck));
            }
            let outcome = outcome.map_err(End::Refused)?;
            let mut others_wait = false;
            match outcome {
                Outcome::Reply(frame) => outbox.push(frame),
                Outcome::Woke(frame) => {
                    outbox.push(frame);
                    others_wait = true;
                }
                Outcome::Later(answer) => outbox.push_later(answer),
                Outcome::Nothing => {}
            }
            if handled >= TOGETHER || others_wait {
                handled = 0;
                tokio::select! {
                    biased;
                    sent = outbox.advance() => sent?,
                    () = std::future::ready(()) => {}
                }
            }
            if others_wait && !buffer.is_empty() {
                step_aside().await;
            }
        }
    }

    /// Lets a login have its requests; gives back those that are none of its own.
    async fn log_in<W: AsyncWrite + Unpin>(
        &mut self,
        shared: &Arc<Shared>,
        frame: Bytes,
        outbox: &mut Outbox<'_, W>,
    ) -> Result<Option<Bytes>, End> {
        let Some(session) = &mut self.session else {
            return Ok(Some(frame));
        };
        match session.take(shared, frame).await {
            Step::Pass(passed) => Ok(Some(passed)),
            Step::Answer(answer) => {
                if let Some(principal) = session.principal() {
                    self.caller.principal = principal.clone();
                }
                outbox.push(answer);
                Ok(None)
            }
            Step::Close(Some(answer), why) => {
                outbox.push(answer);
                tracing::info!(peer = %self.peer, why, "closing a connection");
                Err(End::Over)
            }
            Step::Close(None, why) => Err(End::Refused(why)),
        }
    }
}

/// The next request without its length, if it is there to its end; makes room for what is
/// missing.
fn take_frame(buffer: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, String> {
    let Some(length) = buffer.first_chunk::<4>() else {
        buffer.reserve(READ_CHUNK);
        return Ok(None);
    };
    let length = i32::from_be_bytes(*length);
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= limit)
        .ok_or_else(|| format!("a request of {length} bytes is refused"))?;
    if buffer.len() >= 4 + length {
        buffer.advance(4);
        return Ok(Some(buffer.split_to(length).freeze()));
    }
    // Memory grows with what has really come, not with what was announced.
    let missing = 4 + length - buffer.len();
    buffer.reserve(missing.min(TRUSTED_LEN.max(2 * buffer.len())));
    Ok(None)
}

/// Lets another thread go on with this task, since a task that it has woken runs on this
/// thread next and on no other. (Tokio's `yield_now` would keep the task on this thread.)
async fn step_aside() {
    let mut first = true;
    std::future::poll_fn(|context| {
        if !std::mem::take(&mut first) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Reads what has come. Nothing is lost when the future is dropped before its end.
async fn read_more(
    socket: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<(), End> {
    match socket.read_buf(buffer).await {
        Ok(0) if buffer.is_empty() => Err(End::Over),
        Ok(0) => Err(End::Refused(
            "the connection ended within a request".to_owned(),
        )),
        Ok(_) => Ok(()),
        // A client that is killed is no fault of its requests.
        Err(_) => Err(End::Over),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn frames_are_taken_whole_and_without_being_moved() {
        let mut buffer = BytesMut::with_capacity(READ_CHUNK);
        buffer.extend_from_slice(&[0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 8, 0]);
        assert_eq!(take_frame(&mut buffer, 10).unwrap().unwrap()[..], [7, 8]);
        assert_eq!(take_frame(&mut buffer, 10).unwrap().unwrap().len(), 0);
        buffer.extend_from_slice(&[0]);
        let at = buffer.as_ptr();
        assert_eq!(take_frame(&mut buffer, 1 << 20).unwrap(), None);
        // 0x80000 bytes are announced: from now on they are read where they will stay.
        let roomy = buffer.as_ptr();
        assert!(at == roomy || buffer.capacity() >= 4 + 0x80000);
        buffer.extend_from_slice(&vec![1; 0x80000 - 1]);
        assert_eq!(take_frame(&mut buffer, 1 << 20).unwrap(), None);
        buffer.extend_from_slice(&[2]);
        assert_eq!(buffer.as_ptr(), roomy);
        let frame = take_frame(&mut buffer, 1 << 20).unwrap().unwrap();
        assert_eq!(
            (frame.len(), frame.as_ptr() as usize),
            (0x80000, roomy as usize + 4)
        );
        buffer.extend_from_slice(&[0, 0, 0, 11]);
        assert!(take_frame(&mut buffer, 10).is_err());
        let mut buffer = BytesMut::from(&[0xff, 0xff, 0xff, 0xff][..]);
        assert!(take_frame(&mut buffer, 10).is_err());
    }
}
