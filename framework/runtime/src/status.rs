//! What `/readyz` and `/status` show.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mesh_core::Error;
use serde::Serialize;

use crate::replay::ReplayStatus;
use crate::store::{HandlerTotals, SourcePosition};

/// The state of the parts of a process, as they report it.
#[derive(Debug, Default)]
pub(crate) struct Status {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Why the process is not ready, by part.
    waiting: BTreeMap<String, String>,
    handlers: BTreeMap<String, HandlerStatus>,
    sources: BTreeMap<String, SourceStatus>,
    published: BTreeMap<String, u64>,
    replays: BTreeMap<String, ReplayStatus>,
    notices: Vec<String>,
}

/// How a handler is doing.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct HandlerStatus {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) topic: String,
    pub(crate) handled: u64,
    pub(crate) duplicates: u64,
    pub(crate) set_aside: u64,
    pub(crate) retries: u64,
    /// Records not seen yet; `None` until Kafka was asked.
    pub(crate) lag: Option<u64>,
    /// What keeps a partition waiting now.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) waiting: BTreeMap<i32, String>,
    #[serde(skip)]
    pub(crate) next_offsets: BTreeMap<i32, i64>,
}

/// How a source is doing.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct SourceStatus {
    pub(crate) name: String,
    pub(crate) position: u64,
    pub(crate) total: Option<u64>,
    pub(crate) done: bool,
    /// Whether it had nothing to read when it was asked last.
    pub(crate) waiting: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// The document at `/status`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) domain: String,
    pub(crate) ready: bool,
    pub(crate) waiting: BTreeMap<String, String>,
    pub(crate) products: Vec<ProductStatus>,
    pub(crate) handlers: Vec<HandlerStatus>,
    pub(crate) sources: Vec<SourceStatus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) replays: Vec<ReplayStatus>,
    /// What somebody should know and nothing waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notices: Vec<String>,
    pub(crate) outbox_pending: u64,
}

/// What was published of a product.
#[derive(Debug, Serialize)]
pub(crate) struct ProductStatus {
    pub(crate) topic: String,
    pub(crate) published: u64,
}

/// The sentence about `error` that anybody may read, and its mend.
pub(crate) fn sentence(error: &Error) -> String {
    error.to_string()
}

impl Status {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is one assignment, so a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `part` keeps the process from being ready.
    pub(crate) fn wait(&self, part: &str, reason: impl Into<String>) {
        self.lock().waiting.insert(part.to_owned(), reason.into());
    }

    /// `part` does not keep the process from being ready any more.
    pub(crate) fn clear(&self, part: &str) {
        self.lock().waiting.remove(part);
    }

    /// Whether `part` keeps the process from being ready.
    pub(crate) fn waits(&self, part: &str) -> bool {
        self.lock().waiting.contains_key(part)
    }

    /// Why the process is not ready; empty if it is.
    pub(crate) fn waiting(&self) -> BTreeMap<String, String> {
        self.lock().waiting.clone()
    }

    pub(crate) fn add_handler(&self, status: HandlerStatus) {
        self.lock().handlers.insert(status.name.clone(), status);
    }

    /// Shows a handler no more.
    pub(crate) fn remove_handler(&self, name: &str) {
        self.lock().handlers.remove(name);
    }

    /// Shows what somebody should know, over what was shown before.
    pub(crate) fn notices(&self, notices: Vec<String>) {
        self.lock().notices = notices;
    }

    /// Shows how a replay is doing.
    pub(crate) fn replay(&self, status: ReplayStatus) {
        self.lock().replays.insert(status.name.clone(), status);
    }

    /// Changes what is shown of a handler.
    pub(crate) fn handler(&self, name: &str, change: impl FnOnce(&mut HandlerStatus)) {
        if let Some(handler) = self.lock().handlers.get_mut(name) {
            change(handler);
        }
    }

    pub(crate) fn handlers(&self) -> Vec<HandlerStatus> {
        self.lock().handlers.values().cloned().collect()
    }

    /// Shows where a source stands.
    pub(crate) fn source(&self, position: &SourcePosition) {
        let mut inner = self.lock();
        let source = inner.sources.entry(position.name.clone()).or_default();
        source.name.clone_from(&position.name);
        source.position = position.position;
        source.total = position.total.or(source.total);
        source.done = position.done;
        source.waiting = false;
        if position.note.is_some() {
            source.note.clone_from(&position.note);
        }
        source.error = None;
    }

    /// Shows what keeps a source from reading.
    pub(crate) fn source_error(&self, name: &str, error: Option<String>) {
        if let Some(source) = self.lock().sources.get_mut(name) {
            source.error = error;
        }
    }

    /// A source had nothing to read.
    pub(crate) fn source_waits(&self, name: &str) {
        if let Some(source) = self.lock().sources.get_mut(name) {
            source.waiting = true;
            source.error = None;
        }
    }

    pub(crate) fn source_done(&self, name: &str, reads: bool) -> bool {
        self.lock()
            .sources
            .get(name)
            .is_some_and(|source| source.done || !reads)
    }

    pub(crate) fn published(&self, topic: &str, more: u64) {
        *self.lock().published.entry(topic.to_owned()).or_default() += more;
    }

    pub(crate) fn report(&self, domain: &str, outbox_pending: u64) -> Report {
        let inner = self.lock();
        Report {
            domain: domain.to_owned(),
            ready: inner.waiting.is_empty(),
            waiting: inner.waiting.clone(),
            products: inner
                .published
                .iter()
                .map(|(topic, published)| ProductStatus {
                    topic: topic.clone(),
                    published: *published,
                })
                .collect(),
            handlers: inner.handlers.values().cloned().collect(),
            sources: inner.sources.values().cloned().collect(),
            replays: inner.replays.values().cloned().collect(),
            notices: inner.notices.clone(),
            outbox_pending,
        }
    }
}

impl HandlerStatus {
    pub(crate) fn new(domain: &str, name: &str, topic: &str, totals: HandlerTotals) -> Self {
        Self {
            name: name.to_owned(),
            group: format!("{domain}.{name}"),
            topic: topic.to_owned(),
            handled: totals.handled,
            duplicates: totals.duplicates,
            set_aside: totals.set_aside,
            ..Self::default()
        }
    }
}
