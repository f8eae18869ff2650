//! The store in one SQLite file. Reads have connections of their own (WAL); every commit is
//! synced.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

use super::{failed, not_migrated};

const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Files {
    readers: SqlitePool,
    writer: SqlitePool,
}

impl Files {
    pub(super) async fn open(path: &Path) -> Result<Self> {
        make_directory(path).await?;
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
            .map_err(|error| not_migrated(error).with("database", path.display()))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(unusable)?;
        Ok(Self { readers, writer })
    }

    pub(super) async fn read(&self) -> Result<PoolConnection<Sqlite>> {
        self.readers.acquire().await.map_err(failed)
    }

    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        self.writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(failed)
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        // Last, so that closing it folds the WAL back into the file.
        self.writer.close().await;
    }
}

async fn make_directory(path: &Path) -> Result<()> {
    let Some(directory) = path.parent().map(PathBuf::from) else {
        return Ok(());
    };
    tokio::fs::create_dir_all(&directory)
        .await
        .map_err(|error| {
            Error::new(
                ErrorKind::FailedPrecondition,
                "the directory of the schema registry's database cannot be made",
            )
            .with("directory", directory.display())
            .mend("give a data directory that can be written")
            .because(error)
        })
}
