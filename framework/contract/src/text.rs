//! Bytes to text within bounds.

use std::io::Read;

use crate::diagnostic::Diagnostics;
use crate::node::Reader;
use crate::yaml::At;

/// The largest file read, in bytes; a contract of 1 MiB holds thousands of columns.
pub const MAX_BYTES: usize = 1 << 20;

/// Reads the text of the file called `file` from `source`, and no more of it than
/// [`MAX_BYTES`] and one byte.
///
/// # Errors
/// A file that is too large, is not UTF-8 or cannot be read.
pub fn read_text(file: &str, source: impl Read) -> Result<String, Diagnostics> {
    let mut bytes = Vec::new();
    if let Err(error) = source.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes) {
        return refused(
            file,
            At::START,
            format!("the file cannot be read: {error}"),
            "check that it is there and that you may read it",
        );
    }
    if bytes.len() > MAX_BYTES {
        return refused(
            file,
            At::START,
            format!("the file has more than {MAX_BYTES} bytes"),
            "keep it under this; a contract describes data and does not hold them",
        );
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let sound = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let (before, byte) = (&bytes[..sound], bytes[sound]);
            let line_start = before
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
            let at = At {
                line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
                column: String::from_utf8_lossy(&before[line_start..])
                    .chars()
                    .count()
                    + 1,
            };
            refused(
                file,
                at,
                format!("the byte 0x{byte:02X} is not UTF-8"),
                "save the file as UTF-8",
            )
        }
    }
}

fn refused(file: &str, at: At, message: String, mend: &str) -> Result<String, Diagnostics> {
    let reader = Reader::new(file);
    reader.refuse(at, "", message, mend);
    reader.finish(None)
}
