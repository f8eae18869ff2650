//! Giving an array the very type of the contract.
//!
//! arrow-avro makes the right values and types, and marks nested fields with metadata of
//! its own, by which Arrow holds the types to differ. Only the marks are replaced; no value
//! is touched.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray};
use arrow::datatypes::{DataType, Fields};
use arrow::error::ArrowError;

/// `array` as `target`, which differs from its type in names and metadata at most.
pub(super) fn retype(array: ArrayRef, target: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == target {
        return Ok(array);
    }
    match (array.data_type(), target) {
        (DataType::List(_), DataType::List(item)) => {
            let (_, offsets, values, nulls) = array.as_list::<i32>().clone().into_parts();
            let values = retype(values, item.data_type())?;
            Ok(Arc::new(ListArray::try_new(
                Arc::clone(item),
                offsets,
                values,
                nulls,
            )?))
        }
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let (_, offsets, values, nulls, _) = array.as_map().clone().into_parts();
            let values = retype(Arc::new(values), entries.data_type())?;
            Ok(Arc::new(MapArray::try_new(
                Arc::clone(entries),
                offsets,
                values.as_struct().clone(),
                nulls,
                *sorted,
            )?))
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let rows = array.len();
            let (_, columns, nulls) = array.as_struct().clone().into_parts();
            let columns = retype_all(columns, fields)?;
            Ok(Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                columns,
                nulls,
                rows,
            )?))
        }
        (is, _) => Err(ArrowError::SchemaError(format!(
            "the decoder made {is} where the contract says {target}"
        ))),
    }
}

/// Each of `columns` as its field says.
pub(super) fn retype_all(
    columns: Vec<ArrayRef>,
    fields: &Fields,
) -> Result<Vec<ArrayRef>, ArrowError> {
    if columns.len() != fields.len() {
        return Err(ArrowError::SchemaError(format!(
            "the decoder made {} columns where the contract says {}",
            columns.len(),
            fields.len()
        )));
    }
    columns
        .into_iter()
        .zip(fields)
        .map(|(column, field)| retype(column, field.data_type()))
        .collect()
}
