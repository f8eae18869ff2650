//! The second half of a transaction's end: markers into its partitions, its offsets
//! settled, and the note that all is done.

use std::collections::BTreeSet;

use futures::future::join_all;
use kafka_protocol::ResponseError;

use super::coordinator::{Entry, Transactions};
use super::transaction::{State, Transaction};
use crate::log::{Appended, LEADER_EPOCH, Marker, Partition};
use crate::sync::steady_ms;

/// What is left to do for a transaction that has been decided.
#[derive(Debug)]
pub(super) struct Ending {
    marker: Marker,
    partitions: BTreeSet<(String, i32)>,
    offsets: bool,
}

impl Ending {
    fn of(transaction: &Transaction, commit: bool) -> Self {
        Self {
            marker: Marker {
                producer_id: transaction.producer_id,
                producer_epoch: transaction.epoch,
                coordinator_epoch: LEADER_EPOCH,
                commit,
            },
            partitions: transaction.partitions.clone(),
            offsets: !transaction.groups.is_empty(),
        }
    }
}

/// Writes a marker. Where an administrator has ended a transaction of the producer under a
/// later epoch of the coordinator, under that epoch: there is one coordinator, and what it
/// has decided holds.
fn append(log: &Partition, marker: &Marker) -> Result<Appended, ResponseError> {
    match log.append_marker(marker) {
        Err(ResponseError::TransactionCoordinatorFenced) => {
            let producers = log.active_producers();
            let mut known = producers.iter();
            let known = known.find(|known| known.producer_id == marker.producer_id);
            let later = known.map_or(LEADER_EPOCH, |known| known.coordinator_epoch);
            log.append_marker(&Marker {
                coordinator_epoch: later,
                ..*marker
            })
        }
        outcome => outcome,
    }
}

impl Transactions {
    /// Journals a decision and carries it out. Once the decision is stored it holds: a
    /// disk that refuses a marker is asked again later, and the producer need not know.
    pub(super) async fn decide(
        &self,
        entry: &Entry,
        turn: &mut Option<Ending>,
        decided: Transaction,
    ) -> Result<(), ResponseError> {
        let Some(commit) = decided.decision() else {
            return Err(ResponseError::InvalidTxnState);
        };
        let ending = Ending::of(&decided, commit);
        self.store(entry, decided).await?;
        *turn = Some(ending);
        if let Err(error) = self.carry_out(entry, turn).await {
            let id = entry.current().id;
            tracing::error!(%error, id, "a transaction cannot be completed, trying again");
        }
        Ok(())
    }

    /// Does what is left of a decided transaction.
    pub(super) async fn carry_out(
        &self,
        entry: &Entry,
        turn: &mut Option<Ending>,
    ) -> Result<(), ResponseError> {
        let current = entry.current();
        let Some(commit) = current.decision() else {
            return Ok(());
        };
        let ending = turn.get_or_insert_with(|| Ending::of(&current, commit));
        let mut failed = None;
        let mut written = Vec::new();
        for (topic, index) in &ending.partitions {
            // Its topic may have been deleted meanwhile, and the transaction with it.
            let partition = self.topics.partition(topic, *index);
            match partition.map(|log| (append(&log, &ending.marker), log)) {
                None | Some((Err(ResponseError::UnknownTopicOrPartition), _)) => {
                    written.push((topic.clone(), *index, None));
                }
                Some((Ok(appended), log)) => {
                    let until = Some((log, appended.acknowledged_at));
                    written.push((topic.clone(), *index, until));
                }
                // A later epoch has been there: what this marker would end is over.
                Some((Err(error @ ResponseError::InvalidProducerEpoch), _)) => {
                    tracing::warn!(%error, topic, index, "a marker came too late");
                    written.push((topic.clone(), *index, None));
                }
                Some((Err(error), _)) => failed = Some(error),
            }
        }
        if ending.offsets {
            let settled = self
                .offsets
                .end_transaction(ending.marker.producer_id, commit);
            match settled.await {
                Ok(()) => ending.offsets = false,
                Err(error) => failed = Some(error),
            }
        }
        let flushes = written.into_iter().map(|(topic, index, until)| async move {
            let durable = match until {
                Some((log, until)) => log.wait_acknowledged(until).await,
                None => Ok(()),
            };
            ((topic, index), durable)
        });
        for (partition, durable) in join_all(flushes).await {
            match durable {
                Ok(()) | Err(ResponseError::UnknownTopicOrPartition) => {
                    ending.partitions.remove(&partition);
                }
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        self.store(entry, current.completed(commit, steady_ms()))
            .await?;
        *turn = None;
        Ok(())
    }

    /// At a start: completes what had been decided, and ends what nobody knows of.
    pub(crate) async fn recover(&self) {
        for entry in self.entries() {
            let mut turn = entry.turn.lock().await;
            if let Err(error) = self.carry_out(&entry, &mut turn).await {
                let id = entry.current().id;
                tracing::error!(%error, id, "a transaction cannot be completed, trying again");
            }
        }
        let ongoing: Vec<Transaction> = self
            .all()
            .into_iter()
            .filter(|known| known.state == State::Ongoing || known.decision().is_some())
            .collect();
        self.end_unknown(&ongoing);
        self.end_unknown_offsets(&ongoing).await;
    }

    /// Aborts transactions that are open in a partition and not here. A kill leaves none,
    /// because they are journaled here before their first record is; a power failure or a
    /// lost journal may. Without this they would hide all that comes after them.
    fn end_unknown(&self, ongoing: &[Transaction]) {
        for topic in self.topics.all() {
            for (index, log) in (0..).zip(&topic.partitions) {
                for (producer_id, producer_epoch, first_offset) in log.open_transactions() {
                    let key = (topic.name.to_string(), index);
                    let known = ongoing.iter().any(|known| {
                        known.producer_id == producer_id && known.partitions.contains(&key)
                    });
                    if known {
                        continue;
                    }
                    tracing::warn!(
                        topic = key.0,
                        partition = index,
                        producer_id,
                        first_offset,
                        "aborting a transaction that its coordinator does not know"
                    );
                    let marker = Marker {
                        producer_id,
                        producer_epoch,
                        coordinator_epoch: LEADER_EPOCH,
                        commit: false,
                    };
                    if let Err(error) = append(log, &marker) {
                        tracing::error!(%error, topic = key.0, partition = index, "cannot abort it");
                    }
                }
            }
        }
    }

    /// Forgets offsets that wait for the end of a transaction which is not open here, also
    /// of one that was committed: what a power failure takes is mostly the markers in the
    /// partitions too, and offsets that count without their records would pass over some.
    /// Without this the group would be told UNSTABLE_OFFSET_COMMIT for good.
    async fn end_unknown_offsets(&self, ongoing: &[Transaction]) {
        for (producer_id, groups) in self.offsets.pending() {
            let known = ongoing.iter().any(|known| {
                known.producer_id == producer_id && !known.groups.is_disjoint(&groups)
            });
            if known {
                continue;
            }
            tracing::warn!(
                producer_id,
                ?groups,
                "aborting offsets of a transaction that its coordinator does not know"
            );
            if let Err(error) = self.offsets.end_transaction(producer_id, false).await {
                tracing::error!(%error, producer_id, "cannot abort them");
            }
        }
    }
}
