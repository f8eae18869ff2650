//! A topic that is read on as it is written.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use rdkafka::error::RDKafkaErrorCode;

use super::native::{Messages, Polled, Queue, Subscription};
use crate::config::StreamConfig;
use crate::fault;

/// Reads partitions of a topic from given offsets on, and what is written to them after,
/// with one client for all of them.
///
/// Only committed records are handed out. It is made for a thread of the caller's own, which
/// [`TopicFollower::poll`] holds up; [`Waker`] ends its wait. Dropping it stops fetching.
pub struct TopicFollower {
    subscription: Subscription,
    config: StreamConfig,
    topic: String,
}

/// What [`TopicFollower::poll`] found.
#[derive(Debug)]
pub struct Followed {
    /// Records, those of each partition in the order of their offsets.
    pub messages: Messages,
    /// Partitions whose end was reached, and their ends: every committed record before them
    /// has been handed out, up to the first open transaction.
    pub ends: Vec<(i32, i64)>,
    /// Partitions that cannot be read, and why. [`ErrorKind::FailedPrecondition`]: the
    /// partition has no longer, or not yet, the offset that was asked for; it is not read on.
    pub failures: Vec<(i32, Error)>,
}

/// Ends the wait of a [`TopicFollower`] from another thread.
#[derive(Clone)]
pub struct Waker(Arc<Queue>);

impl Waker {
    /// Lets a poll that waits return at once; if none waits, the next does.
    pub fn wake(&self) {
        self.0.wake();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

impl fmt::Debug for TopicFollower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicFollower")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl TopicFollower {
    /// A follower of `topic` that reads no partition yet. It will read ahead about `ahead`
    /// bytes when it has `partitions` of them.
    ///
    /// # Errors
    /// If a setting or the name is refused.
    pub fn open(
        config: &StreamConfig,
        topic: &str,
        partitions: usize,
        ahead: usize,
    ) -> Result<Self> {
        let settings = config.topic_follower(partitions, ahead);
        Ok(Self {
            subscription: Subscription::open(config, &settings, topic)?,
            config: config.clone(),
            topic: topic.to_owned(),
        })
    }

    /// Begins to read `partition` from offset `start`.
    ///
    /// # Errors
    /// If it is read already.
    pub fn add(&mut self, partition: i32, start: i64) -> Result<()> {
        self.subscription.add(&self.config, partition, start.max(0))
    }

    /// Takes up to `most` records: those that are there or, within `within`, the first that
    /// come. Returns earlier when a partition's end is reached or a [`Waker`] says so.
    pub fn poll(&mut self, most: usize, within: Duration) -> Followed {
        let Polled {
            messages,
            ends,
            errors,
        } = self.subscription.poll(most.max(1), within);
        if messages.is_empty() {
            self.subscription.serve_log();
        }
        let failures = errors
            .into_iter()
            .map(|(partition, code)| (partition, self.failure(partition, code)))
            .collect();
        Followed {
            messages,
            ends,
            failures,
        }
    }

    /// Of each partition, the offset up to which everything was handed out, marks of
    /// transactions included. One is left out as long as nothing came of it, and when the
    /// last that came was its end.
    pub fn positions(&self) -> Vec<(i32, i64)> {
        self.subscription.positions()
    }

    /// The first offset of a partition and its end, committed or not, as the broker told
    /// them last; `None` before it did.
    pub fn bounds(&self, partition: i32) -> Option<(i64, i64)> {
        self.subscription.bounds(partition)
    }

    /// What ends a wait of [`TopicFollower::poll`].
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(self.subscription.queue()))
    }

    fn failure(&self, partition: i32, code: RDKafkaErrorCode) -> Error {
        let what = "following a topic";
        let error = match code {
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => Error::new(
                ErrorKind::FailedPrecondition,
                format!("{what}: the partition does not have the offset that comes next"),
            )
            .with("bootstrap", &self.config.bootstrap)
            .with("kafka", code)
            .mend("the topic was made anew or trimmed; read it from its beginning"),
            code => fault::coded(&self.config.bootstrap, what, code),
        };
        error
            .with("topic", &self.topic)
            .with("partition", partition)
    }
}
