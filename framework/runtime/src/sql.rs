//! Statements over other products that run on, asked of the platform's SQL.

use std::collections::VecDeque;
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Principal, Problem, Purpose, Result};
use mesh_enforcement::{PRINCIPAL_HEADER, PURPOSE_HEADER};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use url::Url;

const CONNECT: Duration = Duration::from_secs(3);
/// The platform tells every ten seconds that it is there.
const SILENCE: Duration = Duration::from_secs(30);
/// The longest line; a batch of rows is far smaller.
const MAX_LINE: usize = 64 << 20;

/// The platform's SQL, as a source reads it; see [`Context::sql`](crate::Context::sql).
#[derive(Debug, Clone)]
pub struct Sql {
    base: Url,
    principal: Principal,
    purpose: Purpose,
}

/// One line of an answer that has no end.
#[derive(Debug)]
pub enum FollowedLine {
    /// Rows, their values in the order of the columns.
    Rows(Vec<Vec<Json>>),
    /// The end of a round: what begins again here gets what comes after it.
    Position {
        /// Opaque.
        position: Json,
        /// Records that came too late for their window so far.
        late: u64,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Columns(Vec<Column>),
    Rows(Vec<Vec<Json>>),
    Error(Problem),
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

#[derive(Deserialize)]
struct Position {
    position: Json,
    late: u64,
}

impl Sql {
    pub(crate) fn new(base: Url, principal: Principal, purpose: Purpose) -> Self {
        Self {
            base,
            principal,
            purpose,
        }
    }

    /// Follows `query` from `from`: `now`, `beginning` or a position, in rounds of about
    /// `records` records of each partition.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the platform does not answer; what it says of the
    /// statement.
    pub async fn follow(
        &self,
        query: &str,
        from: Json,
        lateness: u64,
        records: u64,
    ) -> Result<Followed> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Error::invalid("the platform's URL cannot have a path"))?
            .pop_if_empty()
            .extend(["api", "v1", "sql", "follow"]);
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            // The services of a mesh reach each other directly.
            .no_proxy()
            .build()
            .map_err(|error| Error::internal("cannot make an HTTP client").because(error))?;
        let response = http
            .post(url)
            .header(PRINCIPAL_HEADER, self.principal.as_str())
            .header(PURPOSE_HEADER, self.purpose.as_str())
            .json(&json!({
                "sql": query,
                "from": from,
                "lateness_seconds": lateness,
                "round_records": records,
            }))
            .send()
            .await
            .map_err(|error| self.silent(error))?;
        let status = response.status();
        if !status.is_success() {
            let body = response.bytes().await.map_err(|error| self.silent(error))?;
            return Err(match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => problem.into(),
                Err(_) => Error::new(
                    ErrorKind::from_http_status(status.as_u16()),
                    "the platform refused a statement",
                )
                .with("status", status.as_u16()),
            });
        }
        let mut followed = Followed {
            sql: self.clone(),
            response,
            bytes: Vec::new(),
            lines: VecDeque::new(),
            columns: Vec::new(),
        };
        let Line::Columns(columns) = followed.read().await? else {
            return Err(unexpected());
        };
        followed.columns = columns.into_iter().map(|column| column.name).collect();
        Ok(followed)
    }

    fn silent(&self, error: reqwest::Error) -> Error {
        Error::unavailable("the platform's SQL does not answer")
            .with("url", &self.base)
            .mend("start the platform with `mesh up`, or set MESH_CATALOG_URL")
            .because(error.without_url())
    }
}

/// An answer without an end. Dropping it ends the statement.
#[derive(Debug)]
pub struct Followed {
    sql: Sql,
    response: reqwest::Response,
    bytes: Vec<u8>,
    lines: VecDeque<Vec<u8>>,
    columns: Vec<String>,
}

impl Followed {
    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The next line. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the platform is gone; what ended the statement.
    pub async fn next(&mut self) -> Result<FollowedLine> {
        let line = self.line().await?;
        if let Ok(Position { position, late }) = serde_json::from_slice(&line) {
            return Ok(FollowedLine::Position { position, late });
        }
        match parse(&line)? {
            Line::Rows(rows) => Ok(FollowedLine::Rows(rows)),
            Line::Columns(_) | Line::Error(_) => Err(unexpected()),
        }
    }

    async fn read(&mut self) -> Result<Line> {
        let line = self.line().await?;
        parse(&line)
    }

    async fn line(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(line);
            }
            let chunk = self.response.chunk().await;
            let Some(chunk) = chunk.map_err(|error| self.sql.silent(error))? else {
                return Err(
                    Error::unavailable("the platform ended a statement that runs on")
                        .with("url", &self.sql.base),
                );
            };
            self.bytes.extend_from_slice(&chunk);
            while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let rest = self.bytes.split_off(end + 1);
                self.lines
                    .push_back(std::mem::replace(&mut self.bytes, rest));
            }
            if self.bytes.len() > MAX_LINE {
                return Err(unexpected());
            }
        }
    }
}

fn parse(line: &[u8]) -> Result<Line> {
    match serde_json::from_slice(line) {
        Ok(Line::Error(problem)) => Err(problem.into()),
        Ok(line) => Ok(line),
        // The library's text may quote a value.
        Err(_) => Err(unexpected()),
    }
}

fn unexpected() -> Error {
    Error::internal("the platform's answer is not what this release expects")
        .mend("run the domain and the platform at the same release")
}
