//! The tables of one process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesh_core::{Error, Result};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::config::StatesConfig;
use crate::home::Home;
use crate::status::TableStatus;
use crate::table::{StateTable, Table};

/// The state tables of a process, in one store. Clones are cheap and share all.
///
/// When the last clone is dropped, topics are no longer followed, and the store is closed
/// soon after; [`States::close`] also waits for that.
#[derive(Clone)]
pub struct States {
    inner: Arc<Inner>,
}

struct Inner {
    home: Arc<Home>,
    tables: Mutex<BTreeMap<String, Arc<Table>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        for table in self.tables().values() {
            // Ends by itself.
            drop(table.stop());
        }
        drop(self.home.close());
    }
}

impl Inner {
    fn tables(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Table>>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("States")
            .field("dir", &self.inner.home.config.dir)
            .finish_non_exhaustive()
    }
}

impl States {
    /// Opens the store in a folder, or makes one. A store that is damaged, or of another
    /// release, is thrown away with a warning: its tables are built anew when they are asked
    /// for. No broker need be there.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](mesh_core::ErrorKind::Conflict) if another process has it
    /// open, [`ErrorKind::Unavailable`](mesh_core::ErrorKind::Unavailable) or the like if the
    /// disk fails.
    pub async fn open(config: StatesConfig) -> Result<Self> {
        let home = spawn_blocking(move || Home::open(config))
            .await
            .map_err(|error| Error::internal("opening the state tables").because(error))??;
        Ok(Self {
            inner: Arc::new(Inner {
                home: Arc::new(home),
                tables: Mutex::default(),
            }),
        })
    }

    /// The table of `topic`, which is followed from now on if it was not. The table may
    /// still be behind: see [`StateTable::reach`].
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mesh_core::ErrorKind::NotFound) if there is no such topic,
    /// [`ErrorKind::Unavailable`](mesh_core::ErrorKind::Unavailable) if no broker answers.
    pub async fn table(&self, topic: &str) -> Result<StateTable> {
        let known = self.inner.tables().get(topic).map(Arc::clone);
        let table = match known {
            Some(table) => table,
            None => {
                let found = self.inner.home.admin.describe_topics(&[topic]).await?;
                if !found.contains_key(topic) {
                    return Err(crate::follow::gone(topic));
                }
                let home = Arc::clone(&self.inner.home);
                Arc::clone(
                    self.inner
                        .tables()
                        .entry(topic.to_owned())
                        .or_insert_with(|| Table::new(topic, home, Handle::current())),
                )
            }
        };
        table.follow()?;
        Ok(StateTable(table))
    }

    /// How each table that was asked for is, by topic.
    pub fn status(&self) -> Vec<TableStatus> {
        let tables: Vec<_> = self.inner.tables().values().map(Arc::clone).collect();
        tables.iter().map(|table| table.status()).collect()
    }

    /// Bytes that the store takes on disk.
    ///
    /// # Errors
    /// As [`States::open`].
    pub async fn disk_bytes(&self) -> Result<u64> {
        let home = Arc::clone(&self.inner.home);
        spawn_blocking(move || home.store()?.disk_bytes())
            .await
            .map_err(|error| Error::internal("measuring the state tables").because(error))?
    }

    /// Follows no topic any more, writes all to disk and closes the store. Tables of it fail
    /// from then on; a [`Snapshot`](crate::Snapshot) that is still there keeps the store, and
    /// so its folder, until it is dropped.
    ///
    /// # Errors
    /// If the disk fails; the store is closed nevertheless.
    pub async fn close(self) -> Result<()> {
        let tables: Vec<_> = self.inner.tables().values().map(Arc::clone).collect();
        let home = Arc::clone(&self.inner.home);
        spawn_blocking(move || {
            let threads: Vec<_> = tables.iter().filter_map(|table| table.stop()).collect();
            for thread in threads {
                // One that panicked has said so.
                drop(thread.join());
            }
            let persisted = home.close().map_or(Ok(()), |store| store.persist());
            home.leave();
            persisted
        })
        .await
        .map_err(|error| Error::internal("closing the state tables").because(error))?
    }
}
