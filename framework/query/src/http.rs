//! The HTTP door: `POST /api/v1/sql`.

use std::time::Duration;

use arrow::array::RecordBatch;
use axum::body::{Body, Bytes};
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures::{Stream, stream};
use mesh_core::{Error, ErrorKind, Problem, Result};
use mesh_enforcement::Access;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::engine::Engine;
use crate::render::{CsvWriter, JsonWriter, TableWriter};
use crate::session::{QueryOptions, QueryResult, QueryStats};

/// A statement may be 128 KiB, and JSON writes some characters in six bytes.
const MAX_BODY: usize = 1 << 20;

const JSON: &str = "application/json";
const CSV: &str = "text/csv; charset=utf-8; header=present";
const TEXT: &str = "text/plain; charset=utf-8";
/// What is to be known about the tables that were read, a header for each notice.
const NOTICE: &str = "mesh-notice";

/// A statement to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SqlRequest {
    /// One statement that reads.
    #[schema(example = "SELECT status, count(*) FROM loan.decisions GROUP BY status")]
    sql: String,
    /// The most rows to answer with.
    #[serde(default)]
    limit: Option<u32>,
    /// Seconds that it may take, if that is less than the engine allows.
    #[serde(default)]
    #[schema(minimum = 1)]
    timeout_seconds: Option<u32>,
}

/// An answer in JSON.
#[derive(ToSchema)]
#[allow(
    dead_code,
    reason = "describes what `JsonWriter` writes, for OpenAPI alone"
)]
struct SqlAnswer {
    /// The columns, in the order of the values of a row.
    columns: Vec<SqlColumn>,
    /// What is to be known about the tables that were read: that they end, and what to read
    /// instead. Left out where there is nothing; also in headers `mesh-notice`.
    notices: Option<Vec<String>>,
    /// The rows. Decimals, text, dates, times and bytes (in hex) are strings, integers
    /// beyond 2^53 - 1 too; lists are arrays, structs objects, maps arrays of pairs.
    rows: Vec<Vec<Value>>,
    /// What it took; an answer with it is whole.
    stats: Option<QueryStats>,
    /// The problem document (RFC 9457) of an answer that failed half way, in place of `stats`.
    #[schema(value_type = Option<Object>)]
    error: Option<Problem>,
}

/// A column of an answer.
#[derive(ToSchema)]
#[allow(
    dead_code,
    reason = "describes what `JsonWriter` writes, for OpenAPI alone"
)]
struct SqlColumn {
    name: String,
    /// Its type in SQL.
    #[schema(example = "DECIMAL(12,2)")]
    r#type: String,
    nullable: bool,
}

/// `POST /api/v1/sql` and its description at `GET /api/v1/sql/openapi.json`, to be mounted
/// at the root of a host.
pub fn query_router(engine: Engine) -> Router {
    let (router, api) = documented().with_state(engine).split_for_parts();
    router
        .route(
            "/api/v1/sql/openapi.json",
            axum::routing::get(move || async move { Json(api) }),
        )
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

/// The OpenAPI description of the door, for a host that shows one of all its parts.
pub fn openapi() -> utoipa::openapi::OpenApi {
    documented().into_openapi()
}

#[derive(OpenApi)]
#[openapi(info(
    title = "SQL over data products",
    description = "Runs statements that read over the products that the caller may read."
))]
struct Document;

fn documented() -> OpenApiRouter<Engine> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(sql))
        .routes(routes!(crate::http_follow::follow))
}

/// Runs one statement and streams its answer.
///
/// An answer that fails before its first row is a problem document. One that fails later
/// ends with `error` in JSON, and breaks off in CSV and text. Closing the connection cancels
/// the statement.
#[utoipa::path(
    post,
    path = "/api/v1/sql",
    operation_id = "run_sql",
    tag = "sql",
    request_body = SqlRequest,
    params(
        ("Mesh-Principal" = String, Header, description = "Who asks: a person or `service:<domain>`"),
        ("Mesh-Purpose" = String, Header, description = "For what purpose"),
        ("Accept" = Option<String>, Header, description =
            "`application/json` (default), `text/csv`, or `text/plain` for a table"),
    ),
    responses(
        (status = 200, description = "The answer", content(
            (SqlAnswer = "application/json"), (String = "text/csv"), (String = "text/plain"))),
        (status = 400, description = "The statement does not parse or plan, or fails on a row"),
        (status = 401, description = "Principal or purpose is missing"),
        (status = 403, description = "The statement does more than read"),
        (status = 404, description = "A table is not there, or not for this principal and purpose"),
        (status = 429, description = "Too many statements run, or it needs too much memory"),
        (status = 500, description = "A record cannot be read, or a fault of the engine"),
        (status = 503, description = "The catalog, the registry or Kafka cannot be reached"),
        (status = 504, description = "It took longer than it may"),
    )
)]
async fn sql(
    State(engine): State<Engine>,
    access: Access,
    headers: HeaderMap,
    request: Result<Json<SqlRequest>, JsonRejection>,
) -> Result<Response> {
    let format = Format::accepted(&headers)?;
    let Json(request) = request.map_err(|rejection| {
        Error::invalid("the request's body is not what this door expects")
            .with("cause", rejection.body_text())
            .mend("send `{\"sql\": \"SELECT …\"}` with `Content-Type: application/json`")
    })?;
    let mut options = QueryOptions::limited(request.limit.map(|limit| limit as usize));
    options.timeout = request
        .timeout_seconds
        .map(|seconds| Duration::from_secs(u64::from(seconds)));
    let session = engine.session(access).await?;
    let mut result = session.query_with(&request.sql, options).await?;
    // Most of what can go wrong does so before the first row: it still gets its status.
    let first = result.next_batch().await?;
    let notices = result.notices();
    let body = Body::from_stream(write(format, result, first));
    let content_type = HeaderValue::from_static(format.content_type());
    let mut response = ([(header::CONTENT_TYPE, content_type)], body).into_response();
    for notice in notices {
        // Names of tables and days, all of them ASCII.
        if let Ok(value) = HeaderValue::from_str(&notice) {
            response.headers_mut().append(NOTICE, value);
        }
    }
    Ok(response)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Table,
}

impl Format {
    /// The best of what the client accepts (RFC 9110, 12.5.1): the greatest quality, and
    /// among equals the first named.
    fn accepted(headers: &HeaderMap) -> Result<Self> {
        let mut best: Option<(f32, Self)> = None;
        let mut named = false;
        for value in headers.get_all(header::ACCEPT) {
            for range in value.to_str().unwrap_or_default().split(',') {
                let mut parts = range.split(';').map(str::trim);
                let name = parts.next().unwrap_or_default().to_ascii_lowercase();
                if name.is_empty() {
                    continue;
                }
                named = true;
                let quality = parts
                    .find_map(|part| part.strip_prefix("q="))
                    .and_then(|quality| quality.parse().ok())
                    .unwrap_or(1.0_f32);
                let format = match name.as_str() {
                    "*/*" | "application/*" | "application/json" => Self::Json,
                    "text/csv" => Self::Csv,
                    "text/*" | "text/plain" => Self::Table,
                    _ => continue,
                };
                if quality > best.map_or(0.0, |(quality, _)| quality) {
                    best = Some((quality, format));
                }
            }
        }
        match best {
            Some((_, format)) => Ok(format),
            None if !named => Ok(Self::Json),
            None => Err(Error::new(
                ErrorKind::InvalidInput,
                "the answer cannot be written as any of what is accepted",
            )
            .mend("accept `application/json`, `text/csv` or `text/plain`")),
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Csv => CSV,
            Self::Table => TEXT,
        }
    }
}

enum Writer {
    Json(JsonWriter),
    Csv(CsvWriter),
    Table(TableWriter),
}

impl Writer {
    fn rows(&mut self, batch: &RecordBatch) -> Result<String> {
        match self {
            Self::Json(writer) => writer.rows(batch),
            Self::Csv(writer) => writer.rows(batch),
            Self::Table(writer) => writer.rows(batch),
        }
    }

    fn end(self, stats: &QueryStats) -> String {
        match self {
            Self::Json(writer) => writer.end(stats),
            Self::Csv(_) => String::new(),
            Self::Table(writer) => writer.end(stats),
        }
    }
}

/// What is left to write.
struct Answer {
    writer: Writer,
    result: QueryResult,
    first: Option<RecordBatch>,
    head: Option<String>,
}

fn write(
    format: Format,
    result: QueryResult,
    first: Option<RecordBatch>,
) -> impl Stream<Item = Result<Bytes>> {
    let schema = result.schema();
    let (writer, head) = match format {
        Format::Json => {
            let mut writer = JsonWriter::new();
            let head = writer.head(&schema, &result.notices());
            (Writer::Json(writer), head)
        }
        Format::Csv => {
            let writer = CsvWriter::new();
            let head = writer.head(&schema);
            (Writer::Csv(writer), Ok(head))
        }
        Format::Table => (Writer::Table(TableWriter::new(&schema)), Ok(String::new())),
    };
    let begin = head.map(|head| Answer {
        writer,
        result,
        first,
        head: Some(head),
    });
    stream::try_unfold(Some(begin), |answer| async move {
        match answer {
            None => Ok(None),
            Some(answer) => Ok(Some(step(answer?).await?)),
        }
    })
}

/// One piece of the body, and what is left after it.
async fn step(mut answer: Answer) -> Result<(Bytes, Option<Result<Answer>>)> {
    if let Some(head) = answer.head.take() {
        return Ok((head.into(), Some(Ok(answer))));
    }
    let next = match answer.first.take() {
        Some(first) => Ok(Some(first)),
        None => answer.result.next_batch().await,
    };
    let written = match next {
        Ok(Some(batch)) => answer.writer.rows(&batch),
        Ok(None) => {
            let stats = answer.result.stats();
            return Ok((answer.writer.end(&stats).into(), None));
        }
        Err(error) => Err(error),
    };
    match written {
        Ok(text) => Ok((text.into(), Some(Ok(answer)))),
        Err(error) => {
            tracing::warn!(error = error.log_line(), "an answer broke off");
            match answer.writer {
                // The client reads the cause, and sees that `stats` is missing.
                Writer::Json(writer) => Ok((writer.fail(&error).into(), None)),
                // Nothing can be said in these; the connection breaks, so that what came
                // is not taken for the whole.
                Writer::Csv(_) | Writer::Table(_) => Err(error),
            }
        }
    }
}
