//! `POST /api/v1/sql/follow`: a statement that runs on, as lines of JSON.

use std::time::{Duration, Instant};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use mesh_core::{Error, Result};
use mesh_enforcement::Access;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::continuous::{Follow, FollowFrom, FollowOptions, Position, Round};
use crate::engine::Engine;
use crate::render::{JsonWriter, json_rows};
use crate::session::QueryOptions;

const LINES: &str = "application/x-ndjson";
/// After so long without a record the client hears that all is well.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long to wait before asking for the next round.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest lateness that can be asked for, in seconds: a year.
const MOST_LATENESS: u64 = 366 * 24 * 3600;

/// A statement to follow.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FollowRequest {
    /// A statement that filters and projects event products, joins them to state products, or
    /// groups one by tumbling windows of its event time.
    #[schema(
        example = "SELECT application_id, amount FROM loan.decisions WHERE outcome = 'DECLINED'"
    )]
    sql: String,
    /// `now`, `beginning`, or a position that an earlier answer has told.
    #[serde(default)]
    #[schema(value_type = Object, example = "now")]
    from: Value,
    /// Seconds that a record may be later than the latest event time seen and still be in its
    /// window.
    #[serde(default)]
    lateness_seconds: u64,
    /// The most records of a partition that a round reads; windows are told from all that is
    /// there, so it does not hold for them.
    #[serde(default)]
    round_records: Option<u64>,
}

/// Runs a statement on as records come.
///
/// Each line of the answer is a JSON object: first `{"columns": […]}`; then for each round
/// `{"rows": [[…], …]}` as often as there are rows, and `{"position": …, "late": n}` at its
/// end, also every ten seconds when nothing comes; `{"error": {…}}`, a problem document
/// (RFC 9457), is the last. Whoever begins again with `from` set to a position gets what
/// came after it, once.
#[utoipa::path(
    post,
    path = "/api/v1/sql/follow",
    operation_id = "follow_sql",
    tag = "sql",
    request_body = FollowRequest,
    params(
        ("Mesh-Principal" = String, Header, description = "Who asks: a person or `service:<domain>`"),
        ("Mesh-Purpose" = String, Header, description = "For what purpose"),
    ),
    responses(
        (status = 200, description = "The rows as they come", content_type = "application/x-ndjson"),
        (status = 400, description = "The statement does not parse or plan"),
        (status = 401, description = "Principal or purpose is missing"),
        (status = 404, description = "A table is not there, or not for this principal and purpose"),
        (status = 501, description = "The statement cannot be run on as records come"),
    )
)]
pub(crate) async fn follow(
    State(engine): State<Engine>,
    access: Access,
    request: Result<Json<FollowRequest>, JsonRejection>,
) -> Result<Response> {
    let Json(request) = request.map_err(|rejection| {
        Error::invalid("the request's body is not what this door expects")
            .with("cause", rejection.body_text())
            .mend("send `{\"sql\": \"SELECT …\"}` with `Content-Type: application/json`")
    })?;
    let options = FollowOptions {
        from: begin(request.from)?,
        lateness: Duration::from_secs(request.lateness_seconds.min(MOST_LATENESS)),
        round_records: request.round_records,
    };
    let follow = engine
        .follow(access, &request.sql, QueryOptions::default(), options)
        .await?;
    let head = JsonWriter::new().head(follow.schema(), &[])?;
    // The head of an answer, without the rows that it opens.
    let head = format!("{}}}\n", head.trim_end_matches(",\n\"rows\":["));
    let lines = Lines {
        follow,
        round: None,
        told: Instant::now(),
    };
    let begin = (Some(head), Some(lines));
    let body = Body::from_stream(stream::unfold(begin, |(head, lines)| async move {
        if let Some(head) = head {
            return Some((Ok::<_, Error>(Bytes::from(head)), (None, lines)));
        }
        let mut lines = lines?;
        match lines.next().await {
            Ok(line) => Some((Ok(line.into()), (None, Some(lines)))),
            Err(error) => {
                tracing::warn!(error = error.log_line(), "a followed statement ended");
                let line = format!("{}\n", json!({ "error": error.to_problem() }));
                Some((Ok(line.into()), (None, None)))
            }
        }
    }));
    let content_type = HeaderValue::from_static(LINES);
    Ok(([(header::CONTENT_TYPE, content_type)], body).into_response())
}

fn begin(from: Value) -> Result<FollowFrom> {
    match from {
        Value::Null => Ok(FollowFrom::Now),
        Value::String(word) if word == "now" => Ok(FollowFrom::Now),
        Value::String(word) if word == "beginning" => Ok(FollowFrom::Beginning),
        position => serde_json::from_value::<Position>(position)
            .map(FollowFrom::Position)
            .map_err(|_| {
                Error::invalid("`from` is not where a statement can begin")
                    .mend("write `now`, `beginning`, or a position as it was told")
            }),
    }
}

struct Lines {
    follow: Follow,
    round: Option<Round>,
    told: Instant,
}

impl Lines {
    /// The next line, with its end.
    async fn next(&mut self) -> Result<String> {
        loop {
            if let Some(round) = &mut self.round {
                if let Some(batch) = round.rows.next_batch().await? {
                    self.told = Instant::now();
                    return Ok(format!("{{\"rows\":[{}]}}\n", json_rows(&batch)?));
                }
                self.round = None;
                return Ok(self.position());
            }
            match self.follow.round().await? {
                Some(round) => self.round = Some(round),
                None if self.told.elapsed() >= HEARTBEAT => return Ok(self.position()),
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn position(&mut self) -> String {
        self.told = Instant::now();
        let late = self.follow.late();
        format!(
            "{}\n",
            json!({ "position": self.follow.position(), "late": late })
        )
    }
}
