//! Messages of a range of a partition, some thousands at a time.

use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::batch::{ArrowDecoder, MessageRef, Messages, PartitionReader};

use super::assemble::Place;
use super::pump::{Job, Sink};
use crate::run::Extent;
use crate::settings::CorruptRecords;

/// A block is handed on when it has so many bytes, however few rows.
pub(crate) const BLOCK_BYTES: usize = 2 << 20;

/// A range being read.
pub(crate) struct Source<'a> {
    job: &'a Job,
    range: Extent,
    reader: PartitionReader,
    /// Whether the first block has come, or the end.
    begun: bool,
}

/// Messages read together.
pub(crate) struct Block {
    parts: Vec<Messages>,
}

impl Block {
    pub(crate) fn messages(&self) -> Vec<MessageRef<'_>> {
        self.parts.iter().flat_map(Messages::iter).collect()
    }
}

impl<'a> Source<'a> {
    pub(crate) fn open(job: &'a Job, range: Extent) -> Result<Self> {
        let reader = PartitionReader::open(
            &job.run.env.stream,
            &job.product.topic,
            range.partition,
            range.start,
            range.end,
        )
        .map_err(|error| error.with("table", &job.name))?;
        Ok(Self {
            job,
            range,
            reader,
            begun: false,
        })
    }

    /// About `rows` messages; `None` at the end, or when nobody wants more.
    ///
    /// # Errors
    /// As [`PartitionReader::next_batch`]; [`ErrorKind::Unavailable`] if the beginning of
    /// the range was taken away since the query was planned.
    pub(crate) fn next(&mut self, rows: usize, sink: &Sink) -> Result<Option<Block>> {
        let mut parts = Vec::new();
        let (mut count, mut bytes) = (0, 0);
        while count < rows && bytes < BLOCK_BYTES {
            let Some(taken) = sink.wait(self.reader.next_batch(rows - count)) else {
                return Ok(None);
            };
            let Some(messages) = taken.map_err(|error| error.with("table", &self.job.name))? else {
                break;
            };
            count += messages.len();
            bytes += messages
                .iter()
                .map(|message| {
                    message.key.map_or(0, <[u8]>::len) + message.value.map_or(0, <[u8]>::len)
                })
                .sum::<usize>();
            parts.push(messages);
        }
        let first = parts.first().and_then(|messages| messages.get(0));
        if !self.begun {
            self.begun = true;
            if first.is_none_or(|message| message.offset > self.range.start)
                && self.trimmed(sink)?
            {
                return Ok(None);
            }
        }
        if parts.is_empty() {
            return Ok(None);
        }
        self.job.run.count(count as u64, bytes as u64)?;
        Ok(Some(Block { parts }))
    }

    /// Tells a hole that compaction left, which is no loss, from records that retention took
    /// away before they were read. True if nobody waits for the answer.
    fn trimmed(&self, sink: &Sink) -> Result<bool> {
        let topic = &self.job.product.topic;
        let partition = self.range.partition;
        let Some(marks) = sink.wait(self.job.run.env.admin.watermarks(topic, partition)) else {
            return Ok(true);
        };
        let (low, _) = marks?;
        if low > self.range.start {
            return Err(taken_away(self.job, partition).with("from_offset", self.range.start));
        }
        Ok(false)
    }
}

/// Records that the query should have seen are gone.
pub(crate) fn taken_away(job: &Job, partition: i32) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "records were removed from a topic while the query read it",
    )
    .with("table", &job.name)
    .with("topic", &job.product.topic)
    .with("partition", partition)
    .mend("run the query again; it then sees the topic as it is by then")
}

/// A decoder of the columns of the contract that `job` asks for; none if it asks for none.
pub(crate) fn decoder(job: &Job) -> Result<Option<ArrowDecoder>> {
    if job.columns.values().is_empty() {
        return Ok(None);
    }
    ArrowDecoder::new(
        job.run.env.registry.clone(),
        job.product.target.clone(),
        Some(job.columns.values().to_vec()),
    )
    .map(Some)
    .map_err(|error| error.with("table", &job.name))
}

/// Makes rows of `messages`, which are of one partition and all have a value, and hands
/// them on.
pub(crate) fn emit(
    job: &Job,
    decoder: Option<&mut ArrowDecoder>,
    partition: i32,
    messages: &[MessageRef<'_>],
    sink: &mut Sink,
) -> Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let batch = if job.columns.is_empty() {
        job.columns.counted(messages.len())?
    } else {
        // The rows that could be read, if some could not.
        let mut read = None;
        let decoded = match decoder {
            None => Vec::new(),
            Some(decoder) => {
                let Some(decoded) = sink.wait(decoder.decode(messages)) else {
                    return Ok(());
                };
                let decoded = decoded.map_err(|error| error.with("table", &job.name))?;
                let skipped = decoded.bad.len() as u64;
                if let Some(bad) = decoded.bad.into_iter().next() {
                    job.corrupt(bad.partition, bad.offset, bad.cause)?;
                    job.run.skip(skipped);
                    read = Some(decoded.rows);
                }
                decoded.batch.columns().to_vec()
            }
        };
        let place = |message: &MessageRef<'_>| Place {
            offset: message.offset,
            timestamp: message.timestamp,
        };
        let places: Vec<Place> = match read {
            None => messages.iter().map(place).collect(),
            Some(rows) => rows
                .into_iter()
                .filter_map(|index| messages.get(index).map(place))
                .collect(),
        };
        job.columns.assemble(&decoded, partition, &places)?
    };
    sink.push(batch);
    Ok(())
}

impl Job {
    /// What follows from a record that cannot be read: the query fails, unless the session
    /// chose to go on.
    ///
    /// # Errors
    /// That, with the record's place and never its content.
    pub(crate) fn corrupt(&self, partition: i32, offset: i64, cause: Error) -> Result<()> {
        match self.run.view.corrupt {
            CorruptRecords::Skip => Ok(()),
            CorruptRecords::Fail => Err(unreadable(self, partition, offset, cause)),
        }
    }
}

/// A record that cannot be read; the error names its place and never its content.
fn unreadable(job: &Job, partition: i32, offset: i64, cause: Error) -> Error {
    let mut error = Error::new(
        ErrorKind::Corrupt,
        format!("a record cannot be read: {}", cause.message()),
    )
    .with("table", &job.name)
    .with("topic", &job.product.topic)
    .with("partition", partition)
    .with("offset", offset)
    .mend(
        "tell the owner of the product; to read the rest meanwhile, \
         SET mesh.corrupt_records = 'skip'",
    );
    for (name, value) in cause.context() {
        if !matches!(*name, "partition" | "offset" | "topic") {
            error = error.with(name, value);
        }
    }
    error.because(cause)
}
