//! Answers in the Arrow types that every implementation of Arrow reads.
//!
//! Inside, enumerations are dictionaries and text may be a view. Readers in other languages
//! know these late or not at all, and a dictionary that changes from batch to batch even
//! fewer, so what leaves as Arrow or Parquet is plain.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use mesh_core::{Error, Result};

/// `schema` in plain types.
pub(crate) fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// `batch` under `schema`, which is its own in plain types.
///
/// # Errors
/// If it is not, which would be a fault of the engine.
pub(crate) fn plain_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let other = || Error::internal("a batch is not of the columns that were promised");
    if batch.num_columns() != schema.fields().len() {
        return Err(other());
    }
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(
            |(column, field)| match column.data_type() == field.data_type() {
                true => Ok(Arc::clone(column)),
                false => {
                    cast_with_options(column, field.data_type(), &options).map_err(|_| other())
                }
            },
        )
        .collect::<Result<Vec<ArrayRef>>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows).map_err(|_| other())
}

fn plain_field(field: &FieldRef) -> FieldRef {
    match plain_type(field.data_type()) {
        Some(data_type) => Arc::new(
            Field::new(field.name(), data_type, field.is_nullable())
                .with_metadata(field.metadata().clone()),
        ),
        None => Arc::clone(field),
    }
}

/// The plain type in the place of `data_type`; none if it is plain.
fn plain_type(data_type: &DataType) -> Option<DataType> {
    let of = |field: &FieldRef| {
        let plain = plain_field(field);
        (!Arc::ptr_eq(&plain, field)).then_some(plain)
    };
    Some(match data_type {
        DataType::Dictionary(_, value) => plain_type(value).unwrap_or(value.as_ref().clone()),
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) | DataType::ListView(item) => match (of(item), data_type) {
            (Some(item), _) => DataType::List(item),
            (None, DataType::ListView(item)) => DataType::List(Arc::clone(item)),
            (None, _) => return None,
        },
        DataType::LargeList(item) | DataType::LargeListView(item) => match (of(item), data_type) {
            (Some(item), _) => DataType::LargeList(item),
            (None, DataType::LargeListView(item)) => DataType::LargeList(Arc::clone(item)),
            (None, _) => return None,
        },
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(of(item)?, *size),
        DataType::Map(entries, sorted) => DataType::Map(of(entries)?, *sorted),
        DataType::Struct(fields) => {
            let plain: Vec<FieldRef> = fields.iter().map(plain_field).collect();
            let same = plain.iter().zip(fields).all(|(a, b)| Arc::ptr_eq(a, b));
            if same {
                return None;
            }
            DataType::Struct(plain.into())
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::Array as _;
    use arrow::array::{AsArray, DictionaryArray, StringViewArray, StructArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn dictionaries_and_views_become_plain_at_any_depth() {
        let words: DictionaryArray<Int32Type> = vec!["a", "b", "a"].into_iter().collect();
        let views = StringViewArray::from(vec![Some("long enough not to be inline"), None, None]);
        let word = Arc::new(Field::new("word", words.data_type().clone(), false));
        let inner = StructArray::from(vec![(word, Arc::new(words) as ArrayRef)]);
        let batch = RecordBatch::try_from_iter([
            ("inner", Arc::new(inner) as ArrayRef),
            ("view", Arc::new(views) as ArrayRef),
        ])
        .unwrap();
        let schema = plain_schema(&batch.schema());
        let plain = plain_batch(&batch, &schema).unwrap();
        let inner = plain.column(0).as_struct();
        assert_eq!(inner.column(0).as_string::<i32>().value(2), "a");
        assert_eq!(plain.column(1).data_type(), &DataType::Utf8);
        assert_eq!(plain_schema(&schema), schema);
    }
}
