//! How a single value of a contract's type is written to Avro, read back, and shown as JSON.
//!
//! Writing is direct: a value appends its Avro binary encoding (Avro 1.12, "Binary
//! Encoding") to a buffer, without an intermediate tree. Reading goes by name over a value
//! that was decoded with the writer's schema, so that a reader may know fewer columns than
//! the writer, or, where they are nullable, more.

use apache_avro::types::Value;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::decimal::Decimal;
use crate::error::{Error, Result};
use crate::time::{TimeMicros, TimeMillis, TimestampMicros, TimestampMillis};

/// A value of one of the contract's types.
pub trait FieldValue: Sized {
    /// Appends the Avro binary encoding.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads the value found under `field`; `None` if the writer has no such column.
    ///
    /// # Errors
    /// If the value is of another type; the error names the field and never the value.
    fn read(value: Option<&Value>, field: &str) -> Result<Self>;

    /// The value as JSON: 64-bit integers as numbers, decimals, dates and timestamps as
    /// strings.
    fn to_json(&self) -> Json;

    /// Reads what [`FieldValue::to_json`] wrote.
    ///
    /// # Errors
    /// If it is of another type; the error names the field and never the value.
    fn from_json(value: &Json, field: &str) -> Result<Self>;
}

/// The error of a value that has another type than the contract says.
pub fn mismatch(field: &str, expected: &str) -> Error {
    Error::invalid(format!("expected {expected}"))
        .with("field", field)
        .mend("publish what the contract says")
}

pub(crate) fn present<'a>(value: Option<&'a Value>, field: &str) -> Result<&'a Value> {
    match value {
        // A writer may allow null where the reader's contract does not (yet).
        Some(Value::Union(_, inner)) => match inner.as_ref() {
            Value::Null => Err(mismatch(field, "a value, found null")),
            inner => Ok(inner),
        },
        Some(value) => Ok(value),
        None => Err(Error::invalid("the record has no such column").with("field", field)),
    }
}

/// Appends a variable-length zig-zag integer.
pub fn write_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push((rest as u8 & 0x7f) | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends a length and the bytes.
pub fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

/// Appends a decimal's unscaled value as `bytes`: the shortest two's complement.
pub fn write_decimal(unscaled: i128, out: &mut Vec<u8>) {
    let bytes = unscaled.to_be_bytes();
    let sign = if unscaled < 0 { 0xff } else { 0 };
    // Leading bytes that only repeat the sign are dropped.
    let mut from = 0;
    while from < 15 && bytes[from] == sign && (bytes[from + 1] ^ sign) & 0x80 == 0 {
        from += 1;
    }
    write_bytes(&bytes[from..], out);
}

impl FieldValue for i32 {
    fn write(&self, out: &mut Vec<u8>) {
        write_long(i64::from(*self), out);
    }

    fn read(value: Option<&Value>, field: &str) -> Result<Self> {
        match present(value, field)? {
            Value::Int(value) => Ok(*value),
            _ => Err(mismatch(field, "an int")),
        }
    }

    fn to_json(&self) -> Json {
        (*self).into()
    }

    fn from_json(value: &Json, field: &str) -> Result<Self> {
        value
            .as_i64()
            .and_then(|value| value.try_into().ok())
            .ok_or_else(|| mismatch(field, "an int"))
    }
}

impl FieldValue for i64 {
    fn write(&self, out: &mut Vec<u8>) {
        write_long(*self, out);
    }

    fn read(value: Option<&Value>, field: &str) -> Result<Self> {
        match present(value, field)? {
            Value::Long(value) => Ok(*value),
            Value::Int(value) => Ok(i64::from(*value)),
            _ => Err(mismatch(field, "a long")),
        }
    }

    fn to_json(&self) -> Json {
        (*self).into()
    }

    fn from_json(value: &Json, field: &str) -> Result<Self> {
        value.as_i64().ok_or_else(|| mismatch(field, "a long"))
    }
}

impl FieldValue for f32 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(value: Option<&Value>, field: &str) -> Result<Self> {
        match present(value, field)? {
            Value::Float(value) => Ok(*value),
            Value::Int(value) => Ok(*value as f32),
            _ => Err(mismatch(field, "a float")),
        }
    }

    fn to_json(&self) -> Json {
        f64::from(*self).to_json()
    }

    fn from_json(value: &Json, field: &str) -> Result<Self> {
        Ok(f64::from_json(value, field)? as f32)
    }
}

impl FieldValue for f64 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(value: Option<&Value>, field: &str) -> Result<Self> {
        match present(value, field)? {
            Value::Double(value) => Ok(*value),
            Value::Float(value) => Ok(f64::from(*value)),
            Value::Int(value) => Ok(f64::from(*value)),
            Value::Long(value) => Ok(*value as f64),
            _ => Err(mismatch(field, "a double")),
        }
    }

    fn to_json(&self) -> Json {
        // JSON has no NaN and no infinities; they travel by their names.
        match serde_json::Number::from_f64(*self) {
            Some(number) => Json::Number(number),
            None => Json::String(self.to_string()),
        }
    }

    fn from_json(value: &Json, field: &str) -> Result<Self> {
        match value {
            Json::Number(number) => number.as_f64(),
            Json::String(text) => ["NaN", "inf", "-inf"]
                .contains(&text.as_str())
                .then(|| text.parse().ok())
                .flatten(),
            _ => None,
        }
        .ok_or_else(|| mismatch(field, "a double"))
    }
}

impl FieldValue for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read(value: Option<&Value>, field: &str) -> Result<Self> {
        match present(value, field)? {
            Value::Boolean(value) => Ok(*value),
            _ => Err(mismatch(field, "a boolean")),
        }
    }

    fn to_json(&self) -> Json {
        (*self).into()
    }

    fn from_json(value: &Json, field: &str) -> Result<Self> {
        value.as_bool().ok_or_else(|| mismatch(field, "a boolean"))
    }
}

impl FieldValue for String {
    fn write(&self, out: &mut Vec<u8>) {
        write_bytes(self.as_bytes(), out);
    }

    fn read(value: Option<&Value>, field: &str) -> Result<Self> {
        match present(value, field)? {
            Value::String(value) => Ok(value.clone()),
            _ => Err(mismatch(field, "a string")),
        }
    }

    fn to_json(&self) -> Json {
        self.clone().into()
    }

    fn from_json(value: &Json, field: &str) -> Result<Self> {
        match value {
            Json::String(text) => Ok(text.clone()),
            _ => Err(mismatch(field, "a string")),
        }
    }
}

impl FieldValue for Uuid {
    fn write(&self, out: &mut Vec<u8>) {
        let mut buffer = Uuid::encode_buffer();
        write_bytes(self.hyphenated().encode_lower(&mut buffer).as_bytes(), out);
    }

    fn read(value: Option<&Value>, field: &str) -> Result<Self> {
        match present(value, field)? {
            Value::Uuid(value) => Ok(*value),
            Value::String(text) => Uuid::parse_str(text).map_err(|_| mismatch(field, "a UUID")),
            _ => Err(mismatch(field, "a UUID")),
        }
    }

    fn to_json(&self) -> Json {
        self.to_string().into()
    }

    fn from_json(value: &Json, field: &str) -> Result<Self> {
        value
            .as_str()
            .and_then(|text| Uuid::parse_str(text).ok())
            .ok_or_else(|| mismatch(field, "a UUID"))
    }
}

const EPOCH: NaiveDate = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a valid date");

impl FieldValue for NaiveDate {
    fn write(&self, out: &mut Vec<u8>) {
        write_long(self.signed_duration_since(EPOCH).num_days(), out);
    }

    fn read(value: Option<&Value>, field: &str) -> Result<Self> {
        match present(value, field)? {
            Value::Date(days) | Value::Int(days) => {
                let distance = Days::new(u64::from(days.unsigned_abs()));
                if *days < 0 {
                    EPOCH.checked_sub_days(distance)
                } else {
                    EPOCH.checked_add_days(distance)
                }
                .ok_or_else(|| mismatch(field, "a date of the calendar"))
            }
            _ => Err(mismatch(field, "a date")),
        }
    }

    fn to_json(&self) -> Json {
        self.to_string().into()
    }

    fn from_json(value: &Json, field: &str) -> Result<Self> {
        value
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| mismatch(field, "a date like 1998-12-31"))
    }
}

macro_rules! timestamp_field {
    ($name:ident, $variant:ident, $digits:ident) => {
        impl FieldValue for $name {
            fn write(&self, out: &mut Vec<u8>) {
                write_long(self.0, out);
            }

            fn read(value: Option<&Value>, field: &str) -> Result<Self> {
                match present(value, field)? {
                    Value::$variant(value) => Ok(Self(*value)),
                    _ => Err(mismatch(field, concat!("a ", stringify!($variant)))),
                }
            }

            fn to_json(&self) -> Json {
                match self.to_datetime() {
                    Some(instant) => instant.to_rfc3339_opts(SecondsFormat::$digits, true).into(),
                    None => self.0.into(),
                }
            }

            fn from_json(value: &Json, field: &str) -> Result<Self> {
                match value {
                    Json::String(text) => DateTime::parse_from_rfc3339(text)
                        .ok()
                        .map(|instant| instant.with_timezone(&Utc).into()),
                    Json::Number(number) => number.as_i64().map(Self),
                    _ => None,
                }
                .ok_or_else(|| mismatch(field, "an RFC 3339 timestamp"))
            }
        }
    };
}

timestamp_field!(TimestampMillis, TimestampMillis, Millis);
timestamp_field!(TimestampMicros, TimestampMicros, Micros);

macro_rules! time_field {
    ($name:ident, $plain:ident, $format:literal) => {
        impl FieldValue for $name {
            fn write(&self, out: &mut Vec<u8>) {
                write_long(i64::from(self.0), out);
            }

            fn read(value: Option<&Value>, field: &str) -> Result<Self> {
                match present(value, field)? {
                    Value::$name(value) | Value::$plain(value) => Some(Self(*value)),
                    _ => None,
                }
                .filter(|time| time.to_time().is_some())
                .ok_or_else(|| mismatch(field, "a time of day"))
            }

            fn to_json(&self) -> Json {
                match self.to_time() {
                    Some(time) => time.format($format).to_string().into(),
                    None => self.0.into(),
                }
            }

            fn from_json(value: &Json, field: &str) -> Result<Self> {
                value
                    .as_str()
                    .and_then(|text| text.parse::<NaiveTime>().ok())
                    .map(Self::from)
                    .ok_or_else(|| mismatch(field, "a time like 18:30:00"))
            }
        }
    };
}

time_field!(TimeMillis, Int, "%H:%M:%S%.3f");
time_field!(TimeMicros, Long, "%H:%M:%S%.6f");

impl<const P: u8, const S: u8> FieldValue for Decimal<P, S> {
    fn write(&self, out: &mut Vec<u8>) {
        write_decimal(self.unscaled(), out);
    }

    fn read(value: Option<&Value>, field: &str) -> Result<Self> {
        let bytes = match present(value, field)? {
            Value::Decimal(value) => {
                Vec::<u8>::try_from(value).map_err(|_| mismatch(field, "a decimal"))?
            }
            _ => return Err(mismatch(field, "a decimal")),
        };
        if bytes.is_empty() || bytes.len() > 16 {
            return Err(mismatch(field, "a decimal of at most 38 digits"));
        }
        let mut wide = [if bytes[0] & 0x80 == 0 { 0 } else { 0xff }; 16];
        wide[16 - bytes.len()..].copy_from_slice(&bytes);
        Self::from_unscaled(i128::from_be_bytes(wide)).map_err(|error| error.with("field", field))
    }

    fn to_json(&self) -> Json {
        self.to_string().into()
    }

    fn from_json(value: &Json, field: &str) -> Result<Self> {
        match value {
            Json::String(text) => text.parse::<Self>(),
            Json::Number(number) => number.to_string().parse::<Self>(),
            _ => Err(mismatch(field, "a decimal")),
        }
        .map_err(|error| error.with("field", field))
    }
}
