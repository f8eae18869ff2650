//! What starting the broker found on disk.

/// What was wrong with a part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingKind {
    /// The last write had not been finished; it was cut off. Nothing acknowledged under
    /// the flush policy is in it.
    TornTail,
    /// Stored bytes are not what was written. They stay where they are and are never
    /// served; what lies before and behind them is.
    Damaged,
}

/// One fault found while opening a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The topic; for the store of committed offsets `__consumer_offsets`.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// What was wrong.
    pub kind: FindingKind,
    /// The first offset that is concerned.
    pub first_offset: i64,
    /// One past the last offset that is concerned; equal to `first_offset` for a torn tail.
    pub end_offset: i64,
    /// Bytes cut off or damaged.
    pub bytes: u64,
    /// What the scan stumbled on.
    pub why: &'static str,
}

/// The outcome of recovery at start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Whether the broker had been stopped in order the last time.
    pub clean_stop: bool,
    /// Bytes of logs that were read and checked.
    pub scanned_bytes: u64,
    /// The faults found, by topic and partition.
    pub findings: Vec<Finding>,
}

impl RecoveryReport {
    /// Bytes cut off from torn tails.
    pub fn bytes_cut(&self) -> u64 {
        self.findings
            .iter()
            .filter(|finding| finding.kind == FindingKind::TornTail)
            .map(|finding| finding.bytes)
            .sum()
    }
}
