//! What a topic says about old records, and when its segments are rolled for their age.

use std::hash::{BuildHasher, RandomState};

use super::segment::Segment;
use crate::sync::now_ms;

/// The settings of retention and compaction; times in milliseconds, -1 for no bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CleanupSettings {
    /// Whether old segments are deleted.
    pub(crate) delete: bool,
    /// Whether only the newest record of each key is kept.
    pub(crate) compact: bool,
    pub(crate) retention_ms: i64,
    pub(crate) retention_bytes: i64,
    pub(crate) segment_ms: i64,
    pub(crate) segment_jitter_ms: i64,
    pub(crate) delete_retention_ms: i64,
    pub(crate) min_compaction_lag_ms: i64,
    pub(crate) max_compaction_lag_ms: i64,
    pub(crate) min_dirty_ratio: f64,
}

impl CleanupSettings {
    /// The age at which a segment is rolled: one that must be compacted in time has to be
    /// closed before.
    fn roll_ms(&self) -> i64 {
        match self.compact {
            true => self.segment_ms.min(self.max_compaction_lag_ms),
            false => self.segment_ms,
        }
    }
}

/// Whether a segment is to be closed before a batch with this time is added. As in Kafka
/// the age counts by the records' own times where they have one.
pub(super) fn is_too_old(segment: &Segment, settings: &CleanupSettings, coming: i64) -> bool {
    let waited = match segment.first_timestamp() {
        Some(first) => coming.saturating_sub(first),
        None => now_ms().saturating_sub(segment.opened_ms()),
    };
    let roll = settings.roll_ms();
    if waited <= roll.saturating_sub(settings.segment_jitter_ms) {
        return false;
    }
    waited > roll.saturating_sub(jitter(segment, settings))
}

/// By how much earlier a segment is rolled, so that not all partitions do it at once: the
/// same for a segment whenever it is asked.
fn jitter(segment: &Segment, settings: &CleanupSettings) -> i64 {
    static SEED: std::sync::OnceLock<RandomState> = std::sync::OnceLock::new();
    match settings.segment_jitter_ms {
        ..=0 => 0,
        most => {
            let random = SEED.get_or_init(RandomState::new).hash_one(segment.path()) >> 1;
            (random as i64 % most).min(settings.segment_ms)
        }
    }
}
