//! What a database has to do for the store: the port that SQLite and Postgres implement.
//! Both are asked in the same words; where their SQL differs, Postgres has functions named
//! as those of SQLite (see its first migration).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mesh_core::Result;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection};

use super::{postgres, sqlite};

/// A database that this process alone writes.
#[derive(Debug)]
pub(super) enum Backend {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
}

/// A connection that reads, and never waits for the writer.
pub(super) enum Reader {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// The one transaction that is open. It is undone if it is dropped before its commit.
pub(super) enum Writing {
    Sqlite(sqlite::Writing),
    Postgres(postgres::Writing),
}

/// A connection to run a statement on, see [`on`].
pub(super) enum Connection<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// What a process counts about its store without asking it.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// See [`Store::version`](super::Store::version).
    pub(super) version: AtomicU64,
    /// Rows of the outbox.
    pub(super) pending: AtomicU64,
    /// Bytes of key and value of the largest row that the outbox has had in this life.
    pub(super) largest: AtomicU64,
}

impl Counters {
    /// Counts rows that a commit has added and removed. Called while no other commit can be
    /// under way.
    pub(super) fn rows(&self, added: u64, removed: u64) {
        self.pending.fetch_add(added, Ordering::AcqRel);
        self.pending.fetch_sub(removed, Ordering::AcqRel);
    }
}

impl Backend {
    /// A connection for reading.
    pub(super) async fn reader(&self) -> Result<Reader> {
        match self {
            Self::Sqlite(database) => database.reader().await.map(Reader::Sqlite),
            Self::Postgres(database) => database.reader().await.map(Reader::Postgres),
        }
    }

    /// Begins a transaction, once no other is open.
    pub(super) async fn begin(&self) -> Result<Writing> {
        match self {
            Self::Sqlite(database) => database.begin().await.map(Writing::Sqlite),
            Self::Postgres(database) => database.begin().await.map(Writing::Postgres),
        }
    }

    /// The statement for the greatest sequence number of a row that was committed.
    pub(super) fn last_row(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'",
            Self::Postgres(_) => "SELECT CAST(value AS BIGINT) FROM meta WHERE name = 'last_row'",
        }
    }

    /// Whether the database answers and is still this process's own.
    ///
    /// # Errors
    /// Retryable if it does not answer now; not retryable if it is another's.
    pub(super) async fn check(&self) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(database) => database.check().await,
        }
    }

    /// Closes all connections and lets others have the database.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(database) => database.close().await,
        }
    }
}

impl Reader {
    pub(super) fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(connection) => Connection::Sqlite(connection),
            Self::Postgres(connection) => Connection::Postgres(connection),
        }
    }
}

impl Writing {
    pub(super) fn connection(&mut self) -> Result<Connection<'_>> {
        match self {
            Self::Sqlite(writing) => writing.connection().map(Connection::Sqlite),
            Self::Postgres(writing) => writing.connection().map(Connection::Postgres),
        }
    }

    /// Makes it durable. Until this is dropped no other transaction begins.
    ///
    /// # Errors
    /// Retryable if it was not committed, or if nobody can tell now.
    pub(super) async fn commit(&mut self, added: u64, removed: u64) -> Result<()> {
        match self {
            Self::Sqlite(writing) => writing.commit(added, removed).await,
            Self::Postgres(writing) => writing.commit(added, removed).await,
        }
    }
}

/// What both databases hand out to their transactions.
pub(super) type Shared = Arc<Counters>;

/// Runs a statement on a [`Connection`]: the same expression for either database.
macro_rules! on {
    ($connection:expr, $name:ident => $statement:expr) => {
        match $connection {
            $crate::store::backend::Connection::Sqlite($name) => {
                $statement.await.map_err($crate::store::sqlite::failed)
            }
            $crate::store::backend::Connection::Postgres($name) => {
                $crate::store::postgres::within($statement).await
            }
        }
    };
}
pub(super) use on;

/// The same for a query that changes rows: how many.
macro_rules! change {
    ($connection:expr, $query:expr) => {
        $crate::store::backend::on!($connection, c => async {
            $query.execute(c).await.map(|done| done.rows_affected())
        })
    };
}
pub(super) use change;
