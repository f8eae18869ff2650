//! The store: one database for all tables, one keyspace for each.
//!
//! One database, so that all tables share a bounded cache, a log and the threads that sort;
//! one keyspace per table, so that a table is thrown away by deleting a folder. The keyspace
//! `tables` says which keyspace is a topic's; what it does not name is left from a build
//! that did not get so far, and removed.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fjall::config::{BlockSizePolicy, RestartIntervalPolicy};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable};
use mesh_core::Result;

use crate::config::StatesConfig;
use crate::fault::{self, corrupt};
use crate::layout::{FORMAT, HEAD, Head};

const TABLES: &str = "tables";
/// In `tables`, beside the topics, none of which has such a name.
const FORMAT_KEY: &[u8] = &[0];
/// Sorting is a matter of one thread: a second one would wait for the first, awake.
const WORKERS: usize = 1;
/// What a write that is not yet on disk takes in memory besides its bytes.
const ENTRY: u64 = 128;
/// The least that makes files worth sorting.
const MIN_MEMTABLE: u64 = 4 << 20;
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) struct Store {
    db: Database,
    tables: Keyspace,
    buffers: Mutex<Vec<Buffer>>,
    buffer_limit: u64,
    /// Held while a name is taken.
    making: Mutex<()>,
}

/// What of a keyspace is in memory alone.
struct Buffer {
    keyspace: Keyspace,
    active: u64,
    /// Being written to disk, oldest first.
    sealed: VecDeque<u64>,
}

impl Buffer {
    fn bytes(&mut self) -> u64 {
        let waiting = self.keyspace.sealed_memtable_count();
        while self.sealed.len() > waiting {
            self.sealed.pop_front();
        }
        self.active + self.sealed.iter().sum::<u64>()
    }
}

impl Store {
    /// Opens the store at `path`, or makes one.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](mesh_core::ErrorKind::Corrupt) if it can only be made anew.
    pub(crate) fn open(path: &Path, config: &StatesConfig) -> Result<Self> {
        let opening = || -> Result<Self> {
            let failed = |error| fault::store("opening the state tables", error);
            let db = Database::builder(path)
                .cache_size(config.cache_bytes)
                .worker_threads(WORKERS)
                // The least it takes. A table that is seldom written holds on to no more.
                .max_journaling_size(64 << 20)
                .open()
                .map_err(failed)?;
            let tables = db
                .keyspace(TABLES, || {
                    KeyspaceCreateOptions::default().max_memtable_size(1 << 20)
                })
                .map_err(failed)?;
            let store = Self {
                db,
                tables,
                buffers: Mutex::default(),
                buffer_limit: config.memtable_bytes.max(MIN_MEMTABLE),
                making: Mutex::default(),
            };
            store.check_format()?;
            store.tidy()?;
            Ok(store)
        };
        // The library takes some damage for impossible.
        catch_unwind(AssertUnwindSafe(opening))
            .unwrap_or_else(|_| Err(corrupt("the store of the state tables cannot be opened")))
    }

    fn check_format(&self) -> Result<()> {
        let failed = |error| fault::store("opening the state tables", error);
        match self.tables.get(FORMAT_KEY).map_err(failed)? {
            Some(found) if *found == *FORMAT => Ok(()),
            None if self.db.keyspace_count() == 1 => {
                self.tables.insert(FORMAT_KEY, FORMAT).map_err(failed)
            }
            _ => Err(corrupt(
                "the store of the state tables is of another release",
            )),
        }
    }

    /// Removes keyspaces that are no topic's.
    fn tidy(&self) -> Result<()> {
        let failed = |error| fault::store("opening the state tables", error);
        let mut named = HashSet::new();
        for entry in self.tables.iter() {
            let (key, name) = entry.into_inner().map_err(failed)?;
            if *key != *FORMAT_KEY {
                named.insert(name.to_vec());
            }
        }
        for name in self.db.list_keyspace_names() {
            if &*name != TABLES && !named.contains(name.as_bytes()) {
                let keyspace = self.db.keyspace(&name, options).map_err(failed)?;
                self.db.delete_keyspace(keyspace).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// The table of `topic` as it was left.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](mesh_core::ErrorKind::Corrupt) if it is not whole.
    pub(crate) fn table(&self, topic: &str) -> Result<Option<(Keyspace, Head)>> {
        let failed = |error| fault::store("opening a state table", error);
        let Some(name) = self.tables.get(topic).map_err(failed)? else {
            return Ok(None);
        };
        let missing = || corrupt("a state table has no keyspace");
        let name = str::from_utf8(&name).map_err(|_| missing())?;
        if !self.db.keyspace_exists(name) {
            return Err(missing());
        }
        let keyspace = self.db.keyspace(name, options).map_err(failed)?;
        let head = keyspace.get(HEAD).map_err(failed)?;
        let head = head.ok_or_else(|| corrupt("a state table has no head"))?;
        let head = Head::decode(&head)?;
        // What was in memory before is none of the buffers that are counted.
        keyspace.rotate_memtable().map_err(failed)?;
        Ok(Some((keyspace, head)))
    }

    /// An empty table of `topic` in the place of the one that is there.
    pub(crate) fn anew(&self, topic: &str, head: &Head) -> Result<Keyspace> {
        let failed = |error| fault::store("making a state table", error);
        let _one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.tables.get(topic).map_err(failed)?;
        let before = before.and_then(|name| String::from_utf8(name.to_vec()).ok());
        let name = (0..)
            .map(|number| format!("t{number}"))
            .find(|name| !self.db.keyspace_exists(name))
            .unwrap_or_default();
        let keyspace = self.db.keyspace(&name, options).map_err(failed)?;
        let mut batch = self.batch(2).durability(Some(PersistMode::SyncAll));
        batch.insert(&keyspace, HEAD, head.encode());
        batch.insert(&self.tables, topic, name);
        batch.commit().map_err(failed)?;
        if let Some(before) = before.filter(|name| self.db.keyspace_exists(name)) {
            let old = self.db.keyspace(&before, options).map_err(failed)?;
            self.buffers()
                .retain(|buffer| buffer.keyspace.id() != old.id());
            self.db.delete_keyspace(old).map_err(failed)?;
        }
        Ok(keyspace)
    }

    /// A batch that survives the death of the process once it is committed. One that a loss
    /// of power takes away is read again.
    pub(crate) fn batch(&self, items: usize) -> OwnedWriteBatch {
        OwnedWriteBatch::with_capacity(self.db.clone(), items).durability(Some(PersistMode::Buffer))
    }

    /// Commits `batch` of `bytes` to `keyspace`, waiting for the disk where that is behind.
    pub(crate) fn commit(
        &self,
        keyspace: &Keyspace,
        batch: OwnedWriteBatch,
        bytes: u64,
    ) -> Result<()> {
        let failed = |error| fault::store("writing a state table", error);
        let bytes = bytes + batch.len() as u64 * ENTRY;
        while self.buffered() > self.buffer_limit && self.flushing() {
            // Nothing would wake a waiter when the thread that writes has died.
            self.db.persist(PersistMode::Buffer).map_err(failed)?;
            std::thread::sleep(PAUSE);
        }
        batch.commit().map_err(failed)?;
        let full = {
            let mut buffers = self.buffers();
            match buffers
                .iter_mut()
                .find(|buffer| buffer.keyspace.id() == keyspace.id())
            {
                Some(buffer) => buffer.active += bytes,
                None => buffers.push(Buffer {
                    keyspace: keyspace.clone(),
                    active: bytes,
                    sealed: VecDeque::new(),
                }),
            }
            let active: u64 = buffers.iter().map(|buffer| buffer.active).sum();
            let largest = buffers.iter_mut().max_by_key(|buffer| buffer.active);
            // Half is filled while the other half is written out.
            largest
                .filter(|_| active > self.buffer_limit / 2)
                .map(|largest| {
                    largest
                        .sealed
                        .push_back(std::mem::take(&mut largest.active));
                    largest.keyspace.clone()
                })
        };
        if let Some(keyspace) = full {
            keyspace.rotate_memtable().map_err(failed)?;
        }
        Ok(())
    }

    fn buffered(&self) -> u64 {
        self.buffers().iter_mut().map(Buffer::bytes).sum()
    }

    fn flushing(&self) -> bool {
        self.buffers()
            .iter()
            .any(|buffer| buffer.keyspace.sealed_memtable_count() > 0)
    }

    fn buffers(&self) -> std::sync::MutexGuard<'_, Vec<Buffer>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store as it is now.
    pub(crate) fn snapshot(&self) -> fjall::Snapshot {
        self.db.snapshot()
    }

    /// The head of `keyspace` in `snapshot`.
    pub(crate) fn head(snapshot: &fjall::Snapshot, keyspace: &Keyspace) -> Result<Head> {
        let head = snapshot
            .get(keyspace, HEAD)
            .map_err(|error| fault::store("reading a state table", error))?;
        Head::decode(&head.ok_or_else(|| corrupt("a state table has no head"))?)
    }

    /// Bytes on disk.
    pub(crate) fn disk_bytes(&self) -> Result<u64> {
        self.db
            .disk_space()
            .map_err(|error| fault::store("measuring the state tables", error))
    }

    /// Makes sure that a loss of power takes nothing of what was written.
    pub(crate) fn persist(&self) -> Result<()> {
        self.db
            .persist(PersistMode::SyncAll)
            .map_err(|error| fault::store("writing the state tables", error))
    }
}

/// How tables are kept. Said when a keyspace is made and kept with it.
fn options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        // `Store::commit` says when, as it sees all tables.
        .max_memtable_size(1 << 30)
        .data_block_size_policy(BlockSizePolicy::all(8 << 10))
        .data_block_restart_interval_policy(RestartIntervalPolicy::all(8))
}
