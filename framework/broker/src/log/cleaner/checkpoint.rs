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
        files::write_checked(&dir.join(CHECKPOINT), text.as_bytes())
    }

    /// Reads the file. One that is damaged means that all may have been cleaned and has to
    /// be again.
    pub(crate) fn load(dir: &Path) -> io::Result<Self> {
        let text = match files::read_checked(&dir.join(CHECKPOINT)) {
            Ok(Some(bytes)) => String::from_utf8(bytes).unwrap_or_default(),
            Ok(None) => return Ok(Self::default()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
            Err(error) => return Err(error),
        };
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_flipped_bit_is_no_other_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CHECKPOINT);
        let checkpoint = Checkpoint {
            first_dirty: 120,
            gaps_before: 140,
        };
        checkpoint.save(folder.path()).unwrap();
        assert_eq!(Checkpoint::load(folder.path()).unwrap(), checkpoint);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                std::fs::write(&path, flipped).unwrap();
                let found = Checkpoint::load(folder.path()).unwrap();
                assert_eq!((found.first_dirty, found.gaps_before), (0, i64::MAX));
            }
        }
    }
}
