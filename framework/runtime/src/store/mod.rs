//! What a domain keeps: documents, inbox, outbox and positions, in one SQLite file.
//!
//! One connection writes, and every write is a transaction that begins with
//! `BEGIN IMMEDIATE` and is synced when it commits (WAL, synchronous FULL). Reads have
//! connections of their own and never wait for the writer.

mod commit;
mod documents;
mod intake;
mod outbox;
mod replay;

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};
use uuid::Uuid;

pub(crate) use commit::{Commit, KeptAnswer, Outcome};
pub(crate) use documents::ScanMark;
pub(crate) use intake::{HandlerTotals, Position, SetAside, SourcePosition};
pub(crate) use outbox::{Noted, OutboxRow};
pub(crate) use replay::{Phase, Remains, ReplayPartition, ReplayRow};

const DATABASE: &str = "domain.db";
const LOCK: &str = "lock";
const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Store {
    readers: SqlitePool,
    writer: SqlitePool,
    outbox_id: Uuid,
    /// The version of the last commit; see [`Store::version`].
    version: AtomicU64,
    pending: AtomicU64,
    /// Held for as long as the store is open.
    lock: File,
}

impl Store {
    /// Locks the data folder, opens or makes the database and brings its tables up to date.
    pub(crate) async fn open(folder: &Path) -> Result<Self> {
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
            .map_err(|error| {
                Error::new(
                    ErrorKind::FailedPrecondition,
                    "the domain's tables cannot be brought up to date",
                )
                .with("database", path.display())
                .mend("start the release that wrote them, or a newer one")
                .because(error)
            })?;
        let readers = pool(READERS)
            .connect_with(options.read_only(true))
            .await
            .map_err(unusable)?;
        let mut store = Self {
            readers,
            writer,
            outbox_id: Uuid::nil(),
            version: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            lock,
        };
        store.begin_life().await?;
        Ok(store)
    }

    /// Reads the outbox's id, or makes it, and begins a new range of versions.
    async fn begin_life(&mut self) -> Result<()> {
        let mut tx = self.begin().await?;
        let id: String = sqlx::query_scalar(
            "INSERT INTO meta (name, value) VALUES ('outbox', ?1)
             ON CONFLICT (name) DO UPDATE SET value = value RETURNING value",
        )
        .bind(Uuid::new_v4().to_string())
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        let life: String = sqlx::query_scalar(
            "INSERT INTO meta (name, value) VALUES ('life', '1')
             ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING value",
        )
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        let pending: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
            .fetch_one(&mut *tx)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        let corrupt = || {
            Error::new(
                ErrorKind::Corrupt,
                "the domain's database holds a wrong value",
            )
        };
        self.outbox_id = Uuid::parse_str(&id).map_err(|_| corrupt().with("value", "outbox"))?;
        let life: u64 = life.parse().map_err(|_| corrupt().with("value", "life"))?;
        // Versions of this life are above all of the lives before, without a look at them.
        self.version = AtomicU64::new(life << 32);
        self.pending = AtomicU64::new(pending.max(0) as u64);
        Ok(())
    }

    /// The id that marks the records of this outbox in Kafka.
    pub(crate) fn outbox_id(&self) -> Uuid {
        self.outbox_id
    }

    /// The version of the last commit. Documents written later have a greater one.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Rows of the outbox that are not known to stand in Kafka.
    pub(crate) fn pending(&self) -> u64 {
        self.pending.load(Ordering::Acquire)
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        self.writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(failed)
    }

    /// Closes the database and gives the folder free.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the lock of the data folder could not be released");
        }
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
pub(crate) fn failed(error: sqlx::Error) -> Error {
    Error::unavailable("the domain's database does not answer")
        .mend("see that the disk of the data folder has room and can be written")
        .because(error)
}

/// Milliseconds since 1970, UTC.
pub(crate) fn now() -> i64 {
    mesh_core::TimestampMillis::now().0
}
