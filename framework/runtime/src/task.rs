//! What every running handler has, in whichever way it publishes: a membership in its group.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::{ErrorKind, Result};
use mesh_stream::{Admin, GroupConsumer, Lag, RebalanceListener, StreamConfig};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::handler::RunningHandler;
use crate::host::Host;

/// How long a membership lasts after which the next failure counts as the first.
pub(crate) const SOUND: Duration = Duration::from_secs(60);

/// A handler of a running domain.
pub(crate) struct Task {
    pub(crate) host: Arc<Host>,
    pub(crate) name: String,
    pub(crate) topic: &'static str,
    pub(crate) handler: Arc<dyn RunningHandler>,
    pub(crate) stream: StreamConfig,
    pub(crate) admin: Admin,
    /// Cancelled when it is to take nothing more in.
    pub(crate) stop: CancellationToken,
}

/// A partition that came or went.
pub(crate) enum Change {
    Assigned(i32),
    Revoked(i32),
}

/// What is asked beside the reading, so that nothing waits for the answers.
#[derive(Default)]
pub(crate) struct Asked {
    /// Whether a broker has the topic.
    there: Option<JoinHandle<bool>>,
    /// Where the group begins to read.
    begins: Option<JoinHandle<Result<Vec<Lag>>>>,
}

impl Asked {
    /// Lets go of what was not answered.
    pub(crate) async fn end(self) {
        if let Some(asked) = self.there {
            asked.abort();
            // It was cut off: there is nothing to hear from it.
            asked.await.ok();
        }
        if let Some(asked) = self.begins {
            asked.abort();
            asked.await.ok();
        }
    }
}

struct Listener(mpsc::UnboundedSender<Change>);

impl RebalanceListener for Listener {
    fn assigned(&self, partitions: &[(String, i32)]) {
        for (_, partition) in partitions {
            // The receiver is gone only when the task has ended.
            self.0.send(Change::Assigned(*partition)).ok();
        }
    }

    fn revoked(&self, partitions: &[(String, i32)], _: bool) {
        for (_, partition) in partitions {
            self.0.send(Change::Revoked(*partition)).ok();
        }
    }
}

impl Task {
    /// The consumer group, one for each handler of a domain.
    pub(crate) fn group(&self) -> String {
        format!("{}.{}", self.host.domain, self.name)
    }

    /// Partitions of the topic.
    ///
    /// # Errors
    /// Retryable while the topic is not there: it is made by its own domain.
    pub(crate) async fn partitions(&self) -> Result<i32> {
        self.admin
            .partitions(self.topic)
            .await
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => error.retryable(true),
                _ => error,
            })
    }

    /// Joins the group, and tells which partitions come and go.
    pub(crate) fn join(
        &self,
        stream: &StreamConfig,
    ) -> Result<(GroupConsumer, mpsc::UnboundedReceiver<Change>)> {
        let (changed, changes) = mpsc::unbounded_channel();
        let listener = Arc::new(Listener(changed));
        let consumer =
            GroupConsumer::with_listener(stream, &self.group(), &[self.topic], listener)?;
        Ok((consumer, changes))
    }
    /// Shows what was answered, and asks for what nothing else tells: that a broker has the
    /// topic again, if `part` waits and nothing is left to read; and where the group begins
    /// to read partitions of which no record has come.
    pub(crate) async fn ask(
        &self,
        asked: &mut Asked,
        part: &str,
        consumer: &Arc<GroupConsumer>,
        assigned: &BTreeSet<i32>,
    ) {
        if let Some(there) = asked.there.take_if(|there| there.is_finished())
            && there.await.unwrap_or(false)
        {
            self.host.status.clear(part);
        }
        if asked.there.is_none() && self.host.status.waits(part) {
            let (admin, topic) = (self.admin.clone(), self.topic);
            let ask = async move { admin.partitions(topic).await.is_ok() };
            asked.there = Some(tokio::spawn(ask));
        }
        if let Some(begins) = asked.begins.take_if(|begins| begins.is_finished()) {
            match begins.await {
                Ok(Ok(lags)) => self.host.status.handler(&self.name, |handler| {
                    for lag in lags {
                        if assigned.contains(&lag.partition) {
                            let begin = lag.committed.unwrap_or(lag.low);
                            handler.next_offsets.entry(lag.partition).or_insert(begin);
                        }
                    }
                }),
                // Asked again with the next tick.
                Ok(Err(error)) => {
                    tracing::debug!(handler = self.name, error = error.log_line(), "not asked");
                }
                Err(error) => tracing::debug!(handler = self.name, %error, "not asked"),
            }
        }
        let mut unknown = false;
        self.host.status.handler(&self.name, |handler| {
            let mut assigned = assigned.iter();
            unknown = assigned.any(|partition| !handler.next_offsets.contains_key(partition));
        });
        if unknown && asked.begins.is_none() {
            let consumer = Arc::clone(consumer);
            asked.begins = Some(tokio::spawn(async move { consumer.lag().await }));
        }
    }

    /// Shows nothing more of a partition that went to another member.
    pub(crate) fn forget_partition(&self, partition: i32) {
        let mut none_left = false;
        self.host.status.handler(&self.name, |handler| {
            handler.next_offsets.remove(&partition);
            handler.waiting.remove(&partition);
            handler.lag = None;
            none_left = handler.next_offsets.is_empty();
        });
        if none_left {
            // Without a lag so far there is none to forget.
            self.host
                .metrics
                .lag
                .remove_label_values(&[&self.name])
                .ok();
        }
    }
}
