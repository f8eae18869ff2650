//! Records put into a table, in batches that change rows, counts and offsets together.

use std::collections::HashMap;
use std::sync::Arc;

use fjall::{Keyspace, UserKey, UserValue};
use mesh_core::Result;
use mesh_stream::batch::{MessageRef, Messages};

use crate::fault;
use crate::layout::{HEAD, Head, PLACE, Part, ROW_PREFIX, prefix, put_key, put_value, split_value};
use crate::seen::Seen;
use crate::store::Store;

/// Rows removed in one batch.
const REMOVED: usize = 8192;

/// Writes one table. There is one for a table at a time.
pub(crate) struct Applier {
    pub(crate) store: Arc<Store>,
    pub(crate) keyspace: Keyspace,
    pub(crate) head: Head,
    /// While the table is built: the keys that it may have.
    seen: Option<Seen>,
    key: Vec<u8>,
    value: Vec<u8>,
}

/// Whether records followed on what was applied.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    Done,
    /// They are of another topic than the rows: an offset came again.
    Another,
}

impl Applier {
    pub(crate) fn new(store: Arc<Store>, keyspace: Keyspace, head: Head) -> Self {
        Self {
            store,
            keyspace,
            head,
            seen: None,
            key: Vec::new(),
            value: Vec::new(),
        }
    }

    /// The table is empty, and about to be built of `records` records.
    pub(crate) fn build(&mut self, records: u64) {
        self.seen = Some(Seen::new(records));
    }

    /// The table is built.
    pub(crate) fn built(&mut self) {
        self.seen = None;
    }

    /// Applies `messages`, and that all before `ends` is applied with them.
    pub(crate) fn apply(&mut self, messages: &Messages, ends: &[(i32, i64)]) -> Result<Applied> {
        let mut head = self.head.clone();
        // Of a key that is written twice only the last record counts.
        let mut latest: HashMap<(i32, &[u8]), MessageRef<'_>> =
            HashMap::with_capacity(messages.len());
        let mut keyless = 0;
        for message in messages.iter() {
            let Some(part) = head.part(message.partition) else {
                return Ok(Applied::Another);
            };
            if message.offset < part.applied {
                return Ok(Applied::Another);
            }
            part.applied = message.offset + 1;
            match message.key {
                Some(key) => {
                    latest.insert((message.partition, key), message);
                }
                None => {
                    part.keyless += 1;
                    part.last_keyless = message.offset;
                    keyless += 1;
                }
            }
        }
        for (partition, end) in ends {
            if let Some(part) = head.part(*partition) {
                part.applied = part.applied.max(*end);
            }
        }
        if head == self.head {
            return Ok(Applied::Done);
        }
        let mut batch = self.store.batch(latest.len() + 1);
        let mut bytes = 0;
        // In the order of the store, in which neighbours are found and put fastest.
        let mut latest: Vec<_> = latest.into_iter().collect();
        latest.sort_unstable_by_key(|(key, _)| *key);
        for ((partition, key), message) in latest {
            let Some(part) = head.part(partition) else {
                continue;
            };
            put_key(&mut self.key, partition, key);
            let known = self.seen.as_mut().is_none_or(|seen| seen.meet(&self.key));
            let before = match known {
                false => None,
                true => self
                    .keyspace
                    .size_of(&self.key)
                    .map_err(|error| fault::store("reading a state table", error))?
                    .map(|size| row_bytes(key.len(), size as usize)),
            };
            match message.value {
                Some(value) => {
                    put_value(&mut self.value, message.offset, message.timestamp, value);
                    count(part, before, Some((key.len() + value.len()) as u64));
                    bytes += (self.key.len() + self.value.len()) as u64;
                    batch.insert(
                        &self.keyspace,
                        UserKey::from(self.key.as_slice()),
                        UserValue::from(self.value.as_slice()),
                    );
                }
                None if before.is_some() => {
                    count(part, before, None);
                    bytes += self.key.len() as u64;
                    batch.remove(&self.keyspace, UserKey::from(self.key.as_slice()));
                }
                None => {}
            }
        }
        if keyless > 0 {
            tracing::warn!(
                records = keyless,
                places = ?head
                    .partitions
                    .iter()
                    .enumerate()
                    .filter(|(at, part)| {
                        self.head.partitions.get(*at).map(|part| part.keyless) != Some(part.keyless)
                    })
                    .map(|(partition, part)| (partition, part.last_keyless))
                    .collect::<Vec<_>>(),
                "records of a state topic have no key and are passed over"
            );
        }
        batch.insert(&self.keyspace, HEAD, head.encode());
        self.store.commit(&self.keyspace, batch, bytes)?;
        self.head = head;
        Ok(Applied::Done)
    }

    /// Writes the head as `change` makes it.
    pub(crate) fn note(&mut self, change: impl FnOnce(&mut Head)) -> Result<()> {
        let mut head = self.head.clone();
        change(&mut head);
        let mut batch = self.store.batch(1);
        batch.insert(&self.keyspace, HEAD, head.encode());
        self.store.commit(&self.keyspace, batch, 0)?;
        self.head = head;
        Ok(())
    }

    /// Takes out the rows of `partition` that the topic has no more, since it begins with
    /// offset `start` now.
    pub(crate) fn trim(&mut self, partition: i32, start: i64) -> Result<u64> {
        let failed = |error| fault::store("reading a state table", error);
        let mut removed = 0;
        let mut batch = self.store.batch(REMOVED);
        let mut head = self.head.clone();
        for entry in self.keyspace.prefix(prefix(partition)) {
            let (key, value) = entry.into_inner().map_err(failed)?;
            let (offset, _, _) = split_value(&value)?;
            let Some(part) = head.part(partition) else {
                continue;
            };
            if offset >= start {
                continue;
            }
            count(
                part,
                Some(row_bytes(key.len() - ROW_PREFIX, value.len())),
                None,
            );
            batch.remove(&self.keyspace, key);
            removed += 1;
            if batch.len() >= REMOVED {
                batch.insert(&self.keyspace, HEAD, head.encode());
                self.store.commit(&self.keyspace, batch, 0)?;
                self.head = head.clone();
                batch = self.store.batch(REMOVED);
            }
        }
        if let Some(part) = head.part(partition) {
            part.start = start;
        }
        batch.insert(&self.keyspace, HEAD, head.encode());
        self.store.commit(&self.keyspace, batch, 0)?;
        self.head = head;
        Ok(removed)
    }
}

/// Bytes of a row as they are counted, of a key and what is stored beside it.
fn row_bytes(key: usize, stored: usize) -> u64 {
    (key + stored.saturating_sub(PLACE)) as u64
}

fn count(part: &mut Part, before: Option<u64>, after: Option<u64>) {
    part.rows =
        (part.rows + u64::from(after.is_some())).saturating_sub(u64::from(before.is_some()));
    part.bytes = (part.bytes + after.unwrap_or(0)).saturating_sub(before.unwrap_or(0));
}
