//! The formats of answers.

use axum::http::{HeaderMap, header};
use mesh_core::{Error, ErrorKind, Result};

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Csv,
    Table,
    /// A stream of Arrow's IPC format.
    Arrow,
    Parquet,
}

impl Format {
    /// The best of what the client accepts (RFC 9110, 12.5.1): the greatest quality, and
    /// among equals the first named.
    pub(super) fn accepted(headers: &HeaderMap) -> Result<Self> {
        let mut best: Option<(f32, Self)> = None;
        let mut named = false;
        for value in headers.get_all(header::ACCEPT) {
            for range in value.to_str().unwrap_or_default().split(',') {
                let mut parts = range.split(';').map(str::trim);
                let name = parts.next().unwrap_or_default().to_ascii_lowercase();
                if name.is_empty() {
                    continue;
                }
                named = true;
                let quality = parts
                    .find_map(|part| part.strip_prefix("q="))
                    .and_then(|quality| quality.parse().ok())
                    .unwrap_or(1.0_f32);
                let format = match name.as_str() {
                    "*/*" | "application/*" | "application/json" => Self::Json,
                    "text/csv" => Self::Csv,
                    "text/*" | "text/plain" => Self::Table,
                    "application/vnd.apache.arrow.stream" => Self::Arrow,
                    "application/vnd.apache.parquet" => Self::Parquet,
                    _ => continue,
                };
                if quality > best.map_or(0.0, |(quality, _)| quality) {
                    best = Some((quality, format));
                }
            }
        }
        match best {
            Some((_, format)) => Ok(format),
            None if !named => Ok(Self::Json),
            None => Err(Error::new(
                ErrorKind::InvalidInput,
                "the answer cannot be written as any of what is accepted",
            )
            .mend(
                "accept `application/json`, `text/csv`, `text/plain`, \
                 `application/vnd.apache.arrow.stream` or `application/vnd.apache.parquet`",
            )),
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Table => "text/plain; charset=utf-8",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}
