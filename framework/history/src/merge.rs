//! Sorted files as one sorted stream, a batch of each in memory.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use arrow::row::Rows;
use futures::StreamExt;
use mesh_core::{Error, ErrorKind, Result};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::async_reader::ParquetRecordBatchStream;

use crate::columns::conform_batch;
use crate::fault;
use crate::place::Place;
use crate::read::FileReader;
use crate::schema::TIMESTAMP;
use crate::snapshot::DataFile;
use crate::sort::{CHUNK, Order, gather};

const WHAT: &str = "a file of the history cannot be read";
/// Rows read of a file at a time.
const BATCH: usize = 4096;

/// The rows of `files`, in order.
pub(crate) struct Merge {
    order: Order,
    schema: SchemaRef,
    /// Rows published before are left out.
    since: Option<i64>,
    inputs: Vec<Input>,
    /// Of a single file the order does not matter.
    several: bool,
    /// Batches that rows of the next chunk are taken from.
    batches: Vec<RecordBatch>,
    places: Vec<(usize, usize)>,
}

struct Input {
    stream: ParquetRecordBatchStream<FileReader>,
    /// Where its batch is in `batches`.
    batch: usize,
    rows: Rows,
    at: usize,
}

impl Merge {
    /// Opens `files`, whose rows are sorted by `order`.
    pub(crate) async fn open(
        place: &Place,
        files: &[Arc<DataFile>],
        schema: &SchemaRef,
        order: &str,
        since: Option<i64>,
    ) -> Result<Self> {
        let mut merge = Self {
            order: Order::new(schema, order)?,
            schema: Arc::clone(schema),
            since,
            inputs: Vec::with_capacity(files.len()),
            several: files.len() > 1,
            batches: Vec::new(),
            places: Vec::with_capacity(CHUNK),
        };
        for file in files {
            let reader = FileReader {
                store: Arc::clone(&place.store),
                path: file.path.clone(),
                size: file.size,
            };
            let stream = ParquetRecordBatchStreamBuilder::new(reader)
                .await
                .and_then(|builder| builder.with_batch_size(BATCH).build())
                .map_err(|error| fault::parquet(WHAT, error))?;
            let mut input = Input {
                stream,
                batch: 0,
                rows: merge
                    .order
                    .rows(&RecordBatch::new_empty(Arc::clone(schema)))?,
                at: 0,
            };
            if merge.advance(&mut input).await? {
                merge.inputs.push(input);
            }
        }
        Ok(merge)
    }

    /// Gives `input` its next batch; `false` at its end.
    async fn advance(&mut self, input: &mut Input) -> Result<bool> {
        while let Some(batch) = input.stream.next().await {
            let batch = batch.map_err(|error| fault::parquet(WHAT, error))?;
            let batch =
                conform_batch(&batch, &self.schema).map_err(|error| fault::arrow(WHAT, error))?;
            let batch = match self.since {
                Some(since) => published_since(&batch, since)?,
                None => batch,
            };
            if batch.num_rows() == 0 {
                continue;
            }
            let rows = self.order.rows(&batch)?;
            let last = input.rows.num_rows();
            if self.several && last > 0 && input.rows.row(last - 1) > rows.row(0) {
                return Err(Error::new(
                    ErrorKind::FailedPrecondition,
                    "a file of the history is not sorted as it says",
                ));
            }
            (input.rows, input.at) = (rows, 0);
            input.batch = self.batches.len();
            self.batches.push(batch);
            return Ok(true);
        }
        Ok(false)
    }

    /// The next rows; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while self.places.len() < CHUNK && !self.inputs.is_empty() {
            let mut least = 0;
            for at in 1..self.inputs.len() {
                let (a, b) = (&self.inputs[at], &self.inputs[least]);
                if a.rows.row(a.at) < b.rows.row(b.at) {
                    least = at;
                }
            }
            let input = &mut self.inputs[least];
            self.places.push((input.batch, input.at));
            input.at += 1;
            if input.at == input.rows.num_rows() {
                let mut input = self.inputs.swap_remove(least);
                if self.advance(&mut input).await? {
                    self.inputs.push(input);
                }
            }
        }
        if self.places.is_empty() {
            return Ok(None);
        }
        let chunk = gather(&self.batches.iter().collect::<Vec<_>>(), &self.places)?;
        self.places.clear();
        // Only what the inputs are at is kept.
        let kept: Vec<RecordBatch> = self
            .inputs
            .iter()
            .map(|input| self.batches[input.batch].clone())
            .collect();
        for (at, input) in self.inputs.iter_mut().enumerate() {
            input.batch = at;
        }
        self.batches = kept;
        Ok(Some(chunk))
    }
}

/// The rows of `batch` that were published at `since` or after, in microseconds since 1970.
/// Those of which that is not known stay.
fn published_since(batch: &RecordBatch, since: i64) -> Result<RecordBatch> {
    let times = batch
        .column_by_name(TIMESTAMP)
        .ok_or_else(|| fault::foreign("the table lacks the time of publication"))?
        .as_primitive::<TimestampMicrosecondType>();
    let keep: BooleanArray = (0..times.len())
        .map(|row| Some(times.is_null(row) || times.value(row) >= since))
        .collect();
    filter_record_batch(batch, &keep).map_err(|error| fault::arrow(WHAT, error))
}
