//! Decoded columns and columns of the log, put together in the order of the projection.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, TimestampMillisecondArray,
};
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result as DfResult};
use mesh_core::{Error, Result};

use crate::product::{LogColumn, Product};

#[derive(Debug, Clone, Copy)]
enum Origin {
    /// A place among the decoded columns.
    Value(usize),
    Log(LogColumn),
}

/// The columns that a scan hands out, and where each comes from.
#[derive(Debug)]
pub(crate) struct Columns {
    schema: SchemaRef,
    from: Vec<Origin>,
    /// Columns of the contract to decode, in its order.
    values: Vec<usize>,
}

/// Where a row stood in the topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
}

impl Columns {
    /// `schema` is the projected schema of the table.
    pub(crate) fn new(product: &Product, schema: SchemaRef) -> DfResult<Self> {
        let mut values = Vec::new();
        for field in schema.fields() {
            if let Ok(at) = product.arrow.index_of(field.name()) {
                values.push(at);
            }
        }
        values.sort_unstable();
        let from = schema
            .fields()
            .iter()
            .map(|field| {
                if let Some(column) = LogColumn::ALL
                    .into_iter()
                    .find(|column| column.name() == field.name())
                {
                    return Ok(Origin::Log(column));
                }
                product
                    .arrow
                    .index_of(field.name())
                    .ok()
                    .and_then(|column| values.binary_search(&column).ok())
                    .map(Origin::Value)
                    .ok_or_else(|| {
                        DataFusionError::Internal("a column that the table does not have".into())
                    })
            })
            .collect::<DfResult<_>>()?;
        Ok(Self {
            schema,
            from,
            values,
        })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns of the contract to decode, in its order; none if the log alone is asked.
    pub(crate) fn values(&self) -> &[usize] {
        &self.values
    }

    /// Whether rows must be told apart at all, or only counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.from.is_empty()
    }

    /// The rows at `places` of `partition`; `decoded` holds the columns of
    /// [`Columns::values`] for the same rows.
    pub(crate) fn assemble(
        &self,
        decoded: &[ArrayRef],
        partition: i32,
        places: &[Place],
    ) -> Result<RecordBatch> {
        let columns = self
            .from
            .iter()
            .map(|from| match from {
                Origin::Value(at) => decoded.get(*at).cloned().ok_or_else(mismatch),
                Origin::Log(LogColumn::Partition) => {
                    Ok(Arc::new(Int32Array::from_value(partition, places.len())) as ArrayRef)
                }
                Origin::Log(LogColumn::Offset) => Ok(Arc::new(Int64Array::from_iter_values(
                    places.iter().map(|place| place.offset),
                )) as ArrayRef),
                Origin::Log(LogColumn::Timestamp) => Ok(Arc::new(
                    TimestampMillisecondArray::from_iter_values(
                        places.iter().map(|place| place.timestamp),
                    )
                    .with_timezone("+00:00"),
                ) as ArrayRef),
            })
            .collect::<Result<Vec<_>>>()?;
        self.batch(columns, places.len())
    }

    /// `rows` rows without columns.
    pub(crate) fn counted(&self, rows: usize) -> Result<RecordBatch> {
        self.batch(Vec::new(), rows)
    }

    fn batch(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        // The error's text names columns and types, never a value.
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| mismatch().detail(error))
    }
}

fn mismatch() -> Error {
    Error::internal("decoded rows do not have the columns of the contract")
}
