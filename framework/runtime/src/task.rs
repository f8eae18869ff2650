//! What every running handler has, in whichever way it publishes: a membership in its group.

use std::sync::Arc;

use mesh_core::{ErrorKind, Result};
use mesh_stream::{Admin, GroupConsumer, RebalanceListener, StreamConfig};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::handler::RunningHandler;
use crate::host::Host;

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
}
