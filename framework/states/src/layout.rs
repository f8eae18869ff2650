//! How a table lies in its keyspace.
//!
//! | key | value |
//! |---|---|
//! | `0` | the table's [`Head`]: which topic it is of, what of it was applied |
//! | `1`, partition (4 bytes, big-endian), framed key | offset and timestamp (8 bytes each, little-endian), framed value |
//!
//! Rows and head are in one tree, so that whatever part of it a crash leaves was written
//! together.

use mesh_core::Result;

use crate::fault::corrupt;

/// Of the store as a whole. Another one: all tables are built anew.
pub(crate) const FORMAT: &[u8] = b"mesh-states 1";

pub(crate) const HEAD: &[u8] = &[0];
const ROW: u8 = 1;
/// Before a row's framed key.
pub(crate) const ROW_PREFIX: usize = 5;
/// Before a row's framed value.
pub(crate) const PLACE: usize = 16;

/// What all keys of a partition begin with.
pub(crate) fn prefix(partition: i32) -> [u8; ROW_PREFIX] {
    let [a, b, c, d] = partition.to_be_bytes();
    [ROW, a, b, c, d]
}

/// Writes a row's key to `to`, whatever was there.
pub(crate) fn put_key(to: &mut Vec<u8>, partition: i32, key: &[u8]) {
    to.clear();
    to.extend_from_slice(&prefix(partition));
    to.extend_from_slice(key);
}

/// Writes a row's value to `to`, whatever was there.
pub(crate) fn put_value(to: &mut Vec<u8>, offset: i64, timestamp: i64, value: &[u8]) {
    to.clear();
    to.extend_from_slice(&offset.to_le_bytes());
    to.extend_from_slice(&timestamp.to_le_bytes());
    to.extend_from_slice(value);
}

/// A row's offset, timestamp and framed value.
pub(crate) fn split_value(value: &[u8]) -> Result<(i64, i64, &[u8])> {
    let short = || corrupt("a row of a state table is cut short");
    let (offset, rest) = value.split_first_chunk().ok_or_else(short)?;
    let (timestamp, rest) = rest.split_first_chunk().ok_or_else(short)?;
    Ok((
        i64::from_le_bytes(*offset),
        i64::from_le_bytes(*timestamp),
        rest,
    ))
}

/// What a table is of and how far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// What the topic is told by from others of its name, if the cluster knows that.
    pub(crate) topic_id: Option<[u8; 16]>,
    /// How often the table was built anew.
    pub(crate) rebuilt: u64,
    /// When everything that was in the topic was last known to be applied, in milliseconds
    /// since 1970; before that, when the build began.
    pub(crate) fresh_at: i64,
    /// By partition, from 0 on.
    pub(crate) partitions: Vec<Part>,
}

/// How far a table is with a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// All records before this offset are applied.
    pub(crate) applied: i64,
    /// Rows of earlier offsets were taken from the topic, and from the table.
    pub(crate) start: i64,
    /// Live rows.
    pub(crate) rows: u64,
    /// Bytes of their keys and values.
    pub(crate) bytes: u64,
    /// Records without a key.
    pub(crate) keyless: u64,
    /// The offset of the last of them.
    pub(crate) last_keyless: i64,
}

const PART_BYTES: usize = 48;

impl Head {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(48 + PART_BYTES * self.partitions.len());
        bytes.push(u8::from(self.topic_id.is_some()));
        bytes.extend_from_slice(&self.topic_id.unwrap_or_default());
        bytes.extend_from_slice(&self.rebuilt.to_le_bytes());
        bytes.extend_from_slice(&self.fresh_at.to_le_bytes());
        for part in &self.partitions {
            bytes.extend_from_slice(&part.applied.to_le_bytes());
            bytes.extend_from_slice(&part.start.to_le_bytes());
            bytes.extend_from_slice(&part.rows.to_le_bytes());
            bytes.extend_from_slice(&part.bytes.to_le_bytes());
            bytes.extend_from_slice(&part.keyless.to_le_bytes());
            bytes.extend_from_slice(&part.last_keyless.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let wrong = || corrupt("the head of a state table is not whole");
        let mut reader = Reader(bytes);
        let known = reader.take::<1>().ok_or_else(wrong)? == [1];
        let id = reader.take().ok_or_else(wrong)?;
        let rebuilt = u64::from_le_bytes(reader.take().ok_or_else(wrong)?);
        let fresh_at = i64::from_le_bytes(reader.take().ok_or_else(wrong)?);
        let (parts, rest) = reader.0.as_chunks::<PART_BYTES>();
        if !rest.is_empty() {
            return Err(wrong());
        }
        let partitions = parts
            .iter()
            .map(|bytes| {
                let mut reader = Reader(bytes);
                Some(Part {
                    applied: i64::from_le_bytes(reader.take()?),
                    start: i64::from_le_bytes(reader.take()?),
                    rows: u64::from_le_bytes(reader.take()?),
                    bytes: u64::from_le_bytes(reader.take()?),
                    keyless: u64::from_le_bytes(reader.take()?),
                    last_keyless: i64::from_le_bytes(reader.take()?),
                })
            })
            .collect::<Option<_>>()
            .ok_or_else(wrong)?;
        Ok(Self {
            topic_id: known.then_some(id),
            rebuilt,
            fresh_at,
            partitions,
        })
    }

    /// The offsets up to which all is applied, by partition.
    pub(crate) fn ends(&self) -> Vec<(i32, i64)> {
        (0..)
            .zip(self.partitions.iter().map(|part| part.applied))
            .collect()
    }

    pub(crate) fn part(&mut self, partition: i32) -> Option<&mut Part> {
        self.partitions.get_mut(usize::try_from(partition).ok()?)
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}
