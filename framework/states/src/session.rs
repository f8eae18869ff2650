//! A table while it follows its topic.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::TopicDescription;
use mesh_stream::batch::{Followed, TopicFollower};
use tokio::task::JoinHandle;

use crate::apply::{Applied, Applier};
use crate::fault::corrupt;
use crate::follow::{AWAY, Found, Next, Worker, begin, describe, make_room, now};
use crate::layout::Part;
use crate::status::Phase;
use crate::table::Table;

/// Records of one batch at most.
const RECORDS: usize = 8192;
/// How long the thread waits for a record at a time, if nobody waits with it.
const WAIT: Duration = Duration::from_millis(100);
/// The same if somebody does: marks of transactions come without a sound.
const HURRY: Duration = Duration::from_millis(2);
/// How long a look at the topic may hold up what comes.
const LOOK: Duration = Duration::from_secs(2);
/// How long a note of when the table was up to date may be behind.
const NOTE_MS: i64 = 60_000;

/// What follows the topic, and what it writes to.
pub(crate) struct Session {
    found: Found,
    applier: Applier,
    follower: TopicFollower,
    /// Whether the table began empty.
    building: bool,
    /// Whether it may be read.
    ready: bool,
    /// Of each partition, whether its end was reached and nothing came since.
    at_end: Vec<bool>,
    looked: Instant,
    answered: Instant,
    /// A question what the topic is that has no answer yet.
    asked: Option<JoinHandle<Result<TopicDescription>>>,
    noted_at: i64,
}

impl Session {
    pub(crate) fn new(
        found: Found,
        applier: Applier,
        follower: TopicFollower,
        building: bool,
    ) -> Self {
        Self {
            at_end: vec![false; found.bounds.len()],
            noted_at: applier.head.fresh_at,
            applier,
            follower,
            building,
            ready: false,
            looked: Instant::now(),
            answered: Instant::now(),
            asked: None,
            found,
        }
    }

    pub(crate) fn run(&mut self, worker: &Worker<'_>) -> Result<Next> {
        let table = worker.table;
        loop {
            if worker.stopped() {
                self.note()?;
                table.hide(Phase::Idle);
                return Ok(Next::Stop);
            }
            if !table.home.uses(&self.applier.store) {
                return Err(Error::unavailable("the store is being opened again"));
            }
            if table.is_damaged(&self.applier.keyspace) {
                return Err(corrupt("a state table is damaged"));
            }
            if table.take_look() || self.looked.elapsed() >= table.home.config.check {
                match self.look(worker)? {
                    Some(Next::Stop) => continue,
                    Some(next) => return Ok(next),
                    None => {}
                }
            }
            let wait = match table.is_waited_for() {
                true => HURRY,
                false => WAIT,
            };
            let followed = self.follower.poll(RECORDS, wait);
            if let Some(next) = self.apply(table, followed)? {
                return Ok(next);
            }
            if !self.ready && self.reached() {
                if !self.building && self.found.missed(&self.applier.head, now()) {
                    return Ok(Next::Anew("tombstones may be gone that were not read"));
                }
                let at = self.found.at;
                self.applier.note(|head| head.fresh_at = at)?;
                self.noted_at = at;
                self.ready = true;
                self.applier.built();
                table.show(&self.applier.store, &self.applier.keyspace);
            }
        }
    }

    fn apply(&mut self, table: &Table, followed: Followed) -> Result<Option<Next>> {
        let Followed {
            messages,
            ends,
            failures,
        } = followed;
        for message in messages.iter() {
            if let Some(at_end) = at(&mut self.at_end, message.partition) {
                *at_end = false;
            }
        }
        for (partition, _) in &ends {
            if let Some(at_end) = at(&mut self.at_end, *partition) {
                *at_end = true;
            }
        }
        let mut reached = self.follower.positions();
        reached.extend(ends);
        let before = self.applier.head.clone();
        if self.applier.apply(&messages, &reached)? == Applied::Another {
            return Ok(Some(Next::Anew("offsets of the topic came again")));
        }
        table.count(messages.len());
        drop(messages);
        if self.applier.head != before {
            let head = Arc::new(self.applier.head.clone());
            let highs = self.highs();
            table.report(|progress| {
                progress.head = head;
                progress.highs = highs;
                progress.error = None;
            });
        }
        match failures.into_iter().next() {
            None => Ok(None),
            Some((partition, error)) if error.kind() == ErrorKind::FailedPrecondition => {
                tracing::warn!(
                    topic = table.topic,
                    partition,
                    "the next offset of a topic is not there"
                );
                Ok(Some(Next::Again))
            }
            Some((_, error)) => Err(error),
        }
    }

    fn highs(&self) -> Vec<Option<i64>> {
        (0..)
            .take(self.applier.head.partitions.len())
            .map(|partition| self.follower.bounds(partition).map(|(_, high)| high))
            .collect()
    }

    /// Whether everything is applied that was there when the session began.
    fn reached(&self) -> bool {
        self.applier
            .head
            .partitions
            .iter()
            .zip(&self.found.bounds)
            .all(|(part, (_, high))| part.applied >= *high)
    }

    /// Looks whether the topic is still what it was.
    fn look(&mut self, worker: &Worker<'_>) -> Result<Option<Next>> {
        let table = worker.table;
        self.looked = Instant::now();
        if self.idle(table)? {
            return Ok(Some(Next::Again));
        }
        make_room(table, &self.applier.store)?;
        let at = now();
        let mut asked = self.asked.take().unwrap_or_else(|| {
            let (admin, topic) = (table.home.admin.clone(), table.topic.clone());
            worker
                .runtime
                .spawn(async move { describe(&admin, &topic).await })
        });
        let answer = worker.wait(async { tokio::time::timeout(LOOK, &mut asked).await });
        let description = match answer {
            None => return Ok(Some(Next::Stop)),
            // One question at a time.
            Some(Err(_)) => {
                self.asked = Some(asked);
                return Ok(None);
            }
            Some(Ok(Err(error))) => {
                return Err(Error::internal("asking what a topic is").because(error));
            }
            Some(Ok(Ok(Err(error)))) if !error.is_retryable() => return Err(error),
            // The broker is away. What was applied may be read on.
            Some(Ok(Ok(Err(error)))) => {
                table.report(|progress| progress.error = Some(Arc::new(error)));
                return Ok(None);
            }
            Some(Ok(Ok(Ok(description)))) => description,
        };
        if self.answered.elapsed() >= AWAY
            || description.id != self.found.description.id
            || description.partitions < self.found.description.partitions
        {
            return Ok(Some(Next::Again));
        }
        self.answered = Instant::now();
        if description.partitions > self.found.description.partitions {
            for partition in self.found.description.partitions..description.partitions {
                let admin = &table.home.admin;
                match worker.wait(admin.watermarks(&table.topic, partition)) {
                    None => return Ok(Some(Next::Stop)),
                    Some(bounds) => self.found.bounds.push(bounds?),
                }
            }
            self.found.description = description;
            self.add_partitions()?;
        }
        self.trim(table)?;
        if self.ready && self.at_end.iter().all(|at_end| *at_end) {
            self.applier.head.fresh_at = at;
            if at - self.noted_at >= NOTE_MS {
                self.note()?;
            }
        }
        let (head, highs) = (Arc::new(self.applier.head.clone()), self.highs());
        table.report(|progress| {
            progress.head = head;
            progress.highs = highs;
            progress.error = None;
        });
        Ok(None)
    }

    /// Begins to read the partitions that the topic has and the table not yet.
    pub(crate) fn add_partitions(&mut self) -> Result<()> {
        let known = self.applier.head.partitions.len();
        let new: Vec<Part> = self
            .found
            .bounds
            .iter()
            .skip(known)
            .map(|bounds| begin(bounds.0))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        self.applier.note(|head| head.partitions.extend(&new))?;
        for (partition, offset) in self.applier.head.ends().into_iter().skip(known) {
            self.follower.add(partition, offset)?;
        }
        self.at_end.resize(self.found.bounds.len(), false);
        Ok(())
    }

    /// Takes out rows whose records were taken from the topic.
    fn trim(&mut self, table: &Table) -> Result<()> {
        for partition in (0..).take(self.applier.head.partitions.len()) {
            let Some((low, _)) = self.follower.bounds(partition) else {
                continue;
            };
            let part = self.applier.head.part(partition).map(|part| *part);
            if part.is_some_and(|part| low > part.start && low <= part.applied) {
                let rows = self.applier.trim(partition, low)?;
                tracing::info!(
                    topic = table.topic,
                    partition,
                    low,
                    rows,
                    "a state topic was trimmed, and its table with it"
                );
            }
        }
        Ok(())
    }

    /// Whether nobody asks for the table; what there is to write is written then.
    fn idle(&mut self, table: &Table) -> Result<bool> {
        if !table.is_idle() {
            return Ok(false);
        }
        self.note()?;
        Ok(true)
    }

    fn note(&mut self) -> Result<()> {
        let fresh_at = self.applier.head.fresh_at;
        self.noted_at = fresh_at;
        self.applier.note(|_| {})
    }
}

fn at(flags: &mut [bool], partition: i32) -> Option<&mut bool> {
    flags.get_mut(usize::try_from(partition).ok()?)
}
