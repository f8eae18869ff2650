//! Confluent's wire format (Confluent Platform documentation, "Wire format"): a zero byte,
//! the schema's id as four big-endian bytes, then the Avro binary encoding.

use mesh_core::{Error, ErrorKind, Result};

/// The bytes before the Avro encoding.
pub const FRAME_BYTES: usize = 5;

/// Appends the frame of schema `id`.
pub fn put_frame(id: u32, out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(&id.to_be_bytes());
}

/// The schema's id and the Avro encoding.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if the bytes have no such frame.
pub fn split_frame(bytes: &[u8]) -> Result<(u32, &[u8])> {
    match bytes {
        [0, a, b, c, d, rest @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), rest)),
        [0, ..] | [] => Err(corrupt("the bytes end within the schema id")),
        _ => Err(corrupt("the bytes do not begin with the magic byte 0")
            .mend("publish with a serializer that uses the schema registry")),
    }
}

/// The error of bytes that are not what they should be.
pub(crate) fn corrupt(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what)
}
