//! Core of the framework: one error, the ids that travel with data, and what follows from a
//! contract: Avro schemas, Arrow schemas and typed records.
//!
//! It does no I/O and is configured by nothing; crates above bring data to it.

pub mod arrow_schema;
pub mod avro;
mod collection;
pub mod decimal;
pub mod error;
pub mod field;
pub mod ids;
pub mod limits;
mod read_row;
pub mod record;
pub mod row;
pub mod time;
pub mod trace;

pub use decimal::Decimal;
pub use error::{Error, ErrorKind, Problem, Result};
pub use ids::{EventId, Principal, Purpose};
pub use mesh_contract as contract;
pub use record::{Descriptor, Record, RecordKey};
pub use row::{EncodedRow, encode_key};
pub use time::{TimeMicros, TimeMillis, TimestampMicros, TimestampMillis};
pub use trace::TraceContext;

/// What the code that `contract!` generates stands on; not for use by hand.
#[doc(hidden)]
pub mod generated {
    pub use apache_avro::types::Value;
    pub use chrono::NaiveDate;
    pub use serde_json::{Map as JsonMap, Value as Json};
    pub use uuid::Uuid;

    pub use crate::field::{FieldValue, mismatch, write_long};
    pub use crate::limits::{check_length, check_range};
    pub use crate::record::column;
    pub use crate::{
        Decimal, Descriptor, Error, Record, RecordKey, Result, TimeMicros, TimeMillis,
        TimestampMicros, TimestampMillis,
    };
}
