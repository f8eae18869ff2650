//! The store's errors in the words of the framework.

use std::io;

use fjall::{Error as StoreError, LsmError};
use mesh_core::{Error, ErrorKind};

/// `what` failed with `error`.
pub(crate) fn store(what: &'static str, error: StoreError) -> Error {
    let made = match &error {
        StoreError::Locked => Error::new(
            ErrorKind::Conflict,
            "another process has the store of the state tables open",
        )
        .mend("give each process a folder of its own, or end the other"),
        StoreError::Poisoned => Error::unavailable(format!("{what}: the store has stopped"))
            .mend("look for a full or failing disk; the store is opened again by itself"),
        StoreError::KeyspaceDeleted => {
            Error::unavailable(format!("{what}: the table is being built anew"))
                .mend("try again when it is built")
        }
        error if is_corrupt(error) => Error::new(
            ErrorKind::Corrupt,
            format!("{what}: the store is not what was written"),
        )
        .mend("nothing need be done: the table is built anew from its topic"),
        error => match io_kind(error) {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => Error::new(
                ErrorKind::ResourceExhausted,
                format!("{what}: the disk is full"),
            )
            .mend("make room; the table goes on by itself"),
            Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
                Error::new(
                    ErrorKind::PermissionDenied,
                    format!("{what}: the store's folder may not be written"),
                )
                .mend("give the process the right to write there")
            }
            _ => Error::unavailable(format!("{what}: the disk fails"))
                .mend("look at the disk that the state tables are on"),
        },
    };
    made.because(error)
}

/// Whether stored bytes are not what was written, or not all there.
pub(crate) fn is_corrupt(error: &StoreError) -> bool {
    match error {
        StoreError::Io(error) | StoreError::Storage(LsmError::Io(error)) => matches!(
            error.kind(),
            io::ErrorKind::NotFound
                | io::ErrorKind::AlreadyExists
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::InvalidData
        ),
        StoreError::Poisoned | StoreError::KeyspaceDeleted | StoreError::Locked => false,
        _ => true,
    }
}

fn io_kind(error: &StoreError) -> Option<io::ErrorKind> {
    match error {
        StoreError::Io(error) | StoreError::Storage(LsmError::Io(error)) => Some(error.kind()),
        _ => None,
    }
}

/// Bytes in the store that this crate did not write so.
pub(crate) fn corrupt(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what)
        .mend("nothing need be done: the table is built anew from its topic")
}

/// An error again, for someone else who is to hear of it.
pub(crate) fn again(error: &Error) -> Error {
    let mut copy = Error::new(error.kind(), error.message().to_owned())
        .retryable(error.is_retryable())
        .detail(error.log_line());
    for (name, value) in error.context() {
        copy = copy.with(name, value);
    }
    match error.mend_text() {
        Some(mend) => copy.mend(mend.to_owned()),
        None => copy,
    }
}
