//! Answers as a table for people.

use std::fmt::Write as _;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use mesh_core::Result;

use super::csv::text_cells;
use crate::session::QueryStats;

/// Rows that widths are measured on. Later rows are written as they come, and a longer value
/// there pushes its line out.
const MEASURED: usize = 1_000;
/// The widest column; longer values are cut.
const WIDEST: usize = 60;

/// Writes a table with aligned columns, numbers to the right, null as `NULL`, and a line
/// about the answer below. Control characters of values are shown escaped, so that a value
/// cannot steer the terminal.
#[derive(Debug)]
pub struct TableWriter {
    names: Vec<String>,
    numeric: Vec<bool>,
    widths: Vec<usize>,
    waiting: Vec<Vec<String>>,
    measured: bool,
}

impl TableWriter {
    /// A writer of answers with the columns of `schema`.
    pub fn new(schema: &Schema) -> Self {
        let names: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| shown(field.name()))
            .collect();
        Self {
            numeric: schema
                .fields()
                .iter()
                .map(|field| numeric(field.data_type()))
                .collect(),
            widths: names.iter().map(|name| width(name)).collect(),
            names,
            waiting: Vec::new(),
            measured: false,
        }
    }

    /// The rows of `batch`; nothing until enough have come to measure the columns.
    ///
    /// # Errors
    /// [`Unsupported`](mesh_core::ErrorKind::Unsupported) for a type that has no text.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<String> {
        let mut out = String::new();
        let cells = text_cells(batch)?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            let line = cells
                .iter()
                .map(|cell| {
                    text.clear();
                    Ok(match cell(row, &mut text)? {
                        true => shown(&text),
                        false => "NULL".to_owned(),
                    })
                })
                .collect::<Result<Vec<_>>>()?;
            if self.measured {
                self.line(&line, &mut out);
            } else {
                for (widest, cell) in self.widths.iter_mut().zip(&line) {
                    *widest = (*widest).max(width(cell));
                }
                self.waiting.push(line);
                if self.waiting.len() == MEASURED {
                    self.release(&mut out);
                }
            }
        }
        Ok(out)
    }

    /// What still waits, and the line about the answer.
    pub fn end(mut self, stats: &QueryStats) -> String {
        let mut out = String::new();
        self.release(&mut out);
        let rows = match stats.rows {
            1 => "1 row".to_owned(),
            rows => format!("{} rows", grouped(rows)),
        };
        let seconds = stats.elapsed_ms as f64 / 1000.0;
        let _ = write!(out, "({rows}, {seconds:.2} s");
        if stats.records_read > 0 {
            let _ = write!(
                out,
                ", {} records and {} read",
                grouped(stats.records_read),
                size(stats.bytes_read)
            );
        }
        out.push_str(")\n");
        out
    }

    fn release(&mut self, out: &mut String) {
        if self.measured {
            return;
        }
        self.measured = true;
        if self.names.is_empty() {
            return;
        }
        let names = std::mem::take(&mut self.names);
        self.line(&names, out);
        for (at, widest) in self.widths.iter().enumerate() {
            out.push_str(if at == 0 { "-" } else { "+-" });
            out.extend(std::iter::repeat_n('-', widest + 1));
        }
        out.push('\n');
        for line in std::mem::take(&mut self.waiting) {
            self.line(&line, out);
        }
    }

    fn line(&self, cells: &[String], out: &mut String) {
        let from = out.len();
        for (at, cell) in cells.iter().enumerate() {
            out.push_str(if at == 0 { " " } else { " | " });
            let (Some(widest), Some(numeric)) = (self.widths.get(at), self.numeric.get(at)) else {
                continue;
            };
            let space = widest.saturating_sub(width(cell));
            if *numeric {
                out.extend(std::iter::repeat_n(' ', space));
            }
            out.push_str(cell);
            if !*numeric {
                out.extend(std::iter::repeat_n(' ', space));
            }
        }
        let end = out.trim_end_matches(' ').len().max(from);
        out.truncate(end);
        out.push('\n');
    }
}

fn numeric(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => numeric(value),
        other => other.is_numeric(),
    }
}

/// Without what would break the line or steer the terminal, and cut if it is very long.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        if at == WIDEST - 1 && text.chars().nth(WIDEST).is_some() {
            out.push('…');
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// `1,056,320`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut name = "bytes";
    for unit in UNITS {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        name = unit;
    }
    match name {
        "bytes" => format!("{bytes} bytes"),
        _ => format!("{value:.1} {name}"),
    }
}
