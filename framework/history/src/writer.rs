//! Following topics into their tables.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::{Admin, RegistryClient, StreamConfig};

use crate::history::History;
use crate::pass::{Means, Pass, Passed, bounds, pending, prepare};
use crate::place::ProductRef;
use crate::source::Source;

/// How far the history of a topic is.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Rows committed by this process.
    pub rows: u64,
    /// Offsets that wait to be committed, as of the last look.
    pub pending: u64,
    /// Why the last look, pass or round of maintenance failed, for the log.
    pub error: Option<String>,
}

/// Writes topics into the history, each record once.
pub struct HistoryWriter {
    history: History,
    stream: StreamConfig,
    registry: RegistryClient,
    admin: Admin,
    sources: Mutex<Vec<Arc<Source>>>,
    progress: Mutex<BTreeMap<ProductRef, Progress>>,
}

impl std::fmt::Debug for HistoryWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistoryWriter")
            .field("history", &self.history)
            .field("bootstrap", &self.stream.bootstrap)
            .finish_non_exhaustive()
    }
}

impl HistoryWriter {
    /// A writer into `history` that follows nothing yet.
    ///
    /// # Errors
    /// If the addresses of `stream` are none.
    pub fn new(history: History, stream: StreamConfig) -> Result<Self> {
        Ok(Self {
            registry: RegistryClient::new(&stream.registry_url)?,
            admin: Admin::new(&stream)?,
            history,
            stream,
            sources: Mutex::default(),
            progress: Mutex::default(),
        })
    }

    /// The same, with a registry's client of the caller's, such as one with a login.
    ///
    /// # Errors
    /// If a setting of `stream` is refused.
    pub fn with_registry(
        history: History,
        stream: StreamConfig,
        registry: RegistryClient,
    ) -> Result<Self> {
        Ok(Self {
            admin: Admin::new(&stream)?,
            registry,
            history,
            stream,
            sources: Mutex::default(),
            progress: Mutex::default(),
        })
    }

    /// Follows `sources` from now on, and no others.
    pub fn follow(&self, sources: impl IntoIterator<Item = Source>) {
        let followed: Vec<Arc<Source>> = sources.into_iter().map(Arc::new).collect();
        lock(&self.progress).retain(|product, _| {
            followed
                .iter()
                .any(|source| source.product_ref() == *product)
        });
        *lock(&self.sources) = followed;
    }

    /// How far each product is.
    pub fn progress(&self) -> BTreeMap<ProductRef, Progress> {
        lock(&self.progress).clone()
    }

    /// Writes all that is in the topic of `source` now, and commits it.
    ///
    /// # Errors
    /// What was committed before stays. [`ErrorKind::Conflict`](mesh_core::ErrorKind::Conflict)
    /// if another writer was faster, which may be tried again;
    /// [`ErrorKind::FailedPrecondition`](mesh_core::ErrorKind::FailedPrecondition) if the
    /// topic was made anew or the contract does not fit the table;
    /// [`ErrorKind::Unavailable`](mesh_core::ErrorKind::Unavailable) if Kafka, the registry
    /// or the store does not answer.
    pub async fn pass(&self, source: &Source) -> Result<Passed> {
        let means = self.means();
        let table = self.history.table(&source.product_ref())?;
        let state = prepare(&means, &table, source).await?;
        let bounds = bounds(&self.admin, source, &state.ends).await?;
        Pass::run(&means, table, source, &state, &bounds).await
    }

    fn means(&self) -> Means<'_> {
        Means {
            config: self.history.config(),
            stream: &self.stream,
            registry: &self.registry,
            admin: &self.admin,
        }
    }

    /// Follows the sources until `stop` is done: commits when enough rows wait or one has
    /// waited long enough, and beside that merges files, removes what has expired and cleans
    /// up. One topic's failure holds up no other; it is logged and tried again. What is
    /// being written when it stops is written by the next that runs.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let work = futures::future::join(self.write(), self.maintain());
        futures::pin_mut!(work, stop);
        futures::future::select(work, stop).await;
    }

    async fn write(&self) {
        let config = self.history.config();
        let mut waiting: BTreeMap<ProductRef, Instant> = BTreeMap::new();
        loop {
            let sources = lock(&self.sources).clone();
            for source in &sources {
                let product = source.product_ref();
                match self.turn(source, waiting.get(&product).copied()).await {
                    Ok(Some(since)) => drop(waiting.insert(product.clone(), since)),
                    Ok(None) => drop(waiting.remove(&product)),
                    Err(error) => self.failed(&product, &error),
                }
            }
            waiting.retain(|product, _| sources.iter().any(|s| s.product_ref() == *product));
            tokio::time::sleep(config.poll).await;
        }
    }

    /// Looks at a topic, and writes it if it is time; else since when something waits.
    async fn turn(&self, source: &Source, since: Option<Instant>) -> Result<Option<Instant>> {
        let config = self.history.config();
        let product = source.product_ref();
        let table = self.history.table(&product)?;
        let state = table.refresh().await?;
        let ends = state.map(|state| state.ends.clone()).unwrap_or_default();
        let waits = match bounds(&self.admin, source, &ends).await {
            Ok(bounds) => pending(&bounds),
            // The pass sees whether that was mended.
            Err(error) if error.kind() == ErrorKind::FailedPrecondition => u64::MAX,
            Err(error) => return Err(error),
        };
        if waits == 0 {
            self.note(&product, |known| {
                (known.pending, known.error) = (0, None);
            });
            return Ok(None);
        }
        let since = since.unwrap_or_else(Instant::now);
        if waits < config.commit_rows && since.elapsed() < config.commit_age {
            self.note(&product, |known| known.pending = waits);
            return Ok(Some(since));
        }
        let passed = self.pass(source).await?;
        self.note(&product, |known| {
            known.rows += passed.rows;
            (known.pending, known.error) = (0, None);
        });
        Ok(None)
    }

    async fn maintain(&self) {
        let config = self.history.config();
        loop {
            // Not at once: a process that is started again and again has better to do.
            tokio::time::sleep(config.maintain_every.max(Duration::from_millis(10))).await;
            let sources = lock(&self.sources).clone();
            for source in &sources {
                let product = source.product_ref();
                let retention = source.contract.retention;
                match self.history.maintain(&product, retention).await {
                    Ok(done) => tracing::debug!(%product, ?done, "a table was maintained"),
                    Err(error) => self.failed(&product, &error),
                }
            }
        }
    }

    /// Tells a failure once, for as long as it is the same.
    fn failed(&self, product: &ProductRef, error: &Error) {
        let told = error.log_line();
        self.note(product, |known| {
            if known.error.as_ref() != Some(&told) {
                tracing::warn!(%product, error = told, "the history of a product stands still");
            }
            known.error = Some(told);
        });
    }

    fn note(&self, product: &ProductRef, change: impl FnOnce(&mut Progress)) {
        change(lock(&self.progress).entry(product.clone()).or_default());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
