//! What a connection has yet to send: answers in the order of the requests, some of which
//! wait for an fsync. Those that are ready go out in one write.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures::future::BoxFuture;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::metrics::Counter;
use crate::wire::Frame;

/// Requests of one connection whose answers may wait together, for their fsync or for
/// being written.
const PIPELINE: usize = 32;
/// Bytes of answers that may wait while more requests are taken.
const WAITING_BYTES: usize = 64 * 1024;
/// Slices handed to the socket at once.
const MAX_SLICES: usize = 64;
/// How long a client may take for its last response when the broker stops.
pub(crate) const LAST_WRITE: Duration = Duration::from_secs(2);

/// An answer on its way.
enum Answer {
    Ready(Frame),
    Later(BoxFuture<'static, Result<Frame, String>>),
}

/// Why nothing more can be sent.
#[derive(Debug)]
pub(crate) enum Stuck {
    /// The client has gone.
    Gone(io::Error),
    /// The broker stops, and the client does not read.
    Slow,
    /// An answer cannot be encoded.
    Unsayable(String),
}

/// The answers of one connection that are not sent yet, and the socket they go to.
pub(crate) struct Outbox<'a, W> {
    socket: W,
    answers: VecDeque<Answer>,
    /// Bytes of the ready ones among `answers`.
    ready_bytes: usize,
    /// What is being written.
    parts: VecDeque<Bytes>,
    /// Whether the socket may hold back what it has taken, as TLS does.
    unflushed: bool,
    stop: &'a CancellationToken,
    sent: &'a Counter,
}

impl<'a, W: AsyncWrite + Unpin> Outbox<'a, W> {
    pub(crate) fn new(socket: W, stop: &'a CancellationToken, sent: &'a Counter) -> Self {
        Self {
            socket,
            answers: VecDeque::new(),
            ready_bytes: 0,
            parts: VecDeque::new(),
            unflushed: false,
            stop,
            sent,
        }
    }

    pub(crate) fn push(&mut self, frame: Frame) {
        self.ready_bytes += frame.len();
        self.answers.push_back(Answer::Ready(frame));
    }

    pub(crate) fn push_later(&mut self, answer: BoxFuture<'static, Result<Frame, String>>) {
        self.answers.push_back(Answer::Later(answer));
    }

    /// Whether everything has been sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.parts.is_empty() && !self.unflushed
    }

    /// Whether something must be sent before more requests are taken, so that a client that
    /// does not read holds no more memory than one answer needs.
    pub(crate) fn is_full(&self) -> bool {
        !self.parts.is_empty()
            || self.answers.len() >= PIPELINE
            || self.ready_bytes >= WAITING_BYTES
    }

    /// Sends some of what there is, waiting for the first answer if it is not ready. Nothing
    /// is lost when the future is dropped before its end.
    pub(crate) async fn advance(&mut self) -> Result<(), Stuck> {
        if self.parts.is_empty() && !self.unflushed {
            self.gather().await?;
        }
        while !self.parts.is_empty() {
            let written = self.write().await?;
            self.forget(written);
            self.unflushed = true;
        }
        if self.unflushed {
            let stop = self.stop;
            unless_too_late(stop, self.socket.flush()).await?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// Sends everything, then says goodbye.
    pub(crate) async fn close(mut self) -> Result<(), Stuck> {
        while !self.is_empty() {
            self.advance().await?;
        }
        match tokio::time::timeout(LAST_WRITE, self.socket.shutdown()).await {
            Ok(closed) => closed.map_err(Stuck::Gone),
            Err(_) => Err(Stuck::Slow),
        }
    }

    /// Takes the answers that are ready, the first in any case.
    async fn gather(&mut self) -> Result<(), Stuck> {
        while let Some(first) = self.answers.front_mut() {
            if let Answer::Later(later) = first {
                if !self.parts.is_empty() {
                    return Ok(());
                }
                let frame = later.await.map_err(Stuck::Unsayable)?;
                self.ready_bytes += frame.len();
                *first = Answer::Ready(frame);
            }
            if let Some(Answer::Ready(frame)) = self.answers.pop_front() {
                self.ready_bytes -= frame.len();
                self.sent.add(frame.len() as u64);
                self.parts.extend(frame.into_parts());
            }
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<usize, Stuck> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let count = self.parts.len().min(MAX_SLICES);
        for (slice, part) in slices.iter_mut().zip(&self.parts) {
            *slice = IoSlice::new(part);
        }
        let writing = self.socket.write_vectored(&slices[..count]);
        match unless_too_late(self.stop, writing).await? {
            0 => Err(Stuck::Gone(io::ErrorKind::WriteZero.into())),
            written => Ok(written),
        }
    }

    /// Drops what has been written, and with it the buffers that nothing else needs.
    fn forget(&mut self, mut written: usize) {
        while let Some(first) = self.parts.front_mut() {
            if first.len() > written {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.parts.pop_front();
        }
    }
}

/// Waits for the socket, but not for long once the broker stops.
async fn unless_too_late<T>(
    stop: &CancellationToken,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, Stuck> {
    let too_late = async {
        stop.cancelled().await;
        tokio::time::sleep(LAST_WRITE).await;
    };
    tokio::select! {
        biased;
        done = work => done.map_err(Stuck::Gone),
        () = too_late => Err(Stuck::Slow),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    /// Takes a few bytes a time, and counts the calls.
    #[derive(Default)]
    struct Narrow {
        taken: Vec<u8>,
        width: usize,
        writes: usize,
    }

    impl AsyncWrite for &mut Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let count = bytes.len().min(self.width);
            self.taken.extend_from_slice(&bytes[..count]);
            self.writes += 1;
            Poll::Ready(Ok(count))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let mut left = self.width;
            for slice in slices {
                let count = slice.len().min(left);
                self.taken.extend_from_slice(&slice[..count]);
                left -= count;
            }
            self.writes += 1;
            Poll::Ready(Ok(self.width - left))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn frame(text: &'static str) -> Frame {
        Frame::of(Bytes::from_static(text.as_bytes()))
    }

    fn wire(texts: &[&str]) -> Vec<u8> {
        let framed =
            |text: &&str| [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat();
        texts.iter().flat_map(framed).collect()
    }

    #[tokio::test]
    async fn ready_answers_go_out_in_one_write_and_in_order() {
        for width in [usize::MAX, 3] {
            let mut socket = Narrow {
                width,
                ..Narrow::default()
            };
            let (stop, sent) = (CancellationToken::new(), Counter::default());
            let mut outbox = Outbox::new(&mut socket, &stop, &sent);
            for text in ["one", "two", "three"] {
                outbox.push(frame(text));
            }
            outbox.advance().await.unwrap();
            assert!(outbox.is_empty());
            outbox.close().await.unwrap();
            let wanted = wire(&["one", "two", "three"]);
            assert_eq!(socket.taken, wanted);
            assert_eq!(sent.get(), wanted.len() as u64);
            if width == usize::MAX {
                assert_eq!(socket.writes, 1);
            }
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_not_ready_holds_back_those_behind_it_only() {
        let mut socket = Narrow {
            width: usize::MAX,
            ..Narrow::default()
        };
        let (stop, sent) = (CancellationToken::new(), Counter::default());
        let mut outbox = Outbox::new(&mut socket, &stop, &sent);
        let (durable, later) = oneshot::channel::<()>();
        outbox.push(frame("first"));
        outbox.push_later(Box::pin(async move {
            later.await.map_err(|error| error.to_string())?;
            Ok(frame("later"))
        }));
        outbox.push(frame("last"));
        outbox.advance().await.unwrap();
        // Dropped while it waits: nothing may be lost by that.
        assert!(outbox.advance().now_or_never().is_none());
        durable.send(()).unwrap();
        outbox.advance().await.unwrap();
        assert!(outbox.is_empty());
        drop(outbox);
        assert_eq!(socket.taken, wire(&["first", "later", "last"]));
        assert_eq!(socket.writes, 2);
    }

    #[tokio::test]
    async fn it_is_full_by_count_and_by_size() {
        let (stop, sent) = (CancellationToken::new(), Counter::default());
        let mut outbox = Outbox::new(tokio::io::sink(), &stop, &sent);
        for _ in 0..PIPELINE {
            assert!(!outbox.is_full());
            outbox.push(frame("x"));
        }
        assert!(outbox.is_full());
        outbox.advance().await.unwrap();
        assert!(!outbox.is_full() && outbox.is_empty());
        outbox.push(Frame::of(Bytes::from(vec![0; WAITING_BYTES])));
        assert!(outbox.is_full());
    }
}
