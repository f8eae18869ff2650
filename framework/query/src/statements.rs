//! Statements by their ids: how far they are, ending them, and answers kept for later.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use mesh_core::{Error, ErrorKind, Principal, Result};
use mesh_enforcement::Access;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::cancel::{Cancel, cancelled};
use crate::engine::Engine;
use crate::failure::copy;
use crate::run::Progress;
use crate::session::{QueryOptions, QueryResult, QueryStats};
use crate::spool::{SpoolWriter, Spooled};
use crate::wire::{plain_batch, plain_schema};

/// How the answers of statements are kept that nobody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keeping {
    /// How long one is kept after its statement has ended.
    pub life: Duration,
    /// Statements of one principal that wait, run or are kept; more are refused.
    pub statements: usize,
    /// Bytes on disk of the answers of one principal. A statement that needs more fails.
    pub bytes: u64,
}

impl Default for Keeping {
    /// Ten minutes, 32 statements and 2 GB.
    fn default() -> Self {
        Self {
            life: Duration::from_secs(600),
            statements: 32,
            bytes: 2 << 30,
        }
    }
}

/// All statements of a door that run, and those whose answers are kept.
#[derive(Debug)]
pub(crate) struct Statements {
    keeping: Keeping,
    spill_dir: Option<PathBuf>,
    known: Mutex<HashMap<Uuid, Arc<Statement>>>,
}

/// One statement. Its text is not kept.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) id: Uuid,
    access: Access,
    /// Whether its answer is kept.
    pub(crate) kept: bool,
    pub(crate) submitted: DateTime<Utc>,
    pub(crate) cancel: Cancel,
    bytes: AtomicU64,
    state: Mutex<State>,
}

/// How far a statement is.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// Waits for leave to run.
    #[default]
    Queued,
    /// Runs; without progress while it is planned.
    Running(Option<Progress>),
    /// Has ended well.
    Finished(Finished),
    /// Has ended in an error.
    Failed(Error),
    /// Was ended from elsewhere.
    Cancelled,
}

/// A kept answer.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub(crate) answer: Spooled,
    pub(crate) notices: Vec<String>,
    pub(crate) stats: QueryStats,
    pub(crate) until: DateTime<Utc>,
}

impl Statement {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn becomes(&self, state: State) {
        *self.state() = state;
    }

    /// Notes that it runs.
    pub(crate) fn runs(&self, progress: Option<Progress>) {
        self.becomes(State::Running(progress));
    }

    fn has_ended(&self) -> bool {
        matches!(
            *self.state(),
            State::Finished(_) | State::Failed(_) | State::Cancelled
        )
    }

    /// The kept answer, for the purpose that it was asked for.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] for another purpose;
    /// [`ErrorKind::FailedPrecondition`] if it is not there yet or never will be; else what
    /// the statement failed with.
    pub(crate) fn answer(&self, access: &Access) -> Result<Finished> {
        if self.access != *access {
            return Err(Error::new(
                ErrorKind::PermissionDenied,
                "the statement was run for another purpose",
            )
            .mend("run it again for this one"));
        }
        match &*self.state() {
            State::Finished(finished) => Ok(finished.clone()),
            State::Failed(error) => Err(copy(error)),
            State::Cancelled => Err(cancelled()),
            State::Queued | State::Running(_) if self.kept => Err(Error::new(
                ErrorKind::FailedPrecondition,
                "the statement has not ended yet",
            )
            .mend("ask for its state until that is `finished`")),
            State::Queued | State::Running(_) => Err(Error::new(
                ErrorKind::FailedPrecondition,
                "the answer goes to whoever sent the statement, and is not kept",
            )
            .mend("send it to `/api/v1/sql/statements` to fetch its answer later")),
        }
    }
}

impl Statements {
    pub(crate) fn new(keeping: Keeping, spill_dir: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self {
            keeping,
            spill_dir,
            known: Mutex::default(),
        })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Statement>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a statement whose answer goes to whoever asks at once, until what is given here
    /// is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if there is one with this `id`.
    pub(crate) fn begin(self: &Arc<Self>, access: &Access, id: Option<Uuid>) -> Result<Live> {
        let statement = self.add(access, id, false)?;
        Ok(Live {
            statements: Arc::clone(self),
            statement,
        })
    }

    /// Runs `sql` when it gets leave to, and keeps the answer.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if there is one with this `id`;
    /// [`ErrorKind::ResourceExhausted`] if the principal has too many.
    pub(crate) fn submit(
        self: &Arc<Self>,
        engine: Engine,
        access: &Access,
        id: Option<Uuid>,
        sql: String,
        options: QueryOptions,
    ) -> Result<Arc<Statement>> {
        let statement = self.add(access, id, true)?;
        let statements = Arc::clone(self);
        let task = Arc::clone(&statement);
        tokio::spawn(async move {
            let cancel = task.cancel.clone();
            let ran = cancel.or(statements.run(&task, &engine, &sql, options));
            let state = match ran.await {
                Ok(finished) => State::Finished(finished),
                Err(_) if task.cancel.is_cancelled() => State::Cancelled,
                Err(error) => State::Failed(error),
            };
            task.becomes(state);
            // Held no longer than it is known, so that its answer goes when it is forgotten.
            let id = task.id;
            drop(task);
            tokio::time::sleep(statements.keeping.life).await;
            statements.known().remove(&id);
        });
        Ok(statement)
    }

    /// The statement `id` of `principal`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it has none, whoever else may.
    pub(crate) fn get(&self, principal: &Principal, id: Uuid) -> Result<Arc<Statement>> {
        let known = self.known();
        let statement = known
            .get(&id)
            .filter(|is| is.access.principal == *principal);
        statement.cloned().ok_or_else(|| {
            Error::not_found("there is no such statement")
                .mend("statements are forgotten some time after they ended; run it again")
        })
    }

    /// The statements of `principal`, in the order in which they came.
    pub(crate) fn list(&self, principal: &Principal) -> Vec<Arc<Statement>> {
        let known = self.known();
        let own = known
            .values()
            .filter(|is| is.access.principal == *principal);
        let mut own: Vec<Arc<Statement>> = own.cloned().collect();
        own.sort_by_key(|statement| (statement.submitted, statement.id));
        own
    }

    /// Ends a statement that waits or runs, or forgets one that has ended.
    ///
    /// # Errors
    /// As [`Statements::get`].
    pub(crate) fn end(&self, principal: &Principal, id: Uuid) -> Result<()> {
        let statement = self.get(principal, id)?;
        if statement.has_ended() {
            self.known().remove(&id);
        }
        statement.cancel.cancel();
        Ok(())
    }

    fn add(&self, access: &Access, id: Option<Uuid>, kept: bool) -> Result<Arc<Statement>> {
        let id = id.unwrap_or_else(Uuid::now_v7);
        let mut known = self.known();
        if known.contains_key(&id) {
            return Err(
                Error::new(ErrorKind::Conflict, "there is a statement with this id")
                    .mend("choose another id, or leave it to the door"),
            );
        }
        let principal = &access.principal;
        let own = |is: &&Arc<Statement>| is.kept && is.access.principal == *principal;
        if kept && known.values().filter(own).count() >= self.keeping.statements {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                "too many statements of this principal wait, run or are kept",
            )
            .with("most", self.keeping.statements)
            .mend("fetch the answers of some and delete them"));
        }
        let statement = Arc::new(Statement {
            id,
            access: access.clone(),
            kept,
            submitted: Utc::now(),
            cancel: Cancel::new(),
            bytes: AtomicU64::new(0),
            state: Mutex::default(),
        });
        known.insert(id, Arc::clone(&statement));
        Ok(statement)
    }

    async fn run(
        &self,
        statement: &Statement,
        engine: &Engine,
        sql: &str,
        options: QueryOptions,
    ) -> Result<Finished> {
        let permit = engine.admitted(&statement.access.principal).await?;
        statement.runs(None);
        let session = engine.session(statement.access.clone()).await?;
        let mut result = session.query_admitted(sql, options, permit).await?;
        statement.runs(Some(result.progress()));
        let answer = self.spool(statement, &mut result).await?;
        let life = chrono::TimeDelta::from_std(self.keeping.life);
        Ok(Finished {
            answer,
            notices: result.notices(),
            stats: result.stats(),
            until: Utc::now() + life.unwrap_or(chrono::TimeDelta::MAX),
        })
    }

    /// Writes the answer to disk as it comes.
    async fn spool(&self, statement: &Statement, result: &mut QueryResult) -> Result<Spooled> {
        let schema = plain_schema(&result.schema());
        let directory = self.spill_dir.clone();
        let columns = Arc::clone(&schema);
        let mut spool =
            blocking(move || SpoolWriter::create(directory.as_deref(), &columns)).await?;
        while let Some(batch) = result.next_batch().await? {
            let columns = Arc::clone(&schema);
            let (grown, writer) = blocking(move || {
                let grown = spool.write(&plain_batch(&batch, &columns)?)?;
                Ok((grown, spool))
            })
            .await?;
            spool = writer;
            statement.bytes.fetch_add(grown, Ordering::Relaxed);
            if self.kept_bytes(&statement.access.principal) > self.keeping.bytes {
                return Err(Error::new(
                    ErrorKind::ResourceExhausted,
                    "the answers of this principal take more disk than they may",
                )
                .retryable(false)
                .with("most_bytes", self.keeping.bytes)
                .mend("select fewer columns or rows, or delete answers that are not needed"));
            }
        }
        blocking(move || spool.finish(schema)).await
    }

    fn kept_bytes(&self, principal: &Principal) -> u64 {
        let known = self.known();
        let own = known
            .values()
            .filter(|is| is.access.principal == *principal);
        own.filter(|is| !matches!(*is.state(), State::Failed(_) | State::Cancelled))
            .map(|is| is.bytes.load(Ordering::Relaxed))
            .sum()
    }
}

/// A statement whose answer goes to its client at once; it is forgotten with this.
#[derive(Debug)]
pub(crate) struct Live {
    statements: Arc<Statements>,
    pub(crate) statement: Arc<Statement>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.statements.known().remove(&self.statement.id);
    }
}

/// Does what may wait for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work)
        .await
        .map_err(|_| Error::internal("the thread that keeps an answer ended before its time"))?
}
