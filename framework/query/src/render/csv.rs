//! Answers as CSV.

use std::fmt::Write as _;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use arrow::util::display::ArrayFormatter;
use mesh_core::Result;

use super::value::{FORMAT, json_cell, unwritable};

/// Writes CSV as RFC 4180 describes it: a line of names, lines end in CR LF, quotes where
/// needed. Null is nothing, an empty text is `""`; lists and structs are JSON.
#[derive(Debug, Default)]
pub struct CsvWriter;

impl CsvWriter {
    /// A writer.
    pub fn new() -> Self {
        Self
    }

    /// The line of names.
    pub fn head(&self, schema: &Schema) -> String {
        let mut out = String::new();
        for (at, field) in schema.fields().iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            escape(field.name(), &mut out);
        }
        out.push_str("\r\n");
        out
    }

    /// The rows of `batch`.
    ///
    /// # Errors
    /// [`Unsupported`](mesh_core::ErrorKind::Unsupported) for a type that has no text.
    pub fn rows(&self, batch: &RecordBatch) -> Result<String> {
        let cells = text_cells(batch)?;
        let mut out = String::with_capacity(batch.num_rows() * (2 + cells.len() * 10));
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            for (at, cell) in cells.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                text.clear();
                if cell(row, &mut text)? {
                    escape(&text, &mut out);
                }
            }
            out.push_str("\r\n");
        }
        Ok(out)
    }
}

/// Writes row `n` of one column as plain text; false for null.
pub(super) type TextCell<'a> = Box<dyn Fn(usize, &mut String) -> Result<bool> + 'a>;

pub(super) fn text_cells(batch: &RecordBatch) -> Result<Vec<TextCell<'_>>> {
    batch
        .columns()
        .iter()
        .map(|column| {
            let nulls = column.logical_nulls();
            let is_null = move |row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
            let cell: TextCell<'_> = if nested(column.data_type()) {
                let json = json_cell(column)?;
                Box::new(move |row, out| {
                    if is_null(row) {
                        return Ok(false);
                    }
                    json(row, out).map(|()| true)
                })
            } else if *column.data_type() == DataType::Null {
                Box::new(|_, _| Ok(false))
            } else {
                let formatter =
                    ArrayFormatter::try_new(column.as_ref(), &FORMAT).map_err(|_| unwritable())?;
                Box::new(move |row, out| {
                    if is_null(row) {
                        return Ok(false);
                    }
                    write!(out, "{}", formatter.value(row)).map_err(|_| unwritable())?;
                    Ok(true)
                })
            };
            Ok(cell)
        })
        .collect()
}

fn nested(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => nested(value),
        other => other.is_nested(),
    }
}

fn escape(text: &str, out: &mut String) {
    let plain = !text.is_empty() && !text.contains(['"', ',', '\r', '\n']);
    if plain {
        out.push_str(text);
        return;
    }
    out.push('"');
    for part in text.split_inclusive('"') {
        out.push_str(part);
        if part.ends_with('"') {
            out.push('"');
        }
    }
    out.push('"');
}
