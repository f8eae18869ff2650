//! The worker of one partition: handles its records one after the other.
//!
//! Records that wait are handled in batches that share one local transaction: later ones
//! see what earlier ones have written, and all of them become true at once. An event that
//! fails ends the batch before itself.

mod find;

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use mesh_core::{Error, EventId, Result, TraceContext};
use mesh_stream::{Admin, RawRecord};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::consume::Progress;
use crate::context::Context;
use crate::failpoint::Point;
use crate::handler::{Failure, RunningHandler, run_caught};
use crate::host::Host;
use crate::queue::Queued;
use crate::status::sentence;
use crate::store::{Commit, Outcome, Position, SetAside};
use crate::task::Task;
use crate::unit::{Cause, Unit};

/// How long events are added to a batch; a batch holds up no later event for longer.
const BATCH_TIME: Duration = Duration::from_millis(50);

pub(crate) struct Worker {
    host: Arc<Host>,
    handler: Arc<dyn RunningHandler>,
    name: String,
    topic: &'static str,
    pub(crate) partition: i32,
    admin: Admin,
    queue: mpsc::UnboundedReceiver<RawRecord>,
    queued: Arc<Queued>,
    progress: Progress,
    pub(crate) stop: CancellationToken,
    /// Where the partition is to be read from, if the store knows.
    pub(crate) begin: Option<i64>,
    /// The next offset to handle.
    next: i64,
}

/// What came of a batch.
enum Step {
    /// This many records are done; the next one failed, if a failure is given.
    Advanced(usize, Option<Failure>),
    /// Another commit has changed what was read.
    Conflict,
    /// The store did not take it.
    NotKept(Error),
}

impl Worker {
    pub(crate) fn new(
        task: &Task,
        partition: i32,
        queue: mpsc::UnboundedReceiver<RawRecord>,
        queued: Arc<Queued>,
        progress: Progress,
        stop: CancellationToken,
    ) -> Self {
        Self {
            host: Arc::clone(&task.host),
            handler: Arc::clone(&task.handler),
            name: task.name.clone(),
            topic: task.topic,
            partition,
            admin: task.admin.clone(),
            queue,
            queued,
            progress,
            stop,
            begin: None,
            next: 0,
        }
    }

    /// Works until it is stopped.
    pub(crate) async fn run(mut self) {
        let most = self.host.config.batch_events;
        loop {
            let first = tokio::select! {
                () = self.stop.cancelled() => return,
                first = self.queue.recv() => first,
            };
            let Some(first) = first else { return };
            let mut batch = vec![first];
            while batch.len() < most
                && let Ok(more) = self.queue.try_recv()
            {
                batch.push(more);
            }
            let taken = batch.len();
            let bytes = batch.iter().map(RawRecord::size).sum();
            // What the store has handled already is not handled again.
            batch.retain(|record| record.offset >= self.next);
            let room = tokio::select! {
                () = self.stop.cancelled() => false,
                room = self.host.room_for(&self.name) => room,
            };
            if !room {
                return;
            }
            self.work(&batch).await;
            if self.stop.is_cancelled() {
                // What is left of the batch still waits: nobody may pass it.
                return;
            }
            self.queued.remove(taken, bytes);
        }
    }

    /// Handles all of `batch`, however often it takes, or until it is stopped.
    async fn work(&mut self, batch: &[RawRecord]) {
        let mut at = 0;
        let mut most = batch.len();
        let mut attempts = 0;
        let mut backoff = Backoff::network();
        while at < batch.len() && !self.stop.is_cancelled() {
            let end = batch.len().min(at + most);
            match self.step(&batch[at..end]).await {
                Step::Advanced(done, failure) => {
                    if done > 0 {
                        at += done;
                        attempts = 0;
                        backoff.reset();
                        self.show_waiting(None);
                    }
                    let Some(failure) = failure else { continue };
                    attempts += 1;
                    if self
                        .failed(&batch[at], failure, attempts, &mut backoff)
                        .await
                    {
                        at += 1;
                        attempts = 0;
                        backoff.reset();
                        self.show_waiting(None);
                    }
                }
                Step::Conflict => {
                    // One by one there is less to collide with.
                    most = 1;
                    tokio::task::yield_now().await;
                }
                Step::NotKept(error) => {
                    tracing::error!(
                        handler = self.name,
                        error = error.log_line(),
                        "nothing could be committed"
                    );
                    self.show_waiting(Some(&error));
                    backoff.wait(&self.stop).await;
                }
            }
        }
    }

    /// Handles as many of `batch` as share one transaction, and commits them.
    async fn step(&mut self, batch: &[RawRecord]) -> Step {
        let identified: Vec<(Uuid, TraceContext)> = batch.iter().map(identity).collect();
        let ids: Vec<Uuid> = identified.iter().map(|(id, _)| *id).collect();
        let unit = Arc::new(Mutex::new(Unit::new(&self.host.store)));
        let known = match self.host.store.known_events(&self.name, &ids).await {
            Ok(known) => known,
            Err(error) => return Step::NotKept(error),
        };
        let begun = Instant::now();
        let mut done = 0;
        let mut duplicates = 0;
        let mut failure = None;
        for (record, (id, trace)) in batch.iter().zip(&identified) {
            if done > 0 && (begun.elapsed() > BATCH_TIME || self.stop.is_cancelled()) {
                break;
            }
            if known.contains(id) || unit.lock().await.has_event(*id) {
                duplicates += 1;
                done += 1;
                continue;
            }
            match self.handle(record, *id, trace.child(), &unit).await {
                Ok(()) => done += 1,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        if done == 0 {
            return Step::Advanced(0, failure);
        }
        let unit = std::mem::take(&mut *unit.lock().await);
        let handled = unit.event_count() as u64;
        let mut commit = unit.into_commit(Some(&self.name));
        commit.positions = vec![Position {
            handler: self.name.clone(),
            topic: self.topic.to_owned(),
            partition: self.partition,
            next_offset: batch[done - 1].offset + 1,
            handled,
            duplicates,
        }];
        for _ in 0..handled {
            self.host
                .failpoint
                .pass(Point::HandlerBeforeCommit, self.topic);
        }
        match self.host.commit(commit).await {
            Ok(Outcome::Committed) => {
                for _ in 0..handled {
                    self.host.failpoint.pass(Point::InboxCommitted, self.topic);
                }
                self.advance(batch[done - 1].offset + 1, handled, duplicates);
                Step::Advanced(done, failure)
            }
            Ok(Outcome::Conflict | Outcome::Answered(_)) => Step::Conflict,
            Err(error) => Step::NotKept(error),
        }
    }

    /// Runs the handler for one record and takes over its effects.
    async fn handle(
        &self,
        record: &RawRecord,
        id: Uuid,
        trace: TraceContext,
        unit: &Arc<Mutex<Unit>>,
    ) -> Result<(), Failure> {
        let ctx = Context::new(Arc::clone(&self.host), Arc::clone(unit), trace);
        let effects = run_caught(self.handler.as_ref(), record, &ctx).await?;
        let id_text = id.to_string();
        let cause = Cause {
            parts: &[&self.host.domain, &self.name, &id_text],
            trace,
        };
        let mut unit = unit.lock().await;
        let outputs = self.host.outputs().map_err(Failure::Handle)?;
        unit.apply(effects, &cause, outputs)
            .map_err(Failure::Handle)?;
        unit.add_event(id);
        Ok(())
    }

    /// Waits before another attempt at `record`, or sets it aside; whether it is done with.
    async fn failed(
        &mut self,
        record: &RawRecord,
        failure: Failure,
        attempts: u32,
        backoff: &mut Backoff,
    ) -> bool {
        let (error, last) = match failure {
            Failure::Decode(error) => (error, true),
            Failure::Handle(error) => (error, attempts >= self.host.config.handler_attempts),
        };
        let metrics = &self.host.metrics;
        metrics.failed.with_label_values(&[&self.name]).inc();
        if !error.is_retryable() && last {
            return self.set_aside(record, &error, attempts).await;
        }
        if attempts == 1 {
            tracing::warn!(
                handler = self.name,
                topic = self.topic,
                partition = self.partition,
                offset = record.offset,
                error = error.log_line(),
                "an event failed and is tried again"
            );
        }
        metrics.retried.with_label_values(&[&self.name]).inc();
        self.host
            .status
            .handler(&self.name, |handler| handler.retries += 1);
        self.show_waiting(Some(&error));
        backoff.wait(&self.stop).await;
        false
    }

    async fn set_aside(&mut self, record: &RawRecord, error: &Error, attempts: u32) -> bool {
        let (id, trace) = identity(record);
        let next = record.offset + 1;
        let commit = Commit {
            snapshot: self.host.store.version(),
            set_aside: Some(SetAside {
                handler: self.name.clone(),
                topic: self.topic.to_owned(),
                partition: self.partition,
                offset: record.offset,
                event_id: id,
                cause: error.log_line(),
                attempts,
                trace: trace.to_string(),
                key: record.key.as_ref().map(|key| key.to_vec()),
                value: record.value.as_ref().map(|value| value.to_vec()),
            }),
            positions: vec![Position {
                handler: self.name.clone(),
                topic: self.topic.to_owned(),
                partition: self.partition,
                next_offset: next,
                handled: 0,
                duplicates: 0,
            }],
            ..Commit::default()
        };
        if let Err(error) = self.host.commit(commit).await {
            tracing::error!(
                handler = self.name,
                error = error.log_line(),
                "an event could not be set aside"
            );
            return false;
        }
        tracing::error!(
            handler = self.name,
            topic = self.topic,
            partition = self.partition,
            offset = record.offset,
            event_id = %id,
            attempts,
            error = error.log_line(),
            "an event was set aside"
        );
        self.host
            .metrics
            .set_aside
            .with_label_values(&[&self.name])
            .inc();
        self.host
            .status
            .handler(&self.name, |handler| handler.set_aside += 1);
        self.advance(next, 0, 0);
        true
    }

    /// Shows and notes that everything before `next` is done with.
    fn advance(&mut self, next: i64, handled: u64, duplicates: u64) {
        self.next = next;
        self.progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(self.partition, next);
        let metrics = &self.host.metrics;
        metrics
            .handled
            .with_label_values(&[&self.name])
            .inc_by(handled);
        metrics
            .duplicates
            .with_label_values(&[&self.name])
            .inc_by(duplicates);
        let partition = self.partition;
        self.host.status.handler(&self.name, |handler| {
            handler.handled += handled;
            handler.duplicates += duplicates;
            handler.next_offsets.insert(partition, next);
        });
    }

    fn show_waiting(&self, error: Option<&Error>) {
        let partition = self.partition;
        self.host.status.handler(&self.name, |handler| {
            match error {
                Some(error) => handler.waiting.insert(partition, sentence(error)),
                None => handler.waiting.remove(&partition),
            };
        });
    }
}

/// The event's id and trace. A record whose headers cannot be read gets an id from where
/// it stands, and is refused when it is decoded.
pub(crate) fn identity(record: &RawRecord) -> (Uuid, TraceContext) {
    match record.event_headers() {
        Ok(headers) => (headers.event_id.0, headers.trace),
        Err(_) => {
            let (partition, offset) = (record.partition.to_string(), record.offset.to_string());
            let id = EventId::derived(&["kafka", &record.topic, &partition, &offset]);
            (id.0, TraceContext::new())
        }
    }
}
