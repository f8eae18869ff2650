//! The rows of an event product: its log.

use mesh_core::{Error, Result};

use super::pump::{Job, Sink};
use super::source::{Source, decoder, emit};
use crate::run::Extent;

pub(crate) fn read(job: &Job, range: Extent, sink: &mut Sink) -> Result<()> {
    let mut source = Source::open(job, range)?;
    let mut decoder = decoder(job)?;
    while !sink.stopped() {
        let Some(block) = source.next(sink.wanted(job.batch_rows), sink)? else {
            return Ok(());
        };
        let mut messages = block.messages();
        // Seen without decoding too, so that a count finds what a scan would.
        if let Some(empty) = messages.iter().find(|message| message.value.is_none()) {
            let cause = Error::invalid("an event without a value");
            job.corrupt(empty.partition, empty.offset, cause)?;
            let all = messages.len();
            messages.retain(|message| message.value.is_some());
            job.run.skip((all - messages.len()) as u64);
        }
        emit(job, decoder.as_mut(), range.partition, &messages, sink)?;
    }
    Ok(())
}
