//! Putting a cleaned segment in the place of those that it was made from.
//!
//! The new files are made in a folder of their own, `cleaned`, and synced. The file `swap`
//! then says what takes whose place: once it is there the exchange will happen, whether now
//! or at the next start. Each step can be done again, and the file goes when all are done.
//! Without it the folder is what a crash has left, and is thrown away.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files;

const SWAP: &str = "swap";
pub(super) const CLEANED: &str = "cleaned";

/// A cleaned segment and those it replaces, itself among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Swap {
    pub(super) base: i64,
    pub(super) replaces: Vec<i64>,
}

/// A change to the folder; doing it again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Move(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncFolder(PathBuf),
    RemoveFolder(PathBuf),
}

impl Step {
    fn run(&self) -> io::Result<()> {
        match self {
            Self::Move(from, to) => match fs::rename(from, to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            Self::Remove(path) => files::remove_optional(path),
            Self::SyncFolder(path) => files::sync_dir(path),
            Self::RemoveFolder(path) => files::remove_folder(path),
        }
    }
}

impl Swap {
    fn steps(&self, dir: &Path) -> Vec<Step> {
        let named = |base: i64, extension: &str| format!("{base:020}.{extension}");
        let cleaned = dir.join(CLEANED);
        let take = |extension: &str| {
            let name = named(self.base, extension);
            Step::Move(cleaned.join(&name), dir.join(name))
        };
        // The log last: with the side files of another it would be read wrongly.
        let mut steps = ["txnindex", "index", "timeindex", "log"].map(take).to_vec();
        for base in self.replaces.iter().filter(|base| **base != self.base) {
            for extension in ["index", "timeindex", "txnindex", "log"] {
                steps.push(Step::Remove(dir.join(named(*base, extension))));
            }
        }
        // Nothing of it may be undone by a power failure after the file that says what is
        // to be done has gone.
        steps.push(Step::SyncFolder(dir.to_owned()));
        steps.push(Step::Remove(dir.join(SWAP)));
        steps.push(Step::SyncFolder(dir.to_owned()));
        steps.push(Step::RemoveFolder(cleaned));
        steps
    }

    /// Makes the exchange certain.
    pub(super) fn commit(&self, dir: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec(self).map_err(io::Error::other)?;
        files::write_checked(&dir.join(SWAP), &bytes)
    }

    /// Does what [`Swap::commit`] has promised.
    pub(super) fn complete(&self, dir: &Path) -> io::Result<()> {
        self.steps(dir).iter().try_for_each(Step::run)
    }

    /// As [`Swap::complete`], and stops before step `stop`; `false` when there are not so
    /// many.
    #[cfg(test)]
    pub(super) fn complete_until(&self, dir: &Path, stop: usize) -> io::Result<bool> {
        let steps = self.steps(dir);
        for step in steps.iter().take(stop) {
            step.run()?;
        }
        Ok(stop <= steps.len())
    }
}

/// Throws away what a cleaning has made, unless it is to take its place.
pub(super) fn discard(dir: &Path) -> io::Result<()> {
    match dir.join(SWAP).try_exists()? {
        true => Ok(()),
        false => files::remove_folder(&dir.join(CLEANED)),
    }
}

/// Before a log is opened: completes an exchange that a crash has cut short, or throws away
/// what had not come so far.
///
/// # Errors
/// `InvalidData` when the file is damaged: nobody knows then which files belong together.
pub(crate) fn finish_swap(dir: &Path) -> io::Result<()> {
    let damaged = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "swap, which says what compaction was about to exchange, is damaged: restore the \
             folder of the partition from a backup",
        )
    };
    match files::read_checked(&dir.join(SWAP)) {
        Ok(Some(bytes)) => {
            let swap: Swap = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
            tracing::info!(
                dir = %dir.display(),
                segment = swap.base,
                "completing the exchange of a compacted segment"
            );
            swap.complete(dir)
        }
        Ok(None) => files::remove_folder(&dir.join(CLEANED)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(damaged()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_flipped_bit_exchanges_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let swap = Swap {
            base: 10,
            replaces: vec![10, 20],
        };
        swap.commit(folder.path()).unwrap();
        let log = folder.path().join(format!("{:020}.log", 20));
        fs::write(&log, "records").unwrap();
        let whole = fs::read(folder.path().join(SWAP)).unwrap();
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                fs::write(folder.path().join(SWAP), flipped).unwrap();
                let refused = finish_swap(folder.path()).unwrap_err();
                assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{at}, {bit}");
                assert!(log.exists());
            }
        }
        fs::write(folder.path().join(SWAP), whole).unwrap();
        finish_swap(folder.path()).unwrap();
        assert!(!log.exists());
    }
}
