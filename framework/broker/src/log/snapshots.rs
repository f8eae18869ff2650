//! Snapshots of what a partition knows of producers: files named after the offset up to
//! which they are right.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::producers::Producers;
use crate::files;

const SNAPSHOT: &str = "snapshot";
/// Snapshots kept: the newest may be ahead of a log that lost its tail.
const SNAPSHOTS_KEPT: usize = 2;

fn snapshot_path(dir: &Path, offset: i64) -> PathBuf {
    dir.join(format!("{offset:020}.{SNAPSHOT}"))
}

/// Offsets in the names of files with this extension, in order.
pub(super) fn offsets_of(dir: &Path, extension: &str) -> io::Result<Vec<i64>> {
    let mut offsets = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension)
            && let Some(offset) = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .and_then(|stem| Some((stem, stem.parse::<i64>().ok()?)))
                // Other names are not ours.
                .filter(|(stem, offset)| *offset >= 0 && *stem == format!("{offset:020}"))
                .map(|(_, offset)| offset)
        {
            offsets.push(offset);
        }
    }
    offsets.sort_unstable();
    Ok(offsets)
}

/// Writes a snapshot and removes old ones. That at the base of the active segment stays:
/// from there its index of aborted transactions is made again after a crash.
pub(super) fn save_producers(
    dir: &Path,
    offset: i64,
    active_base: i64,
    producers: &Producers,
) -> io::Result<()> {
    let bytes = serde_json::to_vec(producers).map_err(io::Error::other)?;
    files::write_checked(&snapshot_path(dir, offset), &bytes)?;
    let snapshots = offsets_of(dir, SNAPSHOT)?;
    let old = snapshots.len().saturating_sub(SNAPSHOTS_KEPT);
    let base = snapshots.iter().rev().find(|at| **at <= active_base);
    for offset in &snapshots[..old] {
        if Some(offset) != base {
            files::remove_optional(&snapshot_path(dir, *offset))?;
        }
    }
    Ok(())
}

/// The newest readable snapshot that is not ahead of the log or of `upto`, and where it
/// ends.
pub(super) fn load_producers(
    dir: &Path,
    next_offset: i64,
    upto: i64,
) -> io::Result<(Producers, Option<i64>)> {
    for offset in offsets_of(dir, SNAPSHOT)?.into_iter().rev() {
        if offset > next_offset {
            files::remove_optional(&snapshot_path(dir, offset))?;
        }
        if offset > next_offset.min(upto) {
            continue;
        }
        let whole = fs::read(snapshot_path(dir, offset))?;
        let bytes = files::checked(&whole);
        match bytes.and_then(|bytes| serde_json::from_slice(bytes).ok()) {
            Some(producers) => return Ok((producers, Some(offset))),
            // An older one and the log behind it tell the same.
            None => tracing::warn!(dir = %dir.display(), offset, "producer snapshot is unreadable"),
        }
    }
    Ok((Producers::default(), None))
}
