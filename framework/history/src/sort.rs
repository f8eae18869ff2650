//! Rows in the order of their table: event time, then key, then place in the topic.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};
use mesh_core::contract::Contract;
use mesh_core::{Error, Result};

use crate::fault;
use crate::schema::{OFFSET, PARTITION, TIMESTAMP, table_schema};

/// Rows put out at a time.
pub(crate) const CHUNK: usize = 8192;

/// The columns by which the rows of `contract` are sorted, with commas between.
pub(crate) fn order_of(contract: &Contract) -> String {
    let schema = table_schema(contract);
    let plain = |name: &str| {
        schema.field_with_name(name).is_ok_and(|field| {
            !matches!(
                field.data_type(),
                DataType::List(_) | DataType::Map(..) | DataType::Struct(_)
            )
        })
    };
    let mut order: Vec<&str> = Vec::new();
    let time = contract.schema.event_time.as_deref();
    let keys = contract.schema.kafka_key();
    let keys = keys.iter().map(|field| field.name.as_str());
    let columns = [time.unwrap_or(TIMESTAMP)].into_iter().chain(keys);
    for column in columns.chain([PARTITION, OFFSET]) {
        if plain(column) && !order.contains(&column) {
            order.push(column);
        }
    }
    order.join(",")
}

/// Makes rows comparable as bytes.
pub(crate) struct Order {
    converter: RowConverter,
    columns: Vec<usize>,
}

impl Order {
    pub(crate) fn new(schema: &SchemaRef, order: &str) -> Result<Self> {
        let columns = order
            .split(',')
            .map(|name| schema.index_of(name))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| fault::foreign("the table lacks a column that it is sorted by"))?;
        let fields = columns
            .iter()
            .map(|at| SortField::new(schema.field(*at).data_type().clone()))
            .collect();
        let converter = RowConverter::new(fields)
            .map_err(|error| fault::arrow("rows of the history cannot be sorted", error))?;
        Ok(Self { converter, columns })
    }

    pub(crate) fn rows(&self, batch: &RecordBatch) -> Result<Rows> {
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|at| Arc::clone(batch.column(*at)))
            .collect();
        self.converter
            .convert_columns(&columns)
            .map_err(|error| fault::arrow("rows of the history cannot be sorted", error))
    }
}

/// The places of the rows of `batches` in their order: batch, then row.
pub(crate) fn sorted(order: &Order, batches: &[RecordBatch]) -> Result<Vec<(usize, usize)>> {
    let keys = batches
        .iter()
        .map(|batch| order.rows(batch))
        .collect::<Result<Vec<_>>>()?;
    let mut places: Vec<(usize, usize)> = batches
        .iter()
        .enumerate()
        .flat_map(|(at, batch)| (0..batch.num_rows()).map(move |row| (at, row)))
        .collect();
    places.sort_unstable_by(|a, b| keys[a.0].row(a.1).cmp(&keys[b.0].row(b.1)));
    Ok(places)
}

/// The rows at `places` of `batches`.
pub(crate) fn gather(batches: &[&RecordBatch], places: &[(usize, usize)]) -> Result<RecordBatch> {
    if batches.is_empty() {
        return Err(Error::internal("rows of nothing were asked for"));
    }
    interleave_record_batch(batches, places)
        .map_err(|error| fault::arrow("rows of the history cannot be put in order", error))
}
