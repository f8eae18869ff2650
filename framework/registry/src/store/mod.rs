//! Where schemas, versions and settings are kept: one SQLite file, or a schema of its own in
//! a Postgres database.
//!
//! Writes come one after the other, in whichever process: a transaction that writes keeps
//! others from beginning until it is done, so that what it reads stays true until it commits
//! and no id is given twice (SQLite: `BEGIN IMMEDIATE`; Postgres: an advisory lock). Reads
//! never wait for it. Both databases are asked in the same words, see [`on`].

mod contexts;
mod postgres;
mod schemas;
mod settings;
mod sqlite;
mod versions;

use mesh_core::{Error, ErrorKind, Result};
use sqlx::migrate::MigrateError;
use sqlx::pool::PoolConnection;
use sqlx::{Postgres, Sqlite, Transaction};

use crate::database::{Database, Place};
pub(crate) use contexts::{contexts, max_id};
pub(crate) use schemas::{Content, StoredSchema, add_schema, find_schema, schema_by_id};
pub(crate) use settings::{Config, Mode, clear, settings, store_settings};
pub(crate) use versions::{
    Page, Shown, StoredVersion, Wanted, add_version, all_versions, delete_versions, hide_versions,
    is_referenced, next_version, referenced_by, seen_versions, subject_with_id, subjects, version,
    version_numbers, version_of_schema, versions_of_id,
};

#[derive(Debug)]
pub(crate) enum Store {
    Sqlite(sqlite::Files),
    Postgres(postgres::Server),
}

/// A connection that reads, or the transaction that writes. A transaction is rolled back
/// when it is dropped.
pub(crate) enum Session {
    SqliteReader(PoolConnection<Sqlite>),
    SqliteWriter(Transaction<'static, Sqlite>),
    PostgresReader(PoolConnection<Postgres>),
    PostgresWriter(Transaction<'static, Postgres>),
}

impl Store {
    pub(crate) async fn open(database: &Database) -> Result<Self> {
        match database.place() {
            Place::File(path) => sqlite::Files::open(path).await.map(Self::Sqlite),
            Place::Server(options) => {
                let server = postgres::Server::open(options, database.schema()).await;
                Ok(Self::Postgres(server.map_err(|error| {
                    error
                        .with("server", database)
                        .with("schema", database.schema())
                })?))
            }
        }
    }

    /// A connection for reading.
    pub(crate) async fn read(&self) -> Result<Session> {
        match self {
            Self::Sqlite(files) => files.read().await.map(Session::SqliteReader),
            Self::Postgres(server) => server.read().await.map(Session::PostgresReader),
        }
    }

    /// The transaction for writing.
    pub(crate) async fn write(&self) -> Result<Session> {
        match self {
            Self::Sqlite(files) => files.write().await.map(Session::SqliteWriter),
            Self::Postgres(server) => server.write().await.map(Session::PostgresWriter),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(files) => files.close().await,
            Self::Postgres(server) => server.close().await,
        }
    }
}

/// Commits, so that the change outlives a crash.
pub(crate) async fn commit(session: Session) -> Result<()> {
    match session {
        Session::SqliteWriter(transaction) => transaction.commit().await.map_err(failed),
        Session::PostgresWriter(transaction) => transaction.commit().await.map_err(failed),
        Session::SqliteReader(_) | Session::PostgresReader(_) => Err(Error::internal(
            "a connection that reads has nothing to commit",
        )),
    }
}

/// Runs a statement on a [`Session`]: the same expression for either database.
macro_rules! on {
    ($session:expr, $connection:ident => $statement:expr) => {
        match $session {
            $crate::store::Session::SqliteReader(own) => {
                let $connection = &mut **own;
                $statement.await.map_err($crate::store::failed)
            }
            $crate::store::Session::SqliteWriter(own) => {
                let $connection = &mut **own;
                $statement.await.map_err($crate::store::failed)
            }
            $crate::store::Session::PostgresReader(own) => {
                let $connection = &mut **own;
                $statement.await.map_err($crate::store::failed)
            }
            $crate::store::Session::PostgresWriter(own) => {
                let $connection = &mut **own;
                $statement.await.map_err($crate::store::failed)
            }
        }
    };
}
use on;

/// The same for a query that only changes rows.
macro_rules! change {
    ($session:expr, $query:expr) => {
        $crate::store::on!($session, c => async { $query.execute(c).await.map(|_| ()) })
    };
}
use change;

/// The error of a statement that did not go through. What a server says may quote values,
/// so of that only the code is kept.
fn failed(error: sqlx::Error) -> Error {
    let kind = match &error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
            ErrorKind::Unavailable
        }
        _ => ErrorKind::Internal,
    };
    let failed = Error::new(kind, "the schema registry's database failed");
    let code = error.as_database_error().and_then(|error| error.code());
    match code {
        Some(code) => failed.detail(format!("code {code}")),
        None => failed.because(error),
    }
}

fn not_migrated(error: MigrateError) -> Error {
    Error::new(
        ErrorKind::FailedPrecondition,
        "the schema registry's tables cannot be brought up to date",
    )
    .mend("a newer release may have written it: use that release, or restore a copy")
    .because(error)
}

/// Reads a number that was stored.
fn number(value: i64) -> Result<u32> {
    u32::try_from(value).map_err(|_| {
        Error::new(ErrorKind::Corrupt, "a stored number is out of range").with("number", value)
    })
}

/// Writes a part of a schema or of its settings as JSON.
fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::internal("a value cannot be written as JSON").because(error))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str, what: &'static str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        Error::new(ErrorKind::Corrupt, "a stored value cannot be read")
            .with("value", what)
            .because(error)
    })
}
