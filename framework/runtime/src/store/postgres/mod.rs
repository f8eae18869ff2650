//! The store in a schema of a Postgres database.
//!
//! One session writes, and the same session holds an advisory lock on the schema for as
//! long as it lives (see [`session`]). A lock that is lost is therefore lost together with
//! the only connection that commits, and whoever holds the lock knows that no transaction
//! of an earlier session can still be committed. Besides, every transaction exchanges the
//! *mark* of the one before for its own (see [`writer`]): it tells a process that another
//! one has written meanwhile, and after a broken connection whether the last commit was
//! made.

mod error;
mod session;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use mesh_core::{Error, Result};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Connection, PgConnection, Postgres};
use tokio::sync::{Mutex, OwnedMutexGuard};

use self::error::PATIENCE;
pub(super) use self::error::within;
pub(super) use self::session::Target;
use self::session::{READER, Session, prepare};
use self::writer::Writer;
use super::backend::Shared;

const READERS: u32 = 4;
/// How long a read waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);
/// A connection that was idle for longer is tried before it is used.
const STALE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Database {
    readers: PgPool,
    writer: Arc<Mutex<Writer>>,
}

/// The open transaction. If it is dropped before its commit, the next one undoes it.
pub(super) struct Writing(OwnedMutexGuard<Writer>);

impl Database {
    /// Takes the lock of the schema, makes the schema and brings its tables up to date.
    pub(super) async fn open(target: Target, counters: Shared) -> Result<Self> {
        let target = Arc::new(target);
        let mut session = Session::first(&target).await?;
        migrate(&mut session.connection)
            .await
            .map_err(|error| target.tell(error))?;
        let writer = Writer::open(Arc::clone(&target), session, counters).await?;
        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(ACQUIRE)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for < STALE {
                        return Ok(true);
                    }
                    let ping = tokio::time::timeout(ACQUIRE, connection.ping());
                    Ok(matches!(ping.await, Ok(Ok(()))))
                })
            })
            .after_connect({
                let target = Arc::clone(&target);
                move |connection, _| {
                    let target = Arc::clone(&target);
                    Box::pin(async move { prepare(connection, &target.schema, READER).await })
                }
            })
            .connect_lazy_with(target.options());
        Ok(Self {
            readers,
            writer: Arc::new(Mutex::new(writer)),
        })
    }

    pub(super) async fn reader(&self) -> Result<PoolConnection<Postgres>> {
        within(self.readers.acquire()).await
    }

    pub(super) async fn begin(&self) -> Result<Writing> {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        writer.begin().await?;
        Ok(Writing(writer))
    }

    pub(super) async fn check(&self) -> Result<()> {
        self.writer.lock().await.check().await
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        let close = async { self.writer.lock().await.close().await };
        if tokio::time::timeout(PATIENCE, close).await.is_err() {
            tracing::warn!("the session of the domain's schema could not be closed");
        }
    }
}

impl Writing {
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection> {
        self.0.connection()
    }

    pub(super) async fn commit(&mut self, added: u64, removed: u64) -> Result<()> {
        self.0.commit(added, removed).await
    }
}

/// The lock of the schema is held, so nobody else migrates it.
async fn migrate(connection: &mut PgConnection) -> Result<(), Error> {
    let mut migrations = sqlx::migrate!("./migrations/postgres");
    migrations.set_locking(false);
    migrations
        .run(connection)
        .await
        .map_err(super::not_migrated)
}
