//! What errors of Postgres mean.

use std::future::Future;
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// How long a statement may take before the connection is taken for broken: a network that
/// has gone away without a word is not told by anybody else.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a statement, as long as Postgres answers in time.
pub(in crate::store) async fn within<T, F>(statement: F) -> Result<T>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    timed(statement).await.map_err(failed)
}

/// Runs statements, as long as Postgres answers in time.
pub(super) async fn timed<T, F>(statements: F) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    match tokio::time::timeout(PATIENCE, statements).await {
        Ok(done) => done,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

fn unavailable() -> Error {
    Error::unavailable("the domain's database does not answer")
        .mend("see that Postgres runs and can be reached from here")
}

/// The error of a statement that did not run. What Postgres says may quote values, so the
/// log gets it only where it cannot.
pub(super) fn failed(error: sqlx::Error) -> Error {
    let Some(told) = told(&error) else {
        return match error {
            sqlx::Error::ColumnDecode { index, .. } => Error::new(
                ErrorKind::Corrupt,
                "the domain's database holds a wrong value",
            )
            .with("column", index),
            error => unavailable().because(error),
        };
    };
    let code = told.code().to_owned();
    let error = match code.get(..2) {
        // Data that Postgres cannot keep: no text of it has a NUL, no key is longer than a
        // page of an index.
        Some("22" | "54") => Error::invalid(
            "the domain's database cannot keep a text with a NUL character, or a key this long",
        ),
        Some("28") => Error::new(
            ErrorKind::Unauthenticated,
            "Postgres refuses the user or the password",
        )
        .mend("see `store_url`, PGPASSWORD, and the server's pg_hba.conf"),
        Some("3D") => Error::new(ErrorKind::FailedPrecondition, "there is no such database")
            .mend("create the database, or name another in `store_url`"),
        Some("42") if code == "42501" => Error::new(
            ErrorKind::PermissionDenied,
            "the user may not do this in the domain's schema",
        )
        .mend("let the user create the schema, or make the user its owner"),
        _ => unavailable(),
    };
    let error = error.detail(format!("SQLSTATE {code}"));
    match code.get(..2) {
        Some("22" | "23") => error,
        _ => error.because(told.message().to_owned()),
    }
}

/// The error of a connection that was not made. What is wrong with certificates is worth
/// another attempt to a process that runs, since the server may get others.
pub(super) fn refused(error: sqlx::Error) -> Error {
    let why = match &error {
        sqlx::Error::Tls(why) => why.to_string(),
        // So the driver tells what the handshake says.
        sqlx::Error::Io(why) if why.kind() == std::io::ErrorKind::InvalidData => why.to_string(),
        _ => return failed(error),
    };
    Error::new(
        ErrorKind::FailedPrecondition,
        format!("no encrypted connection to the domain's database can be made: {why}"),
    )
    .mend(
        "see sslmode, sslrootcert, sslcert and sslkey in `store_url`, and the server's certificate",
    )
    .retryable(true)
}

fn told(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    match error {
        sqlx::Error::Database(told) => told.try_downcast_ref(),
        _ => None,
    }
}

/// Whether the tables or their schema are not there.
pub(super) fn is_gone(error: &sqlx::Error) -> bool {
    told(error).is_some_and(|told| matches!(told.code(), "42P01" | "3F000"))
}

/// Whether the session can go on after a statement that failed so.
pub(super) fn leaves_session(error: &sqlx::Error) -> bool {
    told(error).is_some_and(|told| matches!(told.severity(), PgSeverity::Error))
}
