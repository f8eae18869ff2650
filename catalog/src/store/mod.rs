//! Where domains and product versions are kept: one SQLite file.
//!
//! All writes go through one connection and begin with `BEGIN IMMEDIATE`, so that what a
//! transaction reads stays true until it commits. Reads have connections of their own and
//! never wait for a writer (WAL).

mod domains;
mod products;
mod readers;
mod standings;
mod versions;

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use mesh_core::{Error, ErrorKind, Result};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

pub(crate) use domains::{domain, domains, put_domain, touch_domain};
pub(crate) use products::{Filter, products, set_current};
pub(crate) use readers::{put_reads, readers};
pub(crate) use standings::{Decided, decide, forget_decision, set_status, standings};
pub(crate) use versions::{
    Changes, Entry, NewVersion, add_version, change_version, contract_owner, entries,
    remove_version, summary, texts, version,
};

const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Store {
    readers: SqlitePool,
    writer: SqlitePool,
}

impl Store {
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        if let Some(directory) = path.parent() {
            tokio::fs::create_dir_all(directory)
                .await
                .map_err(|error| {
                    Error::new(
                        ErrorKind::FailedPrecondition,
                        "the directory of the catalog's database cannot be made",
                    )
                    .with("directory", directory.display())
                    .mend("give a data directory that can be written")
                    .because(error)
                })?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let unusable = |error: sqlx::Error| {
            Error::new(
                ErrorKind::FailedPrecondition,
                "the catalog's database cannot be opened",
            )
            .with("database", path.display())
            .mend("check that it is a SQLite file that this user can write")
            .because(error)
        };
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(BUSY)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(unusable)?;
        sqlx::migrate!("./migrations")
            .run(&writer)
            .await
            .map_err(|error| {
                Error::new(
                    ErrorKind::FailedPrecondition,
                    "the catalog's tables cannot be brought up to date",
                )
                .with("database", path.display())
                .mend("a newer release may have written it: use that release, or restore a copy")
                .because(error)
            })?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(unusable)?;
        Ok(Self { readers, writer })
    }

    /// A transaction for reading: all its statements see the same state.
    pub(crate) async fn read(&self) -> Result<Transaction<'static, Sqlite>> {
        self.readers.begin().await.map_err(failed)
    }

    /// The transaction for writing; it is rolled back when dropped.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        self.writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(failed)
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        // Last, so that closing it folds the WAL back into the file.
        self.writer.close().await;
    }
}

/// Commits, so that the change outlives a crash.
pub(crate) async fn commit(transaction: Transaction<'static, Sqlite>) -> Result<()> {
    transaction.commit().await.map_err(failed)
}

/// The error of a statement that did not go through (result codes of SQLite).
fn failed(error: sqlx::Error) -> Error {
    let code = match &error {
        sqlx::Error::Database(cause) => cause.code().and_then(|code| code.parse::<u32>().ok()),
        _ => None,
    };
    // The low byte of an extended result code is the primary one.
    match (&error, code.map(|code| code & 0xff)) {
        (sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_), _)
        | (_, Some(5 | 6)) => Error::unavailable("the catalog's database is busy or closed"),
        (_, Some(13)) => Error::unavailable("the disk of the catalog's database is full")
            .mend("free some space and try again"),
        (_, Some(11 | 26)) => Error::new(ErrorKind::Corrupt, "the catalog's database is damaged")
            .mend("restore a copy, or remove the file and start the domains again"),
        _ => Error::internal("the catalog's database failed"),
    }
    .because(error)
}

/// What a stored value should have been and is not.
fn corrupt(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "a stored value cannot be read").with("column", what)
}

/// A stored instant.
fn instant(millis: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| corrupt("instant"))
}
