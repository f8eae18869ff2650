//! Statements: planned when a client asks for them, run when it fetches their rows.

use std::sync::{Arc, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use bytes::Bytes;
use datafusion::common::ScalarValue;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use mesh_core::{Error, ErrorKind, Result};
use tonic::Status;

use super::sessions::{Call, Planned, Prepared, Running};
use super::status::{flight, status};
use crate::connection::{Answer, Connection};
use crate::engine::Engine;
use crate::session::QueryResult;
use crate::wire::{plain_batch, plain_schema};

/// Rows as they go over the wire.
pub(super) type Rows = std::pin::Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// Plans `sql` with `values` and gives its handle and columns. Nothing is read; a command,
/// such as `SET`, is done here, so that the next call finds it done.
///
/// # Errors
/// As [`Connection::describe`].
pub(super) async fn plan(
    engine: &Engine,
    call: &Call,
    sql: &str,
    values: Vec<ScalarValue>,
) -> Result<(Bytes, SchemaRef)> {
    let settings = call.settings();
    let connection = of_call(engine, call);
    let described = connection.describe_bound(sql, Some(values.clone())).await?;
    let done = described.schema.is_none();
    if done {
        run_command(call, sql).await?;
    }
    let schema = match described.schema {
        Some(schema) => plain_schema(&schema),
        None => Arc::new(Schema::empty()),
    };
    let handle = call.session.tickets.put(Arc::new(Planned {
        sql: sql.to_owned(),
        parameters: values,
        settings,
        schema: Arc::clone(&schema),
        done,
    }))?;
    Ok((handle, schema))
}

/// The columns that `sql` will give; none for a command.
///
/// # Errors
/// As [`Connection::describe`].
pub(super) async fn columns(engine: &Engine, call: &Call, sql: &str) -> Result<Option<SchemaRef>> {
    let described = of_call(engine, call).describe(sql).await?;
    Ok(described.schema.as_deref().map(plain_schema))
}

/// Runs what was planned under `handle`, once.
///
/// # Errors
/// [`ErrorKind::NotFound`] if this session has planned no such thing; as [`Connection::run`].
pub(super) async fn fetch(engine: &Engine, call: &Call, handle: &Bytes) -> Result<Rows> {
    let tickets = &call.session.tickets;
    let planned = tickets.take(handle).ok_or_else(|| tickets.missing())?;
    if planned.done {
        return Ok(encoded(&planned.schema, stream::empty()));
    }
    let running = call.session.running(handle.clone());
    let principal = call.session.connection.principal().clone();
    let connection = engine.connect(principal, planned.settings.clone());
    let answer = connection.run_with(&planned.sql, planned.parameters.clone());
    match running.cancel.or(answer).await? {
        Answer::Rows(result) => Ok(rows(result, running, &planned.schema)),
        Answer::Done(_) => Err(Error::internal("a query turned into a command")),
    }
}

/// Does a command; the number of rows that it changed is none.
///
/// # Errors
/// If it is no command: rows are queried, and nothing else is let in.
pub(super) async fn update(engine: &Engine, call: &Call, sql: &str) -> Result<i64> {
    let described = of_call(engine, call).describe(sql).await?;
    if described.schema.is_some() {
        return Err(Error::new(
            ErrorKind::FailedPrecondition,
            "the statement gives rows and changes none",
        )
        .mend("execute it as a query"));
    }
    run_command(call, sql).await?;
    Ok(0)
}

/// Prepares `sql` and gives its handle, the columns of its rows, if it gives any, and its
/// parameters.
///
/// # Errors
/// As [`Connection::describe`].
pub(super) async fn prepare(
    engine: &Engine,
    call: &Call,
    sql: String,
) -> Result<(Bytes, Option<SchemaRef>, Schema)> {
    let described = of_call(engine, call).describe(&sql).await?;
    let schema = described.schema.as_deref().map(plain_schema);
    let parameters: Vec<Field> = described
        .parameters
        .iter()
        .enumerate()
        .map(|(at, data_type)| {
            // Where the statement leaves the type open, it is text, as in PostgreSQL.
            let data_type = data_type.clone().unwrap_or(DataType::Utf8);
            Field::new(format!("${}", at + 1), data_type, true)
        })
        .collect();
    let handle = call.session.prepared.put(Arc::new(Prepared {
        sql,
        schema: schema.clone(),
        bound: std::sync::Mutex::default(),
    }))?;
    let parameters = plain_schema(&Schema::new(parameters));
    Ok((handle, schema, parameters.as_ref().clone()))
}

/// Binds the one row of `data` to the parameters of `prepared`.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it cannot be read; [`ErrorKind::Unsupported`] if there are
/// several rows.
pub(super) async fn bind(
    prepared: &Prepared,
    data: impl Stream<Item = Result<FlightData, FlightError>> + Send + 'static,
) -> Result<()> {
    let unreadable = |_| {
        Error::invalid("the parameters cannot be read")
            .mend("send one record batch with a column for each parameter")
    };
    let mut batches = FlightRecordBatchStream::new_from_flight_data(data);
    let mut bound = None;
    while let Some(batch) = batches.try_next().await.map_err(unreadable)? {
        if batch.num_rows() == 0 {
            continue;
        }
        if batch.num_rows() > 1 || bound.is_some() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a statement takes one set of parameters at a time",
            )
            .mend("execute it once for each row of parameters"));
        }
        let values = batch
            .columns()
            .iter()
            .map(|column| ScalarValue::try_from_array(column, 0))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| crate::failure::planning(&error))?;
        bound = Some(values);
    }
    *prepared
        .bound
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = bound.unwrap_or_default();
    Ok(())
}

/// Batches of `schema` as they go over the wire.
pub(super) fn encoded(
    schema: &SchemaRef,
    batches: impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static,
) -> Rows {
    FlightDataEncoderBuilder::new()
        .with_schema(Arc::clone(schema))
        .build(batches)
        .map_err(Status::from)
        .boxed()
}

/// A connection with the settings of this call.
pub(super) fn of_call(engine: &Engine, call: &Call) -> Connection {
    let principal = call.session.connection.principal().clone();
    engine.connect(principal, call.settings())
}

async fn run_command(call: &Call, sql: &str) -> Result<()> {
    match call.session.connection.run(sql).await? {
        Answer::Done(_) => Ok(()),
        Answer::Rows(_) => Err(Error::internal("a command turned into a query")),
    }
}

/// The rows of `result` under the columns that were promised. Dropping them ends the query.
fn rows(result: QueryResult, running: Running, promised: &SchemaRef) -> Rows {
    let schema = Arc::clone(promised);
    let begin = Some((result, running));
    let batches = stream::unfold(begin, move |state| {
        let schema = Arc::clone(&schema);
        async move {
            let (mut result, running) = state?;
            let next = running.cancel.or(result.next_batch()).await;
            match next.and_then(|batch| batch.map(|b| plain_batch(&b, &schema)).transpose()) {
                Ok(Some(batch)) => Some((Ok(batch), Some((result, running)))),
                Ok(None) => None,
                Err(error) => Some((Err(flight(&error)), None)),
            }
        }
    });
    encoded(promised, batches)
}

/// The error of a call that this door deliberately does not take.
pub(super) fn refused(what: &'static str, mend: &'static str) -> Status {
    let error = Error::new(
        ErrorKind::PermissionDenied,
        "only statements that read are allowed",
    );
    status(&error.with("refused", what).mend(mend))
}
