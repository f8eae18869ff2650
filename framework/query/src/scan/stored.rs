//! The rows of a state product, from the table that is kept of it.

use mesh_core::{Error, Result};
use mesh_states::{Chunk, Row, Snapshot};
use mesh_stream::batch::MessageRef;

use super::pump::{Job, Sink};
use super::source::{BLOCK_BYTES, decoder, emit};

/// Every row of a partition.
pub(crate) fn read(job: &Job, snapshot: &Snapshot, partition: i32, sink: &mut Sink) -> Result<()> {
    if job.columns.is_empty() {
        return count(job, snapshot.rows_in(partition), sink);
    }
    let mut rows = snapshot.rows(partition);
    let mut chunk = Chunk::new();
    let mut decoder = decoder(job)?;
    while !sink.stopped() && rows.fill(sink.wanted(job.batch_rows), BLOCK_BYTES, &mut chunk)? {
        let messages = chunk.messages();
        noted(job, &messages)?;
        emit(job, decoder.as_mut(), partition, &messages, sink)?;
    }
    Ok(())
}

/// The rows of `keys`.
pub(crate) fn look_up(
    job: &Job,
    snapshot: &Snapshot,
    keys: &[Vec<u8>],
    sink: &mut Sink,
) -> Result<()> {
    let mut decoder = decoder(job)?;
    for key in keys {
        for row in snapshot.all_of(key)? {
            let messages = [Row::message(&row)];
            noted(job, &messages)?;
            emit(job, decoder.as_mut(), row.partition, &messages, sink)?;
        }
    }
    Ok(())
}

/// As many rows without columns as there are.
pub(crate) fn count(job: &Job, rows: u64, sink: &mut Sink) -> Result<()> {
    let mut left = usize::try_from(rows)
        .map_err(|_| Error::internal("more rows than this machine can count"))?;
    while left > 0 && !sink.stopped() {
        let rows = left.min(job.batch_rows);
        sink.push(job.columns.counted(rows)?);
        left -= rows;
    }
    Ok(())
}

fn noted(job: &Job, messages: &[MessageRef<'_>]) -> Result<()> {
    let bytes = messages
        .iter()
        .map(|message| message.key.map_or(0, <[u8]>::len) + message.value.map_or(0, <[u8]>::len));
    job.run
        .count(messages.len() as u64, bytes.sum::<usize>() as u64)
}
