//! The records of one transaction, and the partitions that they come from.

use std::collections::BTreeSet;
use std::time::Duration;

use mesh_stream::{Failed, RawRecord};

use super::{Life, renew};
use crate::consume::cut;
use crate::rebuild;
use crate::status::sentence;
use crate::task::{Change, Task};

/// How long the first record waits for others to share its transaction.
const LINGER: Duration = Duration::from_millis(5);
/// How often is looked for marks that transactions leave in the log.
const TICK: Duration = Duration::from_millis(250);

impl Task {
    /// The records of the next transaction; `None` if the host stops.
    pub(super) async fn gather(
        &self,
        life: &mut Life,
        part: &str,
    ) -> Result<Option<Vec<RawRecord>>, Failed> {
        let mut batch: Vec<RawRecord> = Vec::new();
        let mut tick = tokio::time::interval(TICK);
        tick.tick().await;
        let mut until = None;
        while batch.len() < self.host.config.batch_events {
            let full = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            let received = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(None),
                () = full => break,
                _ = tick.tick(), if batch.is_empty() => {
                    self.follow_changes(life, &mut batch)?;
                    self.pass_marks(life);
                    self.show_beginnings(life).await;
                    // As in `consume`: where nothing is left to read, nothing else tells it.
                    if self.host.status.waits(part) && life.consumer.reachable().await.is_ok() {
                        self.host.status.clear(part);
                    }
                    continue;
                }
                received = life.consumer.recv() => received,
            };
            self.follow_changes(life, &mut batch)?;
            match received {
                Ok(record) => {
                    self.host.status.clear(part);
                    if life.assigned.contains(&record.partition) {
                        until.get_or_insert(tokio::time::Instant::now() + LINGER);
                        batch.push(record);
                    }
                }
                Err(error) if error.is_retryable() => {
                    self.host.status.wait(part, sentence(&error));
                }
                Err(error) => return Err(renew(error)),
            }
        }
        Ok(Some(batch))
    }

    /// Takes note of partitions that came and went; what was read of them is read again.
    fn follow_changes(&self, life: &mut Life, batch: &mut Vec<RawRecord>) -> Result<(), Failed> {
        let mut changed = false;
        while let Ok(change) = life.changes.try_recv() {
            changed = true;
            let partition = match change {
                Change::Assigned(partition) => {
                    life.assigned.insert(partition);
                    partition
                }
                Change::Revoked(partition) => {
                    life.assigned.remove(&partition);
                    partition
                }
            };
            life.ready.remove(&partition);
            batch.retain(|record| record.partition != partition);
        }
        if changed {
            life.group = Some(life.consumer.metadata().map_err(renew)?);
        }
        Ok(())
    }

    /// Shows that nothing is left to handle behind the marks of transactions.
    fn pass_marks(&self, life: &Life) {
        let Ok(positions) = life.consumer.position() else {
            return;
        };
        self.host.status.handler(&self.name, |handler| {
            for (_, partition, next) in positions {
                let shown = handler.next_offsets.entry(partition).or_insert(next);
                *shown = next.max(*shown);
            }
        });
    }

    /// Shows where the group begins to read partitions of which no record has come: the
    /// consumer does not say, and without it nobody knows that there is nothing to do.
    async fn show_beginnings(&self, life: &Life) {
        let mut unknown = false;
        self.host.status.handler(&self.name, |handler| {
            let mut assigned = life.assigned.iter();
            unknown = assigned.any(|partition| !handler.next_offsets.contains_key(partition));
        });
        if !unknown {
            return;
        }
        match life.consumer.lag().await {
            Ok(lags) => self.host.status.handler(&self.name, |handler| {
                for lag in lags {
                    let begin = lag.committed.unwrap_or(lag.low);
                    handler.next_offsets.entry(lag.partition).or_insert(begin);
                }
            }),
            // Asked again with the next tick.
            Err(error) => {
                tracing::debug!(handler = self.name, error = error.log_line(), "not asked");
            }
        }
    }

    /// Makes sure, for partitions that are new here, that their topic is still what was
    /// handled and that the state has all that their last owner has written. Its last
    /// transaction has ended, since the group's offset was read.
    pub(super) async fn prepare(&self, life: &mut Life, batch: &[RawRecord]) -> Result<(), Failed> {
        let new: BTreeSet<i32> = batch
            .iter()
            .map(|record| record.partition)
            .filter(|partition| !life.ready.contains(partition))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        for partition in &new {
            let store = &self.host.store;
            let next = store.position(&self.name, self.topic, *partition);
            let next = next.await.map_err(renew)?.unwrap_or(0);
            let end = self.admin.log_end(self.topic, *partition);
            let end = end.await.map_err(renew)?;
            if next > end {
                return Err(renew(cut(&self.name, self.topic, *partition, next, end)));
            }
        }
        rebuild::follow(&self.host, &self.stream, &self.admin, &self.name)
            .await
            .map_err(renew)?;
        life.ready.extend(new);
        Ok(())
    }
}
