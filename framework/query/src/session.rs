//! A session and its queries.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::common::ScalarValue;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::{FutureExt, Stream, StreamExt};
use mesh_core::{Error, ErrorKind, Result};
use mesh_enforcement::Access;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant as Deadline, Sleep};
use uuid::Uuid;

use crate::connection::Described;
use crate::engine::Shared;
use crate::failure::{planning, running};
use crate::limits::Permit;
use crate::lineage::{Lineage, LineageSink, Outcome, Run, lineage, run_event};
use crate::parameters;
use crate::postgres::View as PostgresView;
use crate::product::Product;
use crate::provider::{Granted, Table, catalogs};
use crate::run::{Progress, QueryRun, View};
use crate::settings::CorruptRecords;
use crate::sound::check_subqueries;
use crate::statement::{admit, read};

/// One principal with one purpose, and the tables that they may read. Its tables stay those
/// of its beginning; a new session sees what has changed.
pub struct Session {
    shared: Arc<Shared>,
    access: Access,
    granted: Arc<Granted>,
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
    /// Records left out since they cannot be read, where the session chose that.
    #[serde(default)]
    pub records_skipped: u64,
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>, access: Access, granted: Granted) -> Self {
        Self {
            shared,
            access,
            granted: Arc::new(granted),
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

    /// The products behind [`Session::tables`], by domain and name.
    pub(crate) fn readable(&self) -> impl Iterator<Item = (&str, &str, &Product)> {
        self.granted.iter().flat_map(|(domain, tables)| {
            tables.iter().filter_map(move |(name, table)| {
                let table = table.as_ref().ok().filter(|table| !table.has_ended())?;
                Some((domain.as_str(), name.as_str(), table.product.as_ref()))
            })
        })
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
        let permit = self.shared.admission.try_admit(&self.access.principal)?;
        self.query_admitted(sql, options, permit).await
    }

    /// As [`Session::query_with`], for which leave was given.
    pub(crate) async fn query_admitted(
        &self,
        sql: &str,
        options: QueryOptions,
        permit: Permit,
    ) -> Result<QueryResult> {
        let run = self.run(&options);
        self.start(sql, options, run, permit, Ok).await
    }

    /// Leave to run one statement.
    pub(crate) fn leave(&self) -> Result<Permit> {
        self.shared.admission.try_admit(&self.access.principal)
    }

    /// What the scans of one query share.
    pub(crate) fn run(&self, options: &QueryOptions) -> Arc<QueryRun> {
        let view = View {
            corrupt: options.corrupt,
            as_of: options.as_of,
        };
        let run = QueryRun::new(Arc::clone(&self.shared.env), view);
        Arc::new(run.reading_at_most(self.shared.config.per_principal.bytes_scanned))
    }

    /// Plans `sql`, has `change` make another plan of it, and starts that.
    pub(crate) async fn start(
        &self,
        sql: &str,
        options: QueryOptions,
        run: Arc<QueryRun>,
        permit: Permit,
        change: impl FnOnce(LogicalPlan) -> Result<LogicalPlan> + Send,
    ) -> Result<QueryResult> {
        let started = Instant::now();
        let allowed = self.shared.config.timeout;
        let allowed = options.timeout.map_or(allowed, |asked| asked.min(allowed));
        let deadline = Deadline::now() + allowed;
        let planned =
            AssertUnwindSafe(self.plan(sql, options, &run, &permit, change)).catch_unwind();
        let (stream, lineage) = match tokio::time::timeout_at(deadline, planned).await {
            Ok(Ok(stream)) => stream?,
            Ok(Err(_)) => return Err(panicked()),
            Err(_) => return Err(too_slow(allowed)),
        };
        Ok(QueryResult {
            schema: stream.schema(),
            stream: Some(stream),
            run,
            rows: 0,
            outcome: Outcome::Abort,
            trace: self
                .shared
                .lineage
                .clone()
                .zip(lineage)
                .map(|(sink, lineage)| Trace {
                    sink,
                    lineage,
                    job: job(sql),
                    cluster: cluster(&self.shared.config.stream.bootstrap),
                }),
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
        self.described(sql, |_| None).await
    }

    /// What `sql` will give with `values`, which may decide about the types of its columns.
    ///
    /// # Errors
    /// As [`Session::query_with`].
    pub(crate) async fn describe_bound(
        &self,
        sql: &str,
        values: Option<Vec<ScalarValue>>,
    ) -> Result<Described> {
        self.described(sql, |_| values).await
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
        self.described(sql, |types| {
            Some(choose(types)).filter(|chosen| !chosen.is_empty())
        })
        .await
    }

    async fn described(
        &self,
        sql: &str,
        choose: impl FnOnce(&[Option<DataType>]) -> Option<Vec<ScalarValue>>,
    ) -> Result<Described> {
        let run = Arc::new(QueryRun::new(Arc::clone(&self.shared.env), View::default()));
        let planned = AssertUnwindSafe(self.logical(sql, &run)).catch_unwind();
        let (_, mut plan, _) = planned.await.map_err(|_| panicked())??;
        let parameters = parameters::types(&plan)?;
        if let Some(values) = choose(&parameters) {
            plan = parameters::bind(plan, values)?;
        }
        Ok(Described {
            schema: Some(Arc::clone(plan.schema().inner())),
            parameters,
        })
    }

    /// Where the columns of `sql` come from, as an event of OpenLineage (`RunEvent`), without
    /// running it.
    ///
    /// # Errors
    /// As [`Session::query_with`].
    pub async fn lineage(&self, sql: &str) -> Result<serde_json::Value> {
        let run = Arc::new(QueryRun::new(Arc::clone(&self.shared.env), View::default()));
        let planned = AssertUnwindSafe(self.logical(sql, &run)).catch_unwind();
        let (_, plan, _) = planned.await.map_err(|_| panicked())??;
        let lineage = lineage(&plan).map_err(|error| planning(&error))?;
        let run = Run {
            id: Uuid::now_v7(),
            job: job(sql),
            outcome: Outcome::Running,
            at: Utc::now(),
            cluster: cluster(&self.shared.config.stream.bootstrap),
            writes: None,
        };
        Ok(run_event(&run, &lineage, plan.schema().inner()))
    }

    /// The logical plan, the state that it was made in, and whether it answers with rows of
    /// products.
    pub(crate) async fn logical(
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
        if let Some(table) = &admitted.described {
            // What is not there is refused as a query of it would be.
            let looked = state.statement_to_plan(read(table)?).await;
            looked.map_err(|error| planning(&error))?;
        }
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
        check_subqueries(&plan)?;
        Ok((state, plan, admitted.is_query))
    }

    async fn plan(
        &self,
        sql: &str,
        options: QueryOptions,
        run: &Arc<QueryRun>,
        permit: &Permit,
        change: impl FnOnce(LogicalPlan) -> Result<LogicalPlan> + Send,
    ) -> Result<(SendableRecordBatchStream, Option<Lineage>)> {
        let (state, plan, is_query) = self.logical(sql, run).await?;
        let plan = change(plan)?;
        let lineage = match self.shared.lineage {
            Some(_) if is_query => Some(lineage(&plan).map_err(|error| planning(&error))?),
            _ => None,
        };
        let mut plan = parameters::bind(plan, options.parameters)?;
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
        let runtime = self.shared.runtime_of(permit)?;
        let context = TaskContext::from(&state).with_runtime(runtime);
        let stream = self.shared.threads.run(plan, Arc::new(context));
        Ok((stream, lineage))
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
    outcome: Outcome,
    trace: Option<Trace>,
    access: Access,
    started: Instant,
    allowed: Duration,
    deadline: Pin<Box<Sleep>>,
    _permit: Permit,
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
            records_skipped: self.run.skipped(),
        }
    }

    /// Tells from elsewhere how far the query has come.
    pub(crate) fn progress(&self) -> Progress {
        Progress::new(Arc::clone(&self.run), self.started)
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
        self.outcome = Outcome::Fail;
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
                    this.run.answered(batch.num_rows() as u64);
                    return Poll::Ready(Some(Ok(batch)));
                }
                Some(Err(error)) => {
                    return this.fail(running(&error));
                }
                None => {
                    this.stream = None;
                    this.outcome = Outcome::Complete;
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
            records_skipped,
        } = self.stats();
        tracing::info!(
            principal = %self.access.principal,
            purpose = %self.access.purpose,
            outcome = self.outcome.word(),
            rows,
            elapsed_ms,
            records_read,
            bytes_read,
            records_skipped,
            "query ended"
        );
        if let Some(trace) = self.trace.take() {
            let run = Run {
                id: Uuid::now_v7(),
                job: trace.job,
                outcome: self.outcome,
                at: Utc::now(),
                cluster: trace.cluster,
                writes: None,
            };
            trace
                .sink
                .emit(run_event(&run, &trace.lineage, &self.schema));
        }
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

/// What is told of an answer once it has ended.
struct Trace {
    sink: Arc<dyn LineageSink>,
    lineage: Lineage,
    job: String,
    cluster: String,
}

/// A name that is the same for the same statement, and does not show it.
fn job(sql: &str) -> String {
    format!(
        "sql/{}",
        Uuid::new_v5(&Uuid::NAMESPACE_OID, sql.trim().as_bytes())
    )
}

/// The cluster as OpenLineage names it, by the first of its addresses.
fn cluster(bootstrap: &str) -> String {
    let first = bootstrap.split(',').next().unwrap_or_default();
    format!("kafka://{first}")
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
