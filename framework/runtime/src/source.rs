//! Sources: how data from outside, such as files, comes into a domain.

use std::path::Path;

use async_trait::async_trait;
use mesh_core::Result;

use crate::context::Context;
use crate::effects::Effects;

/// Reads the configured source directory in batches.
///
/// The position is the source's own count (rows, lines, steps), kept in the transaction
/// that commits the batch: after a crash the source goes on exactly where the last
/// committed batch ended. One to two thousand rows make a good batch.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// The batch that begins at `position`, 0 at first.
    ///
    /// # Errors
    /// What kept it from reading; the host shows the error and tries again with back-off.
    async fn next(&self, dir: &Path, position: u64, ctx: &Context) -> Result<SourceBatch>;

    /// Whether it reads the source directory. One that does not, such as a clock, runs where
    /// no directory is configured too; `dir` is empty then.
    fn reads_directory(&self) -> bool {
        true
    }
}

/// One step of a [`Source`].
#[derive(Debug, Default)]
#[must_use]
pub struct SourceBatch {
    /// What the rows of this batch make the domain do.
    pub effects: Effects,
    /// The position after this batch. The same as before, and not done, means that there
    /// is nothing to read yet: the host asks again after a while.
    pub next: u64,
    /// How many positions there are in all, if that is known.
    pub total: Option<u64>,
    /// Whether this was the last batch; a source that is done is not asked again, not even
    /// after a restart.
    pub done: bool,
    /// A word for people about what was found, such as a value that was missing.
    pub note: Option<String>,
}

impl SourceBatch {
    /// A batch up to `next`, with more to come.
    pub fn more(effects: Effects, next: u64) -> Self {
        Self {
            effects,
            next,
            ..Self::default()
        }
    }

    /// The last batch, which ends at `next`.
    pub fn last(effects: Effects, next: u64) -> Self {
        Self {
            effects,
            next,
            total: Some(next),
            done: true,
            ..Self::default()
        }
    }

    /// Nothing to read at `position` yet.
    pub fn wait(position: u64) -> Self {
        Self::more(Effects::new(), position)
    }

    /// Says how many positions there are in all.
    pub fn of_total(mut self, total: u64) -> Self {
        self.total = Some(total);
        self
    }

    /// Adds a word for people; it must not hold a row's values.
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}
