//! `mesh sql --follow`: the rows of a statement as records come.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use futures::TryStreamExt;
use mesh_core::{Error, Problem, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncBufReadExt;
use tokio_util::io::StreamReader;

use super::client::{Client, Format};

/// How a statement is followed.
#[derive(Args)]
pub(super) struct FollowArgs {
    /// Run on as records come, until Ctrl-C
    #[arg(long, conflicts_with_all = ["output", "parameters", "settings"])]
    pub(super) follow: bool,
    /// Where to begin: `now`, `beginning`, or a position as `--format json` tells it
    #[arg(long, value_name = "PLACE", default_value = "now", requires = "follow")]
    from: String,
    /// A file that keeps the position after each round: if it is there, the statement goes on
    /// from it
    #[arg(long, value_name = "FILE", requires = "follow")]
    position: Option<PathBuf>,
    /// Seconds that a record may be later than others and still be in its window
    #[arg(long, value_name = "SECONDS", default_value_t = 0, requires = "follow")]
    lateness: u64,
}

/// A line of the answer.
#[derive(Deserialize)]
struct Line {
    columns: Option<Vec<Column>>,
    rows: Option<Vec<Vec<Value>>>,
    position: Option<Value>,
    error: Option<Problem>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

pub(super) async fn run(
    client: &Client,
    sql: &str,
    format: Format,
    args: &FollowArgs,
) -> Result<()> {
    if !format.is_text() {
        return Err(
            Error::invalid("an answer without an end is written line by line")
                .mend("choose --format table, csv or json"),
        );
    }
    let body = json!({
        "sql": sql,
        "from": from(args)?,
        "lateness_seconds": args.lateness,
    });
    let response = client.follow(&body).await?;
    let mut lines =
        StreamReader::new(response.bytes_stream().map_err(std::io::Error::other)).lines();
    let mut writer = Writer::new(format);
    loop {
        let line = lines
            .next_line()
            .await
            .map_err(|error| broke_off().because(error))?;
        let text = line.ok_or_else(broke_off)?;
        let line: Line = serde_json::from_str(&text)
            .map_err(|error| Error::internal("a line of the answer is not JSON").because(error))?;
        if let Some(error) = line.error {
            return Err(error.into());
        }
        match writer.write(&text, &line) {
            Ok(()) => {}
            // The reader of our output went away.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => {
                return Err(Error::unavailable("the rows cannot be written")
                    .with("cause", error.kind())
                    .mend("look at where standard output goes: a full disk keeps nothing"));
            }
        }
        if let (Some(file), Some(position)) = (&args.position, &line.position) {
            keep(file, position)?;
        }
    }
}

fn broke_off() -> Error {
    Error::unavailable("the answer broke off: what is followed has no end")
        .mend("follow it again; with --position FILE it goes on where it was")
}

/// Where to begin.
fn from(args: &FollowArgs) -> Result<Value> {
    if let Some(file) = &args.position {
        match std::fs::read_to_string(file) {
            Ok(text) => {
                return serde_json::from_str(&text).map_err(|error| {
                    unusable(file, "cannot be read")
                        .mend("name another, or remove it to begin at --from")
                        .because(error)
                });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                return Err(unusable(file, "cannot be read")
                    .with("cause", error.kind())
                    .mend("name another with --position FILE"));
            }
        }
    }
    match args.from.trim() {
        word @ ("now" | "beginning") => Ok(Value::from(word)),
        position => serde_json::from_str(position).map_err(|_| {
            Error::invalid("--from is not where a statement can begin")
                .mend("write `now`, `beginning`, or a position as `--format json` tells it")
        }),
    }
}

/// Replaces the file at once: it is never half.
fn keep(file: &Path, position: &Value) -> Result<()> {
    let failed =
        |error: std::io::Error| unusable(file, "cannot be written").with("cause", error.kind());
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    let mut written = std::fs::File::create(part).map_err(failed)?;
    writeln!(written, "{position}").map_err(failed)?;
    written.sync_all().map_err(failed)?;
    std::fs::rename(part, file).map_err(failed)?;
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

fn unusable(file: &Path, why: &str) -> Error {
    Error::invalid(format!("the file of the position {why}")).with("file", file.display())
}

/// Writes rows as they come.
struct Writer {
    format: Format,
    /// The width of each column of the table so far.
    widths: Vec<usize>,
}

impl Writer {
    fn new(format: Format) -> Self {
        Self {
            format,
            widths: Vec::new(),
        }
    }

    fn write(&mut self, text: &str, line: &Line) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.format == Format::Json {
            writeln!(out, "{text}")?;
            return out.flush();
        }
        if let Some(columns) = &line.columns {
            let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
            self.row(&mut out, &names)?;
            if self.format == Format::Table {
                let rules: Vec<String> =
                    self.widths.iter().map(|width| "-".repeat(*width)).collect();
                self.row(&mut out, &rules)?;
            }
        }
        for row in line.rows.iter().flatten() {
            let row: Vec<String> = row.iter().map(plain).collect();
            self.row(&mut out, &row)?;
        }
        out.flush()
    }

    fn row(&mut self, out: &mut impl Write, values: &[String]) -> std::io::Result<()> {
        if self.format == Format::Csv {
            // By way of a buffer, so that an error keeps its kind.
            let mut record = Vec::new();
            let mut writer = csv::WriterBuilder::new()
                .terminator(csv::Terminator::CRLF)
                .from_writer(&mut record);
            writer.write_record(values)?;
            writer.flush()?;
            drop(writer);
            return out.write_all(&record);
        }
        // Columns grow with what comes, as nobody knows what will.
        self.widths.resize(values.len(), 0);
        let mut line = String::new();
        for (value, width) in values.iter().zip(&mut self.widths) {
            *width = value.chars().count().max(*width);
            line.push_str(&format!("{value:0$}  ", *width));
        }
        writeln!(out, "{}", line.trim_end())
    }
}

/// A value as text; null is empty.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
