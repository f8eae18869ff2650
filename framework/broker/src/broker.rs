//! Starting and stopping a broker.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use mesh_core::{Error, ErrorKind, Result};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::buffers::Buffers;
use crate::cleanup::{apply_retention, compact};
use crate::config::{BrokerConfig, FlushPolicy};
use crate::files;
use crate::group::{Coordinator, Offsets, expire_offsets};
use crate::listeners::{self, Bound};
use crate::log::MAX_SEGMENT_BYTES;
use crate::metrics::{Metrics, MetricsSnapshot};
use crate::producer_ids::ProducerIds;
use crate::report::RecoveryReport;
use crate::security::{AclStore, Authorizer, Logins, Tls, Users};
use crate::server;
use crate::shared::Shared;
use crate::surroundings::Place;
use crate::topics::Topics;
use crate::txn::Transactions;

const LOCK: &str = "lock";
const CLEAN: &str = "clean-stop";
const OFFSETS: &str = "offsets.log";
const PRODUCER_IDS: &str = "producer-ids";
const USERS: &str = "users.json";
const ACLS: &str = "acls.json";
const TRANSACTIONS: &str = "transactions.log";
/// How long a stop waits for requests that are being answered.
const DRAIN: Duration = Duration::from_secs(10);
/// How often full segments are made durable under a policy that has no interval of its own.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// A running broker. It lives on a runtime of its own, so that its file reads and writes
/// never hold up the tasks of whoever started it. Dropping it stops it as a crash would,
/// without a flush; [`Broker::shutdown`] stops it in order.
#[derive(Debug)]
pub struct Broker {
    shared: Arc<Shared>,
    listeners: Vec<Arc<Bound>>,
    recovery: RecoveryReport,
    runtime: Option<Runtime>,
}

impl Broker {
    /// Locks the data folder, binds the address, recovers the logs and begins to serve.
    ///
    /// # Errors
    /// With a mend: a folder that cannot be written, a folder in use by another broker, an
    /// address that is taken or not ours, a list of topics that cannot be read.
    pub async fn start(config: BrokerConfig) -> Result<Self> {
        check(&config)?;
        let place = Place::new(&config.surroundings);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.worker_threads.max(1))
            .thread_name("mesh-broker")
            .on_thread_start(move || place.enter())
            .enable_all()
            .build()
            .map_err(|error| {
                Error::new(
                    ErrorKind::ResourceExhausted,
                    "cannot start the broker's threads",
                )
                .mend("raise the limit on threads, or set fewer `worker_threads`")
                .because(error)
            })?;
        let starting = runtime.spawn(starting(Arc::new(config))).await;
        let started = starting.unwrap_or_else(|error| {
            Err(Error::internal("the broker did not start").because(error))
        });
        match started {
            Ok((shared, listeners, recovery)) => Ok(Self {
                shared,
                listeners,
                recovery,
                runtime: Some(runtime),
            }),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// The address of the first listener, with the port it was given.
    pub fn local_addr(&self) -> SocketAddr {
        self.listeners[0].local_addr
    }

    /// What clients of the first listener take as `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        self.listeners[0].bootstrap()
    }

    /// What clients of a listener take as `bootstrap.servers`; `None` when there is no
    /// listener of this name.
    pub fn bootstrap_of(&self, listener: &str) -> Option<String> {
        let mut listeners = self.listeners.iter();
        listeners
            .find(|bound| bound.listener.name == listener)
            .map(|bound| bound.bootstrap())
    }

    /// What was found on disk at the start.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.recovery
    }

    /// The counters now.
    pub fn metrics(&self) -> MetricsSnapshot {
        self.shared.snapshot()
    }

    /// Stops in order: takes no more requests, answers those being worked on, makes
    /// everything durable and marks the data folder as cleanly closed.
    ///
    /// # Errors
    /// When something could not be written; the next start then recovers as after a crash.
    pub async fn shutdown(mut self) -> Result<()> {
        let Some(runtime) = self.runtime.take() else {
            return Ok(());
        };
        let stopped = runtime.spawn(stopping(Arc::clone(&self.shared))).await;
        self.release();
        runtime.shutdown_background();
        stopped
            .unwrap_or_else(|error| Err(Error::internal("the broker did not stop").because(error)))
    }

    /// Stops at once, without a flush and without marking the folder as closed: what a
    /// killed process leaves behind. For tests of recovery.
    pub async fn abandon(mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        let stopped = runtime
            .spawn(async move { stop_tasks(&shared).await })
            .await;
        if let Err(error) = stopped {
            tracing::error!(%error, "the broker's tasks did not stop");
        }
        self.release();
        runtime.shutdown_background();
    }

    fn release(&self) {
        if let Err(error) = self.shared.lock_file.unlock() {
            tracing::warn!(%error, "cannot unlock the data folder");
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            self.shared.stop.cancel();
            self.release();
            runtime.shutdown_background();
        }
    }
}

fn check(config: &BrokerConfig) -> Result<()> {
    let refuse = |field: &'static str, mend: &'static str| {
        Err(Error::invalid("the broker's configuration is wrong")
            .with("field", field)
            .mend(mend))
    };
    if config.segment_bytes < 1024 || config.segment_bytes > MAX_SEGMENT_BYTES {
        return refuse("segment_bytes", "set it between 1,024 and 2,147,483,647");
    }
    if config.default_partitions < 1 {
        return refuse("default_partitions", "set it to 1 or more");
    }
    if config.max_request_bytes < 1024 || config.max_request_bytes > i32::MAX as usize {
        return refuse(
            "max_request_bytes",
            "set it between 1,024 and 2,147,483,647",
        );
    }
    if config.offsets_retention_check_interval.is_zero() {
        return refuse(
            "offsets_retention_check_interval",
            "set it to a second or more",
        );
    }
    if config.log_retention_check_interval.is_zero() {
        return refuse(
            "log_retention_check_interval",
            "set it to a millisecond or more",
        );
    }
    if config.log_cleaner_backoff.is_zero() {
        return refuse("log_cleaner_backoff", "set it to a millisecond or more");
    }
    if config.log_cleaner_max_bytes_per_second == 0 {
        return refuse("log_cleaner_max_bytes_per_second", "set it to 1 or more");
    }
    if config.flush == FlushPolicy::Interval(Duration::ZERO) {
        return refuse(
            "flush",
            "take `FlushPolicy::Always` instead of an interval of zero",
        );
    }
    listeners::check(config)
}

type Started = (Arc<Shared>, Vec<Arc<Bound>>, RecoveryReport);

async fn start(config: Arc<BrokerConfig>) -> Result<Started> {
    raise_file_limit();
    let lock_file = lock_folder(&config.data_dir)?;
    let sockets = listeners::bind(&config).await?;
    let opening = tokio::task::spawn_blocking(move || open(config, lock_file)).await;
    let (shared, recovery) = opening
        .unwrap_or_else(|error| Err(Error::internal("recovery did not end").because(error)))?;
    let shared = Arc::new(shared);
    shared.transactions.recover().await;
    shared
        .tasks
        .spawn(look_after_transactions(Arc::clone(&shared)));
    let mut bound = Vec::with_capacity(sockets.len());
    for (listener, socket) in sockets {
        tracing::info!(listener = %listener.listener.name, address = %listener.local_addr,
            protocol = listener.listener.protocol.name(), "listening");
        let accept = server::accept(Arc::clone(&shared), Arc::clone(&listener), socket);
        shared.tasks.spawn(accept);
        bound.push(listener);
    }
    shared.tasks.spawn(flush_in_background(Arc::clone(&shared)));
    shared.tasks.spawn(expire_offsets(Arc::clone(&shared)));
    shared.tasks.spawn(apply_retention(Arc::clone(&shared)));
    shared.tasks.spawn(compact(Arc::clone(&shared)));
    shared.coordinator.start_clocks();
    tracing::info!(
        folder = %shared.config.data_dir.display(),
        topics = shared.topics.all().len(),
        clean = recovery.clean_stop,
        scanned_bytes = recovery.scanned_bytes,
        findings = recovery.findings.len(),
        "broker started"
    );
    Ok((shared, bound, recovery))
}

/// [`start`], boxed: an `async fn` is compiled in each crate that awaits it, and with it all
/// that it calls, which here is the whole broker. This makes it compiled once and with the
/// broker's own optimisation.
#[inline(never)]
fn starting(config: Arc<BrokerConfig>) -> BoxFuture<'static, Result<Started>> {
    Box::pin(start(config))
}

/// Stops in order; boxed as [`starting`] is.
#[inline(never)]
fn stopping(shared: Arc<Shared>) -> BoxFuture<'static, Result<()>> {
    Box::pin(async move {
        stop_tasks(&shared).await;
        close(&shared).await
    })
}

/// Raises the soft limit on open files as far as the hard one allows, as the JVM does for
/// Kafka: each segment and each connection holds one, and 1,024 are soon used up.
fn raise_file_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls only read or write the structure that is passed to them.
    let raised = unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            false
        } else {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) == 0
        }
    };
    if !raised {
        let error = io::Error::last_os_error();
        tracing::warn!(%error, "cannot raise the limit on open files");
    }
}

/// Creates the data folder and takes its lock.
pub(crate) fn lock_folder(folder: &Path) -> Result<File> {
    let unusable = |error: io::Error| {
        Error::new(
            ErrorKind::FailedPrecondition,
            "the data folder cannot be used",
        )
        .with("folder", folder.display())
        .mend("name a folder that this user may create files in")
        .because(error)
    };
    fs::create_dir_all(folder).map_err(unusable)?;
    let path = folder.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::new(
            ErrorKind::Conflict,
            "the data folder is in use by another broker",
        )
        .with("folder", folder.display())
        .mend("stop the other broker, or name another folder")),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Opens all that lies in the data folder.
pub(crate) fn open(config: Arc<BrokerConfig>, lock_file: File) -> Result<(Shared, RecoveryReport)> {
    let marker = config.data_dir.join(CLEAN);
    let unusable = |error: io::Error| {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull => ErrorKind::ResourceExhausted,
            _ => ErrorKind::FailedPrecondition,
        };
        Error::new(kind, "the data folder cannot be written")
            .with("folder", config.data_dir.display())
            .mend("give the process the right to write there, and the disk some room")
            .because(error)
    };
    let clean = marker.exists();
    if clean {
        // Gone before anything is written: whatever follows is not clean until it ends so.
        fs::remove_file(&marker)
            .and_then(|()| files::sync_dir(&config.data_dir))
            .map_err(unusable)?;
    }
    let mut recovery = RecoveryReport {
        clean_stop: clean,
        ..RecoveryReport::default()
    };
    let topics = Topics::open(Arc::clone(&config), clean, &mut recovery)?;
    let topics = Arc::new(topics);
    let always = config.flush == FlushPolicy::Always;
    let offsets = Offsets::open(&config.data_dir.join(OFFSETS), always, &mut recovery)?;
    let offsets = Arc::new(offsets);
    let producer_ids = ProducerIds::open(config.data_dir.join(PRODUCER_IDS))?;
    let transactions = Transactions::open(
        &config.data_dir.join(TRANSACTIONS),
        always,
        Arc::new(producer_ids),
        Arc::clone(&topics),
        Arc::clone(&offsets),
        &mut recovery,
    )?;
    let security = &config.security;
    let tls = security.tls.clone().map(Tls::open).transpose()?;
    let users_file = security.users_file.clone();
    let users_file = users_file.unwrap_or_else(|| config.data_dir.join(USERS));
    let needed = config.listeners.iter().any(|one| one.protocol.has_sasl());
    let users = Arc::new(Users::open(users_file, needed)?);
    let logins = Arc::new(Logins::new(security, Arc::clone(&users))?);
    let authorizer = match &security.authorizer {
        None => None,
        Some(wanted) => {
            let store = AclStore::open(config.data_dir.join(ACLS))?;
            Some(Authorizer::new(wanted.clone(), store))
        }
    };
    let tasks = TaskTracker::new();
    let stop = CancellationToken::new();
    let coordinator = Coordinator::new(
        config.group_initial_rebalance_delay,
        Arc::clone(&offsets),
        tasks.clone(),
        stop.clone(),
    );
    let shared = Shared {
        config,
        topics,
        coordinator,
        offsets,
        transactions,
        tls,
        users,
        logins,
        authorizer,
        metrics: Metrics::default(),
        buffers: Buffers::default(),
        look_at_retention: tokio::sync::Notify::new(),
        stop,
        tasks,
        lock_file,
    };
    Ok((shared, recovery))
}

/// Makes durable what the policy leaves to the background, and full segments in any case.
async fn flush_in_background(shared: Arc<Shared>) {
    let (interval, only_sealed) = match shared.config.flush {
        FlushPolicy::Always => (HOUSEKEEPING, true),
        FlushPolicy::Interval(interval) => (interval, false),
        FlushPolicy::Os => (HOUSEKEEPING, true),
    };
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = shared.stop.cancelled() => return,
        }
        for topic in shared.topics.all() {
            for partition in &topic.partitions {
                if let Err(error) = partition.flush_pending(only_sealed).await {
                    tracing::error!(%error, topic = %topic.name.as_str(), "cannot flush a partition");
                }
            }
        }
        if !only_sealed && let Err(error) = shared.offsets.flush_pending().await {
            tracing::error!(%error, "cannot flush the committed offsets");
        }
        if !only_sealed && let Err(error) = shared.transactions.flush_pending().await {
            tracing::error!(%error, "cannot flush the transactions");
        }
    }
}

/// Aborts transactions that take too long, for as long as the broker runs.
async fn look_after_transactions(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(shared.config.transaction_check_interval) => {}
            () = shared.stop.cancelled() => return,
        }
        let expiry = shared.config.transactional_id_expiry;
        shared.transactions.tick(expiry).await;
    }
}

async fn stop_tasks(shared: &Shared) {
    shared.stop.cancel();
    shared.tasks.close();
    if tokio::time::timeout(DRAIN, shared.tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            left = shared.tasks.len(),
            "requests were cut short at the stop"
        );
    }
}

async fn close(shared: &Shared) -> Result<()> {
    let unwritten = |what: &'static str| {
        Error::new(ErrorKind::Internal, "not everything could be made durable")
            .with("part", what)
            .mend("look at the log for the disk's error; the next start recovers the rest")
    };
    for topic in shared.topics.all() {
        for partition in &topic.partitions {
            partition
                .close()
                .await
                .map_err(|error| unwritten("log").because(error))?;
        }
    }
    shared
        .offsets
        .flush_pending()
        .await
        .map_err(|error| unwritten("offsets").because(error))?;
    shared
        .transactions
        .flush_pending()
        .await
        .map_err(|error| unwritten("transactions").because(error))?;
    files::write_atomic(&shared.config.data_dir.join(CLEAN), b"")
        .map_err(|error| unwritten("mark of a clean stop").because(error))?;
    tracing::info!("broker stopped");
    Ok(())
}
