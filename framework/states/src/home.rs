//! The folder of the store: who holds it, and what becomes of a store that has stopped.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fjall::Error as StoreError;
use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::Admin;

use crate::config::StatesConfig;
use crate::fault;
use crate::store::Store;

/// A store that stops twice within this time is given up.
const GIVEN_UP: Duration = Duration::from_secs(10 * 60);

/// What all tables share.
pub(crate) struct Home {
    pub(crate) config: StatesConfig,
    pub(crate) admin: Admin,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Held for as long as the store is in use.
    lock: Option<File>,
    store: Option<Arc<Store>>,
    closed: bool,
    stopped_at: Option<Instant>,
    wipe: bool,
}

impl Home {
    /// Takes the folder, and opens the store or makes a new one.
    pub(crate) fn open(config: StatesConfig) -> Result<Self> {
        let failed = |error| fault::store("opening the state tables", StoreError::Io(error));
        let dir = &config.dir;
        fs::create_dir_all(dir).map_err(|error| failed(error).with("dir", dir.display()))?;
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join("owner"))
            .map_err(|error| failed(error).with("dir", dir.display()))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                fault::store("opening the state tables", StoreError::Locked)
                    .with("dir", dir.display())
            }
            TryLockError::Error(error) => failed(error).with("dir", dir.display()),
        })?;
        let home = Self {
            admin: Admin::new(&config.stream)?,
            config,
            state: Mutex::new(State {
                lock: Some(lock),
                ..State::default()
            }),
        };
        home.store()?;
        Ok(home)
    }

    /// The store, opened again if it has stopped.
    pub(crate) fn store(&self) -> Result<Arc<Store>> {
        let mut state = self.state();
        if state.closed {
            return Err(closed());
        }
        if let Some(store) = &state.store {
            return Ok(Arc::clone(store));
        }
        let path = self.path();
        if state.wipe {
            wipe(&path).map_err(|error| error.with("dir", path.display()))?;
            state.wipe = false;
        }
        let opened = match Store::open(&path, &self.config) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::warn!(
                    dir = %path.display(),
                    error = error.log_line(),
                    "the store of the state tables cannot be read; all of them are built anew"
                );
                wipe(&path)?;
                Store::open(&path, &self.config)
            }
            opened => opened,
        };
        // The folder is ours: whoever has the store open is of this process.
        let store = Arc::new(opened.map_err(|error| match error.kind() {
            ErrorKind::Conflict => still_read(),
            _ => error.with("dir", path.display()),
        })?);
        state.store = Some(Arc::clone(&store));
        Ok(store)
    }

    /// Whether `store` is the one that is in use.
    pub(crate) fn uses(&self, store: &Arc<Store>) -> bool {
        let state = self.state();
        state
            .store
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, store))
    }

    /// `store` takes no more writes: it is opened again when nobody has it any more, and
    /// given up if that does not help for long.
    pub(crate) fn stopped(&self, store: &Arc<Store>) {
        let mut state = self.state();
        if !state
            .store
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, store))
        {
            return;
        }
        state.store = None;
        let before = state.stopped_at.replace(Instant::now());
        let again = before.is_some_and(|before| before.elapsed() < GIVEN_UP);
        // A disk that takes nothing would not take a new store either.
        state.wipe = again && self.disk_takes();
        tracing::warn!(
            dir = %self.config.dir.display(),
            anew = state.wipe,
            "the store of the state tables has stopped; it is opened again"
        );
    }

    fn disk_takes(&self) -> bool {
        let probe = self.config.dir.join("probe");
        let written = fs::write(&probe, vec![7; 1 << 20]).is_ok();
        fs::remove_file(&probe).is_ok() && written
    }

    /// Gives the store away for good, to be dropped where that may take its time.
    pub(crate) fn close(&self) -> Option<Arc<Store>> {
        let mut state = self.state();
        state.closed = true;
        state.store.take()
    }

    /// Leaves the folder to others; the store is closed.
    pub(crate) fn leave(&self) {
        self.state().lock.take();
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.config.dir.join("store")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn closed() -> Error {
    Error::unavailable("the state tables are closed").retryable(false)
}

fn still_read() -> Error {
    Error::unavailable("the store of the state tables is still being read")
        .mend("try again when the queries are done that read it")
}

/// Removes the store, unless it is still open: a snapshot may outlive its time.
fn wipe(path: &Path) -> Result<()> {
    let failed = |error| fault::store("removing the state tables", StoreError::Io(error));
    if let Ok(lock) = File::open(path.join("lock")) {
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(still_read());
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}
