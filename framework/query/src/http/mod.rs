//! The HTTP door: `POST /api/v1/sql`, and statements whose answers are fetched later.

mod body;
mod columnar;
mod format;
mod later;
mod login;
mod request;

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, FromRef, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use mesh_core::{Problem, Result};
use mesh_enforcement::{Access, Logins};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::engine::Engine;
use crate::session::QueryStats;
use crate::statements::{Live, Statements};
use body::{Source, respond};
use format::Format;
use request::{STATEMENT, SqlRequest, chosen_id};

/// A statement may be 128 KiB, and JSON writes some characters in six bytes; its parameters
/// take the rest.
const MAX_BODY: usize = 1 << 20;

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

/// What the handlers share.
#[derive(Debug, Clone)]
struct Shared {
    engine: Engine,
    statements: Arc<Statements>,
}

impl FromRef<Shared> for Engine {
    fn from_ref(shared: &Shared) -> Self {
        shared.engine.clone()
    }
}

/// The SQL door, `/api/v1/sql` and below it, and its description at
/// `GET /api/v1/sql/openapi.json`, to be mounted at the root of a host. With `logins` every
/// request but the one for the description carries name and password, and the name is the
/// principal; without, the header `Mesh-Principal` is believed.
pub fn query_router(engine: Engine, logins: Option<Arc<dyn Logins>>) -> Router {
    let config = engine.config();
    let statements = Statements::new(config.keeping, config.spill_dir.clone());
    let shared = Shared { engine, statements };
    let (mut router, api) = documented().with_state(shared).split_for_parts();
    if let Some(logins) = logins {
        router = router.route_layer(from_fn_with_state(logins, login::require));
    }
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

fn documented() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(sql))
        .routes(routes!(crate::http_follow::follow))
        .routes(routes!(later::submit, later::list))
        .routes(routes!(later::state, later::end))
        .routes(routes!(later::result))
}

/// Runs one statement and streams its answer.
///
/// An answer that fails before its first row is a problem document. One that fails later
/// ends with `error` in JSON, and breaks off in the other formats. Closing the connection
/// cancels the statement, as `DELETE /api/v1/sql/statements/{id}` does.
#[utoipa::path(
    post,
    path = "/api/v1/sql",
    operation_id = "run_sql",
    tag = "sql",
    request_body = SqlRequest,
    params(
        ("Mesh-Principal" = String, Header, description = "Who asks: a person or `service:<domain>`"),
        ("Mesh-Purpose" = String, Header, description = "For what purpose"),
        ("Mesh-Statement" = Option<Uuid>, Header, description =
            "An id for the statement, a UUID; the door makes one if there is none"),
        ("Accept" = Option<String>, Header, description =
            "`application/json` (default), `text/csv`, `text/plain` for a table, \
             `application/vnd.apache.arrow.stream` or `application/vnd.apache.parquet`"),
    ),
    responses(
        (status = 200, description = "The answer",
            headers(("mesh-statement" = Uuid, description = "The id of the statement")),
            content(
                (SqlAnswer = "application/json"), (String = "text/csv"), (String = "text/plain"),
                (Vec<u8> = "application/vnd.apache.arrow.stream"),
                (Vec<u8> = "application/vnd.apache.parquet"))),
        (status = 400, description = "The statement does not parse or plan, or fails on a row"),
        (status = 401, description = "Principal or purpose is missing"),
        (status = 403, description = "The statement does more than read"),
        (status = 404, description = "A table is not there, or not for this principal and purpose"),
        (status = 409, description = "The statement was cancelled, or there is one with this id"),
        (status = 429, description = "Too many statements run, or it needs too much memory or reads too much"),
        (status = 500, description = "A record cannot be read, or a fault of the engine"),
        (status = 501, description = "Something is not built, or a column has no form in the format"),
        (status = 503, description = "The catalog, the registry or Kafka cannot be reached"),
        (status = 504, description = "It took longer than it may"),
    )
)]
async fn sql(
    State(shared): State<Shared>,
    access: Access,
    headers: HeaderMap,
    request: Result<Json<SqlRequest>, JsonRejection>,
) -> Result<Response> {
    let format = Format::accepted(&headers)?;
    let request = SqlRequest::read(request)?;
    let live = shared.statements.begin(&access, chosen_id(&headers)?)?;
    let id = live.statement.id;
    let answer = run(&shared.engine, access, format, request, live).await;
    Ok(with_id(
        id,
        answer.unwrap_or_else(IntoResponse::into_response),
    ))
}

async fn run(
    engine: &Engine,
    access: Access,
    format: Format,
    request: SqlRequest,
    live: Live,
) -> Result<Response> {
    let (sql, options) = request.into_options()?;
    let statement = Arc::clone(&live.statement);
    let begun = async {
        let session = engine.session(access).await?;
        session.query_with(&sql, options).await
    };
    let result = statement.cancel.or(begun).await?;
    statement.runs(Some(result.progress()));
    respond(format, Source::Live(Box::new(result), live)).await
}

fn with_id(id: Uuid, mut response: Response) -> Response {
    let mut text = Uuid::encode_buffer();
    // The text of an id is digits, letters and dashes.
    if let Ok(value) = HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)) {
        response.headers_mut().insert(STATEMENT, value);
    }
    response
}
