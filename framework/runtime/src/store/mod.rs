//! What a domain keeps: documents, inbox, outbox and positions, in one SQLite file or in a
//! schema of its own in Postgres.
//!
//! One process writes, one transaction after the other, each durable when it is committed.
//! That nobody else writes is for the database to see to (see [`backend`], the port that
//! [`sqlite`] and [`postgres`] implement); what is written is told here, once for both.

mod backend;
mod commit;
mod documents;
mod intake;
mod outbox;
mod postgres;
mod replay;
mod sqlite;
#[cfg(test)]
mod suite;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mesh_core::{Error, ErrorKind, Result};
use sqlx::migrate::MigrateError;
use uuid::Uuid;

use self::backend::{Backend, Shared, on};
pub(crate) use self::commit::{Commit, KeptAnswer, Outcome};
pub(crate) use self::documents::ScanMark;
pub(crate) use self::intake::{HandlerTotals, Position, SetAside, SourcePosition};
pub(crate) use self::outbox::{Noted, OutboxRow};
pub(crate) use self::replay::{Phase, Remains, ReplayPartition, ReplayRow};
use crate::config::Config;

#[derive(Debug)]
pub(crate) struct Store {
    backend: Backend,
    outbox_id: Uuid,
    counters: Shared,
}

impl Store {
    /// Opens the store that the configuration names and brings its tables up to date.
    ///
    /// # Errors
    /// With a mend: it is another process's, or cannot be opened or written.
    pub(crate) async fn open(config: &Config) -> Result<Self> {
        let counters = Shared::default();
        let backend = match &config.store_url {
            None => {
                let database = sqlite::Database::open(&config.data_dir, Arc::clone(&counters));
                Backend::Sqlite(database.await?)
            }
            Some(url) => {
                let target = postgres::Target::new(url, &config.store_schema);
                let database = postgres::Database::open(target, Arc::clone(&counters));
                Backend::Postgres(database.await?)
            }
        };
        let mut store = Self {
            backend,
            outbox_id: Uuid::nil(),
            counters,
        };
        store.begin_life().await?;
        Ok(store)
    }

    /// Reads the outbox's id, or makes it, and begins a new range of versions.
    async fn begin_life(&mut self) -> Result<()> {
        let mut tx = self.backend.begin().await?;
        let id: String = on!(tx.connection()?, c => sqlx::query_scalar(
            "INSERT INTO meta (name, value) VALUES ('outbox', $1)
             ON CONFLICT (name) DO UPDATE SET value = meta.value RETURNING value",
        )
        .bind(Uuid::new_v4().to_string())
        .fetch_one(c))?;
        let life: String = on!(tx.connection()?, c => sqlx::query_scalar(
            "INSERT INTO meta (name, value) VALUES ('life', '1')
             ON CONFLICT (name) DO UPDATE SET
                 value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT) RETURNING value",
        )
        .fetch_one(c))?;
        let (pending, largest): (i64, i64) = on!(tx.connection()?, c => sqlx::query_as(
            "SELECT count(*),
                    CAST(coalesce(max(length(key) + coalesce(length(value), 0)), 0) AS BIGINT)
             FROM outbox",
        )
        .fetch_one(c))?;
        tx.commit(0, 0).await?;
        let corrupt = || {
            Error::new(
                ErrorKind::Corrupt,
                "the domain's database holds a wrong value",
            )
        };
        self.outbox_id = Uuid::parse_str(&id).map_err(|_| corrupt().with("value", "outbox"))?;
        let life: u64 = life.parse().map_err(|_| corrupt().with("value", "life"))?;
        // Versions of this life are above all of the lives before, without a look at them.
        self.counters.version.store(life << 32, Ordering::Release);
        self.counters
            .pending
            .store(pending.max(0) as u64, Ordering::Release);
        self.counters
            .largest
            .store(largest.max(0) as u64, Ordering::Release);
        Ok(())
    }

    /// The id that marks the records of this outbox in Kafka.
    pub(crate) fn outbox_id(&self) -> Uuid {
        self.outbox_id
    }

    /// The version of the last commit. Documents written later have a greater one.
    pub(crate) fn version(&self) -> u64 {
        self.counters.version.load(Ordering::Acquire)
    }

    /// Rows of the outbox that are not known to stand in Kafka.
    pub(crate) fn pending(&self) -> u64 {
        self.counters.pending.load(Ordering::Acquire)
    }

    /// How many rows of the outbox, whichever they are, have no more than `bytes` together; at
    /// least one.
    pub(crate) fn rows_within(&self, bytes: usize) -> usize {
        let largest = self.counters.largest.load(Ordering::Acquire) as usize;
        (bytes / largest.max(1)).max(1)
    }

    /// Whether the store answers and is still this process's own.
    ///
    /// # Errors
    /// Retryable if it does not answer now; not retryable if nothing can be committed any
    /// more because another process has taken it over.
    pub(crate) async fn check(&self) -> Result<()> {
        self.backend.check().await
    }

    /// Closes the store and lets other processes have it.
    pub(crate) async fn close(&self) {
        self.backend.close().await;
    }
}

fn not_migrated(error: MigrateError) -> Error {
    Error::new(
        ErrorKind::FailedPrecondition,
        "the domain's tables cannot be brought up to date",
    )
    .mend("start the release that wrote them, or a newer one")
    .because(error)
}

/// Milliseconds since 1970, UTC.
pub(crate) fn now() -> i64 {
    mesh_core::TimestampMillis::now().0
}
