//! `mesh sql`: one question over HTTP, answered as a table, CSV, JSON, Arrow or Parquet, once
//! or as records come.

mod client;
mod follow;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use futures::TryStreamExt;
use mesh_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use uuid::Uuid;

use client::Question;
pub(crate) use client::{Client, Format};

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
    /// Who logs in, where people have to, in the place of --as; the variable MESH_SQL_PASSWORD
    /// holds the password
    #[arg(long, env = "MESH_SQL_USER", value_name = "NAME")]
    user: Option<String>,
    /// For what purpose
    #[arg(long, env = "MESH_PURPOSE", default_value = "analysis")]
    purpose: String,
    #[command(flatten)]
    following: follow::FollowArgs,
}

/// The header of what is to be known about the tables that were read.
const NOTICE: &str = "mesh-notice";

fn setting(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, such as statement_timeout=5s".into()),
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
    let client = match &args.user {
        Some(name) => Client::with_login(&args.url, name, &args.purpose)?,
        None => Client::new(&args.url, &args.principal, &args.purpose)?,
    };
    if args.following.follow {
        return tokio::select! {
            ended = follow::run(&client, &sql, args.format, &args.following) => ended,
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
    }
    let question = Question {
        sql,
        parameters: args.parameters.clone(),
        settings: args.settings.iter().cloned().collect(),
    };
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
