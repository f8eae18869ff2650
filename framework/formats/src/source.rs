//! One door to all readers: tells the format of a file and reads it.

use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use mesh_core::{Error, ErrorKind, Result};
use serde_json::Value as Json;

use crate::draft::{Choice, Imported};
use crate::import::{MAX_BYTES, SqlDialect, read_avro, read_json_schema, read_protobuf, read_sql};
use crate::names::{snake_case, valid};
use crate::sample::{CsvOptions, Limits, open, read_csv, read_json, read_parquet};

/// A format that records are imported from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceFormat {
    /// An Avro schema.
    Avro,
    /// A JSON Schema.
    JsonSchema,
    /// A protobuf file.
    Protobuf,
    /// `CREATE TABLE` statements.
    Sql,
    /// A sample of CSV.
    Csv,
    /// A sample of JSON, as a list or as lines.
    Json,
    /// A Parquet file.
    Parquet,
}

impl SourceFormat {
    /// Every format, under the name that [`SourceFormat::from_str`] takes.
    pub const ALL: [(&'static str, Self); 7] = [
        ("avro", Self::Avro),
        ("json-schema", Self::JsonSchema),
        ("protobuf", Self::Protobuf),
        ("sql", Self::Sql),
        ("csv", Self::Csv),
        ("json", Self::Json),
        ("parquet", Self::Parquet),
    ];
}

impl FromStr for SourceFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, format)| *format).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
            Error::invalid(format!("`{text}` is no format that is imported"))
                .mend(format!("use one of {}", names.join(", ")))
        })
    }
}

/// How a source is read; the default tells everything from the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceOptions {
    /// The format.
    pub format: Option<SourceFormat>,
    /// The layout of a CSV sample.
    pub csv: CsvOptions,
    /// The dialect of SQL statements.
    pub dialect: SqlDialect,
    /// The record and the columns wanted.
    pub choice: Choice,
    /// How much of a sample is read.
    pub limits: Limits,
}

/// Reads the file at `path`.
///
/// # Errors
/// If its format cannot be told, or as the reader of the format says.
pub fn read_source(path: &Path, options: &SourceOptions) -> Result<Imported> {
    let format = match options.format {
        Some(format) => format,
        None => detect(path)?,
    };
    let choice = &options.choice;
    let file = path.display().to_string();
    match format {
        SourceFormat::Csv => read_csv(path, &options.csv, choice, options.limits),
        SourceFormat::Json => read_json(path, choice, options.limits),
        SourceFormat::Parquet => read_parquet(path, choice),
        SourceFormat::Avro => read_avro(&file, &text(path)?, choice),
        SourceFormat::JsonSchema => read_json_schema(&file, &text(path)?, choice),
        SourceFormat::Protobuf => read_protobuf(&file, &text(path)?, choice),
        SourceFormat::Sql => read_sql(&file, &text(path)?, options.dialect, choice),
    }
}

/// The text of a schema file.
fn text(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    // One byte more than allowed, which the readers refuse.
    open(path)?
        .take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| {
            Error::invalid("the file cannot be read")
                .with("file", path.display())
                .with("reason", error.kind())
                .mend("check that it is a file that may be read")
                .because(error)
        })?;
    if bytes.len() > MAX_BYTES {
        return Err(Error::invalid("the schema is too large")
            .with("file", path.display())
            .mend(format!(
                "a schema has at most {MAX_BYTES} bytes; for a sample of data say --format csv or json"
            )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        Error::invalid("the file is not UTF-8")
            .with("file", path.display())
            .with("line", line)
            .mend("save it as UTF-8")
    })
}

/// The format of the file at `path`, from its ending and, for JSON, from its first object.
///
/// # Errors
/// If the ending is not known.
pub fn detect(path: &Path) -> Result<SourceFormat> {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    Ok(match ending.as_deref() {
        Some("avsc") => SourceFormat::Avro,
        Some("proto") => SourceFormat::Protobuf,
        Some("sql" | "ddl") => SourceFormat::Sql,
        Some("csv" | "tsv" | "txt" | "asc" | "psv") => SourceFormat::Csv,
        Some("jsonl" | "ndjson") => SourceFormat::Json,
        Some("parquet" | "pq") => SourceFormat::Parquet,
        Some("json") => json_format(path)?,
        _ => {
            return Err(Error::invalid("the format of the file is not known by its ending")
                .with("file", path.display())
                .mend("name it by --format avro, json-schema, protobuf, sql, csv, json or parquet"));
        }
    })
}

/// What a JSON file is: a schema says so by its keywords, all else is a sample.
fn json_format(path: &Path) -> Result<SourceFormat> {
    let size = open(path)?.metadata().map_or(u64::MAX, |about| about.len());
    if size > MAX_BYTES as u64 {
        return Ok(SourceFormat::Json);
    }
    let Ok(document) = serde_json::from_str::<Json>(&text(path)?) else {
        // Lines of JSON, or an error that the reader of samples places.
        return Ok(SourceFormat::Json);
    };
    let is = |key: &str, value: &str| document.get(key).and_then(Json::as_str) == Some(value);
    Ok(
        if is("type", "record") && document.get("fields").is_some_and(Json::is_array) {
            SourceFormat::Avro
        } else if document.get("$schema").is_some()
            || is("type", "object") && document.get("properties").is_some_and(Json::is_object)
        {
            SourceFormat::JsonSchema
        } else {
            SourceFormat::Json
        },
    )
}

/// Reads the schema that a registry holds under `subject`; `kind` is its `schemaType`, AVRO if
/// it names none.
///
/// # Errors
/// If the kind is not known, or as the reader of the format says.
pub fn read_registered(
    subject: &str,
    kind: Option<&str>,
    schema: &str,
    choice: &Choice,
) -> Result<Imported> {
    let mut imported = match kind.unwrap_or("AVRO") {
        "AVRO" => read_avro(subject, schema, choice)?,
        "JSON" => read_json_schema(subject, schema, choice)?,
        "PROTOBUF" => read_protobuf(subject, schema, choice)?,
        other => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("schemas of the type {other} are not imported"),
            )
            .with("subject", subject)
            .mend("name a subject with an AVRO, JSON or PROTOBUF schema"));
        }
    };
    imported.source = format!("the registry's subject {subject}");
    // A context, `:.name:`, and the strategy's ending are no part of the topic.
    let topic = subject.rsplit(':').next().unwrap_or(subject);
    let topic = topic.strip_suffix("-value").unwrap_or(topic);
    let mut parts: Vec<&str> = topic.split('.').collect();
    let is_version = |part: &str| {
        let digits = part.strip_prefix('v').unwrap_or_default();
        !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
    };
    if parts.len() > 1 && parts.last().is_some_and(|part| is_version(part)) {
        parts.pop();
    }
    if let [.., domain, product] = parts.as_slice() {
        imported.product = valid(product, "records");
        if mesh_core::contract::check_name(&snake_case(domain)).is_ok() {
            imported.domain = Some(snake_case(domain));
        }
    } else {
        imported.product = valid(&parts.join("_"), "records");
    }
    Ok(imported)
}
