//! Answers as text: JSON, CSV (RFC 4180) and a table for people.
//!
//! Each writer takes batches one after the other and gives text for them, so that an answer
//! of any size passes through. All three write a value in the same words: decimals with
//! all their digits, dates and times in ISO 8601, times of day zones in UTC, bytes in hex.

mod csv;
mod json;
mod table;
mod value;

pub use csv::CsvWriter;
pub use json::{JsonWriter, json_rows};
pub use table::TableWriter;
pub(crate) use value::json_cell;
pub use value::sql_type;
