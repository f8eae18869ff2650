//! `mesh sql`: one question over HTTP, answered as a table, CSV or JSON.

use clap::{Args, ValueEnum};
use futures::TryStreamExt;
use mesh_core::{Error, ErrorKind, Principal, Problem, Purpose, Result};
use tokio::io::AsyncWriteExt;

#[derive(Args)]
pub(crate) struct SqlArgs {
    /// The statement; `-` reads it from standard input
    statement: String,
    /// Where the mesh answers
    #[arg(long, env = "MESH_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// How the answer is written
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Who asks
    #[arg(long = "as", env = "MESH_PRINCIPAL", default_value_t = default_principal())]
    principal: String,
    /// For what purpose
    #[arg(long, env = "MESH_PURPOSE", default_value = "analysis")]
    purpose: String,
}

/// The header of what is to be known about the tables that were read.
const NOTICE: &str = "mesh-notice";

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people
    Table,
    /// Comma-separated values (RFC 4180) with a header
    Csv,
    /// One JSON document
    Json,
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::Table => "text/plain",
            Self::Csv => "text/csv",
            Self::Json => "application/json",
        }
    }
}

/// `user:<name>` of whoever runs this.
pub(crate) fn default_principal() -> String {
    let name = std::env::var("USER").unwrap_or_default();
    let name: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c))
        .collect();
    if name.is_empty() {
        "user:anonymous".into()
    } else {
        format!("user:{name}")
    }
}

pub(crate) async fn run(args: SqlArgs) -> Result<()> {
    let statement = if args.statement == "-" {
        std::io::read_to_string(std::io::stdin())
            .map_err(|error| Error::invalid("standard input cannot be read").because(error))?
    } else {
        args.statement.clone()
    };
    let client = Client::new(&args.url, &args.principal, &args.purpose)?;
    let response = client.ask(&statement, args.format).await?;
    for notice in response.headers().get_all(NOTICE) {
        eprintln!("notice: {}", notice.to_str().unwrap_or_default());
    }
    let mut bytes = response.bytes_stream();
    let mut out = tokio::io::stdout();
    let mut last = b'\n';
    while let Some(chunk) = bytes.try_next().await.map_err(|error| {
        Error::unavailable("the answer broke off before its end")
            .with("url", &args.url)
            .mend("ask again; the platform's log says more")
            .because(error)
    })? {
        last = chunk.last().copied().unwrap_or(last);
        if out.write_all(&chunk).await.is_err() {
            // The reader of our output went away.
            return Ok(());
        }
    }
    if last != b'\n' {
        let _ = out.write_all(b"\n").await;
    }
    let _ = out.flush().await;
    Ok(())
}

/// Asks the SQL door of a platform.
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    principal: Principal,
    purpose: Purpose,
}

impl Client {
    pub(crate) fn new(url: &str, principal: &str, purpose: &str) -> Result<Self> {
        Ok(Self {
            http: reqwest::Client::new(),
            url: url.trim_end_matches('/').to_owned(),
            principal: principal.parse()?,
            purpose: purpose.parse()?,
        })
    }

    pub(crate) async fn ask(&self, statement: &str, format: Format) -> Result<reqwest::Response> {
        let response = self
            .http
            .post(format!("{}/api/v1/sql", self.url))
            .header("Mesh-Principal", self.principal.as_str())
            .header("Mesh-Purpose", self.purpose.as_str())
            .header("Accept", format.media_type())
            .json(&serde_json::json!({ "sql": statement }))
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
        self.ask(statement, format)
            .await?
            .text()
            .await
            .map_err(|error| {
                Error::unavailable("the answer broke off before its end").because(error)
            })
    }
}
