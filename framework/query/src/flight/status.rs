//! Errors as statuses of gRPC.

use arrow_flight::error::FlightError;
use mesh_core::{Error, ErrorKind, Result};
use tonic::{Code, Status};

/// What a client is told of `error`; the log hears the rest of what is our fault.
pub(super) fn status(error: &Error) -> Status {
    if matches!(error.kind(), ErrorKind::Internal | ErrorKind::Corrupt) {
        tracing::error!(error = error.log_line(), "call failed");
    }
    let code = Code::from(i32::from(error.kind().grpc_code()));
    // A statement that was ended on purpose has a code of its own.
    let code = match error.message() == crate::cancel::cancelled().message() {
        true => Code::Cancelled,
        false => code,
    };
    Status::new(code, error.to_string())
}

/// The same for what arrow-flight hands on in a stream.
pub(super) fn flight(error: &Error) -> FlightError {
    FlightError::from(status(error))
}

/// Makes results of ours into those of tonic.
pub(super) trait OrStatus<T> {
    fn or_status(self) -> Result<T, Status>;
}

impl<T> OrStatus<T> for Result<T> {
    fn or_status(self) -> Result<T, Status> {
        self.map_err(|error| status(&error))
    }
}

/// The error of something that arrow cannot put into bytes.
pub(super) fn unwritable<E>(_: E) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "the columns of the answer cannot be written as Arrow",
    )
}
