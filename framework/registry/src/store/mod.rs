//! Where schemas, versions and settings are kept: one SQLite file.
//!
//! All writes go through one connection and begin with `BEGIN IMMEDIATE`, so that what a
//! transaction reads stays true until it commits. Reads have connections of their own and
//! never wait for a writer (WAL).

mod settings;
mod versions;

use std::path::Path;
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

pub(crate) use settings::{Mode, Setting, clear, get, set};
pub(crate) use versions::{
    Page, Shown, StoredVersion, Wanted, add_schema, add_version, all_versions, delete_versions,
    find_schema, hide_versions, live_versions, max_id, next_version, schema_by_id, subjects,
    version, version_numbers, version_of_schema, versions_of_id,
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
                        "the directory of the schema registry's database cannot be made",
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
                "the schema registry's database cannot be opened",
            )
            .with("database", path.display())
            .mend("check that it is a SQLite file that this user can write")
            .because(error)
        };
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
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
                    "the schema registry's tables cannot be brought up to date",
                )
                .with("database", path.display())
                .mend("a newer release may have written it: use that release, or restore a copy")
                .because(error)
            })?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(unusable)?;
        Ok(Self { readers, writer })
    }

    /// A connection for reading.
    pub(crate) async fn read(&self) -> Result<PoolConnection<Sqlite>> {
        self.readers.acquire().await.map_err(failed)
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

/// The error of a statement that did not go through.
fn failed(error: sqlx::Error) -> Error {
    let kind = match &error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
            ErrorKind::Unavailable
        }
        _ => ErrorKind::Internal,
    };
    Error::new(kind, "the schema registry's database failed").because(error)
}
