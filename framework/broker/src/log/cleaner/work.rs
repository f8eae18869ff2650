//! How much a cleaning has to do, how fast it may go, and how it ends.

use std::io;
use std::time::{Duration, Instant};

use super::super::segment::Segment;

/// What the cleaner may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CleanerLimits {
    /// Bytes of memory for the keys of a cleaning.
    pub(crate) dedupe_bytes: usize,
    /// Bytes a second, read and written.
    pub(crate) bytes_per_second: u64,
}

/// How much a partition needs cleaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Dirt {
    pub(super) first_dirty: i64,
    pub(super) end: i64,
    /// The share of dirty bytes in those that would be read.
    pub(crate) ratio: f64,
    /// Whether it is time, by the share or by the age of the dirty part.
    pub(crate) due: bool,
}

/// What a cleaning has done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cleaned {
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
    pub(crate) records_removed: u64,
    /// Where the next one begins.
    pub(crate) first_dirty: i64,
}

/// Why a cleaning ended before its time.
#[derive(Debug)]
pub(crate) enum CleanFailure {
    /// The broker stops, or the topic is gone. Nothing is wrong.
    Stopped,
    /// The log holds what cannot be read; it is not cleaned any more until the next start.
    Corrupt {
        segment: i64,
        position: u64,
        why: String,
    },
    /// Worth another attempt.
    Failed(io::Error),
}

impl From<io::Error> for CleanFailure {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Keeps a cleaning to its pace, and asks whether it shall go on.
pub(super) struct Pace<'a> {
    since: Instant,
    bytes: u64,
    bytes_per_second: u64,
    is_stopped: &'a dyn Fn() -> bool,
}

impl<'a> Pace<'a> {
    pub(super) fn new(bytes_per_second: u64, is_stopped: &'a dyn Fn() -> bool) -> Self {
        Self {
            since: Instant::now(),
            bytes: 0,
            bytes_per_second,
            is_stopped,
        }
    }

    pub(super) fn go(&mut self, bytes: usize) -> Result<(), CleanFailure> {
        const NAP: Duration = Duration::from_millis(50);
        self.bytes += bytes as u64;
        let seconds = self.bytes as f64 / self.bytes_per_second.max(1) as f64;
        loop {
            if (self.is_stopped)() {
                return Err(CleanFailure::Stopped);
            }
            let ahead = seconds - self.since.elapsed().as_secs_f64();
            if ahead <= 0.001 {
                return Ok(());
            }
            std::thread::sleep(NAP.min(Duration::from_secs_f64(ahead)));
        }
    }
}

/// A segment that cannot be read at `position`.
pub(super) fn corrupt(
    segment: &Segment,
    position: u64,
    why: impl std::fmt::Display,
) -> CleanFailure {
    CleanFailure::Corrupt {
        segment: segment.base(),
        position,
        why: why.to_string(),
    }
}
