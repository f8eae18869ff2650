//! The thread that follows a topic and keeps its table.
//!
//! It works in sessions. A session begins with what the topic is now, decides by that
//! whether the table goes on or is built anew, and then applies what comes. It ends when
//! that may be different: the topic is gone or another, or the broker was away for long.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::batch::TopicFollower;
use mesh_stream::{Admin, TopicDescription};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::apply::Applier;
use crate::layout::{Head, Part};
use crate::session::Session;
use crate::status::Phase;
use crate::store::Store;
use crate::table::{Table, pause};

/// After so long without an answer from the broker the session begins anew.
pub(crate) const AWAY: Duration = Duration::from_secs(60);
/// Kafka's default of `delete.retention.ms`.
const DELETE_RETENTION_MS: i64 = 24 * 60 * 60 * 1000;
const DAMAGED: &str = "its store is damaged";

/// How a session ended.
pub(crate) enum Next {
    Stop,
    Again,
    /// The table is to be built anew, and why.
    Anew(&'static str),
}

/// Follows the topic of `table` until that is stopped or nobody asks for it any more.
pub(crate) fn run(table: &Arc<Table>, runtime: &Handle) {
    let mut worker = Worker {
        table,
        runtime,
        stop: table.stopping(),
        anew: None,
    };
    let mut failures = 0;
    loop {
        let begun = Instant::now();
        let ended = worker.session();
        table.wake_by(None);
        if begun.elapsed() > AWAY {
            failures = 0;
        }
        match ended {
            Ok(Next::Stop) => return,
            Ok(Next::Again) => table.hide(Phase::CatchingUp),
            Ok(Next::Anew(reason)) => {
                worker.anew = Some(reason);
                table.hide(Phase::Building);
            }
            Err(error) => {
                tracing::warn!(
                    topic = table.topic,
                    error = error.log_line(),
                    "a state table cannot follow its topic"
                );
                table.report(|progress| progress.error = Some(Arc::new(error)));
                table.hide(Phase::Failing);
            }
        }
        if worker.stopped() || table.retire() {
            return;
        }
        thread::park_timeout(pause(failures));
        failures += 1;
        if worker.stopped() {
            return;
        }
    }
}

pub(crate) struct Worker<'a> {
    pub(crate) table: &'a Arc<Table>,
    pub(crate) runtime: &'a Handle,
    stop: watch::Receiver<bool>,
    /// Why what is in the store is not to be used, if so.
    anew: Option<&'static str>,
}

/// The topic as it is when a session begins.
pub(crate) struct Found {
    pub(crate) description: TopicDescription,
    /// Of each partition, its first offset and its end.
    pub(crate) bounds: Vec<(i64, i64)>,
    /// How long its tombstones stay at least, in milliseconds.
    tombstones_ms: i64,
    pub(crate) at: i64,
}

impl Worker<'_> {
    pub(crate) fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits for `future`; `None` when the table is stopped meanwhile.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut stop = self.stop.clone();
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => None,
                value = future => Some(value),
            }
        })
    }

    fn session(&mut self) -> Result<Next> {
        let Some(found) = self.wait(self.find()) else {
            return Ok(Next::Stop);
        };
        let found = found?;
        let store = self.table.home.store()?;
        make_room(self.table, &store)?;
        let mut session = match self.begin(found, &store) {
            Ok(session) => session,
            Err(error) => return Err(self.judge(&store, error)),
        };
        session.run(self).map_err(|error| self.judge(&store, error))
    }

    /// Takes note of an error that concerns the store.
    fn judge(&mut self, store: &Arc<Store>, error: Error) -> Error {
        if error.kind() == ErrorKind::Corrupt {
            self.anew = Some(DAMAGED);
        }
        if store.persist().is_err() {
            self.table.home.stopped(store);
        }
        error
    }

    async fn find(&self) -> Result<Found> {
        let (topic, admin) = (&self.table.topic, &self.table.home.admin);
        let at = now();
        let description = describe(admin, topic).await?;
        let mut bounds = Vec::new();
        for partition in 0..description.partitions {
            bounds.push(admin.watermarks(topic, partition).await?);
        }
        let tombstones_ms = match admin.topic_settings(&[topic]).await {
            Ok(settings) => settings
                .get(topic)
                .and_then(|settings| settings.get("delete.retention.ms"))
                .and_then(|setting| setting.value.parse().ok())
                .unwrap_or(DELETE_RETENTION_MS),
            // Who may read a topic need not be allowed to see its settings.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => DELETE_RETENTION_MS,
            Err(error) => return Err(error),
        };
        Ok(Found {
            description,
            bounds,
            tombstones_ms,
            at,
        })
    }

    /// Takes up the table where it was left, or begins to build it.
    fn begin(&mut self, found: Found, store: &Arc<Store>) -> Result<Session> {
        let table = self.table;
        let topic = table.topic.as_str();
        let kept = match store.table(topic) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                self.anew = Some(DAMAGED);
                None
            }
            kept => kept?,
        };
        let reason = self
            .anew
            .or_else(|| kept.as_ref().and_then(|(_, head)| found.unlike(head)));
        let rebuilt = match &kept {
            Some((_, head)) => head.rebuilt,
            None => 0,
        } + u64::from(reason.is_some());
        if let Some(reason) = reason {
            tracing::warn!(topic, reason, "a state table is built anew");
        }
        let mut building = false;
        let applier = match kept.filter(|_| reason.is_none()) {
            Some((keyspace, head)) => Applier::new(Arc::clone(store), keyspace, head),
            None => {
                building = true;
                let head = found.head(rebuilt);
                let keyspace = store.anew(topic, &head)?;
                self.anew = None;
                let mut applier = Applier::new(Arc::clone(store), keyspace, head);
                applier.build(found.records());
                applier
            }
        };
        let config = &table.home.config;
        let count = found.bounds.len();
        let mut follower = TopicFollower::open(&config.stream, topic, count, config.ahead_bytes)?;
        table.wake_by(Some(follower.waker()));
        for (partition, offset) in applier.head.ends() {
            follower.add(partition, offset)?;
        }
        table.report(|progress| {
            progress.head = Arc::new(applier.head.clone());
            progress.highs = found.bounds.iter().map(|(_, high)| Some(*high)).collect();
            progress.error = None;
        });
        table.hide(match building {
            true => Phase::Building,
            false => Phase::CatchingUp,
        });
        let mut session = Session::new(found, applier, follower, building);
        // Partitions that have come since are read from their beginning.
        session.add_partitions()?;
        Ok(session)
    }
}

impl Found {
    /// Why a table with `head` is not of this topic any more, if so.
    fn unlike(&self, head: &Head) -> Option<&'static str> {
        let id = self.description.id.map(|id| id.into_bytes());
        if id.is_some() && head.topic_id.is_some() && id != head.topic_id {
            return Some("the topic was made anew");
        }
        if head.partitions.len() > self.bounds.len() {
            return Some("the topic has fewer partitions");
        }
        for (part, (low, high)) in head.partitions.iter().zip(&self.bounds) {
            if *high < part.applied {
                return Some("the topic has become shorter");
            }
            if *low > part.applied {
                return Some("the topic lost records that were not read");
            }
        }
        if self.missed(head, self.at) {
            return Some("tombstones may be gone that were not read");
        }
        None
    }

    /// Whether compaction may have taken away, by `at`, a tombstone that was written since
    /// the table was last up to date.
    pub(crate) fn missed(&self, head: &Head, at: i64) -> bool {
        at.saturating_sub(head.fresh_at) >= self.tombstones_ms
    }

    /// About how many records there are.
    fn records(&self) -> u64 {
        let of = |(low, high): &(i64, i64)| u64::try_from(high - low).unwrap_or(0);
        self.bounds.iter().map(of).sum()
    }

    /// Of a table that nothing is applied to yet.
    fn head(&self, rebuilt: u64) -> Head {
        Head {
            topic_id: self.description.id.map(|id| id.into_bytes()),
            rebuilt,
            fresh_at: self.at,
            partitions: self.bounds.iter().map(|bounds| begin(bounds.0)).collect(),
        }
    }
}

pub(crate) async fn describe(admin: &Admin, topic: &str) -> Result<TopicDescription> {
    let found = admin.describe_topics(&[topic]).await?;
    found.get(topic).copied().ok_or_else(|| gone(topic))
}

/// Makes sure that the store may still grow.
pub(crate) fn make_room(table: &Table, store: &Store) -> Result<()> {
    let Some(limit) = table.home.config.max_disk_bytes else {
        return Ok(());
    };
    let bytes = store.disk_bytes()?;
    if bytes <= limit {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::ResourceExhausted,
        "the state tables have no room",
    )
    .with("bytes", bytes)
    .with("limit", limit)
    .retryable(false)
    .mend("raise the limit, or remove their folder: tables that are asked for are built anew"))
}

/// A partition of which nothing is applied, and which begins at `low`.
pub(crate) fn begin(low: i64) -> Part {
    Part {
        applied: low,
        start: low,
        ..Part::default()
    }
}

pub(crate) fn gone(topic: &str) -> Error {
    Error::not_found("there is no such topic")
        .with("topic", topic)
        .mend("start the domain that owns the product; it makes the topic")
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
