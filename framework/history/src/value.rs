//! Values of columns as statistics tell them.

use std::cmp::Ordering;

use arrow::datatypes::DataType;
use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use serde_json::value::RawValue;

/// A value of a column, in the type that the table gives it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of an `Int32` or `Int64` column.
    Int(i64),
    /// Of a decimal column: the number without its point, and the digits after that.
    Decimal(i128, i8),
    /// Of a text column.
    Text(String),
    /// Of a date column: days since 1970.
    Date(i32),
    /// Of a timestamp column: microseconds since 1970, UTC.
    Timestamp(i64),
}

impl PartialOrd for Value {
    /// Values of different types have no order.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Decimal(a, scale), Self::Decimal(b, other)) if scale == other => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            (Self::Timestamp(a), Self::Timestamp(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

/// Years that every reader of a log reads.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

impl Value {
    /// The value in the JSON of a Delta log ("Per-file Statistics"); `None` if it has no
    /// words there.
    pub(crate) fn to_json(&self) -> Option<Box<RawValue>> {
        let text = match self {
            Self::Int(value) => value.to_string(),
            Self::Decimal(value, scale) => decimal(*value, *scale)?,
            Self::Text(value) => serde_json::to_string(value).ok()?,
            Self::Date(days) => {
                let epoch = NaiveDate::default();
                let days = i64::from(*days);
                let distance = Days::new(days.unsigned_abs());
                let date = match days < 0 {
                    true => epoch.checked_sub_days(distance),
                    false => epoch.checked_add_days(distance),
                }?;
                YEARS
                    .contains(&date.year())
                    .then(|| format!("\"{}\"", date.format("%Y-%m-%d")))?
            }
            Self::Timestamp(micros) => {
                let time = DateTime::<Utc>::from_timestamp_micros(*micros)?;
                YEARS
                    .contains(&time.year())
                    .then(|| format!("\"{}\"", time.format("%Y-%m-%dT%H:%M:%S%.6fZ")))?
            }
        };
        RawValue::from_string(text).ok()
    }

    /// The value of a column of type `ty` that a Delta log tells.
    pub(crate) fn from_json(json: &RawValue, ty: &DataType) -> Option<Self> {
        let text = json.get();
        Some(match ty {
            DataType::Int32 | DataType::Int64 => Self::Int(text.parse().ok()?),
            DataType::Decimal128(_, scale) => Self::Decimal(undecimal(text, *scale)?, *scale),
            DataType::Utf8 => Self::Text(serde_json::from_str(text).ok()?),
            DataType::Date32 => {
                let text: String = serde_json::from_str(text).ok()?;
                let date: NaiveDate = text.get(..10)?.parse().ok()?;
                let days = date.signed_duration_since(NaiveDate::default()).num_days();
                Self::Date(i32::try_from(days).ok()?)
            }
            DataType::Timestamp(..) => {
                let text: String = serde_json::from_str(text).ok()?;
                let time = DateTime::parse_from_rfc3339(&text).ok()?;
                Self::Timestamp(time.timestamp_micros())
            }
            _ => return None,
        })
    }
}

fn decimal(value: i128, scale: i8) -> Option<String> {
    let scale = usize::try_from(scale).ok()?;
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    Some(match scale {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{part}"),
    })
}

/// A number as JSON has it, without an exponent; a library that wrote it as a floating-point
/// number may have left out zeros.
fn undecimal(text: &str, scale: i8) -> Option<i128> {
    let scale = usize::try_from(scale).ok()?;
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = part.trim_end_matches('0');
    if part.len() > scale {
        return None;
    }
    format!("{whole}{part:0<scale$}").parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn values_come_back_from_a_log() {
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        for (value, ty, text) in [
            (Value::Int(-5), DataType::Int64, "-5"),
            (Value::Decimal(-5, 2), DataType::Decimal128(12, 2), "-0.05"),
            (
                Value::Decimal(1200, 2),
                DataType::Decimal128(12, 2),
                "12.00",
            ),
            (Value::Decimal(12, 0), DataType::Decimal128(12, 0), "12"),
            (Value::Text("a\"b".into()), DataType::Utf8, r#""a\"b""#),
            (Value::Date(-1), DataType::Date32, "\"1969-12-31\""),
            (
                Value::Timestamp(1_700_000_000_000_001),
                utc,
                "\"2023-11-14T22:13:20.000001Z\"",
            ),
        ] {
            let json = value.to_json().unwrap();
            assert_eq!(json.get(), text);
            assert_eq!(Value::from_json(&json, &ty), Some(value));
        }
        assert!(Value::Timestamp(i64::MAX).to_json().is_none());
        assert_eq!(undecimal("12.5", 2), Some(1250));
        assert_eq!(undecimal("1e5", 2), None);
        assert!(Value::Int(1).partial_cmp(&Value::Date(1)).is_none());
    }
}
