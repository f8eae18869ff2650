//! Schemas of others as records of the mesh's types.
//!
//! A column that no type of the mesh can hold is refused with its reason; the author may leave
//! it out by [`Choice::without`](crate::Choice::without). What is lost besides is noted.

mod avro;
mod ddl;
mod json_schema;
mod protobuf;

use mesh_core::contract::check_name;
use mesh_core::{Error, Result};

pub use avro::read_avro;
pub use ddl::{SqlDialect, read_sql};
pub use json_schema::read_json_schema;
pub use protobuf::read_protobuf;

use crate::names::snake_case;

/// The largest schema read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// The last word of a namespace, if it can be a domain.
fn domain(namespace: &str) -> Option<String> {
    let last = namespace.rsplit('.').next().unwrap_or(namespace);
    let made = snake_case(last);
    check_name(&made).is_ok().then_some(made)
}

/// Refuses a text that is too large to be a schema.
fn check_size(file: &str, text: &str) -> Result<()> {
    if text.len() > MAX_BYTES {
        return Err(
            Error::invalid(format!("the schema has {} bytes", text.len()))
                .with("file", file)
                .mend(format!(
                    "a schema has at most {MAX_BYTES}; a sample of data is imported as csv or json"
                )),
        );
    }
    Ok(())
}

/// Reads `text` as JSON.
fn parse_json(file: &str, text: &str) -> Result<serde_json::Value> {
    check_size(file, text)?;
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        Error::invalid("the schema is no sound JSON")
            .with("file", file)
            .with("line", error.line())
            .with("column", error.column())
            .mend("mend the syntax at this line")
    })
}

/// What a choice between several records is refused with.
fn choose(file: &str, what: &str, asked: Option<&str>, names: &[&str]) -> Error {
    let error = match asked {
        Some(asked) => Error::not_found(format!("there is no {what} `{asked}`")),
        None => Error::invalid(format!("there are {} of {what}", names.len())),
    };
    error
        .with("file", file)
        .with("found", names.join(", "))
        .mend(format!("name one {what} by --record"))
}
