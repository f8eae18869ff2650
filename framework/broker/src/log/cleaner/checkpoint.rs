//! How far a partition has been cleaned: a small file of two offsets.

use std::io;
use std::path::Path;

use crate::files;

const CHECKPOINT: &str = "cleaner-checkpoint";

/// How far a log has been cleaned.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Where the records begin that no cleaning has seen.
    pub(crate) first_dirty: i64,
    /// Where gaps between batches end. Written before the first segment of a cleaning is
    /// exchanged, and never taken back.
    pub(crate) gaps_before: i64,
}

impl Checkpoint {
    pub(super) fn save(self, dir: &Path) -> io::Result<()> {
        let text = format!("{} {}", self.first_dirty, self.gaps_before);
        files::write_atomic(&dir.join(CHECKPOINT), text.as_bytes())
    }

    /// Reads the file. One that says nothing sensible means that all may have been cleaned
    /// and has to be again.
    pub(crate) fn load(dir: &Path) -> io::Result<Self> {
        let Some(bytes) = files::read_optional(&dir.join(CHECKPOINT))? else {
            return Ok(Self::default());
        };
        let text = String::from_utf8(bytes).unwrap_or_default();
        let mut numbers = text.split(' ').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(first_dirty)), Some(Ok(gaps_before))) => Ok(Self {
                first_dirty,
                gaps_before,
            }),
            _ => {
                tracing::warn!(dir = %dir.display(), "the cleaner's checkpoint is unreadable");
                Ok(Self {
                    first_dirty: 0,
                    gaps_before: i64::MAX,
                })
            }
        }
    }
}
