//! Framed Avro as Arrow, many records at a time.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_avro::reader::{Decoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use mesh_core::avro::{SchemaUse, value_schema};
use mesh_core::contract::Contract;
use mesh_core::{Descriptor, Error, ErrorKind, Result};

use super::native::MessageRef;
use super::retype::retype_all;
use crate::decode::Schemas;
use crate::frame::{FRAME_BYTES, corrupt, split_frame};
use crate::registry::{RegistryClient, WriterSchema};

/// What records are decoded to.
#[derive(Debug, Clone)]
pub struct ArrowTarget {
    /// The contract's Avro schema, which writers' schemas are judged by.
    pub value_schema: String,
    /// The schema that a columnar reader asks for.
    pub reader_schema: String,
    /// The Arrow schema that follows from it.
    pub arrow: SchemaRef,
}

impl From<&Descriptor> for ArrowTarget {
    fn from(descriptor: &Descriptor) -> Self {
        Self {
            value_schema: descriptor.value_schema.clone(),
            reader_schema: descriptor.arrow_reader_schema.clone(),
            arrow: Arc::clone(&descriptor.arrow),
        }
    }
}

impl From<&Contract> for ArrowTarget {
    fn from(contract: &Contract) -> Self {
        Self {
            value_schema: value_schema(contract, SchemaUse::Write).to_string(),
            reader_schema: value_schema(contract, SchemaUse::ReadArrow).to_string(),
            arrow: mesh_core::arrow_schema::arrow_schema(contract).into(),
        }
    }
}

/// Records as Arrow.
#[derive(Debug)]
pub struct Decoded {
    /// The rows, in the order of the messages.
    pub batch: RecordBatch,
    /// For each row, the index of its message; rising.
    pub rows: Vec<usize>,
    /// The indexes of messages without a value; rising.
    pub tombstones: Vec<usize>,
    /// The messages that cannot be read.
    pub bad: Vec<BadRecord>,
}

/// A record that cannot be read.
#[derive(Debug)]
pub struct BadRecord {
    /// The index of its message.
    pub index: usize,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Why not.
    pub cause: Error,
}

/// Decodes the values of one product to Arrow, whatever schema of the product they were
/// written under.
///
/// Each writer's schema has a decoder of its own, so that records of different schemas may
/// alternate at no cost. A record that cannot be read is told in [`Decoded::bad`] and costs
/// its neighbours nothing.
pub struct ArrowDecoder {
    schemas: Schemas,
    reader_schema: AvroSchema,
    projection: Option<Vec<usize>>,
    arrow: SchemaRef,
    writers: HashMap<u32, Writer>,
}

struct Writer {
    schema: Arc<WriterSchema>,
    /// Gone after an error, which may have left part of a row in it.
    decoder: Option<Decoder>,
}

impl fmt::Debug for ArrowDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrowDecoder")
            .field("projection", &self.projection)
            .field("schemas", &self.writers.keys())
            .finish_non_exhaustive()
    }
}

impl ArrowDecoder {
    /// A decoder to `target`, or to the columns of it that `projection` names by index, in
    /// its order; an empty projection only counts rows.
    ///
    /// # Errors
    /// If an index is out of range or named twice, or a schema is not valid.
    pub fn new(
        registry: RegistryClient,
        target: ArrowTarget,
        projection: Option<Vec<usize>>,
    ) -> Result<Self> {
        let arrow = match &projection {
            Some(columns) => {
                let mut seen = std::collections::HashSet::new();
                if columns.iter().any(|column| !seen.insert(*column)) {
                    return Err(Error::invalid("a column is projected twice"));
                }
                let projected = target.arrow.project(columns).map_err(|error| {
                    Error::invalid("a projected column is not there").because(error)
                })?;
                Arc::new(projected)
            }
            None => target.arrow,
        };
        Ok(Self {
            schemas: Schemas::new(registry, &target.value_schema)?,
            reader_schema: AvroSchema::new(target.reader_schema),
            projection,
            arrow,
            writers: HashMap::new(),
        })
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.arrow
    }

    /// Decodes the values of `messages`. Waits only for writers' schemas that were not met
    /// before; dropping the future then loses nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the registry cannot be reached: nothing was decoded,
    /// and the same may be tried again. What is wrong with single records is in
    /// [`Decoded::bad`].
    pub async fn decode(&mut self, messages: &[MessageRef<'_>]) -> Result<Decoded> {
        let mut sorted = Sorted::default();
        for (index, message) in messages.iter().enumerate() {
            let Some(value) = message.value else {
                sorted.tombstones.push(index);
                continue;
            };
            match split_frame(value) {
                Ok((id, _)) => sorted.push(id, index),
                Err(error) => sorted.bad.push((index, error)),
            }
        }
        for (id, group) in &mut sorted.groups {
            if self.writers.contains_key(id) {
                continue;
            }
            match self.schemas.get(*id).await {
                Ok(schema) => {
                    let decoder = None;
                    self.writers.insert(*id, Writer { schema, decoder });
                }
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => {
                    // Every record under it is refused, each with the cause.
                    let kind = error.kind();
                    for index in group.drain(..) {
                        let cause = Error::new(kind, error.message().to_owned());
                        let cause = error
                            .context()
                            .iter()
                            .fold(cause, |cause, (name, value)| cause.with(name, value));
                        let cause = match error.mend_text() {
                            Some(mend) => cause.mend(mend.to_owned()),
                            None => cause,
                        };
                        sorted.bad.push((index, cause));
                    }
                }
            }
        }
        self.decode_sorted(messages, sorted)
    }

    fn decode_sorted(&mut self, messages: &[MessageRef<'_>], sorted: Sorted) -> Result<Decoded> {
        let Sorted {
            groups,
            tombstones,
            mut bad,
        } = sorted;
        let mut batches = Vec::with_capacity(groups.len());
        let mut rows: Vec<usize> = Vec::with_capacity(messages.len());
        for (id, group) in groups {
            let Some(writer) = self.writers.get_mut(&id) else {
                continue;
            };
            // What passes has the structure that its schema says, so that the decoder can
            // fail only over what a value means.
            let mut sound = Vec::with_capacity(group.len());
            for index in group {
                let value = messages[index].value.unwrap_or_default();
                match writer
                    .schema
                    .check(value.get(FRAME_BYTES..).unwrap_or_default())
                {
                    Ok(()) => sound.push((index, value)),
                    Err(error) => bad.push((index, error)),
                }
            }
            let mut plan = Plan {
                reader_schema: &self.reader_schema,
                projection: self.projection.as_deref(),
                arrow: &self.arrow,
                writer,
            };
            if let Some(batch) = plan.decode(&mut sound, &mut bad)? {
                rows.extend(sound.iter().map(|(index, _)| *index));
                batches.push(batch);
            }
        }
        let batch = match batches.len() {
            0 => RecordBatch::new_empty(Arc::clone(&self.arrow)),
            1 => batches.swap_remove(0),
            _ if self.arrow.fields().is_empty() => counted(&self.arrow, rows.len())?,
            _ => in_order(&self.arrow, &batches, &rows)?,
        };
        rows.sort_unstable();
        bad.sort_unstable_by_key(|(index, _)| *index);
        let bad = bad
            .into_iter()
            .map(|(index, cause)| {
                let MessageRef {
                    partition, offset, ..
                } = messages[index];
                BadRecord {
                    index,
                    partition,
                    offset,
                    cause: cause.with("partition", partition).with("offset", offset),
                }
            })
            .collect();
        Ok(Decoded {
            batch,
            rows,
            tombstones,
            bad,
        })
    }
}

/// Messages by the schema they were written under.
#[derive(Default)]
struct Sorted {
    groups: BTreeMap<u32, Vec<usize>>,
    tombstones: Vec<usize>,
    bad: Vec<(usize, Error)>,
}

impl Sorted {
    fn push(&mut self, id: u32, index: usize) {
        self.groups.entry(id).or_default().push(index);
    }
}

/// The rows of several batches in the order of their messages.
fn in_order(schema: &SchemaRef, batches: &[RecordBatch], rows: &[usize]) -> Result<RecordBatch> {
    let joined = concat_batches(schema, batches).map_err(undecodable)?;
    if rows.is_sorted() {
        return Ok(joined);
    }
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    order.sort_unstable_by_key(|at| rows[*at as usize]);
    take_record_batch(&joined, &UInt32Array::from(order)).map_err(undecodable)
}

/// A batch of no columns and `rows` rows.
fn counted(schema: &SchemaRef, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), vec![], &options).map_err(undecodable)
}

fn undecodable(error: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "records cannot be made into arrow").because(error)
}

/// Why a value of sound structure cannot be decoded. The library's text may hold the value.
fn unreadable(id: u32) -> Error {
    corrupt("a value cannot be read as the contract says").with("schema_id", id)
}

/// How records of one writer are decoded.
struct Plan<'a> {
    reader_schema: &'a AvroSchema,
    projection: Option<&'a [usize]>,
    arrow: &'a SchemaRef,
    writer: &'a mut Writer,
}

impl Plan<'_> {
    /// Decodes `records`, moving those that cannot be read to `bad`.
    fn decode(
        &mut self,
        records: &mut Vec<(usize, &[u8])>,
        bad: &mut Vec<(usize, Error)>,
    ) -> Result<Option<RecordBatch>> {
        if self.arrow.fields().is_empty() {
            return match records.len() {
                0 => Ok(None),
                rows => counted(self.arrow, rows).map(Some),
            };
        }
        if let Ok(batch) = self.all(records) {
            return batch.map(|batch| self.finish(batch)).transpose();
        }
        // One of them does not decode. Each is tried alone in a decoder of its own first,
        // which is made anew after a failure; what passes cannot fail the others.
        let id = self.writer.schema.id;
        let mut probe = None;
        let mut kept = Vec::with_capacity(records.len());
        for (index, value) in records.drain(..) {
            let decoder = match &mut probe {
                Some(decoder) => decoder,
                empty => empty.insert(self.build()?),
            };
            if one(decoder, value) {
                kept.push((index, value));
            } else {
                probe = None;
                bad.push((index, unreadable(id)));
            }
        }
        *records = kept;
        if let Ok(batch) = self.all(records) {
            return batch.map(|batch| self.finish(batch)).transpose();
        }
        // What shows only when a batch is finished: each record is a batch.
        let mut batches = Vec::with_capacity(records.len());
        let mut kept = Vec::with_capacity(records.len());
        for (index, value) in records.drain(..) {
            match self.all(&[(index, value)]) {
                Ok(Some(batch)) => {
                    batches.push(self.finish(batch)?);
                    kept.push((index, value));
                }
                Ok(None) | Err(_) => bad.push((index, unreadable(id))),
            }
        }
        *records = kept;
        if batches.is_empty() {
            return Ok(None);
        }
        concat_batches(self.arrow, &batches)
            .map(Some)
            .map_err(undecodable)
    }

    /// Decodes `records`, all or none.
    fn all(&mut self, records: &[(usize, &[u8])]) -> Result<Option<RecordBatch>> {
        let id = self.writer.schema.id;
        // Taken out: after an error it is not put back.
        let mut decoder = match self.writer.decoder.take() {
            Some(decoder) => decoder,
            None => self.build()?,
        };
        for (_, value) in records {
            if !one(&mut decoder, value) {
                return Err(unreadable(id));
            }
        }
        let batch = decoder
            .flush()
            .map_err(|error| unreadable(id).because(error.to_string()))?;
        if batch.as_ref().map_or(0, RecordBatch::num_rows) != records.len() {
            return Err(unreadable(id));
        }
        self.writer.decoder = Some(decoder);
        Ok(batch)
    }

    fn build(&self) -> Result<Decoder> {
        let schema = &self.writer.schema;
        let failed = |error: ArrowError| {
            Error::new(
                ErrorKind::FailedPrecondition,
                "records of a schema cannot be read in batches",
            )
            .with("schema_id", schema.id)
            .because(error)
        };
        let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
        store
            .set(
                Fingerprint::Id(schema.id),
                AvroSchema::new(schema.text.clone()),
            )
            .map_err(failed)?;
        let builder = ReaderBuilder::new()
            .with_writer_schema_store(store)
            .with_reader_schema(self.reader_schema.clone())
            // A batch ends when its records do.
            .with_batch_size(usize::MAX);
        match self.projection {
            Some(columns) => builder.with_projection(columns.to_vec()),
            None => builder,
        }
        .build_decoder()
        .map_err(failed)
    }

    /// The batch under the contract's own schema.
    fn finish(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let (_, columns, _) = batch.into_parts();
        let columns = retype_all(columns, self.arrow.fields()).map_err(undecodable)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(self.arrow), columns, &options)
            .map_err(undecodable)
    }
}

/// Decodes one record; `false` if it did not go down whole.
fn one(decoder: &mut Decoder, value: &[u8]) -> bool {
    matches!(decoder.decode(value), Ok(consumed) if consumed == value.len())
}
