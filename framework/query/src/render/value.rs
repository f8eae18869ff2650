//! One value as JSON.

use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mesh_core::{Error, ErrorKind, Result};

/// The greatest integer that every reader of JSON holds exactly, 2^53 - 1 (RFC 8259, 6).
const SAFE_INTEGER: i128 = (1 << 53) - 1;

/// ISO 8601, in a form that all common parsers read.
pub(crate) static FORMAT: FormatOptions<'static> = FormatOptions::new()
    .with_display_error(false)
    .with_date_format(Some("%Y-%m-%d"))
    .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.f"))
    .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.f%:z"));

/// Writes row `n` of one column as JSON.
pub(crate) type JsonCell<'a> = Box<dyn Fn(usize, &mut String) -> Result<()> + 'a>;

/// The writer of a column.
///
/// | type | JSON |
/// |---|---|
/// | integers | a number; beyond 2^53 - 1 a string, so that no reader rounds it |
/// | floats | a number; `"NaN"`, `"Infinity"` and `"-Infinity"` |
/// | decimals, text, dates, times, bytes | a string |
/// | lists, structs | arrays, objects |
/// | maps | arrays of `[key, value]` |
pub(crate) fn json_cell(array: &ArrayRef) -> Result<JsonCell<'_>> {
    macro_rules! integer {
        ($type:ty) => {{
            let column = array.as_primitive::<$type>();
            nullable(array, move |row, out| {
                integer(i128::from(column.value(row)), out);
                Ok(())
            })
        }};
    }
    macro_rules! float {
        ($type:ty) => {{
            let column = array.as_primitive::<$type>();
            nullable(array, move |row, out| {
                float(column.value(row), out);
                Ok(())
            })
        }};
    }
    Ok(match array.data_type() {
        DataType::Null => Box::new(|_, out| {
            out.push_str("null");
            Ok(())
        }),
        DataType::Boolean => {
            let column = array.as_boolean();
            nullable(array, move |row, out| {
                out.push_str(if column.value(row) { "true" } else { "false" });
                Ok(())
            })
        }
        DataType::Int8 => integer!(Int8Type),
        DataType::Int16 => integer!(Int16Type),
        DataType::Int32 => integer!(Int32Type),
        DataType::Int64 => integer!(Int64Type),
        DataType::UInt8 => integer!(UInt8Type),
        DataType::UInt16 => integer!(UInt16Type),
        DataType::UInt32 => integer!(UInt32Type),
        DataType::UInt64 => integer!(UInt64Type),
        DataType::Float16 => {
            let column = array.as_primitive::<Float16Type>();
            nullable(array, move |row, out| {
                float(column.value(row).to_f32(), out);
                Ok(())
            })
        }
        DataType::Float32 => float!(Float32Type),
        DataType::Float64 => float!(Float64Type),
        DataType::Utf8 => {
            let column = array.as_string::<i32>();
            nullable(array, move |row, out| quoted(column.value(row), out))
        }
        DataType::LargeUtf8 => {
            let column = array.as_string::<i64>();
            nullable(array, move |row, out| quoted(column.value(row), out))
        }
        DataType::Utf8View => {
            let column = array.as_string_view();
            nullable(array, move |row, out| quoted(column.value(row), out))
        }
        DataType::Dictionary(..) => {
            let column = array.as_any_dictionary();
            let values = json_cell(column.values())?;
            // No values: every row is null.
            let keys = match column.values().is_empty() {
                true => Vec::new(),
                false => column.normalized_keys(),
            };
            nullable(array, move |row, out| match keys.get(row) {
                Some(key) => values(*key, out),
                None => Err(unwritable()),
            })
        }
        DataType::Struct(fields) => {
            let column = array.as_struct();
            let cells = fields
                .iter()
                .zip(column.columns())
                .map(|(field, column)| Ok((field.name().as_str(), json_cell(column)?)))
                .collect::<Result<Vec<_>>>()?;
            nullable(array, move |row, out| {
                for (at, (name, cell)) in cells.iter().enumerate() {
                    out.push(if at == 0 { '{' } else { ',' });
                    quoted(name, out)?;
                    out.push(':');
                    cell(row, out)?;
                }
                out.push_str(if cells.is_empty() { "{}" } else { "}" });
                Ok(())
            })
        }
        DataType::List(_) => {
            let column = array.as_list::<i32>();
            let items = json_cell(column.values())?;
            let offsets = column.value_offsets();
            nullable(array, move |row, out| {
                list(
                    &items,
                    offsets[row] as usize..offsets[row + 1] as usize,
                    out,
                )
            })
        }
        DataType::LargeList(_) => {
            let column = array.as_list::<i64>();
            let items = json_cell(column.values())?;
            let offsets = column.value_offsets();
            nullable(array, move |row, out| {
                list(
                    &items,
                    offsets[row] as usize..offsets[row + 1] as usize,
                    out,
                )
            })
        }
        DataType::FixedSizeList(_, size) => {
            let column = array.as_fixed_size_list();
            let items = json_cell(column.values())?;
            let size = *size as usize;
            nullable(array, move |row, out| {
                list(&items, row * size..(row + 1) * size, out)
            })
        }
        DataType::Map(..) => {
            let column = array.as_map();
            let keys = json_cell(column.keys())?;
            let values = json_cell(column.values())?;
            let offsets = column.value_offsets();
            nullable(array, move |row, out| {
                out.push('[');
                for at in offsets[row]..offsets[row + 1] {
                    out.push_str(if at == offsets[row] { "[" } else { ",[" });
                    keys(at as usize, out)?;
                    out.push(',');
                    values(at as usize, out)?;
                    out.push(']');
                }
                out.push(']');
                Ok(())
            })
        }
        _ => {
            let formatter =
                ArrayFormatter::try_new(array.as_ref(), &FORMAT).map_err(|_| unwritable())?;
            // What is left is written in digits, letters and a few signs, none to escape.
            nullable(array, move |row, out| {
                out.push('"');
                write!(out, "{}", formatter.value(row)).map_err(|_| unwritable())?;
                out.push('"');
                Ok(())
            })
        }
    })
}

fn nullable<'a>(
    array: &'a ArrayRef,
    write: impl Fn(usize, &mut String) -> Result<()> + 'a,
) -> JsonCell<'a> {
    let nulls = array.logical_nulls();
    Box::new(move |row, out| {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            out.push_str("null");
            return Ok(());
        }
        write(row, out)
    })
}

fn integer(value: i128, out: &mut String) {
    let quote = if value.abs() > SAFE_INTEGER { "\"" } else { "" };
    // Writing to a string cannot fail.
    let _ = write!(out, "{quote}{value}{quote}");
}

fn float<T: Into<f64> + Copy + std::fmt::Display + std::fmt::Debug>(value: T, out: &mut String) {
    let wide: f64 = value.into();
    if wide.is_nan() {
        out.push_str("\"NaN\"");
    } else if wide.is_infinite() {
        out.push_str(if wide > 0.0 {
            "\"Infinity\""
        } else {
            "\"-Infinity\""
        });
    } else {
        // Debug is the shortest text that reads back as the same number, `1e300` included.
        let _ = write!(out, "{value:?}");
    }
}

pub(crate) fn quoted(text: &str, out: &mut String) -> Result<()> {
    let json = serde_json::to_string(text).map_err(|_| unwritable())?;
    out.push_str(&json);
    Ok(())
}

fn list(items: &JsonCell<'_>, range: std::ops::Range<usize>, out: &mut String) -> Result<()> {
    out.push('[');
    for at in range.clone() {
        if at > range.start {
            out.push(',');
        }
        items(at, out)?;
    }
    out.push(']');
    Ok(())
}

pub(crate) fn unwritable() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "a value of this type cannot be written as text",
    )
    .mend("cast it to text in the statement")
}

/// The name of an Arrow type in SQL, as column metadata shows it: `BIGINT`,
/// `DECIMAL(12,2)`, `TIMESTAMP(3) WITH TIME ZONE`, `VARCHAR[]`, `STRUCT(street VARCHAR)`.
pub fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "NULL".into(),
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INTEGER".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::UInt8 => "TINYINT UNSIGNED".into(),
        DataType::UInt16 => "SMALLINT UNSIGNED".into(),
        DataType::UInt32 => "INTEGER UNSIGNED".into(),
        DataType::UInt64 => "BIGINT UNSIGNED".into(),
        DataType::Float16 | DataType::Float32 => "REAL".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR".into(),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "VARBINARY".into(),
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => format!("DECIMAL({p},{s})"),
        DataType::Date32 | DataType::Date64 => "DATE".into(),
        DataType::Time32(_) | DataType::Time64(_) => "TIME".into(),
        DataType::Timestamp(unit, zone) => {
            let digits = match unit {
                TimeUnit::Second => 0,
                TimeUnit::Millisecond => 3,
                TimeUnit::Microsecond => 6,
                TimeUnit::Nanosecond => 9,
            };
            match zone {
                Some(_) => format!("TIMESTAMP({digits}) WITH TIME ZONE"),
                None => format!("TIMESTAMP({digits})"),
            }
        }
        DataType::Duration(_) | DataType::Interval(_) => "INTERVAL".into(),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => format!("{}[]", sql_type(item.data_type())),
        DataType::Struct(fields) => format!(
            "STRUCT({})",
            fields
                .iter()
                .map(|field| format!("{} {}", field.name(), sql_type(field.data_type())))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => format!(
                "MAP({}, {})",
                sql_type(fields[0].data_type()),
                sql_type(fields[1].data_type())
            ),
            _ => "MAP".into(),
        },
        // How the values are held is no concern of their reader.
        DataType::Dictionary(_, value) => sql_type(value),
        DataType::RunEndEncoded(_, value) => sql_type(value.data_type()),
        DataType::Union(..) => "UNION".into(),
    }
}
