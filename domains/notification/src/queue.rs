//! The list of e-mails that are to be sent, and the source that works on what is due.
//!
//! A notification waits as a document: under [`QUEUED`] from its event on, under [`RETRY`] after an
//! attempt that may be repeated. The source sends some, and commits how each ended together with
//! its own position. What was sent and could not be committed (a preference was changed in
//! between, the store was away) is remembered and not sent again; only a process that dies
//! between the server's answer and the commit forgets, and its successor sends the same message
//! once more.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mesh_core::{Result, TimestampMillis};
use mesh_runtime::{Context, Effects, Source, SourceBatch};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::api::PREFERENCE;
use crate::mail::{Answer, Mailer};
use crate::notice::{Ending, Notice};
use crate::notify::{finish, log, logged};
use crate::products::{DeliveryChannel, DeliveryStatus, Preference};
use crate::routing::{Route, route};
use crate::settings::Patience;

/// The name of the source.
pub const SOURCE: &str = "emails";
/// The documents that hold notifications of which no attempt was made yet, by id.
pub const QUEUED: &str = "queued";
/// The documents that hold notifications that are tried again, by id.
pub const RETRY: &str = "retry";

/// Messages that are sent before their endings are committed together.
const BATCH: usize = 16;

/// A notification that waits to be sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// The notification.
    pub notice: Notice,
    /// Address and language, where the preference that holds them is gone.
    pub to: Option<(String, String)>,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is to be tried, in milliseconds since 1970.
    pub due_at: i64,
}

impl Pending {
    /// A notification that is due at once.
    pub fn new(notice: Notice, to: Option<(String, String)>) -> Self {
        Self {
            due_at: notice.requested_at,
            notice,
            to,
            attempts: 0,
        }
    }
}

/// What the source remembers between its steps; all of it can be lost.
#[derive(Default)]
struct Memory {
    /// Whether the lists below are what the store holds: this source alone writes under [`RETRY`].
    /// Not so at the start, and after a step whose effects did not become true.
    loaded: bool,
    /// The position at which effects were returned last.
    returned_at: Option<u64>,
    /// What is due.
    ready: VecDeque<(&'static str, String)>,
    /// What is tried again, by the time that it is due.
    later: BTreeSet<(i64, String)>,
    /// The position at which `answers` came.
    answered_at: Option<u64>,
    /// Answers of the mail server that are not committed yet, by notification.
    answers: Answers,
}

type Answers = Arc<std::sync::Mutex<HashMap<String, Answer>>>;

/// Sends what is due; its position counts committed steps.
pub struct Queue {
    mailer: Arc<Mailer>,
    patience: Patience,
    memory: Mutex<Memory>,
}

impl Queue {
    /// A source that sends by `mailer`.
    pub fn new(mailer: Mailer, patience: Patience) -> Self {
        Self {
            mailer: Arc::new(mailer),
            patience,
            memory: Mutex::default(),
        }
    }
}

#[async_trait]
impl Source for Queue {
    fn reads_directory(&self) -> bool {
        false
    }

    async fn next(&self, _: &Path, position: u64, ctx: &Context) -> Result<SourceBatch> {
        let mut memory = self.memory.lock().await;
        if memory.answered_at.is_some_and(|at| at < position) {
            lock(&memory.answers).clear();
            memory.answered_at = None;
        }
        let kept = memory.loaded && memory.returned_at != Some(position);
        // Set again below: a step that fails, or is cut off, leaves the lists in doubt.
        memory.loaded = false;
        memory.returned_at = None;
        if !kept {
            let waiting: Vec<(String, Pending)> = ctx.scan(RETRY, "").await?;
            memory.later = waiting
                .into_iter()
                .map(|(id, pending)| (pending.due_at, id))
                .collect();
            memory.ready.clear();
        }
        let now = TimestampMillis::now().0;
        while memory
            .later
            .first()
            .is_some_and(|(due_at, _)| *due_at <= now)
            && let Some((_, id)) = memory.later.pop_first()
        {
            memory.ready.push_back((RETRY, id));
        }
        let listed = match memory.ready.is_empty() {
            true => queued(ctx).await?,
            false => Vec::new(),
        };
        if !kept || !listed.is_empty() || memory.ready.is_empty() {
            // A step that lists documents commits nothing: each new one would undo it.
            memory.ready.extend(listed);
            memory.loaded = true;
            return Ok(SourceBatch::wait(position));
        }
        let mut steps = Vec::new();
        while steps.len() < BATCH
            && let Some((kind, id)) = memory.ready.pop_front()
        {
            let Some(pending) = ctx.get::<Pending>(kind, &id).await? else {
                continue;
            };
            let client = pending.notice.client_id.to_string();
            let preference: Option<Preference> = ctx.get_record(PREFERENCE, &client).await?;
            steps.push(Step {
                route: way(&pending, preference.as_ref()),
                kind,
                id,
                pending,
            });
        }
        memory.answered_at = Some(position);
        let answers = Arc::clone(&memory.answers);
        self.send(&steps, &answers).await?;
        let mut effects = Effects::new();
        let mut again = Vec::new();
        for step in &steps {
            let answer = lock(&answers).get(&step.id).cloned();
            effects.add(self.outcome(step, answer, &mut again));
        }
        memory.later.extend(again);
        memory.loaded = true;
        if effects.is_empty() {
            return Ok(SourceBatch::wait(position));
        }
        memory.returned_at = Some(position);
        // The total shows operators what waits; it is reached when nothing does.
        let left = memory.ready.len() + memory.later.len();
        let total = position + 1 + u64::try_from(left).unwrap_or(u64::from(u32::MAX));
        Ok(SourceBatch::more(effects, position + 1).of_total(total))
    }
}

/// A notification that is worked on.
struct Step {
    route: Route,
    kind: &'static str,
    id: String,
    pending: Pending,
}

/// The way of a notification as it is now: a client may have changed their mind since.
fn way(pending: &Pending, preference: Option<&Preference>) -> Route {
    match &pending.to {
        Some((address, language)) => Route::Email {
            address: address.clone(),
            language: language.clone(),
        },
        None => route(pending.notice.template, preference, true),
    }
}

/// What handlers have put on the list, the oldest first.
async fn queued(ctx: &Context) -> Result<Vec<(&'static str, String)>> {
    let mut found: Vec<(String, Pending)> = ctx.scan(QUEUED, "").await?;
    found.sort_by_key(|(_, pending)| pending.due_at);
    Ok(found.into_iter().map(|(id, _)| (QUEUED, id)).collect())
}

impl Queue {
    /// Sends what goes by e-mail, that of one client in its order and different clients' at once.
    async fn send(&self, steps: &[Step], answers: &Answers) -> Result<()> {
        let mut by_client: BTreeMap<i64, Vec<(String, Notice, String, String)>> = BTreeMap::new();
        for step in steps {
            if let Route::Email { address, language } = &step.route
                && !lock(answers).contains_key(&step.id)
            {
                let notice = step.pending.notice.clone();
                by_client.entry(notice.client_id).or_default().push((
                    step.id.clone(),
                    notice,
                    address.clone(),
                    language.clone(),
                ));
            }
        }
        let mut sending = JoinSet::new();
        for messages in by_client.into_values() {
            let (mailer, answers) = (Arc::clone(&self.mailer), Arc::clone(answers));
            sending.spawn(async move {
                for (id, notice, address, language) in messages {
                    let answer = mailer.send(&notice, &address, &language).await;
                    lock(&answers).insert(id, answer);
                }
            });
        }
        while let Some(ended) = sending.join_next().await {
            ended.map_err(|error| {
                mesh_core::Error::internal("the sending of a message broke off").because(error)
            })?;
        }
        Ok(())
    }

    /// What follows from a step; what is tried again is added to `later` with its time.
    fn outcome(
        &self,
        step: &Step,
        answer: Option<Answer>,
        later: &mut Vec<(i64, String)>,
    ) -> Effects {
        let Step { pending, id, .. } = step;
        let notice = &pending.notice;
        let email = Some(DeliveryChannel::Email);
        let attempts = pending.attempts.saturating_add(u32::from(answer.is_some()));
        let count = i32::try_from(attempts).unwrap_or(i32::MAX);
        let ending = match (answer, &step.route) {
            // What was sent was sent, whatever the client has chosen since.
            (Some(Answer::Accepted), _) => Ending {
                channel: email,
                status: DeliveryStatus::Sent,
                attempts: count,
                reason: None,
            },
            (Some(Answer::Never(reason)), _) => failed(count, reason),
            (_, Route::Hold(channel, reason)) => Ending::suppressed(*channel, count, reason),
            (_, Route::Log) => {
                log(notice);
                logged(count)
            }
            (Some(Answer::Later(cause)), Route::Email { .. }) => {
                match self.again(pending, attempts) {
                    None => failed(count, format!("EXPIRED_{cause}")),
                    Some(due_at) => {
                        tracing::warn!(
                            delivery_id = id,
                            attempts,
                            cause,
                            "a message is not taken now and is tried again"
                        );
                        later.push((due_at, id.clone()));
                        let next = Pending {
                            attempts,
                            due_at,
                            ..pending.clone()
                        };
                        let mut effects = Effects::new().put(RETRY, id.as_str(), &next);
                        if step.kind != RETRY {
                            effects.add_delete(step.kind, id.as_str());
                        }
                        return effects;
                    }
                }
            }
            // Not reached: every e-mail of a step has an answer. It stays where it is.
            (None, Route::Email { .. }) => return Effects::new(),
        };
        if ending.status == DeliveryStatus::Failed {
            tracing::warn!(
                delivery_id = id,
                attempts,
                reason = ending.reason,
                "a message is given up"
            );
        }
        finish(notice, ending).delete(step.kind, id.as_str())
    }

    /// When a message is tried again after so many attempts; never, if it is given up before.
    fn again(&self, pending: &Pending, attempts: u32) -> Option<i64> {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4);
        let next = TimestampMillis::now().0 + millis(self.patience.after(attempts));
        let last = pending.notice.requested_at + millis(self.patience.give_up);
        (next <= last).then_some(next)
    }
}

fn failed(attempts: i32, reason: String) -> Ending {
    Ending {
        channel: Some(DeliveryChannel::Email),
        status: DeliveryStatus::Failed,
        attempts,
        reason: Some(reason),
    }
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
