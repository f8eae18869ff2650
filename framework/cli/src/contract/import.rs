//! `mesh contract import`: a product's files out of a schema, a sample or a subject.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use mesh_core::contract::ProductKind;
use mesh_core::{Error, ErrorKind, Result};
use mesh_formats::import::SqlDialect;
use mesh_formats::sample::{CsvOptions, Limits};
use mesh_formats::{Choice, Imported, Rendered, SourceFormat, SourceOptions, Wishes};
use serde::Deserialize;

use super::files::{CONTRACT, PRODUCT};
use crate::ui;

#[derive(Args)]
pub(crate) struct ImportArgs {
    /// The schema or the sample
    #[arg(required_unless_present = "subject", conflicts_with = "subject")]
    file: Option<PathBuf>,
    /// The subject of a registry instead of a file
    #[arg(long, requires = "registry")]
    subject: Option<String>,
    /// Where the registry answers
    #[arg(long, env = "MESH_REGISTRY_URL")]
    registry: Option<String>,
    /// avro, json-schema, protobuf, sql, csv, json or parquet; told from the file by default
    #[arg(long, short)]
    format: Option<SourceFormat>,
    /// The record, message or table, where the source has several
    #[arg(long)]
    record: Option<String>,
    /// Columns to leave out
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    without: Vec<String>,
    /// The domain that will own the product
    #[arg(long)]
    domain: Option<String>,
    /// The product's name; the source's name by default
    #[arg(long)]
    product: Option<String>,
    /// Facts that happened, or rows that replace each other
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// The columns that tell one row from another
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    key: Vec<String>,
    /// The column with the time of the event
    #[arg(long, value_name = "COLUMN")]
    event_time: Option<String>,
    /// The team that owns the product
    #[arg(long)]
    owner: Option<String>,
    /// How many rows of a sample are looked at
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rows: u64,
    /// The character between two fields of a CSV sample; `tab` for the tabulator
    #[arg(long, value_parser = delimiter)]
    delimiter: Option<u8>,
    /// Whether the first row of a CSV sample holds the names
    #[arg(long, value_enum)]
    header: Option<Header>,
    /// The dialect of SQL statements
    #[arg(long, value_enum, default_value_t = Dialect::Postgres)]
    dialect: Dialect,
    /// The folder for the two files; one called like the product by default
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Event,
    State,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Header {
    Yes,
    No,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dialect {
    Postgres,
    Mysql,
    Ansi,
}

pub(crate) fn delimiter(text: &str) -> std::result::Result<u8, String> {
    match (text, text.as_bytes()) {
        ("tab" | "\\t", _) => Ok(b'\t'),
        (_, [byte]) if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err("write one character, such as `;`, or `tab`".into()),
    }
}

pub(crate) async fn run(args: ImportArgs) -> Result<()> {
    let imported = read(&args).await?;
    let wishes = Wishes {
        domain: args.domain.clone(),
        product: args.product.clone(),
        kind: args.kind.map(|kind| match kind {
            Kind::Event => ProductKind::Event,
            Kind::State => ProductKind::State,
        }),
        key: args.key.clone(),
        event_time: args.event_time.clone(),
        owner: args.owner.clone(),
        standing: None,
    };
    let rendered = mesh_formats::render(&imported, &wishes)?;
    let folder = args
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from(&rendered.product));
    write(&folder, &rendered, args.force)?;
    report(&folder, &imported, &rendered);
    Ok(())
}

async fn read(args: &ImportArgs) -> Result<Imported> {
    let choice = Choice {
        record: args.record.clone(),
        without: args.without.clone(),
    };
    if let Some(subject) = &args.subject {
        let registry = args.registry.as_deref().unwrap_or_default();
        let registered = fetch(registry, subject).await?;
        return mesh_formats::read_registered(
            subject,
            registered.schema_type.as_deref(),
            &registered.schema,
            &choice,
        );
    }
    let options = SourceOptions {
        format: args.format,
        csv: CsvOptions {
            delimiter: args.delimiter,
            header: args.header.map(|header| matches!(header, Header::Yes)),
        },
        dialect: match args.dialect {
            Dialect::Postgres => SqlDialect::Postgres,
            Dialect::Mysql => SqlDialect::MySql,
            Dialect::Ansi => SqlDialect::Ansi,
        },
        choice,
        limits: Limits {
            rows: args.rows,
            ..Limits::default()
        },
    };
    mesh_formats::read_source(args.file.as_deref().unwrap_or(Path::new("")), &options)
}

/// What a registry answers for a version of a subject.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Registered {
    pub(crate) schema: String,
    pub(crate) schema_type: Option<String>,
    #[serde(default)]
    references: Vec<serde_json::Value>,
}

pub(crate) async fn fetch(registry: &str, subject: &str) -> Result<Registered> {
    let mut url = reqwest::Url::parse(registry).map_err(|error| {
        Error::invalid("the address of the registry is no URL")
            .mend("write --registry http://127.0.0.1:8081")
            .because(error)
    })?;
    let shown = {
        let mut plain = url.clone();
        // A password in the address is for the registry alone.
        let _ = plain.set_password(None);
        plain.to_string()
    };
    url.path_segments_mut()
        .map_err(|()| {
            Error::invalid("the address of the registry has no path")
                .with("registry", &shown)
                .mend("write --registry http://127.0.0.1:8081")
        })?
        .pop_if_empty()
        .extend(["subjects", subject, "versions", "latest"]);
    let asked = |error: reqwest::Error| {
        Error::unavailable("the registry does not answer as one")
            .with("registry", &shown)
            .mend("start it with `mesh up`, or say where it is with --registry")
            .because(error.without_url())
    };
    let response = reqwest::Client::new()
        .get(url)
        .send()
        .await
        .map_err(asked)?;
    let status = response.status();
    if !status.is_success() {
        let error = Error::new(
            ErrorKind::from_http_status(status.as_u16()),
            format!("the registry answered with status {}", status.as_u16()),
        );
        return Err(error
            .with("registry", &shown)
            .with("subject", subject)
            .mend("name a subject that it lists under /subjects, and a user who may read it"));
    }
    let registered: Registered = response.json().await.map_err(asked)?;
    if !registered.references.is_empty() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the schema refers to other subjects, which are not followed",
        )
        .with("subject", subject)
        .mend("write the schema with all its types in one file and import that"));
    }
    Ok(registered)
}

fn write(folder: &Path, rendered: &Rendered, force: bool) -> Result<()> {
    let failed = |path: &Path, error: std::io::Error| {
        Error::invalid("the file cannot be written")
            .with("file", path.display())
            .with("reason", error.kind())
            .mend("name a folder that may be written to by --output")
            .because(error)
    };
    let files = [
        (folder.join(CONTRACT), &rendered.contract_file),
        (folder.join(PRODUCT), &rendered.product_file),
    ];
    for (path, _) in &files {
        if path.exists() && !force {
            return Err(Error::new(ErrorKind::Conflict, "the file is there already")
                .with("file", path.display())
                .mend("name another folder by --output, or write over it with --force"));
        }
    }
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for (path, text) in &files {
        fs::write(path, text).map_err(|error| failed(path, error))?;
    }
    Ok(())
}

fn report(folder: &Path, imported: &Imported, rendered: &Rendered) {
    for name in [CONTRACT, PRODUCT] {
        ui::line(format!("wrote {}", folder.join(name).display()));
    }
    ui::line(format!(
        "{}.{}: {} columns, kind {}, key {}{}",
        rendered.domain,
        rendered.product,
        imported.fields.len(),
        rendered.kind.as_str(),
        rendered.key.join(", "),
        rendered
            .event_time
            .as_ref()
            .map(|column| format!(", time in {column}"))
            .unwrap_or_default(),
    ));
    if !imported.guesses.is_empty() {
        ui::line("personal data, a guess to be checked (custom property `guess`):");
        for guess in &imported.guesses {
            ui::line(format!("  {}: {}; {}", guess.column, guess.what, guess.why));
        }
    }
    let notes: Vec<_> = imported.notes.iter().chain(&rendered.notes).collect();
    if !notes.is_empty() {
        ui::line("notes:");
        for note in notes {
            ui::line(format!("  {note}"));
        }
    }
    ui::line(format!("next: mesh contract lint {}", folder.display()));
}
