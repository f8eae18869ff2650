//! The records of one transaction, and the partitions that they come from.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_stream::{Failed, RawRecord};

use super::{Life, renew};
use crate::consume::{cut, rewound};
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
        let mut batch = std::mem::take(&mut life.left);
        let mut tick = tokio::time::interval(TICK);
        tick.tick().await;
        let mut until = (!batch.is_empty()).then(|| tokio::time::Instant::now() + LINGER);
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
                () = full => {
                    self.follow_changes(life, &mut batch)?;
                    if !batch.is_empty() {
                        break;
                    }
                    until = None;
                    continue;
                }
                _ = tick.tick(), if batch.is_empty() => {
                    self.follow_changes(life, &mut batch)?;
                    self.pass_marks(life);
                    self.ask(&mut life.asked, part, &life.consumer, &life.assigned)
                        .await;
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
                    self.forget_partition(partition);
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

    /// Makes sure, for partitions that are new here, that their topic is still what was
    /// handled and that the state has all that their last owner has written. Its last
    /// transaction has ended, since the group's offset was read.
    pub(super) async fn prepare(&self, life: &mut Life, batch: &[RawRecord]) -> Result<(), Failed> {
        let mut new: BTreeMap<i32, i64> = BTreeMap::new();
        for record in batch {
            if !life.ready.contains(&record.partition) {
                new.entry(record.partition).or_insert(record.offset);
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        for (partition, first) in &new {
            let store = &self.host.store;
            let next = store.position(&self.name, self.topic, *partition);
            let next = next.await.map_err(renew)?.unwrap_or(0);
            let end = self.admin.log_end(self.topic, *partition);
            let end = end.await.map_err(renew)?;
            if next > end {
                return Err(renew(cut(&self.name, self.topic, *partition, next, end)));
            }
            // The store notes what the group has committed already.
            if *first < next {
                let group = self.group();
                let error = rewound(&group, self.topic, *partition, next, *first);
                return Err(renew(error));
            }
        }
        rebuild::follow(&self.host, &self.stream, &self.admin, &self.name)
            .await
            .map_err(renew)?;
        life.ready.extend(new.into_keys());
        Ok(())
    }
}
