//! The JSON document of an answer.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use mesh_core::{Error, Result};
use serde_json::json;

use super::value::{json_cell, quoted, sql_type};
use crate::session::QueryStats;

/// Writes `{"columns": [{"name", "type", "nullable"}], "notices": ["…"], "rows": [[…], …],
/// "stats": {…}}`, one row a line, without `notices` where there are none. An answer that failed half way ends with `"error"`, a problem document (RFC
/// 9457), in the place of `"stats"`: a document with `"stats"` is whole.
#[derive(Debug, Default)]
pub struct JsonWriter {
    any: bool,
}

impl JsonWriter {
    /// A writer that has written nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The beginning, with what is to be known about the tables that were read.
    ///
    /// # Errors
    /// If a name cannot be written, which does not happen with text.
    pub fn head(&mut self, schema: &Schema, notices: &[String]) -> Result<String> {
        let mut out = String::from("{\"columns\":[");
        for (at, field) in schema.fields().iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str("{\"name\":");
            quoted(field.name(), &mut out)?;
            out.push_str(",\"type\":");
            quoted(&sql_type(field.data_type()), &mut out)?;
            out.push_str(",\"nullable\":");
            out.push_str(if field.is_nullable() {
                "true}"
            } else {
                "false}"
            });
        }
        out.push_str("],\n");
        if !notices.is_empty() {
            out.push_str(&format!("\"notices\":{},\n", json!(notices)));
        }
        out.push_str("\"rows\":[");
        Ok(out)
    }

    /// The rows of `batch`.
    ///
    /// # Errors
    /// [`Unsupported`](mesh_core::ErrorKind::Unsupported) for a type that has no text.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<String> {
        let mut out = String::from(if self.any { ",\n" } else { "\n" });
        self.any |= batch.num_rows() > 0;
        put_rows(batch, ",\n", &mut out)?;
        Ok(out)
    }

    /// The end of an answer that is whole.
    pub fn end(self, stats: &QueryStats) -> String {
        format!("],\n\"stats\":{}}}\n", json!(stats))
    }

    /// The end of an answer that failed.
    pub fn fail(self, error: &Error) -> String {
        format!("],\n\"error\":{}}}\n", json!(error.to_problem()))
    }
}

/// The rows of `batch` as arrays, with commas between them.
///
/// # Errors
/// [`Unsupported`](mesh_core::ErrorKind::Unsupported) for a type that has no text.
pub fn json_rows(batch: &RecordBatch) -> Result<String> {
    let mut out = String::new();
    put_rows(batch, ",", &mut out)?;
    Ok(out)
}

fn put_rows(batch: &RecordBatch, between: &str, out: &mut String) -> Result<()> {
    let cells = batch
        .columns()
        .iter()
        .map(json_cell)
        .collect::<Result<Vec<_>>>()?;
    out.reserve(batch.num_rows() * (2 + cells.len() * 12));
    for row in 0..batch.num_rows() {
        if row > 0 {
            out.push_str(between);
        }
        out.push('[');
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            cell(row, out)?;
        }
        out.push(']');
    }
    Ok(())
}
