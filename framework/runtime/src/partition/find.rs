//! Where the worker of a partition begins.

use mesh_core::Error;

use super::Worker;
use crate::backoff::Backoff;
use crate::consume::cut;

impl Worker {
    /// Finds where to go on, and checks that the topic is still what was handled; `None` if
    /// it is stopped before.
    pub(crate) async fn found(mut self) -> Option<Self> {
        self.find_position().await.then_some(self)
    }

    async fn find_position(&mut self) -> bool {
        let mut backoff = Backoff::network();
        loop {
            let found = async {
                let position = self
                    .host
                    .store
                    .position(&self.name, self.topic, self.partition)
                    .await?;
                let (low, high) = self.admin.watermarks(self.topic, self.partition).await?;
                Ok::<_, Error>((position, low, high))
            };
            let found = tokio::select! {
                () = self.stop.cancelled() => return false,
                found = found => found,
            };
            match found {
                Ok((Some(next), _, high)) if next > high => {
                    let error = cut(&self.name, self.topic, self.partition, next, high);
                    self.host.fail(&self.name, error);
                    return false;
                }
                Ok((position, low, _)) => {
                    self.next = position.unwrap_or(0);
                    if position.is_some_and(|next| low > next) {
                        tracing::error!(
                            handler = self.name,
                            topic = self.topic,
                            partition = self.partition,
                            lost = low - self.next,
                            "records were removed from the topic before they were handled"
                        );
                    }
                    self.begin = position.map(|next| next.max(low));
                    let (partition, begin) = (self.partition, self.begin);
                    self.host.status.handler(&self.name, |handler| {
                        handler.waiting.remove(&partition);
                        // If the store does not know, the group is asked.
                        if let Some(next) = begin {
                            handler.next_offsets.insert(partition, next);
                        }
                    });
                    return true;
                }
                Err(error) => {
                    tracing::debug!(
                        handler = self.name,
                        error = error.log_line(),
                        "no position yet"
                    );
                    self.show_waiting(Some(&error));
                    if !backoff.wait(&self.stop).await {
                        return false;
                    }
                }
            }
        }
    }

    /// Lets go of records that waited: they come again.
    pub(crate) fn forget(&mut self) {
        while let Ok(record) = self.queue.try_recv() {
            self.queued.remove(1, record.size());
        }
    }
}
