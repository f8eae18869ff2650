//! The beginning of a log: where it is, that it moves, and the segments that it leaves
//! behind.
//!
//! The new beginning is durable before a file is removed, so that no crash brings records
//! back that were deleted. Whoever reads a removed file still has it open. Retention goes on
//! when the disk is too full for the file that holds the beginning: then the first segment
//! that is left tells it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use kafka_protocol::ResponseError;

use super::partition::Partition;
use super::segment::Segment;
use super::snapshots::offsets_of;
use crate::files;
use crate::sync::{lock, read, try_lock, write};

const LOG_START: &str = "log-start";
/// The files that belong to a segment, the log itself last.
const SIDE_FILES: [&str; 3] = ["index", "timeindex", "txnindex"];
const LOG: &str = "log";

/// What has been removed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) segments: u64,
    pub(crate) bytes: u64,
}

fn save_log_start(dir: &Path, offset: i64) -> io::Result<()> {
    files::write_checked(&dir.join(LOG_START), offset.to_string().as_bytes())
}

/// # Errors
/// `InvalidData` when the file is damaged: another number would bring back what was
/// deleted, or remove what was not.
pub(super) fn load_log_start(dir: &Path) -> io::Result<i64> {
    let damaged = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "log-start is damaged: write into it, without a checksum, the first offset that is \
             to be read, or remove it, and the oldest segment is read from its start",
        )
    };
    let text = match files::read_checked(&dir.join(LOG_START)) {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(0),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(damaged()),
        Err(error) => return Err(error),
    };
    let text = std::str::from_utf8(&text).ok();
    text.and_then(|text| text.trim().parse().ok())
        .filter(|offset: &i64| *offset >= 0)
        .ok_or_else(damaged)
}

/// Removes the files of a segment; the log goes last, since it is what a start looks for.
pub(super) fn remove_files(dir: &Path, base: i64) -> io::Result<()> {
    let named = |extension: &str| -> PathBuf { dir.join(format!("{base:020}.{extension}")) };
    for extension in SIDE_FILES {
        files::remove_optional(&named(extension))?;
    }
    files::remove_optional(&named(LOG))
}

/// Before a log is opened: removes the segments that lie before its beginning, and side
/// files without a segment, which a crash may have left. Returns the bases that remain.
pub(super) fn remove_leftovers(dir: &Path, log_start: i64) -> io::Result<Vec<i64>> {
    let mut bases = offsets_of(dir, LOG)?;
    while let [first, next, ..] = bases[..]
        && next <= log_start
    {
        remove_files(dir, first)?;
        bases.remove(0);
    }
    for extension in SIDE_FILES {
        for base in offsets_of(dir, extension)? {
            if !bases.contains(&base) {
                files::remove_optional(&dir.join(format!("{base:020}.{extension}")))?;
            }
        }
    }
    Ok(bases)
}

impl Partition {
    /// Deletes the records before `offset`, durably; -1 stands for all that readers see.
    /// Returns where the log begins then. Their space is free once a segment has no others
    /// and the broker looks for such segments.
    pub(crate) fn delete_before(&self, offset: i64) -> Result<i64, ResponseError> {
        let cleanup = self.settings().cleanup;
        if cleanup.compact && !cleanup.delete {
            return Err(ResponseError::PolicyViolation);
        }
        let high_watermark = self.high_watermark();
        let offset = match offset {
            -1 => high_watermark,
            offset => offset,
        };
        if offset < 0 || offset > high_watermark {
            return Err(ResponseError::OffsetOutOfRange);
        }
        self.move_start(offset)
            .map_err(|error| self.storage_error("delete records", &error))?;
        if !self.is_alive() {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        // Who waits for the end of a deleted transaction waits no longer.
        self.waiters.wake();
        Ok(self.log_start())
    }

    fn move_start(&self, offset: i64) -> io::Result<()> {
        let turn = lock(&self.moving_start);
        if offset > self.log_start() {
            // Held, so that the folder is not another topic's by now.
            let dir = read(&self.dir);
            if self.is_alive() {
                save_log_start(&dir, offset)?;
                self.log_start.fetch_max(offset, Ordering::AcqRel);
            }
        }
        drop(turn);
        Ok(())
    }

    /// Closes the active segment when retention has come to its records too.
    pub(crate) fn roll_if_expired(&self, now: i64) -> Result<bool, ResponseError> {
        let cleanup = self.settings().cleanup;
        if !cleanup.delete || !self.is_alive() {
            return Ok(false);
        }
        let failed = |error| self.storage_error("look at segments", &error);
        for segment in self.segments().iter() {
            // Those in front of it have to go first.
            let expired = is_expired(segment, cleanup.retention_ms, now).map_err(failed)?;
            if !expired && cleanup.retention_bytes != 0 {
                return Ok(false);
            }
        }
        let mut writer = self.writable()?;
        let seen = self.high_watermark() >= writer.next_offset;
        if writer.active.len() == 0 || !seen {
            return Ok(false);
        }
        self.roll(&mut writer).map(|()| true)
    }

    /// Removes the segments that retention or deleted records have left behind. Nothing
    /// happens while the partition is cleaned: the next call comes soon.
    pub(crate) fn remove_old(&self, now: i64) -> io::Result<Removed> {
        let Some(_turn) = try_lock(&self.cleaning) else {
            return Ok(Removed::default());
        };
        let segments = self.segments();
        let count = self.removable(&segments, now)?;
        if count == 0 {
            return Ok(Removed::default());
        }
        let start = segments[count].base();
        let is_noted = match self.move_start(start) {
            Ok(()) => true,
            Err(error) if is_full(&error) => {
                self.log_start.fetch_max(start, Ordering::AcqRel);
                false
            }
            Err(error) => return Err(error),
        };
        let dir = read(&self.dir);
        if !self.is_alive() {
            return Ok(Removed::default());
        }
        {
            let mut list = write(&self.segments);
            *list = Arc::new(list[count..].to_vec());
        }
        let mut removed = Removed::default();
        for segment in &segments[..count] {
            removed.segments += 1;
            removed.bytes += segment.len();
            remove_files(&dir, segment.base())?;
            if !is_noted {
                // One after the other, or a power failure could leave a hole.
                files::sync_dir(&dir)?;
            }
        }
        files::sync_dir(&dir)?;
        Ok(removed)
    }

    /// How many segments at the beginning are to go: those before the beginning of the log,
    /// then those too many, then those too old. The active one and those that are not
    /// durable yet stay.
    fn removable(&self, segments: &[Arc<Segment>], now: i64) -> io::Result<usize> {
        let cleanup = self.settings().cleanup;
        let bound = self
            .settled
            .load(Ordering::Acquire)
            .min(self.high_watermark());
        let most = segments.partition_point(|segment| segment.base() <= bound);
        let most = most.saturating_sub(1);
        let log_start = self.log_start();
        let mut count = 0;
        while count < most && segments[count + 1].base() <= log_start {
            count += 1;
        }
        if !cleanup.delete {
            return Ok(count);
        }
        if let Ok(kept) = u64::try_from(cleanup.retention_bytes) {
            let size: u64 = segments[count..].iter().map(|segment| segment.len()).sum();
            let mut left = size.saturating_sub(kept);
            while count < most && size > kept && segments[count].len() <= left {
                left -= segments[count].len();
                count += 1;
            }
        }
        while count < most && is_expired(&segments[count], cleanup.retention_ms, now)? {
            count += 1;
        }
        Ok(count)
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn is_expired(segment: &Segment, retention_ms: i64, now: i64) -> io::Result<bool> {
    Ok(retention_ms >= 0 && now.saturating_sub(segment.newest_ms()?) > retention_ms)
}

/// Removes all segments, for a log whose beginning lies behind its end.
pub(super) fn remove_all(dir: &Path, bases: &[i64]) -> io::Result<()> {
    for base in bases {
        remove_files(dir, *base)?;
    }
    files::sync_dir(dir)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn a_flipped_bit_moves_no_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOG_START);
        save_log_start(folder.path(), 12_345).unwrap();
        assert_eq!(load_log_start(folder.path()).unwrap(), 12_345);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                fs::write(&path, flipped).unwrap();
                let refused = load_log_start(folder.path()).unwrap_err();
                assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{at}, {bit}");
            }
        }
        fs::write(&path, "7\n").unwrap();
        assert_eq!(load_log_start(folder.path()).unwrap(), 7, "mended by hand");
    }
}
