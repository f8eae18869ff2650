//! What can be seen of a table from outside.

use std::fmt;

use mesh_core::Error;

/// What is done for a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its topic is not followed, because nobody asks for it.
    Idle,
    /// It is filled from the beginning of its topic, and cannot be read.
    Building,
    /// What was written while it was not followed is applied to it; it cannot be read.
    CatchingUp,
    /// It can be read, and what is written to its topic is applied at once.
    Following,
    /// Its topic cannot be followed now, and it cannot be read; this is tried again.
    Failing,
}

impl Phase {
    /// Its name as operators read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Building => "building",
            Self::CatchingUp => "catching up",
            Self::Following => "following",
            Self::Failing => "failing",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a table is.
#[derive(Debug)]
pub struct TableStatus {
    /// Its topic.
    pub topic: String,
    /// What is done for it.
    pub phase: Phase,
    /// How far it is.
    pub partitions: Vec<PartitionStatus>,
    /// How often it was built anew, because its topic was another one, had lost records that
    /// were not read, or its store was damaged.
    pub rebuilt: u64,
    /// How many records this process has read of the topic.
    pub records: u64,
    /// What went wrong last, if it still does.
    pub error: Option<Error>,
}

/// How a table is with a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionStatus {
    /// The partition.
    pub partition: i32,
    /// All records before this offset are applied.
    pub applied: i64,
    /// Offsets that are not: records, committed or not, and marks of transactions. `None`
    /// until the broker has told the end.
    pub lag: Option<i64>,
    /// Live rows.
    pub rows: u64,
    /// Bytes of their framed keys and values.
    pub bytes: u64,
    /// Records without a key, which are passed over.
    pub keyless: u64,
    /// The offset of the last of them.
    pub last_keyless: Option<i64>,
}

impl TableStatus {
    /// Live rows of all partitions.
    pub fn rows(&self) -> u64 {
        self.partitions.iter().map(|part| part.rows).sum()
    }
}
