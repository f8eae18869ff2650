//! `mesh sql`: one question over HTTP, answered as a table, CSV, JSON, Arrow or Parquet.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use futures::TryStreamExt;
use mesh_core::{Error, ErrorKind, Principal, Problem, Purpose, Result};
use serde_json::json;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use uuid::Uuid;

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
    /// The file to write to, in the place of standard output; it appears once it is whole
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The value of `$1`, given again for `$2` and so on; read as what the statement expects
    #[arg(
        long = "param",
        short,
        value_name = "VALUE",
        allow_hyphen_values = true
    )]
    parameters: Vec<String>,
    /// A setting of the statement, such as `statement_timeout=5s`; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
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
    /// A stream of Arrow's IPC format
    Arrow,
    /// A Parquet file
    Parquet,
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::Table => "text/plain",
            Self::Csv => "text/csv",
            Self::Json => "application/json",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    fn is_text(self) -> bool {
        matches!(self, Self::Table | Self::Csv | Self::Json)
    }
}

fn setting(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, such as statement_timeout=5s".into()),
    }
}

/// A statement and what goes with it.
#[derive(Default)]
struct Question {
    sql: String,
    parameters: Vec<String>,
    settings: BTreeMap<String, String>,
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
    let sql = if args.statement == "-" {
        std::io::read_to_string(std::io::stdin())
            .map_err(|error| Error::invalid("standard input cannot be read").because(error))?
    } else {
        args.statement.clone()
    };
    if !args.format.is_text() && args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(
            Error::invalid("the answer would be bytes that no terminal shows")
                .mend("name a file with --output FILE, or pipe it into a program"),
        );
    }
    let question = Question {
        sql,
        parameters: args.parameters.clone(),
        settings: args.settings.iter().cloned().collect(),
    };
    let client = Client::new(&args.url, &args.principal, &args.purpose)?;
    let id = Uuid::now_v7();
    tokio::select! {
        answered = answer(&client, id, &question, &args) => answered,
        _ = tokio::signal::ctrl_c() => {
            client.cancel(id).await?;
            Err(Error::new(ErrorKind::Conflict, "the statement was cancelled"))
        }
    }
}

async fn answer(client: &Client, id: Uuid, question: &Question, args: &SqlArgs) -> Result<()> {
    let response = client.send(question, args.format, Some(id)).await?;
    for notice in response.headers().get_all(NOTICE) {
        eprintln!("notice: {}", notice.to_str().unwrap_or_default());
    }
    let Some(file) = &args.output else {
        let mut out = tokio::io::stdout();
        return match copy(response, &mut out, args).await {
            Ok(last) => {
                if args.format.is_text() && last != b'\n' {
                    let _ = out.write_all(b"\n").await;
                }
                let _ = out.flush().await;
                Ok(())
            }
            Err(Broken::Answer(error)) => Err(error),
            // The reader of our output went away.
            Err(Broken::Output(_)) => Ok(()),
        };
    };
    // Under another name until it is whole: a program that waits for it must not find half.
    let mut name = file.clone().into_os_string();
    name.push(".part");
    let part = Part(PathBuf::from(name));
    let unwritable = |error: std::io::Error| {
        Error::invalid("the file cannot be written")
            .with("file", file.display())
            .with("cause", error.kind())
            .mend("name another file with --output FILE")
    };
    let mut out = tokio::fs::File::create(&part.0).await.map_err(unwritable)?;
    copy(response, &mut out, args)
        .await
        .map_err(|broken| match broken {
            Broken::Answer(error) => error,
            Broken::Output(error) => unwritable(error),
        })?;
    out.sync_all().await.map_err(unwritable)?;
    std::fs::rename(&part.0, file).map_err(unwritable)
}

/// A file that is not whole, and goes unless it was renamed.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        // It is not there any more if it has its own name by now.
        let _ = std::fs::remove_file(path);
    }
}

enum Broken {
    Answer(Error),
    Output(std::io::Error),
}

/// Copies the answer and gives its last byte, or the end of a line if it has none.
async fn copy(
    response: reqwest::Response,
    out: &mut (impl AsyncWrite + Unpin),
    args: &SqlArgs,
) -> std::result::Result<u8, Broken> {
    let mut bytes = response.bytes_stream();
    let mut last = b'\n';
    loop {
        let chunk = bytes.try_next().await.map_err(|error| {
            Broken::Answer(
                Error::unavailable("the answer broke off before its end")
                    .with("url", &args.url)
                    .mend("ask again; the platform's log says more")
                    .because(error),
            )
        })?;
        let Some(chunk) = chunk else {
            out.flush().await.map_err(Broken::Output)?;
            return Ok(last);
        };
        last = chunk.last().copied().unwrap_or(last);
        out.write_all(&chunk).await.map_err(Broken::Output)?;
    }
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

    /// Asks and waits for the first rows. With an `id` the statement can be cancelled.
    async fn send(
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

    /// Ends the statement, if it still runs.
    async fn cancel(&self, id: Uuid) -> Result<()> {
        let url = format!("{}/api/v1/sql/statements/{id}", self.url);
        match self.checked(self.http.delete(url)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            ended => ended.map(drop),
        }
    }

    async fn checked(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response> {
        let response = request
            .header("Mesh-Principal", self.principal.as_str())
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
