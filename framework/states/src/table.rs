//! What the thread that follows a topic and those who read its table share.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fjall::Keyspace;
use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::batch::Waker;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::fault::again;
use crate::follow;
use crate::home::{Home, closed};
use crate::layout::Head;
use crate::snapshot::Snapshot;
use crate::status::{PartitionStatus, Phase, TableStatus};
use crate::store::Store;

/// No keyspace.
const NONE: u64 = u64::MAX;

/// The table of one topic.
pub(crate) struct Table {
    pub(crate) topic: String,
    pub(crate) home: Arc<Home>,
    runtime: Handle,
    /// What may be read; nothing while the table is being built or brought up to date.
    view: RwLock<Option<View>>,
    progress: watch::Sender<Progress>,
    follower: Mutex<Follower>,
    stop: watch::Sender<bool>,
    waiting: AtomicUsize,
    used: Mutex<Instant>,
    /// The topic is to be looked at before its time.
    look: AtomicBool,
    /// The keyspace that a reader has found to be damaged.
    damaged: AtomicU64,
    records: AtomicU64,
}

#[derive(Clone)]
struct View {
    store: Arc<Store>,
    keyspace: Keyspace,
}

#[derive(Default)]
struct Follower {
    thread: Option<JoinHandle<()>>,
    waker: Option<Waker>,
}

/// How far the table is.
#[derive(Clone)]
pub(crate) struct Progress {
    pub(crate) phase: Phase,
    pub(crate) head: Arc<Head>,
    /// Of each partition, the end of the topic as it was told last.
    pub(crate) highs: Vec<Option<i64>>,
    pub(crate) error: Option<Arc<Error>>,
}

impl Table {
    pub(crate) fn new(topic: &str, home: Arc<Home>, runtime: Handle) -> Arc<Self> {
        Arc::new(Self {
            topic: topic.to_owned(),
            home,
            runtime,
            view: RwLock::default(),
            progress: watch::Sender::new(Progress {
                phase: Phase::Idle,
                head: Arc::default(),
                highs: Vec::new(),
                error: None,
            }),
            follower: Mutex::default(),
            stop: watch::Sender::new(false),
            waiting: AtomicUsize::new(0),
            used: Mutex::new(Instant::now()),
            look: AtomicBool::new(false),
            damaged: AtomicU64::new(NONE),
            records: AtomicU64::new(0),
        })
    }

    /// Notes that the table is used, and follows its topic if nobody does.
    pub(crate) fn follow(self: &Arc<Self>) -> Result<()> {
        *guard(&self.used) = Instant::now();
        let mut follower = guard(&self.follower);
        if *self.stop.borrow() {
            return Err(closed());
        }
        if follower.thread.is_some() {
            return Ok(());
        }
        let table = Arc::clone(self);
        let runtime = self.runtime.clone();
        self.progress.send_modify(|progress| {
            progress.phase = Phase::CatchingUp;
            progress.error = None;
        });
        let thread = thread::Builder::new()
            .name("mesh-state".to_owned())
            .spawn(move || {
                let gone = Gone(&table);
                follow::run(&table, &runtime);
                drop(gone);
            })
            .map_err(|error| {
                Error::new(ErrorKind::ResourceExhausted, "no thread to follow a topic")
                    .mend("raise the limit on threads")
                    .because(error)
            })?;
        follower.thread = Some(thread);
        Ok(())
    }

    /// Whether nobody asked for the table for so long that it need not be followed.
    pub(crate) fn is_idle(&self) -> bool {
        guard(&self.used).elapsed() >= self.home.config.idle
            && self.waiting.load(Ordering::Acquire) == 0
    }

    /// If it need not be followed, it is not from then on, and who asks later starts another
    /// thread.
    pub(crate) fn retire(&self) -> bool {
        let mut follower = guard(&self.follower);
        if !self.is_idle() {
            return false;
        }
        self.hide(Phase::Idle);
        follower.thread = None;
        follower.waker = None;
        true
    }

    /// Lets `waker` be used to wake the thread that follows the topic.
    pub(crate) fn wake_by(&self, waker: Option<Waker>) {
        guard(&self.follower).waker = waker;
    }

    fn wake(&self) {
        let follower = guard(&self.follower);
        if let Some(waker) = &follower.waker {
            waker.wake();
        }
        if let Some(thread) = &follower.thread {
            thread.thread().unpark();
        }
    }

    /// Ends the thread that follows the topic; the caller may wait for it.
    pub(crate) fn stop(&self) -> Option<JoinHandle<()>> {
        self.stop.send_replace(true);
        self.wake();
        self.progress.send_modify(|_| {});
        guard(&self.follower).thread.take()
    }

    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    pub(crate) fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Whether the topic is to be looked at now.
    pub(crate) fn take_look(&self) -> bool {
        self.look.swap(false, Ordering::AcqRel)
    }

    /// Whether a reader has found `keyspace` to be damaged.
    pub(crate) fn is_damaged(&self, keyspace: &Keyspace) -> bool {
        self.damaged.load(Ordering::Acquire) == keyspace.id()
    }

    /// Takes note of what a reader of `keyspace` met.
    pub(crate) fn unreadable(&self, keyspace: &Keyspace, error: &Error) {
        if error.kind() == ErrorKind::Corrupt {
            self.damaged.store(keyspace.id(), Ordering::Release);
            self.wake();
        }
    }

    pub(crate) fn count(&self, records: usize) {
        self.records.fetch_add(records as u64, Ordering::Relaxed);
    }

    /// Lets the table be read.
    pub(crate) fn show(&self, store: &Arc<Store>, keyspace: &Keyspace) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Some(View {
            store: Arc::clone(store),
            keyspace: keyspace.clone(),
        });
        self.progress
            .send_modify(|progress| progress.phase = Phase::Following);
    }

    /// Lets nobody read the table from now on.
    pub(crate) fn hide(&self, phase: Phase) {
        self.view
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.progress.send_modify(|progress| progress.phase = phase);
    }

    pub(crate) fn report(&self, change: impl FnOnce(&mut Progress)) {
        self.progress.send_modify(change);
    }

    fn snapshot(self: &Arc<Self>) -> Result<Snapshot> {
        self.follow()?;
        let view = self
            .view
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match view {
            Some(view) => Snapshot::take(Arc::clone(self), &view.store, view.keyspace)
                .map_err(|error| error.with("topic", &self.topic)),
            None => Err(self.unready()),
        }
    }

    /// Why the table cannot be read now.
    fn unready(&self) -> Error {
        let progress = self.progress.borrow();
        match &progress.error {
            Some(error) => again(error),
            None => Error::unavailable(match progress.phase {
                Phase::Building => "the state table is being built from its topic",
                _ => "the state table is being brought up to date",
            })
            .with("topic", &self.topic)
            .mend("wait until it has reached the topic's end"),
        }
    }

    async fn reach(self: &Arc<Self>, ends: &[(i32, i64)]) -> Result<()> {
        let mut progress = self.progress.subscribe();
        let waiter = Waiter::new(self);
        self.follow()?;
        // What failed before is tried again for this one.
        self.progress.send_if_modified(|progress| {
            if progress.phase == Phase::Failing {
                progress.error = None;
            }
            false
        });
        self.wake();
        loop {
            if *self.stop.borrow() {
                return Err(closed());
            }
            {
                let progress = progress.borrow_and_update();
                if let Some(error) = &progress.error
                    && !error.is_retryable()
                {
                    return Err(again(error));
                }
                if progress.phase == Phase::Following && progress.reaches(ends) {
                    break;
                }
                if progress.phase == Phase::Following && progress.lacks(ends) {
                    self.look.store(true, Ordering::Release);
                }
            }
            if progress.changed().await.is_err() {
                return Err(closed());
            }
        }
        drop(waiter);
        Ok(())
    }

    pub(crate) fn status(&self) -> TableStatus {
        let progress = self.progress.borrow();
        let head = &progress.head;
        let partitions = head.partitions.iter().enumerate().map(|(at, part)| {
            let high = progress.highs.get(at).copied().flatten();
            PartitionStatus {
                partition: i32::try_from(at).unwrap_or(i32::MAX),
                applied: part.applied,
                lag: high.map(|high| (high - part.applied).max(0)),
                rows: part.rows,
                bytes: part.bytes,
                keyless: part.keyless,
                last_keyless: (part.keyless > 0).then_some(part.last_keyless),
            }
        });
        TableStatus {
            topic: self.topic.clone(),
            phase: progress.phase,
            partitions: partitions.collect(),
            rebuilt: head.rebuilt,
            records: self.records.load(Ordering::Relaxed),
            error: progress.error.as_deref().map(again),
        }
    }
}

impl Progress {
    fn reaches(&self, ends: &[(i32, i64)]) -> bool {
        ends.iter().all(|(partition, end)| {
            // Before the first record there is nothing to wait for.
            *end <= 0
                || self
                    .applied(*partition)
                    .is_some_and(|applied| applied >= *end)
        })
    }

    /// Whether a partition is not known here.
    fn lacks(&self, ends: &[(i32, i64)]) -> bool {
        ends.iter()
            .any(|(partition, _)| self.applied(*partition).is_none())
    }

    fn applied(&self, partition: i32) -> Option<i64> {
        let at = usize::try_from(partition).ok()?;
        self.head.partitions.get(at).map(|part| part.applied)
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Someone who waits for records, for which the follower hurries.
struct Waiter<'a>(&'a Table);

impl<'a> Waiter<'a> {
    fn new(table: &'a Table) -> Self {
        table.waiting.fetch_add(1, Ordering::AcqRel);
        Self(table)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Tells those who wait when the thread has ended before its time.
struct Gone<'a>(&'a Table);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        self.0.hide(Phase::Idle);
        self.0.report(|progress| {
            progress.error = Some(Arc::new(
                Error::internal("the thread that follows a topic ended before its time")
                    .with("topic", &self.0.topic),
            ));
        });
        let mut follower = guard(&self.0.follower);
        follower.thread = None;
        follower.waker = None;
    }
}

/// The state table of a topic: the latest row of every key that has one.
///
/// Clones are cheap and of the same table.
#[derive(Clone)]
pub struct StateTable(pub(crate) Arc<Table>);

impl fmt::Debug for StateTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateTable")
            .field("topic", &self.0.topic)
            .finish_non_exhaustive()
    }
}

impl StateTable {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.0.topic
    }

    /// Waits until the table can be read and all records before `ends` (partition, and the
    /// offset after the last record to wait for) are applied. Take the ends of
    /// [`Admin::watermarks`](mesh_stream::Admin::watermarks); without any it only waits
    /// until the table can be read. How long to wait is the caller's business: dropping the
    /// future is safe at any time.
    ///
    /// What makes waiting pass by itself (a broker that is away, a table being built) is
    /// waited for.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the topic is gone, [`ErrorKind::PermissionDenied`] if it
    /// may not be read, [`ErrorKind::ResourceExhausted`] if the store may grow no more,
    /// [`ErrorKind::Unavailable`] after [`States::close`](crate::States::close).
    pub async fn reach(&self, ends: &[(i32, i64)]) -> Result<()> {
        self.0.reach(ends).await
    }

    /// The table as it is now. It costs some microseconds.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] while the table is built or brought up to date, for which
    /// [`StateTable::reach`] waits; then as that.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.0.snapshot()
    }

    /// How the table is.
    pub fn status(&self) -> TableStatus {
        self.0.status()
    }
}

/// How long to leave a topic alone that could not be followed, the `failures`-th time.
pub(crate) fn pause(failures: u32) -> Duration {
    Duration::from_millis(100 << failures.min(4))
}
