//! Rows as PostgreSQL sends them, in text or in binary.
//!
//! arrow-pg has such an encoder too; it holds decimals of 28 digits where contracts allow 38.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, Field,
    Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType,
    IntervalUnit, SchemaRef, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use bytes::{BufMut, BytesMut};
use mesh_core::{Error, Result};

use super::types::{self, JSON};
use super::{numeric, text};
use crate::render::json_cell;

/// Days and microseconds from 1970 to 2000, where PostgreSQL counts from.
pub(super) const EPOCH_DAYS: i32 = 10_957;
pub(super) const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Bytes after which rows are sent.
const CHUNK: usize = 64 << 10;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Binary,
}

/// The formats of `count` values, from the codes of a message: none, one for all, or each.
///
/// # Errors
/// If the codes are not as many, or are no formats.
pub(super) fn formats(codes: &[i16], count: usize) -> Result<Vec<Format>> {
    let format = |code: &i16| match code {
        0 => Ok(Format::Text),
        1 => Ok(Format::Binary),
        _ => Err(Error::invalid("there are formats 0 (text) and 1 (binary)")),
    };
    match codes {
        [] => Ok(vec![Format::Text; count]),
        [one] => Ok(vec![format(one)?; count]),
        many if many.len() == count => many.iter().map(format).collect(),
        many => Err(
            Error::invalid("there must be a format for each value, or one")
                .with("formats", many.len())
                .with("values", count),
        ),
    }
}

/// A batch that is being sent.
#[derive(Debug)]
pub(super) struct Rows {
    columns: Vec<ArrayRef>,
    rows: usize,
    next: usize,
}

impl Rows {
    /// # Errors
    /// If a value is out of PostgreSQL's range.
    pub(super) fn new(batch: &RecordBatch) -> Result<Self> {
        Ok(Self {
            columns: batch
                .columns()
                .iter()
                .map(canonical)
                .collect::<Result<_>>()?,
            rows: batch.num_rows(),
            next: 0,
        })
    }

    pub(super) fn is_done(&self) -> bool {
        self.next == self.rows
    }

    /// Passes over up to `most` rows; how many.
    pub(super) fn skip(&mut self, most: usize) -> usize {
        let skipped = most.min(self.rows - self.next);
        self.next += skipped;
        skipped
    }

    /// Writes rows until there is enough to send, `most` are written or none are left; how
    /// many it wrote.
    ///
    /// # Errors
    /// If a value is out of PostgreSQL's range.
    pub(super) fn write(
        &mut self,
        formats: &[Format],
        most: usize,
        out: &mut BytesMut,
    ) -> Result<usize> {
        let cells = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| Cell::new(column, formats.get(at).copied()))
            .collect::<Result<Vec<_>>>()?;
        let columns = i16::try_from(cells.len())
            .map_err(|_| Error::invalid("the rows have too many columns"))?;
        let begin = self.next;
        let mut scratch = String::new();
        while self.next < self.rows && self.next - begin < most && out.len() < CHUNK {
            out.put_u8(b'D');
            let length = out.len();
            out.put_i32(0);
            out.put_i16(columns);
            for cell in &cells {
                cell.write(self.next, &mut scratch, out)?;
            }
            patch(out, length)?;
            self.next += 1;
        }
        Ok(self.next - begin)
    }
}

/// Puts the length of what follows `at` there, itself included.
fn patch(out: &mut BytesMut, at: usize) -> Result<()> {
    let length = i32::try_from(out.len() - at)
        .map_err(|_| Error::invalid("a row is longer than the protocol can send"))?;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// Fewer types to write: dictionaries, small and unsigned integers, units of time become the
/// one type that has the same type in PostgreSQL.
fn canonical(array: &ArrayRef) -> Result<ArrayRef> {
    let wanted = canonical_type(array.data_type());
    if &wanted == array.data_type() {
        return Ok(ArrayRef::clone(array));
    }
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, &wanted, &options).map_err(|_| out_of_range())
}

fn canonical_type(from: &DataType) -> DataType {
    match from {
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Duration(_) => DataType::Duration(TimeUnit::Microsecond),
        DataType::Interval(_) => DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Dictionary(_, value) => canonical_type(value),
        DataType::RunEndEncoded(_, value) => canonical_type(value.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
            if types::of(from) != JSON =>
        {
            let item = Field::new(
                item.name(),
                canonical_type(item.data_type()),
                item.is_nullable(),
            );
            DataType::List(item.into())
        }
        other => other.clone(),
    }
}

fn out_of_range() -> Error {
    Error::invalid("a value of the answer is out of range for its type in PostgreSQL")
        .mend("cast it to TEXT")
}

type TextCell<'a> = Box<dyn Fn(usize, &mut String) -> Result<()> + 'a>;
type BinaryCell<'a> = Box<dyn Fn(usize, &mut BytesMut) -> Result<()> + 'a>;

/// Writes the values of one column.
struct Cell<'a> {
    nulls: Option<arrow::buffer::NullBuffer>,
    write: Write<'a>,
}

enum Write<'a> {
    Text(TextCell<'a>),
    Binary(BinaryCell<'a>),
}

impl<'a> Cell<'a> {
    fn new(array: &'a ArrayRef, format: Option<Format>) -> Result<Self> {
        Ok(Self {
            nulls: array.logical_nulls(),
            write: match format {
                Some(Format::Binary) => Write::Binary(binary(array)?),
                _ => Write::Text(text_of(array)?),
            },
        })
    }

    /// The length, or -1 for null, and the value.
    fn write(&self, row: usize, scratch: &mut String, out: &mut BytesMut) -> Result<()> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            out.put_i32(-1);
            return Ok(());
        }
        match &self.write {
            Write::Text(write) => {
                scratch.clear();
                write(row, scratch)?;
                out.put_i32(i32::try_from(scratch.len()).map_err(|_| out_of_range())?);
                out.put_slice(scratch.as_bytes());
            }
            Write::Binary(write) => {
                let at = out.len();
                out.put_i32(0);
                write(row, out)?;
                let length = i32::try_from(out.len() - at - 4).map_err(|_| out_of_range())?;
                out[at..at + 4].copy_from_slice(&length.to_be_bytes());
            }
        }
        Ok(())
    }
}

fn text_of(array: &ArrayRef) -> Result<TextCell<'_>> {
    macro_rules! cell {
        ($type:ty, |$value:ident, $out:ident| $write:expr) => {{
            let column = array.as_primitive::<$type>();
            Box::new(move |row, $out: &mut String| {
                let $value = column.value(row);
                $write
            })
        }};
    }
    macro_rules! number {
        ($type:ty) => {
            cell!($type, |value, out| {
                use std::fmt::Write as _;
                // Writing to a text cannot fail.
                let _ = write!(out, "{value}");
                Ok(())
            })
        };
    }
    Ok(match array.data_type() {
        DataType::Null => Box::new(|_, _| Ok(())),
        DataType::Boolean => {
            let column = array.as_boolean();
            Box::new(move |row, out| {
                out.push(if column.value(row) { 't' } else { 'f' });
                Ok(())
            })
        }
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::Float32 => cell!(Float32Type, |value, out| {
            text::float(&format!("{value:e}"), 6, out);
            Ok(())
        }),
        DataType::Float64 => cell!(Float64Type, |value, out| {
            text::float(&format!("{value:e}"), 15, out);
            Ok(())
        }),
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            cell!(Decimal128Type, |value, out| {
                text::decimal(&value.to_string(), scale, out);
                Ok(())
            })
        }
        DataType::Decimal256(_, scale) => {
            let scale = *scale;
            cell!(Decimal256Type, |value, out| {
                text::decimal(&value.to_string(), scale, out);
                Ok(())
            })
        }
        DataType::Utf8 => {
            let column = array.as_string::<i32>();
            Box::new(move |row, out| {
                out.push_str(column.value(row));
                Ok(())
            })
        }
        DataType::LargeUtf8 => {
            let column = array.as_string::<i64>();
            Box::new(move |row, out| {
                out.push_str(column.value(row));
                Ok(())
            })
        }
        DataType::Utf8View => {
            let column = array.as_string_view();
            Box::new(move |row, out| {
                out.push_str(column.value(row));
                Ok(())
            })
        }
        DataType::Binary => {
            let column = array.as_binary::<i32>();
            Box::new(move |row, out| {
                text::bytea(column.value(row), out);
                Ok(())
            })
        }
        DataType::Date32 => cell!(Date32Type, |value, out| {
            text::days(i64::from(value), out).ok_or_else(out_of_range)
        }),
        DataType::Time64(TimeUnit::Microsecond) => cell!(Time64MicrosecondType, |value, out| {
            text::time(value, out).ok_or_else(out_of_range)
        }),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let zone = zone.is_some();
            cell!(TimestampMicrosecondType, |value, out| {
                text::instant(value, zone, out).ok_or_else(out_of_range)
            })
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            cell!(DurationMicrosecondType, |value, out| {
                text::interval(0, 0, value, out);
                Ok(())
            })
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            cell!(IntervalMonthDayNanoType, |value, out| {
                text::interval(value.months, value.days, value.nanoseconds / 1_000, out);
                Ok(())
            })
        }
        DataType::List(_) if types::of(array.data_type()) != JSON => {
            let column = array.as_list::<i32>();
            let items = Cell::new(column.values(), Some(Format::Text))?;
            let Write::Text(write) = items.write else {
                return Err(Error::internal("a text of a list is not text"));
            };
            let (nulls, offsets) = (items.nulls, column.value_offsets());
            Box::new(move |row, out| {
                let mut one = String::new();
                out.push('{');
                for at in offsets[row]..offsets[row + 1] {
                    let (first, at) = (at == offsets[row], at as usize);
                    if !first {
                        out.push(',');
                    }
                    if nulls.as_ref().is_some_and(|nulls| nulls.is_null(at)) {
                        out.push_str("NULL");
                        continue;
                    }
                    one.clear();
                    write(at, &mut one)?;
                    text::item(&one, out);
                }
                out.push('}');
                Ok(())
            })
        }
        _ => json_cell(array)?,
    })
}

fn binary(array: &ArrayRef) -> Result<BinaryCell<'_>> {
    macro_rules! cell {
        ($type:ty, |$value:ident, $out:ident| $write:expr) => {{
            let column = array.as_primitive::<$type>();
            Box::new(move |row, $out: &mut BytesMut| {
                let $value = column.value(row);
                $write;
                Ok(())
            })
        }};
    }
    Ok(match array.data_type() {
        DataType::Boolean => {
            let column = array.as_boolean();
            Box::new(move |row, out| {
                out.put_u8(u8::from(column.value(row)));
                Ok(())
            })
        }
        DataType::Int16 => cell!(Int16Type, |value, out| out.put_i16(value)),
        DataType::Int32 => cell!(Int32Type, |value, out| out.put_i32(value)),
        DataType::Int64 => cell!(Int64Type, |value, out| out.put_i64(value)),
        DataType::Float32 => cell!(Float32Type, |value, out| out.put_f32(value)),
        DataType::Float64 => cell!(Float64Type, |value, out| out.put_f64(value)),
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            cell!(Decimal128Type, |value, out| numeric::write(
                &value.to_string(),
                scale,
                out
            ))
        }
        DataType::Decimal256(_, scale) => {
            let scale = *scale;
            cell!(Decimal256Type, |value, out| numeric::write(
                &value.to_string(),
                scale,
                out
            ))
        }
        DataType::Binary => {
            let column = array.as_binary::<i32>();
            Box::new(move |row, out| {
                out.put_slice(column.value(row));
                Ok(())
            })
        }
        DataType::Date32 => {
            let column = array.as_primitive::<Date32Type>();
            Box::new(move |row, out| {
                let days = column.value(row).checked_sub(EPOCH_DAYS);
                out.put_i32(days.ok_or_else(out_of_range)?);
                Ok(())
            })
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            cell!(Time64MicrosecondType, |value, out| out.put_i64(value))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let column = array.as_primitive::<TimestampMicrosecondType>();
            Box::new(move |row, out| {
                let micros = column.value(row).checked_sub(EPOCH_MICROS);
                out.put_i64(micros.ok_or_else(out_of_range)?);
                Ok(())
            })
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            cell!(DurationMicrosecondType, |value, out| {
                out.put_i64(value);
                out.put_i64(0);
            })
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            cell!(IntervalMonthDayNanoType, |value, out| {
                out.put_i64(value.nanoseconds / 1_000);
                out.put_i32(value.days);
                out.put_i32(value.months);
            })
        }
        DataType::List(item) if types::of(array.data_type()) != JSON => {
            let column = array.as_list::<i32>();
            let items = Cell::new(column.values(), Some(Format::Binary))?;
            let (oid, offsets) = (types::of(item.data_type()), column.value_offsets());
            Box::new(move |row, out| {
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                let count = i32::try_from(range.len()).map_err(|_| out_of_range())?;
                let has_nulls = items
                    .nulls
                    .as_ref()
                    .is_some_and(|nulls| range.clone().any(|at| nulls.is_null(at)));
                out.put_i32(i32::from(count > 0));
                out.put_i32(i32::from(has_nulls));
                out.put_u32(oid);
                if count > 0 {
                    out.put_i32(count);
                    out.put_i32(1);
                }
                let mut scratch = String::new();
                range
                    .into_iter()
                    .try_for_each(|at| items.write(at, &mut scratch, out))
            })
        }
        // Text and JSON are the same in both formats.
        _ => {
            let write = text_of(array)?;
            Box::new(move |row, out| {
                let mut text = String::new();
                write(row, &mut text)?;
                out.put_slice(text.as_bytes());
                Ok(())
            })
        }
    })
}

/// How the columns of an answer are described.
pub(super) fn fields(
    schema: &SchemaRef,
    formats: &[Format],
) -> Vec<pgwire::messages::data::FieldDescription> {
    let describe = |(at, field): (usize, &std::sync::Arc<Field>)| {
        let oid = types::of_field(field);
        pgwire::messages::data::FieldDescription::new(
            field.name().replace('\0', ""),
            0,
            0,
            oid,
            types::size(oid),
            types::modifier(field.data_type()),
            i16::from(formats.get(at) == Some(&Format::Binary)),
        )
    };
    schema.fields().iter().enumerate().map(describe).collect()
}
