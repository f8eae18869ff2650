//! Messages in and out of a connection (PostgreSQL 16, 55.7).
//!
//! What comes is read here, and not with pgwire's decoders: those panic on a message that is
//! shorter than it says. What goes out is written with pgwire's messages.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mesh_core::{Error, Result};
use pgwire::messages::PgWireBackendMessage;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest message of a client that has not logged in.
pub(super) const SMALL: usize = 10_000;
/// The longest message of one that has: statements are 128 KiB at most, and parameters may be
/// long texts.
pub(super) const LARGE: usize = 16 << 20;
/// Room for what is read at once.
const READ: usize = 8 << 10;
/// Bytes that are gathered before they are sent.
const CHUNK: usize = 64 << 10;

/// A socket, with TLS or without.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// One connection's bytes.
pub(super) struct Wire {
    io: Box<dyn Io>,
    input: BytesMut,
    output: BytesMut,
}

/// What a client says once it has logged in. A name that is empty means the unnamed one.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    Query(String),
    Parse {
        name: String,
        sql: String,
        types: Vec<u32>,
    },
    Bind(Bind),
    Describe(Target, String),
    Execute {
        portal: String,
        max_rows: i32,
    },
    Close(Target, String),
    Flush,
    Sync,
    Terminate,
    /// Data of a COPY that was refused, which clients may have sent already.
    Copy,
    /// A function call or an answer to a password that nobody asked for.
    Other(u8),
}

#[derive(Debug, PartialEq)]
pub(super) struct Bind {
    pub(super) portal: String,
    pub(super) statement: String,
    pub(super) formats: Vec<i16>,
    pub(super) values: Vec<Option<Bytes>>,
    pub(super) result_formats: Vec<i16>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target {
    Statement,
    Portal,
}

impl Wire {
    pub(super) fn new(io: Box<dyn Io>) -> Self {
        Self {
            io,
            input: BytesMut::new(),
            output: BytesMut::new(),
        }
    }

    /// Takes the socket out again, to put TLS over it; nothing for one where the client has
    /// sent more than the request for it, which somebody in between may have slipped in.
    pub(super) fn into_io(self) -> Option<Box<dyn Io>> {
        self.input.is_empty().then_some(self.io)
    }

    /// The next message with its first byte, without its length; nothing once the client has
    /// closed. May be dropped and called again without a loss.
    pub(super) async fn next(&mut self, most: usize) -> Result<Option<(u8, Bytes)>> {
        loop {
            if let Some(message) = self.take(most)? {
                return Ok(Some(message));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// The next message of those that have no first byte.
    pub(super) async fn next_startup(&mut self) -> Result<Option<Bytes>> {
        loop {
            if self.input.len() >= 4 {
                let length = (&self.input[..4]).get_u32() as usize;
                if !(8..=SMALL).contains(&length) {
                    return Err(malformed());
                }
                if self.input.len() >= length {
                    let mut message = self.input.split_to(length);
                    message.advance(4);
                    return Ok(Some(message.freeze()));
                }
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    fn take(&mut self, most: usize) -> Result<Option<(u8, Bytes)>> {
        if self.input.len() < 5 {
            return Ok(None);
        }
        let length = (&self.input[1..5]).get_u32() as usize;
        if !(4..=most).contains(&length) {
            return Err(malformed());
        }
        if self.input.len() < length + 1 {
            return Ok(None);
        }
        let mut message = self.input.split_to(length + 1);
        let first = message.get_u8();
        message.advance(4);
        Ok(Some((first, message.freeze())))
    }

    /// Waits for bytes; false when there will be none.
    async fn fill(&mut self) -> Result<bool> {
        self.input.reserve(READ);
        let read = self.io.read_buf(&mut self.input).await.map_err(gone)?;
        Ok(read > 0)
    }

    /// Completes when the client has gone; reads ahead what it sends meanwhile, up to a limit.
    pub(super) async fn gone(&mut self) {
        while self.input.len() < LARGE {
            if !self.fill().await.unwrap_or(false) {
                return;
            }
        }
        std::future::pending().await
    }

    pub(super) fn push(&mut self, message: &PgWireBackendMessage) -> Result<()> {
        message.encode(&mut self.output).map_err(|error| {
            Error::internal("a message of the protocol cannot be written").because(error)
        })
    }

    /// One byte, as an answer to a request for encryption.
    pub(super) fn push_byte(&mut self, byte: u8) {
        self.output.put_u8(byte);
    }

    /// Where rows are written.
    pub(super) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Whether enough was gathered to be sent.
    pub(super) fn is_full(&self) -> bool {
        self.output.len() >= CHUNK
    }

    pub(super) async fn flush(&mut self) -> Result<()> {
        // `write_all_buf` may be dropped half way: what was written is gone from the buffer.
        self.io
            .write_all_buf(&mut self.output)
            .await
            .map_err(gone)?;
        self.io.flush().await.map_err(gone)
    }

    /// Says that nothing more comes, as TLS wants it.
    pub(super) async fn close(&mut self) -> Result<()> {
        self.io.shutdown().await.map_err(gone)
    }
}

fn gone(error: std::io::Error) -> Error {
    Error::unavailable("the client's connection broke").because(error)
}

pub(super) fn malformed() -> Error {
    Error::invalid("a message of the client is not well formed")
}

impl Message {
    /// Reads a message of a client that has logged in.
    ///
    /// # Errors
    /// For one that is shorter or longer than its parts.
    pub(super) fn parse(first: u8, body: Bytes) -> Result<Self> {
        let mut body = Reader(body);
        let message = match first {
            b'Q' => Self::Query(body.text()?),
            b'P' => Self::Parse {
                name: body.text()?,
                sql: body.text()?,
                types: body.list(4, |body| body.u32())?,
            },
            b'B' => Self::Bind(Bind {
                portal: body.text()?,
                statement: body.text()?,
                formats: body.list(2, |body| body.i16())?,
                values: body.list(4, |body| body.value())?,
                result_formats: body.list(2, |body| body.i16())?,
            }),
            b'D' => Self::Describe(body.target()?, body.text()?),
            b'E' => Self::Execute {
                portal: body.text()?,
                max_rows: body.u32()?.cast_signed(),
            },
            b'C' => Self::Close(body.target()?, body.text()?),
            b'H' => Self::Flush,
            b'S' => Self::Sync,
            b'X' => Self::Terminate,
            b'd' | b'c' | b'f' => return Ok(Self::Copy),
            other => return Ok(Self::Other(other)),
        };
        match body.0.is_empty() {
            true => Ok(message),
            false => Err(malformed()),
        }
    }
}

/// Reads parts of a message, and never past its end.
pub(super) struct Reader(pub(super) Bytes);

impl Reader {
    pub(super) fn text(&mut self) -> Result<String> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = self.0.split_to(end.ok_or_else(malformed)?);
        self.0.advance(1);
        String::from_utf8(text.into()).map_err(|_| {
            Error::invalid("a text of the client is not UTF-8")
                .mend("send UTF-8, the only encoding of this server")
        })
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.0.try_get_u32().map_err(|_| malformed())
    }

    fn i16(&mut self) -> Result<i16> {
        self.0.try_get_i16().map_err(|_| malformed())
    }

    pub(super) fn value(&mut self) -> Result<Option<Bytes>> {
        let length = self.u32()?.cast_signed();
        let Ok(length) = usize::try_from(length) else {
            return Ok(None);
        };
        match length <= self.0.len() {
            true => Ok(Some(self.0.split_to(length))),
            false => Err(malformed()),
        }
    }

    fn target(&mut self) -> Result<Target> {
        match self.0.try_get_u8() {
            Ok(b'S') => Ok(Target::Statement),
            Ok(b'P') => Ok(Target::Portal),
            _ => Err(malformed()),
        }
    }

    /// A count and as many parts of at least `size` bytes.
    fn list<T>(
        &mut self,
        size: usize,
        mut part: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let count = usize::from(self.0.try_get_u16().map_err(|_| malformed())?);
        if count * size > self.0.len() {
            return Err(malformed());
        }
        (0..count).map(|_| part(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn messages_are_read_and_cut_ones_refused() {
        let bind: &[u8] = b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x02hi\xff\xff\xff\xff\0\0";
        assert_eq!(
            Message::parse(b'B', Bytes::from_static(bind)).unwrap(),
            Message::Bind(Bind {
                portal: "p".into(),
                statement: "s".into(),
                formats: vec![1],
                values: vec![Some(Bytes::from_static(b"hi")), None],
                result_formats: vec![],
            })
        );
        for end in 0..bind.len() {
            assert!(Message::parse(b'B', Bytes::from_static(&bind[..end])).is_err());
        }
        let parse: &[u8] = b"\0SELECT $1\0\0\x01\0\0\0\x17";
        assert_eq!(
            Message::parse(b'P', Bytes::from_static(parse)).unwrap(),
            Message::Parse {
                name: String::new(),
                sql: "SELECT $1".into(),
                types: vec![23]
            }
        );
        for (first, body) in [
            (b'P', &b"\0SELECT\0\xff\xff"[..]),
            (b'Q', b"SELECT"),
            (b'Q', b"\xc3\x28\0"),
            (b'Q', b"SELECT 1\0more"),
            (b'D', b"Xname\0"),
            (b'E', b"\0\0\0"),
        ] {
            assert!(Message::parse(first, Bytes::from_static(body)).is_err());
        }
    }

    #[tokio::test]
    async fn frames_are_cut_by_their_length() {
        let io = std::io::Cursor::new(b"Q\0\0\0\x05\0X\0\0\0\x04".to_vec());
        let mut wire = Wire::new(Box::new(io));
        assert_eq!(
            wire.next(SMALL).await.unwrap().unwrap(),
            (b'Q', Bytes::from_static(b"\0"))
        );
        assert_eq!(
            wire.next(SMALL).await.unwrap().unwrap(),
            (b'X', Bytes::new())
        );
        assert!(wire.next(SMALL).await.unwrap().is_none());
        for bad in [b"Q\xff\xff\xff\xff".to_vec(), b"Q\0\0\0\x03".to_vec()] {
            let mut wire = Wire::new(Box::new(std::io::Cursor::new(bad)));
            assert!(wire.next(SMALL).await.is_err());
        }
    }
}
