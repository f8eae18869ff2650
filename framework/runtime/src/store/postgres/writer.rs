//! Who writes: the session with the lock, and what is known of its last commit.
//!
//! Every transaction replaces the mark of the one before, a random number in the row `mark`
//! of `meta`, by its own, and is refused if it is not there. So a process that has lost the
//! store to another one commits nothing more, even if its lock was of no use (a pooler that
//! hands sessions around). And when the connection breaks in a commit, the next session
//! sees by the mark whether it was made: it holds the lock, so the one before has ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::{failed, is_gone, leaves_session, timed, within};
use super::session::{Backend, Session, Target};
use crate::store::backend::Shared;

/// How long a commit waits to learn whether it was made.
const DOUBT: Duration = Duration::from_secs(5);
/// How long a session may take to show that it is alive.
const ALIVE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Writer {
    target: Arc<Target>,
    counters: Shared,
    /// The session that holds the lock; none after it broke.
    session: Option<Session>,
    /// The last session; the server may not know yet that it has ended.
    last: Backend,
    /// The mark of the last commit that is known to be made.
    mark: String,
    /// The mark of the transaction that was begun last.
    next: String,
    /// The mark of a commit of which it is not known whether it was made.
    doubt: Option<String>,
    /// A transaction was begun and not ended.
    open: bool,
    /// Why nothing can be committed any more.
    end: Option<End>,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Closed,
    Changed,
    Gone,
}

impl Writer {
    /// Takes the store over: whoever had it before can commit nothing more.
    pub(super) async fn open(
        target: Arc<Target>,
        mut session: Session,
        counters: Shared,
    ) -> Result<Self> {
        let mark = new_mark();
        // Waits for a transaction of another session that is still open.
        within(
            sqlx::query(
                "INSERT INTO meta (name, value) VALUES ('mark', $1)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )
            .bind(&mark)
            .execute(&mut session.connection),
        )
        .await
        .map_err(|error| target.tell(error))?;
        Ok(Self {
            target,
            counters,
            last: session.backend.clone(),
            session: Some(session),
            next: mark.clone(),
            mark,
            doubt: None,
            open: false,
            end: None,
        })
    }

    /// Begins a transaction that no other process can have come before.
    pub(super) async fn begin(&mut self) -> Result<()> {
        let begun = match self.try_begin().await {
            // The server may have been started again; nothing has been done yet.
            Err(error) if error.is_retryable() && self.session.is_none() => self.try_begin().await,
            begun => begun,
        };
        begun.map_err(|error| self.target.tell(error))
    }

    async fn try_begin(&mut self) -> Result<()> {
        self.settle().await?;
        self.open = true;
        self.next = new_mark();
        let (mark, next) = (self.mark.clone(), self.next.clone());
        let connection = self.connection()?;
        let begun = timed(async {
            sqlx::raw_sql("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
                .execute(&mut *connection)
                .await?;
            sqlx::query("UPDATE meta SET value = $2 WHERE name = 'mark' AND value = $1")
                .bind(mark)
                .bind(next)
                .execute(&mut *connection)
                .await
        })
        .await;
        match begun {
            Ok(exchanged) if exchanged.rows_affected() == 1 => Ok(()),
            Ok(_) => Err(self.ends(End::Changed)),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// The connection of the transaction that was begun.
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection> {
        match &mut self.session {
            Some(session) => Ok(&mut session.connection),
            None => Err(Error::internal("a transaction is used without a session")),
        }
    }

    /// Commits what was begun. An error of a commit does not say that it was not made, so
    /// then the next session is asked.
    pub(super) async fn commit(&mut self, added: u64, removed: u64) -> Result<()> {
        let next = self.next.clone();
        self.doubt = Some(next.clone());
        let connection = self.connection()?;
        let Err(error) = timed(sqlx::raw_sql("COMMIT").execute(connection)).await else {
            self.open = false;
            self.mark = next;
            self.doubt = None;
            self.counters.rows(added, removed);
            return Ok(());
        };
        self.session = None;
        let error = failed(error);
        tracing::warn!(
            error = error.log_line(),
            "the connection broke in a commit, it is looked up whether it was made"
        );
        let until = tokio::time::Instant::now() + DOUBT;
        let unknown = loop {
            match self.settle().await {
                Ok(()) if self.mark == next => return Ok(()),
                Ok(()) => return Err(self.target.tell(error)),
                Err(unknown) if !unknown.is_retryable() || tokio::time::Instant::now() >= until => {
                    break unknown;
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        };
        Err(self.target.tell(unknown))
    }

    /// Whether the session lives and nobody else has written.
    pub(super) async fn check(&mut self) -> Result<()> {
        let checked = async {
            self.settle().await?;
            let connection = self.connection()?;
            match timed(mark(connection)).await {
                Ok(mark) if mark.as_ref() == Some(&self.mark) => Ok(()),
                Ok(_) => Err(self.ends(End::Changed)),
                Err(error) => {
                    let error = self.broken(error);
                    match error.is_retryable() {
                        true => self.settle().await,
                        false => Err(error),
                    }
                }
            }
        };
        checked.await.map_err(|error| self.target.tell(error))
    }

    /// Gives the lock away. Nothing can be committed after that.
    pub(super) async fn close(&mut self) {
        self.end.get_or_insert(End::Closed);
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    /// Makes sure that there is a session without a transaction, and that it is known which
    /// commit was the last.
    async fn settle(&mut self) -> Result<()> {
        if let Some(end) = self.end {
            return Err(end.error());
        }
        if self.open {
            // Whoever has begun it went away. After that a commit that was cut short on this
            // side only has its answer too.
            if let Some(session) = &mut self.session {
                let undo = sqlx::raw_sql("ROLLBACK").execute(&mut session.connection);
                if !matches!(tokio::time::timeout(ALIVE, undo).await, Ok(Ok(_))) {
                    self.session = None;
                }
            }
            self.open = false;
        }
        let mut session = match self.session.take() {
            Some(session) if self.doubt.is_none() => {
                self.session = Some(session);
                return Ok(());
            }
            Some(session) => session,
            None => self.reconnect().await?,
        };
        let found = timed(async {
            let mark = mark(&mut session.connection).await?;
            let pending: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
                .fetch_one(&mut session.connection)
                .await?;
            Ok((mark, pending))
        });
        let (mark, pending) = match found.await {
            Ok(found) => found,
            Err(error) => return Err(self.broken(error)),
        };
        match mark {
            Some(mark) if mark == self.mark => {}
            Some(mark) if self.doubt.as_ref() == Some(&mark) => self.mark = mark,
            _ => return Err(self.ends(End::Changed)),
        }
        self.doubt = None;
        self.session = Some(session);
        let counters = &self.counters;
        counters
            .pending
            .store(pending.max(0) as u64, Ordering::Release);
        // Who has taken a snapshot while it was in doubt what the last commit was has his
        // reads checked.
        counters.version.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// A session after the last one, with the lock.
    async fn reconnect(&mut self) -> Result<Session> {
        let mut session = Session::connect(&self.target).await?;
        let locked = session.lock(&self.target, Some(&self.last)).await?;
        if locked {
            self.last = session.backend.clone();
            tracing::info!(
                schema = self.target.schema,
                "the session of the store is back"
            );
            return Ok(session);
        }
        // Another process that has the lock has changed the mark, or will do so at once.
        match timed(mark(&mut session.connection)).await {
            Ok(Some(mark)) if mark == self.mark || self.doubt.as_ref() == Some(&mark) => {
                Err(session.taken(&self.target, ErrorKind::Unavailable).await)
            }
            Ok(_) => Err(self.ends(End::Changed)),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// The error of a statement of this writer; drops the session if it cannot go on.
    fn broken(&mut self, error: sqlx::Error) -> Error {
        if is_gone(&error) {
            return self.ends(End::Gone);
        }
        if !leaves_session(&error) {
            self.session = None;
        }
        failed(error)
    }

    /// Nothing is committed from now on.
    fn ends(&mut self, end: End) -> Error {
        self.session = None;
        self.end = Some(end);
        end.error()
    }
}

impl End {
    fn error(self) -> Error {
        let (message, mend) = match self {
            Self::Closed => ("the store is closed", "start the domain again"),
            Self::Changed => (
                "another process has taken over the domain's store",
                "stop one of the two; if the database was restored instead, start this again",
            ),
            Self::Gone => (
                "the domain's tables are gone",
                "restore the schema, or start again with an empty one",
            ),
        };
        Error::new(ErrorKind::FailedPrecondition, message).mend(mend)
    }
}

/// The mark of the last commit.
async fn mark(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT value FROM meta WHERE name = 'mark'")
        .fetch_optional(connection)
        .await
}

fn new_mark() -> String {
    Uuid::new_v4().simple().to_string()
}
