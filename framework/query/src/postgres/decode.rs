//! The values of parameters, in text or in binary.

use std::sync::Arc;

use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit};
use bytes::{Buf, Bytes};
use datafusion::common::ScalarValue;
use mesh_core::{Error, Result};

use super::encode::{EPOCH_DAYS, EPOCH_MICROS, Format};
use super::numeric;
use super::types::{
    BOOL, BYTEA, CHAR, DATE, FLOAT4, FLOAT8, INT2, INT4, INT8, INTERVAL, JSONB, NUMERIC, OID, TIME,
    TIMESTAMP, TIMESTAMPTZ, UUID, item_of, to_arrow,
};
use super::wire::Reader;

/// Items of an array that comes as a parameter.
const MAX_ITEMS: usize = 1 << 20;

/// The value of parameter `number`, which is of type `oid`.
///
/// # Errors
/// For what is no value of that type; the error names the parameter and not the value.
pub(super) fn value(
    number: usize,
    oid: u32,
    format: Format,
    bytes: Option<Bytes>,
) -> Result<ScalarValue> {
    let unknown = || {
        Error::invalid("a parameter is of a type that this server does not know")
            .with("parameter", number)
            .with("type", oid)
            .mend("send it as text and cast it in the statement")
    };
    let data_type = match oid {
        INTERVAL => DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano),
        oid => to_arrow(oid).ok_or_else(unknown)?,
    };
    let Some(bytes) = bytes else {
        return ScalarValue::try_from(&data_type).map_err(|_| unknown());
    };
    let read = match format {
        Format::Text => std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| from_text(oid, &data_type, text)),
        Format::Binary => from_binary(oid, bytes),
    };
    read.ok_or_else(|| unreadable(number, oid))
}

fn unreadable(number: usize, oid: u32) -> Error {
    Error::invalid("the value of a parameter is not one of its type")
        .with("parameter", number)
        .with("type", oid)
        .mend("send a value of the type that the statement asks for, or cast it there")
}

fn from_text(oid: u32, data_type: &DataType, text: &str) -> Option<ScalarValue> {
    let trimmed = text.trim();
    Some(match oid {
        BOOL => ScalarValue::from(boolean(trimmed)?),
        BYTEA => ScalarValue::Binary(Some(bytea(text)?)),
        NUMERIC => decimal(trimmed)?,
        FLOAT4 => ScalarValue::from(trimmed.parse::<f32>().ok()?),
        FLOAT8 => ScalarValue::from(trimmed.parse::<f64>().ok()?),
        UUID => ScalarValue::from(uuid(trimmed)?),
        _ => match (data_type, item_of(oid)) {
            (DataType::Utf8, _) => ScalarValue::from(text),
            (DataType::List(_), Some(item)) => {
                let item_type = to_arrow(item)?;
                let mut values = Vec::new();
                for text in items(trimmed)? {
                    values.push(match text {
                        Some(text) => from_text(item, &item_type, &text)?,
                        None => ScalarValue::try_from(&item_type).ok()?,
                    });
                }
                list(values, &item_type)?
            }
            // Arrow reads numbers, dates, times and intervals as PostgreSQL writes them.
            _ => ScalarValue::from(trimmed).cast_to(data_type).ok()?,
        },
    })
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "t" | "true" | "yes" | "y" | "on" | "1" => Some(true),
        "f" | "false" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn bytea(text: &str) -> Option<Vec<u8>> {
    let Some(hex) = text.strip_prefix("\\x") else {
        // The older form; only what needs no escape of it.
        return (!text.contains('\\')).then(|| text.as_bytes().to_vec());
    };
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok())
        .collect()
}

/// A decimal of as many digits after the point as it is written with.
fn decimal(text: &str) -> Option<ScalarValue> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let scale = i8::try_from(fraction.len())
        .ok()
        .filter(|scale| *scale <= 38);
    let digits = whole
        .trim_start_matches(['-', '+'])
        .bytes()
        .chain(fraction.bytes());
    match (scale, digits.into_iter().all(|byte| byte.is_ascii_digit())) {
        (Some(scale), true) => {
            let unscaled: i128 = format!("{whole}{fraction}").parse().ok()?;
            let fits = unscaled.unsigned_abs() < 10_u128.pow(38);
            fits.then_some(ScalarValue::Decimal128(Some(unscaled), 38, scale))
        }
        // `1e3` and the like.
        _ => {
            let number: f64 = text.parse().ok()?;
            number.is_finite().then(|| ScalarValue::from(number))
        }
    }
}

/// In the form that contracts keep: lower case, with hyphens.
fn uuid(text: &str) -> Option<String> {
    let hex: String = text
        .chars()
        .filter(|c| !matches!(c, '-' | '{' | '}'))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if hex.len() != 32 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some(format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    ))
}

/// The items of `{a,"b c",NULL}`; nothing for arrays of arrays.
fn items(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    if inner.trim().is_empty() {
        return Some(items);
    }
    let mut characters = inner.chars();
    let (mut item, mut quoted, mut inside) = (String::new(), false, false);
    loop {
        match characters.next() {
            Some('\\') => item.push(characters.next()?),
            Some('"') => {
                quoted = true;
                inside = !inside;
            }
            Some(c) if inside => item.push(c),
            Some('{' | '}') => return None,
            end @ (Some(',') | None) => {
                if inside || items.len() == MAX_ITEMS {
                    return None;
                }
                let text = std::mem::take(&mut item);
                items.push(match quoted {
                    true => Some(text),
                    false if text.trim().eq_ignore_ascii_case("null") => None,
                    false => Some(text.trim().to_owned()),
                });
                quoted = false;
                if end.is_none() {
                    return Some(items);
                }
            }
            Some(c) if c.is_whitespace() && (quoted || item.is_empty()) => {}
            Some(c) => item.push(c),
        }
    }
}

fn list(values: Vec<ScalarValue>, item: &DataType) -> Option<ScalarValue> {
    // Decimals of one list have one scale.
    let item = match values.iter().find(|value| !value.is_null()) {
        Some(ScalarValue::Decimal128(..)) => {
            let scale = values.iter().filter_map(|value| match value {
                ScalarValue::Decimal128(Some(_), _, scale) => Some(*scale),
                _ => None,
            });
            DataType::Decimal128(38, scale.max()?)
        }
        _ => item.clone(),
    };
    let values = values
        .into_iter()
        .map(|value| value.cast_to(&item).ok())
        .collect::<Option<Vec<_>>>()?;
    Some(ScalarValue::List(ScalarValue::new_list(
        &values, &item, true,
    )))
}

fn from_binary(oid: u32, mut bytes: Bytes) -> Option<ScalarValue> {
    let value = match oid {
        BOOL => ScalarValue::from(bytes.try_get_u8().ok()? != 0),
        INT2 => ScalarValue::from(bytes.try_get_i16().ok()?),
        INT4 => ScalarValue::from(bytes.try_get_i32().ok()?),
        INT8 => ScalarValue::from(bytes.try_get_i64().ok()?),
        OID => ScalarValue::from(i64::from(bytes.try_get_u32().ok()?)),
        FLOAT4 => ScalarValue::from(bytes.try_get_f32().ok()?),
        FLOAT8 => ScalarValue::from(bytes.try_get_f64().ok()?),
        DATE => {
            let days = bytes.try_get_i32().ok()?;
            ScalarValue::Date32(Some(days.checked_add(EPOCH_DAYS)?))
        }
        TIME => ScalarValue::Time64Microsecond(Some(bytes.try_get_i64().ok()?)),
        TIMESTAMP | TIMESTAMPTZ => {
            let micros = bytes.try_get_i64().ok()?.checked_add(EPOCH_MICROS)?;
            let zone = (oid == TIMESTAMPTZ).then(|| Arc::from("+00:00"));
            ScalarValue::TimestampMicrosecond(Some(micros), zone)
        }
        INTERVAL => {
            let micros = bytes.try_get_i64().ok()?;
            let (days, months) = (bytes.try_get_i32().ok()?, bytes.try_get_i32().ok()?);
            let nanos = micros.checked_mul(1_000)?;
            let value = IntervalMonthDayNano::new(months, days, nanos);
            ScalarValue::IntervalMonthDayNano(Some(value))
        }
        NUMERIC => return decimal(&numeric::read(bytes)?),
        UUID => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            return uuid(&hex).map(ScalarValue::from);
        }
        BYTEA => return Some(ScalarValue::Binary(Some(bytes.to_vec()))),
        CHAR => {
            let text = char::from(bytes.try_get_u8().ok()?);
            ScalarValue::from(text.to_string())
        }
        JSONB => {
            if bytes.try_get_u8().ok()? != 1 {
                return None;
            }
            return Some(ScalarValue::from(std::str::from_utf8(&bytes).ok()?));
        }
        _ => match item_of(oid) {
            Some(item) => return array(item, bytes),
            None => return Some(ScalarValue::from(std::str::from_utf8(&bytes).ok()?)),
        },
    };
    bytes.is_empty().then_some(value)
}

/// An array of one dimension, or an empty one.
fn array(declared: u32, mut bytes: Bytes) -> Option<ScalarValue> {
    let dimensions = bytes.try_get_i32().ok()?;
    bytes.try_get_i32().ok()?;
    let oid = bytes.try_get_u32().ok()?;
    let item_type = to_arrow(oid).filter(|found| to_arrow(declared).as_ref() == Some(found))?;
    if dimensions == 0 {
        return list(Vec::new(), &item_type);
    }
    let count = usize::try_from(bytes.try_get_i32().ok()?).ok()?;
    bytes.try_get_i32().ok()?;
    if dimensions != 1 || count > MAX_ITEMS || count * 4 > bytes.len() {
        return None;
    }
    let mut reader = Reader(bytes);
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        values.push(match reader.value().ok()? {
            Some(bytes) => from_binary(oid, bytes)?,
            None => ScalarValue::try_from(&item_type).ok()?,
        });
    }
    reader.0.is_empty().then(|| list(values, &item_type))?
}

/// A null of the type that parameter `oid` has, to plan with before there is a value.
pub(super) fn null(oid: u32) -> ScalarValue {
    let data_type = match oid {
        INTERVAL => Some(DataType::Interval(
            arrow::datatypes::IntervalUnit::MonthDayNano,
        )),
        TIMESTAMP => Some(DataType::Timestamp(TimeUnit::Microsecond, None)),
        oid => to_arrow(oid),
    };
    data_type
        .and_then(|data_type| ScalarValue::try_from(&data_type).ok())
        .unwrap_or(ScalarValue::Utf8(None))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{ArrayRef, RecordBatch};
    use bytes::{BufMut, BytesMut};

    use super::super::encode::Rows;
    use super::super::types::{INT4 as INT4_OID, TEXT, of};
    use super::*;

    fn read(oid: u32, format: Format, bytes: &[u8]) -> Result<ScalarValue> {
        value(1, oid, format, Some(Bytes::copy_from_slice(bytes)))
    }

    /// What a client would send back of the first value of `array`.
    fn sent(array: ArrayRef, format: Format) -> Bytes {
        let batch = RecordBatch::try_from_iter([("x", array)]).unwrap();
        let mut out = BytesMut::new();
        let mut rows = Rows::new(&batch).unwrap();
        assert_eq!(rows.write(&[format], usize::MAX, &mut out).unwrap(), 1);
        // Type, length, count and the value's length.
        out.freeze().slice(11..)
    }

    #[test]
    fn what_is_sent_reads_back_in_both_formats() {
        let micros = 1_700_000_000_000_003;
        let item = DataType::Utf8;
        let texts: Vec<ScalarValue> = ["a", "b,\"c\"", "", "null", "\\"]
            .map(ScalarValue::from)
            .into();
        let mut texts_and_null = texts.clone();
        texts_and_null.push(ScalarValue::Utf8(None));
        for value in [
            ScalarValue::from(true),
            ScalarValue::from(-7_i16),
            ScalarValue::from(-7_i32),
            ScalarValue::from(i64::MIN),
            ScalarValue::from(1.5_f32),
            ScalarValue::from(-1e300),
            ScalarValue::from("tschüß"),
            ScalarValue::Binary(Some(b"\x00\xff".to_vec())),
            ScalarValue::Date32(Some(-800_000)),
            ScalarValue::Date32(Some(11_356)),
            ScalarValue::Time64Microsecond(Some(30_600_500_000)),
            ScalarValue::TimestampMicrosecond(Some(micros), None),
            ScalarValue::TimestampMicrosecond(Some(micros), Some("+00:00".into())),
            ScalarValue::Decimal128(Some(-12_345), 38, 3),
            ScalarValue::List(ScalarValue::new_list(&texts_and_null, &item, true)),
            ScalarValue::List(ScalarValue::new_list(&[], &item, true)),
            ScalarValue::List(ScalarValue::new_list(
                &[ScalarValue::from(1_i32), ScalarValue::Int32(None)],
                &DataType::Int32,
                true,
            )),
        ] {
            let oid = of(&value.data_type());
            for format in [Format::Text, Format::Binary] {
                // Dates before our era have no text that Arrow reads.
                if format == Format::Text && value == ScalarValue::Date32(Some(-800_000)) {
                    continue;
                }
                let bytes = sent(value.to_array().unwrap(), format);
                let back = read(oid, format, &bytes).unwrap();
                assert_eq!(back, value, "{format:?}");
            }
        }
    }

    #[test]
    fn what_is_no_value_of_its_type_is_refused() {
        for (oid, text) in [
            (INT4, "1.5"),
            (INT4, "99999999999"),
            (BOOL, "maybe"),
            (DATE, "yesterday"),
            (UUID, "12"),
            (NUMERIC, "1.2.3"),
            (1007, "{1,{2}}"),
            (1007, "{1,2"),
            (BYTEA, "\\x0"),
        ] {
            let error = read(oid, Format::Text, text.as_bytes()).unwrap_err();
            assert!(!error.to_string().contains(text), "{error}");
        }
        for (oid, bytes) in [
            (INT4, &b"\0\0\0"[..]),
            (INT4, b"\0\0\0\0\0"),
            (
                1007,
                b"\0\0\0\x01\0\0\0\0\0\0\0\x17\x7f\xff\xff\xff\0\0\0\x01",
            ),
            (
                1007,
                b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x01\0\0\0\x01\0\0\0\x01a",
            ),
            (JSONB, b"{}"),
        ] {
            assert!(read(oid, Format::Binary, bytes).is_err());
        }
        let mut half = BytesMut::new();
        half.put_i32(1);
        assert!(read(1009, Format::Binary, &half).is_err());
        assert!(value(1, TEXT, Format::Text, None).unwrap().is_null());
        assert!(null(INT4_OID).is_null());
    }

    #[test]
    fn texts_are_read_as_postgres_reads_them() {
        for (oid, text, expected) in [
            (BOOL, "t", ScalarValue::from(true)),
            (BOOL, "off", ScalarValue::from(false)),
            (INT8, " 42 ", ScalarValue::from(42_i64)),
            (NUMERIC, "-0.50", ScalarValue::Decimal128(Some(-50), 38, 2)),
            (NUMERIC, "1e3", ScalarValue::from(1000.0)),
            (
                UUID,
                "{A0EEBC99-9C0B4EF8-BB6D6BB9BD380A11}",
                ScalarValue::from("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
            ),
            (
                TIMESTAMPTZ,
                "2023-11-14 22:13:20+00",
                ScalarValue::TimestampMicrosecond(
                    Some(1_700_000_000_000_000),
                    Some("+00:00".into()),
                ),
            ),
            (
                TIMESTAMPTZ,
                "2023-11-14T23:13:20+01:00",
                ScalarValue::TimestampMicrosecond(
                    Some(1_700_000_000_000_000),
                    Some("+00:00".into()),
                ),
            ),
            (DATE, "2001-02-03", ScalarValue::Date32(Some(11_356))),
        ] {
            assert_eq!(read(oid, Format::Text, text.as_bytes()).unwrap(), expected);
        }
    }
}
