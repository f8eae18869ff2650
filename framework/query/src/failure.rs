//! DataFusion's errors as the framework's, without a row value in them.
//!
//! Texts of errors that arise while a statement is parsed and planned speak of the statement
//! and of the tables its session sees, and are handed on. What arises while rows flow may
//! quote them (a cast, an overflow), so there only the kind is handed on; not even the log
//! gets the text.

use std::io::ErrorKind as ErrorOfIo;

use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use mesh_core::{Error, ErrorKind};

use crate::provider::{CATALOG, NO_SCHEMA};

/// An error from parsing or planning.
pub(crate) fn planning(error: &DataFusionError) -> Error {
    translate(error, true)
}

/// An error from running.
pub(crate) fn running(error: &DataFusionError) -> Error {
    translate(error, false)
}

/// Wraps our own error for its way through DataFusion.
pub(crate) fn wrap(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

fn translate(error: &DataFusionError, planning: bool) -> Error {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            translate(inner, planning)
        }
        DataFusionError::Shared(inner) => translate(inner, planning),
        DataFusionError::Collection(all) => match all.first() {
            Some(first) => translate(first, planning),
            None => internal(),
        },
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(ours) => copy(ours),
            None => match inner.downcast_ref::<DataFusionError>() {
                Some(inner) => translate(inner, planning),
                None => internal(),
            },
        },
        DataFusionError::ArrowError(inner, _) => arrow(inner, planning),
        DataFusionError::SQL(inner, _) => {
            Error::invalid(format!("the statement does not parse: {inner}"))
        }
        DataFusionError::Plan(text) if planning => plan(text),
        DataFusionError::SchemaError(inner, _) if planning => {
            Error::invalid(one_line(&inner.to_string()))
                .mend("look at the columns with `DESCRIBE <domain>.<product>`")
        }
        DataFusionError::NotImplemented(text) if planning => {
            Error::new(ErrorKind::Unsupported, one_line(text))
        }
        DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::Execution(_) => expression(),
        DataFusionError::NotImplemented(_) => Error::new(
            ErrorKind::Unsupported,
            "the statement uses something that is not built",
        ),
        // Its text names operators and sizes.
        DataFusionError::ResourcesExhausted(text) => Error::new(
            ErrorKind::ResourceExhausted,
            "the query needs more memory or disk than it may use",
        )
        .retryable(false)
        .detail(one_line(text))
        .mend("select fewer columns or rows, or give the engine more memory"),
        DataFusionError::IoError(io) => spilling(io),
        DataFusionError::ExecutionJoin(join) if join.is_cancelled() => {
            Error::unavailable("the query was cancelled")
        }
        _ => internal(),
    }
}

fn arrow(error: &ArrowError, planning: bool) -> Error {
    match error {
        ArrowError::ExternalError(inner) => {
            if let Some(ours) = inner.downcast_ref::<Error>() {
                copy(ours)
            } else if let Some(inner) = inner.downcast_ref::<DataFusionError>() {
                translate(inner, planning)
            } else {
                internal()
            }
        }
        ArrowError::DivideByZero => {
            Error::invalid("a division by zero").mend("use `NULLIF(divisor, 0)`")
        }
        ArrowError::ArithmeticOverflow(_) => {
            Error::invalid("a number is too large for its type").mend("cast it to a wider type")
        }
        ArrowError::CastError(_) | ArrowError::ParseError(_) => {
            Error::invalid("a value cannot be read as the type asked for")
                .mend("use `TRY_CAST`, which gives null then")
        }
        ArrowError::InvalidArgumentError(_) | ArrowError::ComputeError(_) => expression(),
        ArrowError::NotYetImplemented(_) => Error::new(
            ErrorKind::Unsupported,
            "the statement uses something that is not built",
        ),
        ArrowError::MemoryError(_) => Error::new(
            ErrorKind::ResourceExhausted,
            "the query needs more memory than there is",
        )
        .retryable(false),
        ArrowError::IoError(_, io) => spilling(io),
        ArrowError::OffsetOverflowError(_) | ArrowError::DictionaryKeyOverflowError => Error::new(
            ErrorKind::ResourceExhausted,
            "a batch of the query holds more text than fits in one",
        )
        .retryable(false),
        _ => internal(),
    }
}

/// An error of the spill directory, the only place that a query writes to.
fn spilling(io: &std::io::Error) -> Error {
    // DataFusion tells that its own limit is reached by text alone.
    let over_limit =
        io.kind() == ErrorOfIo::Other && io.to_string().contains("exceeded the allowable limit");
    if over_limit || matches!(io.kind(), ErrorOfIo::StorageFull | ErrorOfIo::QuotaExceeded) {
        return Error::new(
            ErrorKind::ResourceExhausted,
            "the query needs more disk to spill to than it may use",
        )
        .retryable(false)
        .mend("select fewer columns or rows, or give the engine more memory or disk");
    }
    Error::internal("the query could not use its spill directory").with("cause", io.kind())
}

fn plan(text: &str) -> Error {
    let text = one_line(text);
    // Names are told as the user writes them, without the catalog that all share.
    let text = text
        .replace(&format!("'{CATALOG}.{NO_SCHEMA}."), "'")
        .replace(&format!("'{CATALOG}."), "'");
    if text.starts_with("table ") && text.ends_with("not found") {
        return Error::not_found(text).mend("`SHOW TABLES` lists what there is for you");
    }
    Error::invalid(text)
}

fn expression() -> Error {
    Error::invalid("an expression fails on some row")
        .mend("check casts, divisions, patterns and ranges; the row is not shown")
}

fn internal() -> Error {
    Error::internal("the query failed for a reason that is not its own")
}

/// DataFusion's texts run over several lines and may be long.
fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = line.char_indices().nth(1_000) {
        line.truncate(at);
        line.push('…');
    }
    line.trim_end_matches('.').to_owned()
}

/// The same error again; the source stays behind, where it was logged.
pub(crate) fn copy(error: &Error) -> Error {
    let mut copy = Error::new(error.kind(), error.message().to_owned())
        .retryable(error.is_retryable())
        .detail(error.log_line());
    for (name, value) in error.context() {
        copy = copy.with(name, value);
    }
    if let Some(mend) = error.mend_text() {
        copy = copy.mend(mend.to_owned());
    }
    copy
}
