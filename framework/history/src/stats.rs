//! What a file's columns hold at least and at most: from the Parquet footer into Delta's log
//! ("Per-file Statistics"), and back.
//!
//! Left out: floating-point columns, whose NaN is in no range; nested columns; and columns
//! that the contract classifies, so that no log holds values of theirs.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, Schema};
use mesh_core::arrow_schema::CLASSIFICATION;
use mesh_core::{Error, Result};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::value::Value;

/// What a column of a file holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnStats {
    /// No value is less; `None` if that is not known.
    pub min: Option<Value>,
    /// No value is greater; `None` if that is not known.
    pub max: Option<Value>,
    /// How many values are null; `None` if that is not known.
    pub nulls: Option<u64>,
}

/// The statistics of a file as the log has them.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Logged {
    num_records: u64,
    #[serde(default)]
    min_values: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    max_values: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    null_count: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    tight_bounds: Option<bool>,
}

/// The text for the log about a file with this footer.
pub(crate) fn to_log(footer: &ParquetMetaData, schema: &Schema) -> Result<String> {
    let mut logged = Logged {
        num_records: u64::try_from(footer.file_metadata().num_rows()).unwrap_or(0),
        min_values: BTreeMap::new(),
        max_values: BTreeMap::new(),
        null_count: BTreeMap::new(),
        tight_bounds: Some(true),
    };
    let leaves = footer.file_metadata().schema_descr();
    for (at, leaf) in leaves.columns().iter().enumerate() {
        let [name] = leaf.path().parts() else {
            continue;
        };
        let Ok(field) = schema.field_with_name(name) else {
            continue;
        };
        let found = column(footer, at, field);
        if let Some(nulls) = found.nulls
            && let Ok(nulls) = RawValue::from_string(nulls.to_string())
        {
            logged.null_count.insert(name.clone(), nulls);
        }
        // Both or none: some readers take one without the other for a mistake.
        if let (Some(min), Some(max)) = (found.min, found.max)
            && let (Some(min), Some(max)) = (min.to_json(), max.to_json())
        {
            logged.min_values.insert(name.clone(), min);
            logged.max_values.insert(name.clone(), max);
        }
    }
    serde_json::to_string(&logged)
        .map_err(|error| Error::internal("statistics have no text").because(error))
}

fn column(footer: &ParquetMetaData, at: usize, field: &Field) -> ColumnStats {
    let mut found = ColumnStats {
        nulls: Some(0),
        ..ColumnStats::default()
    };
    let told = !field.metadata().contains_key(CLASSIFICATION);
    let mut bounded = told;
    for group in footer.row_groups() {
        let stats = group.column(at).statistics();
        let nulls = stats.and_then(Statistics::null_count_opt);
        found.nulls = found.nulls.zip(nulls).map(|(sum, nulls)| sum + nulls);
        if nulls == u64::try_from(group.num_rows()).ok() {
            continue;
        }
        match stats.and_then(|stats| bounds(stats, field.data_type())) {
            Some((min, max)) => {
                if found.min.as_ref().is_none_or(|known| min < *known) {
                    found.min = Some(min);
                }
                if found.max.as_ref().is_none_or(|known| max > *known) {
                    found.max = Some(max);
                }
            }
            None => bounded = false,
        }
    }
    if !bounded {
        (found.min, found.max) = (None, None);
    }
    found
}

fn bounds(stats: &Statistics, ty: &DataType) -> Option<(Value, Value)> {
    let pair = match stats {
        Statistics::Int32(stats) => {
            let (min, max) = (*stats.min_opt()?, *stats.max_opt()?);
            (i64::from(min), i64::from(max))
        }
        Statistics::Int64(stats) => (*stats.min_opt()?, *stats.max_opt()?),
        Statistics::ByteArray(stats) if *ty == DataType::Utf8 => {
            let text = |bytes: &[u8]| Some(Value::Text(str::from_utf8(bytes).ok()?.to_owned()));
            return Some((
                text(stats.min_opt()?.data())?,
                text(stats.max_opt()?.data())?,
            ));
        }
        Statistics::FixedLenByteArray(stats) => {
            let DataType::Decimal128(_, scale) = ty else {
                return None;
            };
            let number = |bytes: &[u8]| Some(Value::Decimal(big_endian(bytes)?, *scale));
            return Some((
                number(stats.min_opt()?.data())?,
                number(stats.max_opt()?.data())?,
            ));
        }
        _ => return None,
    };
    let value = |value: i64| {
        Some(match ty {
            DataType::Int32 | DataType::Int64 => Value::Int(value),
            DataType::Date32 => Value::Date(i32::try_from(value).ok()?),
            DataType::Timestamp(..) => Value::Timestamp(value),
            DataType::Decimal128(_, scale) => Value::Decimal(i128::from(value), *scale),
            _ => return None,
        })
    };
    Some((value(pair.0)?, value(pair.1)?))
}

/// A number in two's complement of at most sixteen bytes.
pub(crate) fn big_endian(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    let mut whole = [if first & 0x80 == 0 { 0 } else { 0xff }; 16];
    let begin = whole.len().checked_sub(bytes.len())?;
    whole[begin..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(whole))
}

/// What the log tells of a file: its rows and its columns. `None` if it is not readable.
pub(crate) fn from_log(
    text: &str,
    schema: &Schema,
) -> Option<(u64, BTreeMap<String, ColumnStats>)> {
    let logged: Logged = serde_json::from_str(text).ok()?;
    let mut columns = BTreeMap::new();
    for field in schema.fields() {
        let value = |map: &BTreeMap<String, Box<RawValue>>| {
            Value::from_json(map.get(field.name())?, field.data_type())
        };
        let nulls = logged.null_count.get(field.name());
        let stats = ColumnStats {
            min: value(&logged.min_values),
            max: value(&logged.max_values),
            nulls: nulls.and_then(|nulls| nulls.get().parse().ok()),
        };
        if stats != ColumnStats::default() {
            columns.insert(field.name().clone(), stats);
        }
    }
    Some((logged.num_records, columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn big_numbers_keep_their_sign() {
        assert_eq!(big_endian(&[0xff, 0xfe]), Some(-2));
        assert_eq!(big_endian(&[0x01, 0x00]), Some(256));
        assert_eq!(big_endian(&[]), None);
        assert_eq!(big_endian(&[0; 17]), None);
    }
}
