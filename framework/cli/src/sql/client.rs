//! The client of the SQL door.

use std::collections::BTreeMap;

use clap::ValueEnum;
use mesh_core::{Error, ErrorKind, Principal, Problem, Purpose, Result};
use serde_json::{Value, json};
use uuid::Uuid;

/// The variable of the password that goes with `--user`.
const PASSWORD: &str = "MESH_SQL_PASSWORD";

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people
    Table,
    /// Comma-separated values (RFC 4180) with a header
    Csv,
    /// One JSON document
    Json,
    /// A stream of Arrow's IPC format
    Arrow,
    /// A Parquet file
    Parquet,
}

impl Format {
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Table => "text/plain",
            Self::Csv => "text/csv",
            Self::Json => "application/json",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Table | Self::Csv | Self::Json)
    }
}

/// A statement and what goes with it.
#[derive(Default)]
pub(super) struct Question {
    pub(super) sql: String,
    pub(super) parameters: Vec<String>,
    pub(super) settings: BTreeMap<String, String>,
}

/// Asks the SQL door of a platform.
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    who: Who,
    purpose: Purpose,
}

/// Who asks: whoever he says, or who has logged in.
enum Who {
    Said(Principal),
    Login { name: String, password: String },
}

impl Client {
    pub(crate) fn new(url: &str, principal: &str, purpose: &str) -> Result<Self> {
        Ok(Self {
            http: reqwest::Client::new(),
            url: url.trim_end_matches('/').to_owned(),
            who: Who::Said(principal.parse()?),
            purpose: purpose.parse()?,
        })
    }

    /// One that logs in as `name`, with the password of the variable.
    pub(super) fn with_login(url: &str, name: &str, purpose: &str) -> Result<Self> {
        let password = std::env::var(PASSWORD).map_err(|_| {
            Error::invalid("there is no password for the login")
                .with("user", name)
                .mend(format!("set the variable {PASSWORD}"))
        })?;
        let mut client = Self::new(url, name, purpose)?;
        client.who = Who::Login {
            name: name.to_owned(),
            password,
        };
        Ok(client)
    }

    /// Asks and waits for the first rows. With an `id` the statement can be cancelled.
    pub(super) async fn send(
        &self,
        question: &Question,
        format: Format,
        id: Option<Uuid>,
    ) -> Result<reqwest::Response> {
        let body = json!({
            "sql": question.sql,
            "parameters": question.parameters,
            "settings": question.settings,
        });
        let mut request = self
            .http
            .post(format!("{}/api/v1/sql", self.url))
            .header("Accept", format.media_type())
            .json(&body);
        if let Some(id) = id {
            request = request.header("Mesh-Statement", id.to_string());
        }
        self.checked(request).await
    }

    /// Asks for a statement's rows as records come, as lines of JSON.
    pub(super) async fn follow(&self, body: &Value) -> Result<reqwest::Response> {
        let url = format!("{}/api/v1/sql/follow", self.url);
        self.checked(self.http.post(url).json(body)).await
    }

    /// Ends the statement, if it still runs.
    pub(super) async fn cancel(&self, id: Uuid) -> Result<()> {
        let url = format!("{}/api/v1/sql/statements/{id}", self.url);
        match self.checked(self.http.delete(url)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            ended => ended.map(drop),
        }
    }

    async fn checked(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response> {
        let request = match &self.who {
            Who::Said(principal) => request.header("Mesh-Principal", principal.as_str()),
            Who::Login { name, password } => request.basic_auth(name, Some(password)),
        };
        let response = request
            .header("Mesh-Purpose", self.purpose.as_str())
            .send()
            .await
            .map_err(|error| {
                Error::unavailable("the mesh does not answer")
                    .with("url", &self.url)
                    .mend("start it with `mesh up` or `mesh demo`, or say where it is with --url")
                    .because(error)
            })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let body = response.text().await.unwrap_or_default();
        Err(match serde_json::from_str::<Problem>(&body) {
            Ok(problem) => problem.into(),
            Err(_) => Error::new(
                ErrorKind::from_http_status(status),
                format!("the mesh answered with status {status}"),
            )
            .with("url", &self.url)
            .mend("check that --url names a mesh platform"),
        })
    }

    /// The answer as text.
    pub(crate) async fn text(&self, statement: &str, format: Format) -> Result<String> {
        let question = Question {
            sql: statement.to_owned(),
            ..Question::default()
        };
        self.send(&question, format, None)
            .await?
            .text()
            .await
            .map_err(|error| {
                Error::unavailable("the answer broke off before its end").because(error)
            })
    }
}
