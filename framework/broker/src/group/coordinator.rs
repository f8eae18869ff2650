//! The groups of the broker and their clocks: one task for each group that has members.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::requests::{JoinReply, JoinRequest, SyncReply, SyncRequest};
use super::state::Group;
use crate::sync::lock;

#[derive(Debug)]
struct Entry {
    group: Mutex<(Group, bool)>,
    changed: Notify,
}

/// All groups with members, or that had some since the start.
#[derive(Debug)]
pub(crate) struct Coordinator {
    initial_delay: Duration,
    groups: Mutex<HashMap<StrBytes, Arc<Entry>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Coordinator {
    pub(crate) fn new(
        initial_delay: Duration,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            initial_delay,
            groups: Mutex::default(),
            tasks,
            stop,
        }
    }

    fn entry(&self, group: &StrBytes) -> Arc<Entry> {
        let mut groups = lock(&self.groups);
        let entry = groups.entry(group.clone()).or_insert_with(|| {
            Arc::new(Entry {
                group: Mutex::new((Group::new(self.initial_delay), false)),
                changed: Notify::new(),
            })
        });
        Arc::clone(entry)
    }

    fn known(&self, group: &StrBytes) -> Option<Arc<Entry>> {
        lock(&self.groups).get(group).map(Arc::clone)
    }

    /// Changes a group and sees to it that its clock runs.
    fn change<T>(&self, entry: &Arc<Entry>, change: impl FnOnce(&mut Group) -> T) -> T {
        let mut held = lock(&entry.group);
        let (group, clock_runs) = &mut *held;
        let outcome = change(group);
        if group.has_members() && !*clock_runs {
            *clock_runs = true;
            let (entry, stop) = (Arc::clone(entry), self.stop.clone());
            self.tasks.spawn(async move {
                tokio::select! {
                    () = run_clock(&entry) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
        drop(held);
        entry.changed.notify_one();
        outcome
    }

    /// Joins a group; returns when the generation is complete.
    pub(crate) async fn join(&self, group: &StrBytes, request: JoinRequest) -> JoinReply {
        // An id that was handed out by a group that is gone must not create it again.
        let entry = match request.member_id.is_empty() {
            true => Some(self.entry(group)),
            false => self.known(group),
        };
        let member_id = request.member_id.clone();
        let Some(entry) = entry else {
            return JoinReply::error(member_id, ResponseError::UnknownMemberId);
        };
        let (reply, answer) = oneshot::channel();
        self.change(&entry, |group| group.join(Instant::now(), request, reply));
        // The sender goes unused only when the same member asks again on another connection.
        answer
            .await
            .unwrap_or_else(|_| JoinReply::error(member_id, ResponseError::RebalanceInProgress))
    }

    /// Asks for a member's assignment; returns when the leader has given it.
    pub(crate) async fn sync(
        &self,
        group: &StrBytes,
        request: SyncRequest,
    ) -> Result<SyncReply, ResponseError> {
        let entry = self.known(group).ok_or(ResponseError::UnknownMemberId)?;
        let (reply, answer) = oneshot::channel();
        self.change(&entry, |group| group.sync(Instant::now(), request, reply));
        answer
            .await
            .unwrap_or(Err(ResponseError::RebalanceInProgress))
    }

    pub(crate) fn heartbeat(
        &self,
        group: &StrBytes,
        member_id: &StrBytes,
        generation: i32,
    ) -> Result<(), ResponseError> {
        let entry = self.known(group).ok_or(ResponseError::UnknownMemberId)?;
        // A heartbeat only moves a deadline away; the clock finds that out by itself.
        let mut held = lock(&entry.group);
        held.0.heartbeat(Instant::now(), member_id, generation)
    }

    pub(crate) fn leave(
        &self,
        group: &StrBytes,
        member_id: &StrBytes,
    ) -> Result<(), ResponseError> {
        let entry = self.known(group).ok_or(ResponseError::UnknownMemberId)?;
        self.change(&entry, |group| group.leave(Instant::now(), member_id))
    }

    pub(crate) fn check_commit(
        &self,
        group: &StrBytes,
        member_id: &StrBytes,
        generation: i32,
    ) -> Result<(), ResponseError> {
        match self.known(group) {
            Some(entry) => lock(&entry.group)
                .0
                .check_commit(Instant::now(), member_id, generation),
            None if generation < 0 => Ok(()),
            // After a restart of the broker a member of before is told to join again.
            None if !member_id.is_empty() => Err(ResponseError::UnknownMemberId),
            None => Err(ResponseError::IllegalGeneration),
        }
    }

    pub(crate) fn check_transactional_commit(
        &self,
        group: &StrBytes,
        member_id: &StrBytes,
        generation: i32,
    ) -> Result<(), ResponseError> {
        match self.known(group) {
            Some(entry) => lock(&entry.group)
                .0
                .check_transactional_commit(member_id, generation),
            None if generation < 0 => Ok(()),
            // After a restart of the broker a member of before is told to join again.
            None if !member_id.is_empty() => Err(ResponseError::UnknownMemberId),
            None => Err(ResponseError::IllegalGeneration),
        }
    }

    /// Groups that have members now.
    pub(crate) fn active(&self) -> usize {
        let groups: Vec<Arc<Entry>> = lock(&self.groups).values().map(Arc::clone).collect();
        groups
            .iter()
            .filter(|entry| lock(&entry.group).0.has_members())
            .count()
    }
}

async fn run_clock(entry: &Entry) {
    loop {
        let due = {
            let mut held = lock(&entry.group);
            let due = held.0.tick(Instant::now());
            if !held.0.has_members() {
                held.1 = false;
                return;
            }
            due
        };
        match due {
            Some(due) => {
                tokio::select! {
                    () = tokio::time::sleep_until(due.into()) => {}
                    () = entry.changed.notified() => {}
                }
            }
            None => entry.changed.notified().await,
        }
    }
}
