//! Which offsets of a partition hold the latest row of their key.
//!
//! Keys are known by a 128-bit hash: two SipHash-1-3 with random keys of this scan, so
//! nobody can choose keys that collide. Among `n` keys two collide with a probability of
//! about n² / 2¹²⁹: for a billion keys 10⁻²¹, far below that of a bit turned over in memory.
//! A collision would hide one of the two rows.
//!
//! The latest offset of each hash is held in a hash map up to a budget. Beyond it the map is
//! emptied into 64 files by the hash's first bits, as often as need be, and each file is
//! then reduced on its own (and divided again by the next bits if it is still too large).
//! The files hold hashes and offsets alone, have no name, and are gone with the process.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::fs::File;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::Result as DfResult;
use datafusion::execution::memory_pool::MemoryReservation;
use mesh_core::{Error, ErrorKind, Result};
use roaring::RoaringTreemap;

use crate::failure::wrap;

const BITS: u32 = 6;
const BUCKETS: usize = 1 << BITS;
/// After so many levels the 128 bits are used up; equal hashes are one key.
const MAX_LEVEL: u32 = 128 / BITS;
/// Bytes of one entry in a file.
const ENTRY: usize = 24;
/// Bytes of one slot of the map: hash, offset and the table's control byte.
const SLOT: usize = 25;
/// Slots that the map begins with, and the least that a scan can work with.
const MIN_SLOTS: usize = 4096;

/// Finds the live offsets of one partition.
pub(crate) struct LiveOffsets {
    seeds: [RandomState; 2],
    map: Map,
    files: Option<Vec<Bucket>>,
    limits: Limits,
    reservation: MemoryReservation,
}

/// What a scan may use.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Bytes of the map.
    pub(crate) memory: usize,
    /// Bytes of the files of all partitions of a scan.
    pub(crate) disk: u64,
    pub(crate) spill_dir: Option<PathBuf>,
}

type Hash128 = [u64; 2];
/// Hash to `offset << 1 | tombstone`; the greater is the later.
type Map = HashMap<Hash128, u64, BuildHasherDefault<Hashed>>;

/// Takes the hash that the key already is.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        // The second half wins; the first chooses the file, so within a file it is no help.
        self.0 = word;
    }

    fn write_usize(&mut self, _: usize) {}
}

struct Bucket {
    file: BufWriter<File>,
    entries: u64,
    disk: Arc<AtomicU64>,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.disk
            .fetch_sub(self.entries * ENTRY as u64, Ordering::Relaxed);
    }
}

impl LiveOffsets {
    /// # Errors
    /// If the pool has not even the memory to begin with.
    pub(crate) fn new(limits: Limits, reservation: MemoryReservation) -> DfResult<Self> {
        reservation.try_grow(MIN_SLOTS * SLOT)?;
        Ok(Self {
            seeds: [RandomState::new(), RandomState::new()],
            map: new_map(),
            files: None,
            limits,
            reservation,
        })
    }

    /// Notes a record; records come in the order of their offsets.
    pub(crate) fn note(&mut self, key: &[u8], offset: i64, tombstone: bool) -> DfResult<()> {
        let hash = [self.seeds[0].hash_one(key), self.seeds[1].hash_one(key)];
        let entry = (offset as u64) << 1 | u64::from(tombstone);
        self.put(hash, entry, 0)
    }

    fn put(&mut self, hash: Hash128, entry: u64, level: u32) -> DfResult<()> {
        if self.map.len() == self.map.capacity()
            && !self.map.contains_key(&hash)
            && !self.try_grow()
        {
            self.spill(level)?;
        }
        match self.map.entry(hash) {
            Entry::Occupied(mut held) => {
                let latest = (*held.get()).max(entry);
                held.insert(latest);
            }
            Entry::Vacant(slot) => {
                slot.insert(entry);
            }
        }
        Ok(())
    }

    /// Makes room in memory for twice the keys, if budget and pool allow.
    fn try_grow(&mut self) -> bool {
        let slots = slots(self.map.capacity());
        // While the table grows, the old one and one of twice its size are both there.
        let (old, new) = (slots * SLOT, slots * 2 * SLOT);
        if new > self.limits.memory || self.reservation.try_grow(new).is_err() {
            return false;
        }
        self.map.reserve(1);
        self.reservation.shrink(old);
        true
    }

    /// Empties the map into files.
    fn spill(&mut self, level: u32) -> DfResult<()> {
        let files = match &mut self.files {
            Some(files) => files,
            None => {
                let disk = Arc::new(AtomicU64::new(0));
                self.files.insert(open(&self.limits, &disk).map_err(wrap)?)
            }
        };
        let disk = self.limits.disk;
        for (hash, entry) in self.map.drain() {
            let bucket = &mut files[place(hash, level)];
            bucket.push(hash, entry, disk).map_err(wrap)?;
        }
        Ok(())
    }

    /// The offsets that hold the latest row of their key, where that is no tombstone, and
    /// the reservation of the memory that they take.
    pub(crate) fn finish(mut self) -> DfResult<(RoaringTreemap, MemoryReservation)> {
        let mut live = RoaringTreemap::new();
        let mut accounted = 0;
        self.reduce(0, &mut live, &mut accounted)?;
        let Self {
            map, reservation, ..
        } = self;
        drop(map);
        reservation.resize(live.serialized_size());
        Ok((live, reservation))
    }

    fn reduce(
        &mut self,
        level: u32,
        live: &mut RoaringTreemap,
        accounted: &mut usize,
    ) -> DfResult<()> {
        let Some(files) = self.files.take() else {
            live.extend(
                self.map
                    .drain()
                    .filter(|(_, entry)| entry & 1 == 0)
                    .map(|(_, entry)| entry >> 1),
            );
            let size = live.serialized_size();
            if size > *accounted {
                self.reservation.try_grow(size - *accounted)?;
                *accounted = size;
            }
            return Ok(());
        };
        if level + 1 >= MAX_LEVEL {
            return Err(wrap(Error::internal("the keys of a product do not divide")));
        }
        self.files = Some(files);
        self.spill(level)?;
        for bucket in self.files.take().unwrap_or_default() {
            let mut entries = bucket.entries;
            let mut file = bucket.into_reader().map_err(wrap)?;
            while entries > 0 {
                let (hash, entry) = file.next().map_err(wrap)?;
                // Spills by the next bits if this file alone is more than the budget.
                self.put(hash, entry, level + 1)?;
                entries -= 1;
            }
            drop(file);
            self.reduce(level + 1, live, accounted)?;
        }
        Ok(())
    }
}

fn new_map() -> Map {
    Map::with_capacity_and_hasher(slots_to_keys(MIN_SLOTS), BuildHasherDefault::default())
}

/// The standard table holds seven keys in eight slots, and has a power of two of them.
fn slots(capacity: usize) -> usize {
    (capacity.max(1) * 8 / 7).next_power_of_two()
}

fn slots_to_keys(slots: usize) -> usize {
    slots / 8 * 7
}

fn place(hash: Hash128, level: u32) -> usize {
    let bits = u128::from(hash[0]) << 64 | u128::from(hash[1]);
    (bits >> (128 - BITS * (level + 1))) as usize & (BUCKETS - 1)
}

fn open(limits: &Limits, disk: &Arc<AtomicU64>) -> Result<Vec<Bucket>> {
    (0..BUCKETS)
        .map(|_| {
            let file = match &limits.spill_dir {
                Some(dir) => tempfile::tempfile_in(dir),
                None => tempfile::tempfile(),
            }
            .map_err(spill_failed)?;
            Ok(Bucket {
                file: BufWriter::new(file),
                entries: 0,
                disk: Arc::clone(disk),
            })
        })
        .collect()
}

fn spill_failed(error: std::io::Error) -> Error {
    Error::internal("the keys of a product could not be spilled to disk")
        .with("cause", error.kind())
        .mend("see that the spill directory can be written and has room")
        .because(error)
}

impl Bucket {
    fn push(&mut self, hash: Hash128, entry: u64, limit: u64) -> Result<()> {
        let used = self.disk.fetch_add(ENTRY as u64, Ordering::Relaxed);
        self.entries += 1;
        if used + ENTRY as u64 > limit {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                "the keys of a product need more disk than a query may use",
            )
            .retryable(false)
            .with("bytes", limit)
            .mend("give the engine more spill space"));
        }
        let mut bytes = [0; ENTRY];
        for (to, word) in bytes.chunks_exact_mut(8).zip([hash[0], hash[1], entry]) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        self.file.write_all(&bytes).map_err(spill_failed)
    }

    fn into_reader(mut self) -> Result<Entries> {
        self.file.flush().map_err(spill_failed)?;
        let mut file = self.file.get_ref().try_clone().map_err(spill_failed)?;
        file.seek(SeekFrom::Start(0)).map_err(spill_failed)?;
        Ok(Entries {
            file: BufReader::new(file),
            _bucket: self,
        })
    }
}

struct Entries {
    file: BufReader<File>,
    /// Counts against the disk until it was read.
    _bucket: Bucket,
}

impl Entries {
    fn next(&mut self) -> Result<(Hash128, u64)> {
        let mut words = [0; 3];
        for word in &mut words {
            let mut bytes = [0; 8];
            self.file.read_exact(&mut bytes).map_err(spill_failed)?;
            *word = u64::from_le_bytes(bytes);
        }
        Ok(([words[0], words[1]], words[2]))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool};

    use super::*;

    /// Notes `records` random records over `keys` keys and compares with a plain map.
    fn check(records: u64, keys: u64, memory: usize, spills: bool) {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 30));
        let limits = Limits {
            memory,
            disk: 1 << 30,
            spill_dir: None,
        };
        let mut live =
            LiveOffsets::new(limits, MemoryConsumer::new("test").register(&pool)).unwrap();
        let mut expected = HashMap::new();
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for offset in 0..records {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let key = (random >> 33) % keys;
            let tombstone = (random >> 20).is_multiple_of(5);
            live.note(&key.to_be_bytes(), offset as i64, tombstone)
                .unwrap();
            expected.insert(key, (offset, tombstone));
        }
        assert_eq!(live.files.is_some(), spills);
        let mut expected: Vec<u64> = expected
            .into_values()
            .filter_map(|(offset, tombstone)| (!tombstone).then_some(offset))
            .collect();
        expected.sort_unstable();
        let (offsets, memory) = live.finish().unwrap();
        assert_eq!(offsets.iter().collect::<Vec<_>>(), expected);
        drop(memory);
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn the_latest_offset_of_each_key_is_live_unless_it_is_a_tombstone() {
        check(0, 1, 1 << 20, false);
        check(1_000, 10, 1 << 20, false);
        check(100_000, 5_000, 64 << 20, false);
        // The map alone is spilled; the files are reduced within the budget.
        check(100_000, 50_000, 200_000, true);
        // Each of the 64 files is more than the budget too.
        check(1_000_000, 800_000, 0, true);
    }

    #[test]
    fn the_disk_is_bounded() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 30));
        let limits = Limits {
            memory: 0,
            disk: 1_000,
            spill_dir: None,
        };
        let mut live =
            LiveOffsets::new(limits, MemoryConsumer::new("test").register(&pool)).unwrap();
        let failed = (0..10_000_i64)
            .find_map(|offset| live.note(&offset.to_be_bytes(), offset, false).err());
        let error = crate::failure::running(&failed.unwrap());
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    }
}
