//! Records of a topic as rows of its table.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use mesh_core::Result;
use mesh_core::contract::{Contract, ProductKind};
use mesh_stream::RegistryClient;
use mesh_stream::batch::{ArrowDecoder, ArrowTarget, MessageRef};

use crate::columns::conform;
use crate::fault;
use crate::keys::Keys;
use crate::schema::{DELETED, OFFSET, PARTITION, TIMESTAMP};

const WHAT: &str = "records cannot be made rows of the history";

/// Decodes the records of one topic.
pub(crate) struct TopicDecoder {
    values: ArrowDecoder,
    keys: Keys,
    state: bool,
    schema: SchemaRef,
}

/// Records, decoded.
pub(crate) struct Rows {
    /// The rows; not in the records' order.
    pub(crate) batches: Vec<RecordBatch>,
    /// Partition and offset of the records that cannot be read.
    pub(crate) unreadable: Vec<(i32, i64)>,
}

impl TopicDecoder {
    /// For the table with `schema`, which has all columns of `contract`.
    pub(crate) fn new(
        registry: &RegistryClient,
        contract: &Contract,
        schema: SchemaRef,
    ) -> Result<Self> {
        Ok(Self {
            values: ArrowDecoder::new(registry.clone(), ArrowTarget::from(contract), None)?,
            keys: Keys::new(registry.clone(), contract),
            state: contract.schema.kind == ProductKind::State,
            schema,
        })
    }

    /// # Errors
    /// If the registry cannot be reached; nothing is decoded then.
    pub(crate) async fn decode(&mut self, messages: &[MessageRef<'_>]) -> Result<Rows> {
        let decoded = self.values.decode(messages).await?;
        let mut rows = Rows {
            batches: Vec::with_capacity(2),
            unreadable: Vec::new(),
        };
        for bad in &decoded.bad {
            tracing::warn!(
                partition = bad.partition,
                offset = bad.offset,
                cause = bad.cause.message(),
                "a record cannot be read into the history"
            );
            rows.unreadable.push((bad.partition, bad.offset));
        }
        let told: Vec<&MessageRef<'_>> = decoded.rows.iter().map(|at| &messages[*at]).collect();
        match self.with_place(&decoded.batch, &told, false) {
            Ok(batch) => rows.batches.push(batch),
            // A value that its contract allows and the table's type does not, such as an
            // instant in the year 300,000. Found one by one: it is rare.
            Err(error) => {
                // Not what every value of the column would meet.
                let none = self.with_place(&decoded.batch.slice(0, 0), &[], false);
                if none.is_err() {
                    return Err(fault::arrow(WHAT, error));
                }
                let mut sound = Vec::with_capacity(told.len());
                for (at, message) in told.iter().enumerate() {
                    match self.with_place(&decoded.batch.slice(at, 1), &[message], false) {
                        Ok(batch) => sound.push(batch),
                        Err(_) => rows.unreadable.push((message.partition, message.offset)),
                    }
                }
                rows.batches.push(
                    concat_batches(&self.schema, &sound)
                        .map_err(|error| fault::arrow(WHAT, error))?,
                );
            }
        }
        if !decoded.tombstones.is_empty() {
            self.tombstones(messages, &decoded.tombstones, &mut rows)
                .await?;
        }
        rows.batches.retain(|batch| batch.num_rows() > 0);
        Ok(rows)
    }

    async fn tombstones(
        &mut self,
        messages: &[MessageRef<'_>],
        at: &[usize],
        rows: &mut Rows,
    ) -> Result<()> {
        let mut told = Vec::with_capacity(at.len());
        let mut keys = Vec::with_capacity(at.len());
        for at in at {
            let message = &messages[*at];
            // An event without a value is none.
            let key = match self.state {
                true => self.keys.read(message).await?,
                false => None,
            };
            match key {
                Some(key) => {
                    keys.push(key);
                    told.push(message);
                }
                None => rows.unreadable.push((message.partition, message.offset)),
            }
        }
        let columns = self.keys.arrays(&keys, &self.schema)?;
        let batch = match columns.is_empty() {
            true => RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty())),
            false => {
                RecordBatch::try_from_iter(columns).map_err(|error| fault::arrow(WHAT, error))?
            }
        };
        let batch = self
            .with_place(&batch, &told, true)
            .map_err(|error| fault::arrow(WHAT, error))?;
        rows.batches.push(batch);
        Ok(())
    }

    /// `batch` with the columns of the table, where each row is of the message at its index.
    fn with_place(
        &self,
        batch: &RecordBatch,
        messages: &[&MessageRef<'_>],
        deleted: bool,
    ) -> Result<RecordBatch, arrow::error::ArrowError> {
        let rows = messages.len();
        let columns = self.schema.fields().iter().map(|field| {
            let column: ArrayRef = match field.name().as_str() {
                PARTITION => Arc::new(Int32Array::from_iter_values(
                    messages.iter().map(|message| message.partition),
                )),
                OFFSET => Arc::new(Int64Array::from_iter_values(
                    messages.iter().map(|message| message.offset),
                )),
                TIMESTAMP => {
                    let times = messages.iter().map(|message| match message.timestamp {
                        ..0 => None,
                        millis => millis.checked_mul(1000),
                    });
                    let times = TimestampMicrosecondArray::from_iter(times);
                    Arc::new(times.with_timezone_opt(Some("UTC")))
                }
                DELETED => Arc::new(BooleanArray::from(vec![deleted; rows])),
                name => match batch.column_by_name(name) {
                    Some(column) => conform(column, field.data_type())?,
                    None => new_null_array(field.data_type(), rows),
                },
            };
            Ok(column)
        });
        let columns = columns.collect::<Result<Vec<_>, arrow::error::ArrowError>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }
}
