//! The rows of a state product: the latest of each key.
//!
//! A key stands in one partition, so each partition is worked on alone, in two passes: the
//! first looks at keys and finds which offsets are live, the second decodes those. Memory is
//! that of the keys' hashes (see `live`), never that of rows.

use datafusion::common::Result as DfResult;
use datafusion::execution::memory_pool::MemoryConsumer;
use mesh_core::{Error, Result};
use mesh_stream::batch::MessageRef;
use roaring::RoaringTreemap;

use super::live::{Limits, LiveOffsets};
use super::pump::{Job, Sink};
use super::source::{Source, decoder, emit, taken_away};
use super::stored::count;
use crate::failure::wrap;
use crate::run::Extent;

/// Messages of a block of the first pass, which decodes nothing.
const KEYS: usize = 8192;

pub(crate) fn read(job: &Job, range: Extent, sink: &mut Sink) -> DfResult<()> {
    let env = &job.run.env;
    let limits = Limits {
        memory: env.state_memory_bytes / job.streams.max(1),
        disk: env.spill_bytes / job.streams.max(1) as u64,
        spill_dir: env.spill_dir.clone(),
    };
    let reservation = MemoryConsumer::new(format!("keys of {}", job.name)).register(&job.pool);
    let mut offsets = LiveOffsets::new(limits, reservation)?;
    let mut source = Source::open(job, range).map_err(wrap)?;
    while let Some(block) = source.next(KEYS, sink).map_err(wrap)? {
        for message in block.messages() {
            let Some(key) = message.key else {
                keyless(job, message).map_err(wrap)?;
                continue;
            };
            offsets.note(key, message.offset, message.value.is_none())?;
        }
    }
    drop(source);
    if sink.stopped() {
        return Ok(());
    }
    let (live, _held) = offsets.finish()?;
    if job.columns.is_empty() {
        return count(job, live.len(), sink).map_err(wrap);
    }
    rows(job, range, &live, sink).map_err(wrap)
}

fn rows(job: &Job, range: Extent, live: &RoaringTreemap, sink: &mut Sink) -> Result<()> {
    let (Some(first), Some(last)) = (live.min(), live.max()) else {
        return Ok(());
    };
    let needed = Extent {
        start: first as i64,
        end: last as i64 + 1,
        ..range
    };
    let mut source = Source::open(job, needed)?;
    let mut decoder = decoder(job)?;
    let mut found = 0;
    while !sink.stopped() {
        let Some(block) = source.next(job.batch_rows, sink)? else {
            break;
        };
        let mut messages = block.messages();
        messages.retain(|message| live.contains(message.offset as u64));
        found += messages.len() as u64;
        emit(job, decoder.as_mut(), range.partition, &messages, sink)?;
    }
    // Compaction may take a row away between the passes, once a later one has replaced it.
    if found < live.len() && !sink.stopped() {
        return Err(taken_away(job, range.partition));
    }
    Ok(())
}

fn keyless(job: &Job, message: MessageRef<'_>) -> Result<()> {
    let cause = Error::invalid("a row of a state product without a key");
    job.corrupt(message.partition, message.offset, cause)?;
    job.run.skip(1);
    Ok(())
}
