//! A session and its queries.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::{FutureExt, Stream, StreamExt};
use mesh_core::{Error, ErrorKind, Result};
use mesh_enforcement::Access;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant as Deadline, Sleep};

use crate::connection::Described;
use crate::engine::Shared;
use crate::failure::{planning, running};
use crate::parameters::parameter_types;
use crate::postgres::View as PostgresView;
use crate::provider::{Granted, Table, catalogs};
use crate::run::{QueryRun, View};
use crate::settings::CorruptRecords;
use crate::statement::admit;

/// One principal with one purpose, and the tables that they may read. Its tables stay those
/// of its beginning; a new session sees what has changed.
pub struct Session {
    shared: Arc<Shared>,
    access: Access,
    granted: Granted,
    /// How a client of PostgreSQL looks at the catalog.
    postgres: Option<Arc<PostgresView>>,
}

/// What a query may take beside the engine's own limits.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct QueryOptions {
    /// The most rows to answer with; reading stops there.
    pub limit: Option<usize>,
    /// The longest it may take, if that is less than the engine allows.
    pub timeout: Option<Duration>,
    /// Values for `$1`, `$2` and so on.
    pub parameters: Vec<ScalarValue>,
    /// What happens at a record that cannot be read.
    pub corrupt: CorruptRecords,
    /// Tables show what was published before this instant; now if there is none.
    pub as_of: Option<DateTime<Utc>>,
}

impl QueryOptions {
    /// At most `limit` rows.
    pub fn limited(limit: Option<usize>) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }
}

/// What a query has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct QueryStats {
    /// Rows in the answer.
    pub rows: u64,
    /// Milliseconds since the query came.
    pub elapsed_ms: u64,
    /// Records read from Kafka. A state product is read once for its keys and once more for
    /// its values.
    pub records_read: u64,
    /// Bytes of keys and values read from Kafka, uncompressed.
    pub bytes_read: u64,
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>, access: Access, granted: Granted) -> Self {
        Self {
            shared,
            access,
            granted,
            postgres: None,
        }
    }

    /// The same session with PostgreSQL's catalog and functions.
    pub(crate) fn with_postgres(mut self, view: Arc<PostgresView>) -> Self {
        self.postgres = Some(view);
        self
    }

    /// Who asks, and for what.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The tables of the session that can be read, `<domain>.<table>`, in the order of their
    /// names.
    pub fn tables(&self) -> Vec<String> {
        self.granted
            .iter()
            .flat_map(|(domain, tables)| {
                let readable = |table: &Result<Table, Arc<Error>>| {
                    table.as_ref().is_ok_and(|table| !table.has_ended())
                };
                tables
                    .iter()
                    .filter(move |(_, table)| readable(table))
                    .map(move |(name, _)| format!("{domain}.{name}"))
            })
            .collect()
    }

    /// Runs one statement that reads; see [`Session::query_with`].
    ///
    /// # Errors
    /// As [`Session::query_with`].
    pub async fn query(&self, sql: &str) -> Result<QueryResult> {
        self.query_with(sql, QueryOptions::default()).await
    }

    /// Plans one statement that reads and starts to run it. The ends of the topics are fixed
    /// here, so what is published later is not in the answer. Dropping the future or the
    /// result ends the query and lets go of its consumers at once.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] for a statement that does more than read;
    /// [`ErrorKind::InvalidInput`], [`ErrorKind::NotFound`] and [`ErrorKind::Unsupported`]
    /// for one that does not plan; [`ErrorKind::ResourceExhausted`] if too many run;
    /// [`ErrorKind::Timeout`]; what Kafka and the registry answer.
    pub async fn query_with(&self, sql: &str, options: QueryOptions) -> Result<QueryResult> {
        let started = Instant::now();
        let allowed = self.shared.config.timeout;
        let allowed = options.timeout.map_or(allowed, |asked| asked.min(allowed));
        let deadline = Deadline::now() + allowed;
        let permit = self.shared.admit()?;
        let run = Arc::new(QueryRun::new(
            Arc::clone(&self.shared.env),
            View {
                corrupt: options.corrupt,
                as_of: options.as_of,
            },
        ));
        let planned = AssertUnwindSafe(self.plan(sql, options, &run)).catch_unwind();
        let stream = match tokio::time::timeout_at(deadline, planned).await {
            Ok(Ok(stream)) => stream?,
            Ok(Err(_)) => return Err(panicked()),
            Err(_) => return Err(too_slow(allowed)),
        };
        Ok(QueryResult {
            schema: stream.schema(),
            stream: Some(stream),
            run,
            rows: 0,
            outcome: "dropped",
            access: self.access.clone(),
            started,
            allowed,
            deadline: Box::pin(tokio::time::sleep_until(deadline)),
            _permit: permit,
        })
    }

    /// What `sql` will give and needs, without running it.
    ///
    /// # Errors
    /// As [`Session::query_with`].
    pub async fn describe(&self, sql: &str) -> Result<Described> {
        self.describe_with(sql, |_| Vec::new()).await
    }

    /// The same, where the types of the parameters follow from what the statement asks for by
    /// `choose`, which gives a value of each type.
    ///
    /// # Errors
    /// As [`Session::query_with`].
    pub(crate) async fn describe_with(
        &self,
        sql: &str,
        choose: impl FnOnce(&[Option<DataType>]) -> Vec<ScalarValue>,
    ) -> Result<Described> {
        let run = Arc::new(QueryRun::new(Arc::clone(&self.shared.env), View::default()));
        let planned = AssertUnwindSafe(self.logical(sql, &run)).catch_unwind();
        let (_, mut plan, _) = planned.await.map_err(|_| panicked())??;
        let parameters = parameter_types(&plan)?;
        let values = choose(&parameters);
        if !values.is_empty() {
            plan = plan
                .with_param_values(ParamValues::from(values))
                .map_err(|error| planning(&error))?;
        }
        Ok(Described {
            schema: Some(Arc::clone(plan.schema().inner())),
            parameters,
        })
    }

    /// The logical plan, the state that it was made in, and whether it answers with rows of
    /// products.
    async fn logical(
        &self,
        sql: &str,
        run: &Arc<QueryRun>,
    ) -> Result<(SessionState, LogicalPlan, bool)> {
        let admitted = admit(sql)?;
        let catalogs = catalogs(&self.granted, &admitted.log_columns, run);
        let mut state = match &self.postgres {
            Some(view) => view.state(&self.granted, &catalogs)?,
            None => {
                let mut state = self.shared.base.clone();
                state.register_catalog_list(catalogs);
                state
            }
        };
        state.mark_start_execution();
        let plan = state
            .statement_to_plan(admitted.statement)
            .await
            .map_err(|error| planning(&error))?;
        // The allow-list has let it in; this is the second lock on the same door.
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(&plan)
            .map_err(|error| planning(&error))?;
        Ok((state, plan, admitted.is_query))
    }

    async fn plan(
        &self,
        sql: &str,
        options: QueryOptions,
        run: &Arc<QueryRun>,
    ) -> Result<SendableRecordBatchStream> {
        let (state, mut plan, is_query) = self.logical(sql, run).await?;
        if !options.parameters.is_empty() {
            plan = plan
                .with_param_values(ParamValues::from(options.parameters))
                .map_err(|error| planning(&error))?;
        }
        if let Some(limit) = options.limit.filter(|_| is_query) {
            plan = LogicalPlanBuilder::from(plan)
                .limit(0, Some(limit))
                .and_then(LogicalPlanBuilder::build)
                .map_err(|error| planning(&error))?;
        }
        let plan = state
            .create_physical_plan(&plan)
            .await
            .map_err(|error| planning(&error))?;
        Ok(self.shared.threads.run(plan, state.task_ctx()))
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("access", &self.access)
            .field("tables", &self.tables())
            .finish_non_exhaustive()
    }
}

/// The answer to a query: a stream of batches, all of [`QueryResult::schema`]. After an
/// error it ends. Dropping it ends the query.
pub struct QueryResult {
    schema: SchemaRef,
    stream: Option<SendableRecordBatchStream>,
    run: Arc<QueryRun>,
    rows: u64,
    outcome: &'static str,
    access: Access,
    started: Instant,
    allowed: Duration,
    deadline: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

impl QueryResult {
    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What whoever asked should know about the tables that it reads: that they end, and what
    /// to read instead.
    pub fn notices(&self) -> Vec<String> {
        self.run.notices()
    }

    /// What the query has done so far; its last word once the stream has ended.
    pub fn stats(&self) -> QueryStats {
        let (records_read, bytes_read) = self.run.read();
        QueryStats {
            rows: self.rows,
            elapsed_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            records_read,
            bytes_read,
        }
    }

    /// The next batch, never an empty one; `None` at the end.
    ///
    /// # Errors
    /// What went wrong while rows flowed, without a row's value.
    pub async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        self.next().await.transpose()
    }

    /// Every batch at once, for results known to be small.
    ///
    /// # Errors
    /// As [`QueryResult::next_batch`].
    pub async fn collect(&mut self) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next_batch().await? {
            batches.push(batch);
        }
        Ok(batches)
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<RecordBatch>>> {
        self.stream = None;
        self.outcome = "failed";
        Poll::Ready(Some(Err(error)))
    }
}

impl Stream for QueryResult {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let Some(stream) = &mut this.stream else {
                return Poll::Ready(None);
            };
            if this.deadline.as_mut().poll(context).is_ready() {
                return this.fail(too_slow(this.allowed));
            }
            let polled =
                std::panic::catch_unwind(AssertUnwindSafe(|| stream.poll_next_unpin(context)));
            let item = match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(item)) => item,
                Err(_) => {
                    return this.fail(panicked());
                }
            };
            match item {
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(Ok(batch)) => {
                    this.rows += batch.num_rows() as u64;
                    return Poll::Ready(Some(Ok(batch)));
                }
                Some(Err(error)) => {
                    return this.fail(running(&error));
                }
                None => {
                    this.stream = None;
                    this.outcome = "complete";
                    return Poll::Ready(None);
                }
            }
        }
    }
}

impl Drop for QueryResult {
    fn drop(&mut self) {
        let QueryStats {
            rows,
            elapsed_ms,
            records_read,
            bytes_read,
        } = self.stats();
        tracing::info!(
            principal = %self.access.principal,
            purpose = %self.access.purpose,
            outcome = self.outcome,
            rows,
            elapsed_ms,
            records_read,
            bytes_read,
            "query ended"
        );
    }
}

impl std::fmt::Debug for QueryResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryResult")
            .field("schema", &self.schema)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

fn too_slow(allowed: Duration) -> Error {
    Error::new(ErrorKind::Timeout, "the query took longer than it may")
        .retryable(false)
        .with("seconds", allowed.as_secs_f64())
        .mend("select fewer rows, or allow it more time")
}

fn panicked() -> Error {
    Error::internal("the query met a fault of the engine")
}
