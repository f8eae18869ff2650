//! The groups of the broker and their clocks: one task for each group that has members.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::offsets::Offsets;
use super::requests::{Claim, JoinReply, JoinRequest, LeaveRequest, SyncReply, SyncRequest};
use super::state::Group;
use super::view::GroupView;
use crate::sync::lock;

#[derive(Debug)]
pub(super) struct Entry {
    id: StrBytes,
    /// The group, and whether its clock runs.
    pub(super) group: Mutex<(Group, bool)>,
    changed: Notify,
    offsets: Arc<Offsets>,
}

impl Entry {
    fn new(id: StrBytes, group: Group, offsets: Arc<Offsets>) -> Arc<Self> {
        Arc::new(Self {
            id,
            group: Mutex::new((group, false)),
            changed: Notify::new(),
            offsets,
        })
    }

    /// Stores a group that has changed, before anybody hears of the change.
    fn settle(&self, group: &mut Group) {
        if !group.take_unsaved() {
            return;
        }
        match self.offsets.store_group(&self.id, group.stored()) {
            Ok(()) => group.saved(Instant::now()),
            Err(_) => group.not_saved(Instant::now()),
        }
    }
}

/// All groups with members, or that had some.
#[derive(Debug)]
pub(crate) struct Coordinator {
    initial_delay: Duration,
    groups: Mutex<HashMap<StrBytes, Arc<Entry>>>,
    pub(super) offsets: Arc<Offsets>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Coordinator {
    /// The groups as they were stored; [`Coordinator::start_clocks`] sets them going.
    pub(crate) fn new(
        initial_delay: Duration,
        offsets: Arc<Offsets>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let now = Instant::now();
        let groups = offsets
            .stored_groups()
            .into_iter()
            .map(|(id, stored)| {
                let id = StrBytes::from_string(id);
                let group = Group::restore(initial_delay, now, stored);
                (id.clone(), Entry::new(id, group, Arc::clone(&offsets)))
            })
            .collect();
        Self {
            initial_delay,
            groups: Mutex::new(groups),
            offsets,
            tasks,
            stop,
        }
    }

    /// Watches the sessions of members from before the start.
    pub(crate) fn start_clocks(&self) {
        for entry in self.entries() {
            self.change(&entry, |_| {});
        }
    }

    fn entry(&self, group: &StrBytes) -> Arc<Entry> {
        let mut groups = lock(&self.groups);
        let entry = groups.entry(group.clone()).or_insert_with(|| {
            let state = Group::new(self.initial_delay);
            Entry::new(group.clone(), state, Arc::clone(&self.offsets))
        });
        Arc::clone(entry)
    }

    pub(super) fn known(&self, group: &StrBytes) -> Option<Arc<Entry>> {
        lock(&self.groups).get(group).map(Arc::clone)
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        lock(&self.groups).values().map(Arc::clone).collect()
    }

    /// Changes a group and sees to it that its clock runs.
    fn change<T>(&self, entry: &Arc<Entry>, change: impl FnOnce(&mut Group) -> T) -> T {
        let mut held = lock(&entry.group);
        let (group, clock_runs) = &mut *held;
        let outcome = change(group);
        entry.settle(group);
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
        let joined = answer
            .await
            .unwrap_or_else(|_| JoinReply::error(member_id, ResponseError::RebalanceInProgress));
        match self.offsets.durable().await {
            Ok(()) => joined,
            Err(error) => JoinReply::error(joined.member_id, error),
        }
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
        let synced = answer
            .await
            .unwrap_or(Err(ResponseError::RebalanceInProgress))?;
        self.offsets.durable().await?;
        Ok(synced)
    }

    pub(crate) fn heartbeat(
        &self,
        group: &StrBytes,
        claim: Claim<'_>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        let entry = self.known(group).ok_or(ResponseError::UnknownMemberId)?;
        // A heartbeat only moves a deadline away; the clock finds that out by itself.
        let mut held = lock(&entry.group);
        held.0.heartbeat(Instant::now(), claim, generation)
    }

    pub(crate) fn leave(
        &self,
        group: &StrBytes,
        request: &LeaveRequest,
    ) -> Result<(), ResponseError> {
        let entry = self.known(group).ok_or(ResponseError::UnknownMemberId)?;
        self.change(&entry, |group| group.leave(Instant::now(), request))
    }

    /// Groups that have members now.
    pub(crate) fn active(&self) -> usize {
        self.entries()
            .iter()
            .filter(|entry| lock(&entry.group).0.has_members())
            .count()
    }

    /// A group as it is now; `None` when there is no such group.
    pub(crate) fn view(&self, group: &StrBytes) -> Option<GroupView> {
        let seen = self.known(group).and_then(|entry| {
            let held = lock(&entry.group);
            held.0.exists().then(|| held.0.view(group))
        });
        seen.or_else(|| {
            self.offsets
                .has_offsets(group)
                .then(|| GroupView::of_offsets_only(group.clone()))
        })
    }

    /// All groups as they are now, by name.
    pub(crate) fn views(&self) -> Vec<GroupView> {
        self.ids().iter().filter_map(|id| self.view(id)).collect()
    }

    fn ids(&self) -> BTreeSet<StrBytes> {
        let entered = self.entries().into_iter().map(|entry| entry.id.clone());
        let with_offsets = self.offsets.groups_with_offsets().into_iter();
        entered
            .chain(with_offsets.map(StrBytes::from_string))
            .collect()
    }

    /// A group that is there; one that has only offsets gets its entry now.
    fn existing(&self, group: &StrBytes) -> Result<Arc<Entry>, ResponseError> {
        match self.view(group) {
            Some(_) => Ok(self.entry(group)),
            None => Err(ResponseError::GroupIdNotFound),
        }
    }

    /// Deletes a group that has no members, and its offsets with it.
    pub(crate) async fn delete(&self, group: &StrBytes) -> Result<(), ResponseError> {
        let entry = self.existing(group)?;
        self.change(&entry, |state| {
            if !state.exists() && !self.offsets.has_offsets(group) {
                return Err(ResponseError::GroupIdNotFound);
            }
            if !state.is_empty() {
                return Err(ResponseError::NonEmptyGroup);
            }
            self.offsets.remove_group(group)?;
            state.kill();
            Ok(())
        })?;
        self.forget(&entry);
        self.offsets.durable().await
    }

    /// Takes a dead group out, unless another has come in its place.
    fn forget(&self, entry: &Arc<Entry>) {
        let mut groups = lock(&self.groups);
        if groups
            .get(&entry.id)
            .is_some_and(|found| Arc::ptr_eq(found, entry))
        {
            groups.remove(&entry.id);
        }
    }

    /// Deletes offsets of a group, except of topics that its consumers are subscribed to;
    /// an outcome for each topic.
    pub(crate) async fn delete_offsets(
        &self,
        group: &StrBytes,
        topics: &[(String, Vec<i32>)],
    ) -> Result<Vec<Result<(), ResponseError>>, ResponseError> {
        let entry = self.existing(group)?;
        let outcomes = self.change(&entry, |state| {
            if !state.exists() && !self.offsets.has_offsets(group) {
                return Err(ResponseError::GroupIdNotFound);
            }
            // What other protocols make of their metadata the broker cannot know.
            if state.exists() && !state.is_empty() && !state.is_of_consumers() {
                return Err(ResponseError::NonEmptyGroup);
            }
            let delete = |(topic, partitions): &(String, Vec<i32>)| {
                if state.is_subscribed(topic) {
                    return Err(ResponseError::GroupSubscribedToTopic);
                }
                self.offsets.remove(group, topic, partitions)
            };
            Ok(topics.iter().map(delete).collect())
        })?;
        self.offsets.durable().await?;
        Ok(outcomes)
    }

    /// Forgets offsets that have not been used for `retention`, and groups of which nothing
    /// is left then, not even an offset of an open transaction. Returns how many offsets went.
    pub(crate) fn expire(&self, now_ms: i64, retention: Duration) -> usize {
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let mut expired = 0;
        for id in self.ids() {
            let entry = self.entry(&id);
            let gone = self.change(&entry, |state| {
                let due = |offsets: &_| state.expired_offsets(offsets, now_ms, retention);
                match self.offsets.expire(&id, due) {
                    Ok(some) => expired += some,
                    Err(_) => return false,
                }
                let unused = state.is_empty() && !state.has_members();
                let gone = unused && self.offsets.remove_unused_group(&id).unwrap_or(false);
                if gone {
                    state.kill();
                }
                gone
            });
            if gone {
                self.forget(&entry);
            }
        }
        expired
    }
}

async fn run_clock(entry: &Entry) {
    loop {
        let due = {
            let mut held = lock(&entry.group);
            let due = held.0.tick(Instant::now());
            entry.settle(&mut held.0);
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
