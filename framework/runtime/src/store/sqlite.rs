//! The store in one SQLite file of the data folder.
//!
//! One connection writes, and every write is a transaction that begins with
//! `BEGIN IMMEDIATE` and is synced when it commits (WAL, synchronous FULL). Reads have
//! connections of their own and never wait for the writer. A lock on the folder keeps other
//! processes out.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::backend::Shared;

const DATABASE: &str = "domain.db";
const LOCK: &str = "lock";
const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Database {
    readers: SqlitePool,
    writer: SqlitePool,
    /// Held by the open transaction until what it changes is counted.
    turn: Arc<Mutex<()>>,
    counters: Shared,
    /// Held for as long as the store is open.
    lock: File,
}

/// The open transaction.
pub(super) struct Writing {
    transaction: Option<Transaction<'static, Sqlite>>,
    counters: Shared,
    _turn: OwnedMutexGuard<()>,
}

impl Database {
    /// Locks the data folder, opens or makes the database and brings its tables up to date.
    pub(super) async fn open(folder: &Path, counters: Shared) -> Result<Self> {
        let lock = lock(folder)?;
        let path = folder.join(DATABASE);
        let unusable = |error: sqlx::Error| {
            Error::new(
                ErrorKind::FailedPrecondition,
                "the domain's database cannot be opened",
            )
            .with("database", path.display())
            .mend("check that it is a SQLite file that this user can write")
            .because(error)
        };
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let pool = |size: u32| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let writer = pool(1)
            .connect_with(options.clone())
            .await
            .map_err(unusable)?;
        sqlx::migrate!("./migrations")
            .run(&writer)
            .await
            .map_err(|error| super::not_migrated(error).with("database", path.display()))?;
        let readers = pool(READERS)
            .connect_with(options.read_only(true))
            .await
            .map_err(unusable)?;
        Ok(Self {
            readers,
            writer,
            turn: Arc::default(),
            counters,
            lock,
        })
    }

    pub(super) async fn reader(&self) -> Result<PoolConnection<Sqlite>> {
        self.readers.acquire().await.map_err(failed)
    }

    pub(super) async fn begin(&self) -> Result<Writing> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let transaction = self.writer.begin_with("BEGIN IMMEDIATE").await;
        Ok(Writing {
            transaction: Some(transaction.map_err(failed)?),
            counters: Arc::clone(&self.counters),
            _turn: turn,
        })
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the lock of the data folder could not be released");
        }
    }
}

impl Writing {
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection> {
        match &mut self.transaction {
            Some(transaction) => Ok(transaction),
            None => Err(Error::internal("a transaction is used after its commit")),
        }
    }

    pub(super) async fn commit(&mut self, added: u64, removed: u64) -> Result<()> {
        if let Some(transaction) = self.transaction.take() {
            transaction.commit().await.map_err(failed)?;
            self.counters.rows(added, removed);
        }
        Ok(())
    }
}

fn lock(folder: &Path) -> Result<File> {
    let refuse = |message: &'static str, mend: &'static str| {
        Error::new(ErrorKind::FailedPrecondition, message)
            .with("data_dir", folder.display())
            .mend(mend)
    };
    std::fs::create_dir_all(folder).map_err(|error| {
        refuse(
            "the data folder cannot be made",
            "give a folder that this user can write",
        )
        .because(error)
    })?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))
        .map_err(|error| {
            refuse(
                "the data folder cannot be written",
                "give a folder that this user can write",
            )
            .because(error)
        })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(refuse(
            "the data folder is used by another process",
            "stop that process, or give each its own data folder",
        )),
        Err(TryLockError::Error(error)) => Err(refuse(
            "the data folder cannot be locked",
            "use a local file system",
        )
        .because(error)),
    }
}

/// The error of a statement that did not run. A full or slow disk passes, so it is retried.
pub(super) fn failed(error: sqlx::Error) -> Error {
    Error::unavailable("the domain's database does not answer")
        .mend("see that the disk of the data folder has room and can be written")
        .because(error)
}
