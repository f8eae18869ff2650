//! The errors of the libraries below in the words of the framework.

use mesh_core::{Error, ErrorKind};

/// The store failed at `what`.
pub(crate) fn store(what: &'static str, error: object_store::Error) -> Error {
    use object_store::Error as Store;
    let kind = match &error {
        Store::NotFound { .. } => ErrorKind::NotFound,
        Store::AlreadyExists { .. } | Store::Precondition { .. } => ErrorKind::Conflict,
        Store::PermissionDenied { .. } => ErrorKind::PermissionDenied,
        Store::Unauthenticated { .. } => ErrorKind::Unauthenticated,
        Store::NotSupported { .. } | Store::NotImplemented { .. } => ErrorKind::Unsupported,
        Store::UnknownConfigurationKey { .. } | Store::InvalidPath { .. } => {
            ErrorKind::InvalidInput
        }
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, what)
        .mend("look at the history's location and its credentials")
        .because(error)
}

/// The Delta library failed at `what`.
pub(crate) fn delta(what: &'static str, error: deltalake_core::DeltaTableError) -> Error {
    use deltalake_core::DeltaTableError as Delta;
    match error {
        Delta::ObjectStore { source } => store(what, source),
        Delta::InvalidVersion(version) => Error::not_found(what)
            .with("version", version)
            .mend("ask for a version that the table still has"),
        error => Error::internal(what).because(error),
    }
}

/// Writing or reading a Parquet file failed at `what`.
pub(crate) fn parquet(what: &'static str, error: parquet::errors::ParquetError) -> Error {
    use parquet::errors::ParquetError as Parquet;
    match error {
        Parquet::External(source) => match source.downcast::<object_store::Error>() {
            Ok(source) => store(what, *source),
            Err(source) => Error::unavailable(what).because(source),
        },
        error => Error::internal(what).because(error),
    }
}

/// Arrow failed at `what`. Its text may hold a value, so it is for the log of nobody.
pub(crate) fn arrow(what: &'static str, _: arrow::error::ArrowError) -> Error {
    Error::internal(what)
}

/// The table is not as this crate writes it.
pub(crate) fn foreign(what: &'static str) -> Error {
    Error::new(ErrorKind::FailedPrecondition, what).mend(
        "the table was changed by another program in a way that this one does not read; \
         undo it, or move the table away so that it is written anew from the topic",
    )
}

/// A task of the runtime did not come to its end.
pub(crate) fn task(error: tokio::task::JoinError) -> Error {
    Error::internal("a task of the history was ended").because(error)
}
