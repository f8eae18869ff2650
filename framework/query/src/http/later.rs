//! Statements whose answers are fetched later.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use mesh_core::{Error, Problem, Result};
use mesh_enforcement::Access;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Shared;
use super::body::{Source, respond};
use super::format::Format;
use super::request::{SqlRequest, chosen_id};
use super::with_id;
use crate::run::Progress;
use crate::statements::{State as Is, Statement};

const PATH: &str = "/api/v1/sql/statements";

/// A statement and how far it is.
#[derive(Serialize, ToSchema)]
pub(super) struct StatementStatus {
    id: Uuid,
    state: StatementState,
    submitted_at: DateTime<Utc>,
    /// Where the answer can be fetched, once the state is `finished`.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    /// Until when the answer is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_until: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<StatementProgress>,
    /// What is to be known about the tables that were read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notices: Vec<String>,
    /// The problem document (RFC 9457) of a statement that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    error: Option<Problem>,
}

/// How far a statement is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum StatementState {
    /// Waits until it may run.
    Queued,
    /// Runs.
    Running,
    /// Has ended; its answer is whole.
    Finished,
    /// Has ended in an error.
    Failed,
    /// Was ended by its principal.
    Cancelled,
}

/// What a statement has done.
#[derive(Serialize, ToSchema)]
pub(super) struct StatementProgress {
    /// Rows in the answer so far.
    rows: u64,
    /// Records read from Kafka so far.
    records_read: u64,
    /// Bytes of keys and values read from Kafka so far, uncompressed.
    bytes_read: u64,
    /// Milliseconds since it began to run.
    elapsed_ms: u64,
    /// Which part of the records is read that its scans read at most, from 0 to 1. A
    /// statement may end long before 1: `LIMIT` stops reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
}

/// The statements of a principal.
#[derive(Serialize, ToSchema)]
pub(super) struct StatementList {
    statements: Vec<StatementStatus>,
}

impl StatementStatus {
    fn of(statement: &Statement) -> Self {
        let mut status = Self {
            id: statement.id,
            state: StatementState::Queued,
            submitted_at: statement.submitted,
            result: None,
            kept_until: None,
            progress: None,
            notices: Vec::new(),
            error: None,
        };
        match &*statement.state() {
            Is::Queued => {}
            Is::Running(progress) => {
                status.state = StatementState::Running;
                status.progress = progress.as_ref().map(StatementProgress::of);
            }
            Is::Finished(finished) => {
                status.state = StatementState::Finished;
                status.result = Some(format!("{PATH}/{}/result", statement.id));
                status.kept_until = Some(finished.until);
                status.notices.clone_from(&finished.notices);
                status.progress = Some(StatementProgress {
                    rows: finished.stats.rows,
                    records_read: finished.stats.records_read,
                    bytes_read: finished.stats.bytes_read,
                    elapsed_ms: finished.stats.elapsed_ms,
                    share: None,
                });
            }
            Is::Failed(error) => {
                status.state = StatementState::Failed;
                status.error = Some(error.to_problem());
            }
            Is::Cancelled => status.state = StatementState::Cancelled,
        }
        status
    }
}

impl StatementProgress {
    fn of(progress: &Progress) -> Self {
        let (records_read, bytes_read) = progress.read();
        let share = progress.expected().map(|expected| {
            // Records of which there are more than 2^53 are far off.
            (records_read as f64 / expected as f64).min(1.0)
        });
        Self {
            rows: progress.rows(),
            records_read,
            bytes_read,
            elapsed_ms: u64::try_from(progress.elapsed().as_millis()).unwrap_or(u64::MAX),
            share,
        }
    }
}

/// Takes in a statement that runs as soon as it may; its answer is kept to be fetched.
#[utoipa::path(
    post,
    path = "/api/v1/sql/statements",
    operation_id = "submit_sql",
    tag = "sql",
    request_body = SqlRequest,
    params(
        ("Mesh-Principal" = String, Header, description = "Who asks: a person or `service:<domain>`"),
        ("Mesh-Purpose" = String, Header, description = "For what purpose"),
        ("Mesh-Statement" = Option<Uuid>, Header, description =
            "An id for the statement, a UUID; the door makes one if there is none"),
    ),
    responses(
        (status = 202, description = "It was taken in", body = StatementStatus,
            headers(("location" = String, description = "Where its state is"))),
        (status = 400, description = "The request is not what is expected"),
        (status = 401, description = "Principal or purpose is missing"),
        (status = 409, description = "There is a statement with this id"),
        (status = 429, description = "The principal has too many statements"),
    )
)]
pub(super) async fn submit(
    State(shared): State<Shared>,
    access: Access,
    headers: HeaderMap,
    request: Result<Json<SqlRequest>, JsonRejection>,
) -> Result<Response> {
    let (sql, options) = SqlRequest::read(request)?.into_options()?;
    let id = chosen_id(&headers)?;
    let statement = shared
        .statements
        .submit(shared.engine.clone(), &access, id, sql, options)?;
    let location = format!("{PATH}/{}", statement.id);
    let status = Json(StatementStatus::of(&statement));
    let response = (StatusCode::ACCEPTED, [(header::LOCATION, location)], status);
    Ok(with_id(statement.id, response.into_response()))
}

/// The caller's statements that wait, run or are kept, in the order in which they came.
#[utoipa::path(
    get,
    path = "/api/v1/sql/statements",
    operation_id = "list_sql_statements",
    tag = "sql",
    params(
        ("Mesh-Principal" = String, Header, description = "Who asks"),
        ("Mesh-Purpose" = String, Header, description = "For what purpose"),
    ),
    responses(
        (status = 200, description = "The statements", body = StatementList),
        (status = 401, description = "Principal or purpose is missing"),
    )
)]
pub(super) async fn list(State(shared): State<Shared>, access: Access) -> Json<StatementList> {
    let statements = shared.statements.list(&access.principal);
    let statements = statements.iter().map(|is| StatementStatus::of(is));
    Json(StatementList {
        statements: statements.collect(),
    })
}

/// How far a statement of the caller's is.
#[utoipa::path(
    get,
    path = "/api/v1/sql/statements/{id}",
    operation_id = "get_sql_statement",
    tag = "sql",
    params(
        ("id" = Uuid, Path, description = "The id of the statement"),
        ("Mesh-Principal" = String, Header, description = "Who asks"),
        ("Mesh-Purpose" = String, Header, description = "For what purpose"),
    ),
    responses(
        (status = 200, description = "The statement", body = StatementStatus),
        (status = 401, description = "Principal or purpose is missing"),
        (status = 404, description = "The caller has no such statement"),
    )
)]
pub(super) async fn state(
    State(shared): State<Shared>,
    access: Access,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<StatementStatus>> {
    let statement = shared.statements.get(&access.principal, known(id)?)?;
    Ok(Json(StatementStatus::of(&statement)))
}

/// Ends a statement of the caller's, whichever way it was sent. One that has ended is
/// forgotten, with its answer.
#[utoipa::path(
    delete,
    path = "/api/v1/sql/statements/{id}",
    operation_id = "end_sql_statement",
    tag = "sql",
    params(
        ("id" = Uuid, Path, description = "The id of the statement"),
        ("Mesh-Principal" = String, Header, description = "Who asks"),
        ("Mesh-Purpose" = String, Header, description = "For what purpose"),
    ),
    responses(
        (status = 204, description = "It ends, or is forgotten"),
        (status = 401, description = "Principal or purpose is missing"),
        (status = 404, description = "The caller has no such statement"),
    )
)]
pub(super) async fn end(
    State(shared): State<Shared>,
    access: Access,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<StatusCode> {
    shared.statements.end(&access.principal, known(id)?)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Streams the answer of a statement that has finished, as often as it is asked for.
#[utoipa::path(
    get,
    path = "/api/v1/sql/statements/{id}/result",
    operation_id = "get_sql_result",
    tag = "sql",
    params(
        ("id" = Uuid, Path, description = "The id of the statement"),
        ("Mesh-Principal" = String, Header, description = "Who asks"),
        ("Mesh-Purpose" = String, Header, description = "For what purpose"),
        ("Accept" = Option<String>, Header, description = "As for `POST /api/v1/sql`"),
    ),
    responses(
        (status = 200, description = "The answer", content(
            (super::SqlAnswer = "application/json"), (String = "text/csv"), (String = "text/plain"),
            (Vec<u8> = "application/vnd.apache.arrow.stream"),
            (Vec<u8> = "application/vnd.apache.parquet"))),
        (status = 401, description = "Principal or purpose is missing"),
        (status = 403, description = "The statement was run for another purpose"),
        (status = 404, description = "The caller has no such statement"),
        (status = 409, description = "The statement was cancelled"),
        (status = 422, description = "It has not ended yet, or its answer is not kept"),
        (status = "default", description = "What the statement failed with"),
    )
)]
pub(super) async fn result(
    State(shared): State<Shared>,
    access: Access,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Response> {
    let format = Format::accepted(&headers)?;
    let statement = shared.statements.get(&access.principal, known(id)?)?;
    let finished = Box::new(statement.answer(&access)?);
    let response = respond(format, Source::Kept(finished, None)).await?;
    Ok(with_id(statement.id, response))
}

/// What is no id is the id of no statement.
fn known(id: Result<Path<Uuid>, PathRejection>) -> Result<Uuid> {
    id.map(|Path(id)| id)
        .map_err(|_| Error::not_found("there is no such statement").mend("its id is a UUID"))
}
