//! Writing the ledger: a line of the log and the rows that go with it are one transaction,
//! and the transactional id is the lock.

use std::time::{SystemTime, UNIX_EPOCH};

use mesh_core::{Descriptor, Error, ErrorKind, Record, Result, TimestampMillis, TraceContext};
use mesh_stream::{
    Encoder, Failed, Headers, Outgoing, Remedy, TopicSpec, TransactionalProducer, register_product,
};
use uuid::Uuid;

use super::{
    Ledger, Open, Owned, PlanLogLine, PlanLogLinePhase, PlanState, PlanStateKey, RUN, Run, products,
};
use crate::action::Resource;
use crate::platform::Platform;

/// Whoever writes under it has fenced all others.
const TRANSACTIONAL_ID: &str = "platform.plan";
/// How often a step of a transaction is asked for again; each waits for some seconds.
const TRIES: u32 = 10;

/// A line of the log and what it changes.
#[derive(Debug)]
pub(crate) struct Note<'a> {
    pub(crate) phase: PlanLogLinePhase,
    /// The step that it is about.
    pub(crate) step: Option<&'a Open>,
    /// Whether the step stays open after this.
    pub(crate) open: bool,
    pub(crate) outcome: Option<String>,
    /// What is owned from now on, or no more.
    pub(crate) owned: Option<(Resource, Option<Owned>)>,
    /// Whether the run has come to its end.
    pub(crate) finished: bool,
}

/// The only writer of the ledger.
pub(crate) struct Keeper {
    producer: TransactionalProducer,
    states: Encoder<PlanState>,
    lines: Encoder<PlanLogLine>,
    trace: TraceContext,
    pub(crate) by: String,
}

impl Keeper {
    /// Takes the ledger over from whoever had it; makes it if there is none.
    ///
    /// # Errors
    /// If a part of the platform does not answer, or this principal may not write the ledger.
    pub(crate) async fn take(platform: &Platform, by: &str) -> Result<Self> {
        let [state, log] = products();
        let states = prepare(platform, state).await?;
        let lines = prepare(platform, log).await?;
        let producer = TransactionalProducer::init(&platform.config, TRANSACTIONAL_ID).await?;
        Ok(Self {
            producer,
            states: Encoder::new(states),
            lines: Encoder::new(lines),
            trace: TraceContext::new(),
            by: by.to_owned(),
        })
    }

    /// Writes a note about `run` and counts it.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if somebody else has taken the ledger over.
    pub(crate) async fn note(
        &self,
        run: &mut Run,
        ledger: &mut Ledger,
        note: Note<'_>,
    ) -> Result<()> {
        run.entries += 1;
        run.open = note.step.filter(|_| note.open).cloned();
        run.finished = note.finished;
        let now = now();
        let line = self.line(run, &note, now);
        let mut records = vec![
            self.record::<PlanLogLine>(&self.lines, &line.key(), Some(&line))?,
            self.state(RUN, Some(run_row(run, now)?))?,
        ];
        if let Some((resource, owned)) = &note.owned {
            let name = resource.to_string();
            let row = owned.as_ref().map(|owned| PlanState {
                resource: name.clone(),
                domain: Some(owned.domain.clone()),
                topic: Some(owned.topic.clone()),
                run: run.id,
                plan: run.plan.clone(),
                principal: owned.by.clone(),
                written_at: now,
                entries: None,
                open_step: None,
                finished: true,
            });
            records.push(self.state(&name, row)?);
        }
        self.commit(&records).await?;
        if let Some((resource, owned)) = note.owned {
            match owned {
                Some(owned) => ledger.owned.insert(resource, owned),
                None => ledger.owned.remove(&resource),
            };
        }
        ledger.run = Some(run.clone());
        Ok(())
    }

    fn line(&self, run: &Run, note: &Note<'_>, now: TimestampMillis) -> PlanLogLine {
        let step = note.step;
        PlanLogLine {
            run: run.id,
            entry: run.entries,
            written_at: now,
            principal: self.by.clone(),
            plan: run.plan.clone(),
            phase: note.phase,
            step: step.and_then(|step| i32::try_from(step.step).ok()),
            action: step.map(|step| step.kind.clone()),
            resource: step.map(|step| step.resource.clone()),
            product: step.map(|step| step.product.clone()),
            reason: step.map(|step| step.reason.clone()),
            details: step.map(|step| step.details.to_string()),
            outcome: note.outcome.clone(),
        }
    }

    fn state(&self, resource: &str, row: Option<PlanState>) -> Result<Outgoing> {
        let key = PlanStateKey {
            resource: resource.to_owned(),
        };
        self.record(&self.states, &key, row.as_ref())
    }

    fn record<R: Record>(
        &self,
        encoder: &Encoder<R>,
        key: &R::Key,
        value: Option<&R>,
    ) -> Result<Outgoing> {
        Ok(Outgoing {
            topic: R::descriptor().topic.as_str().to_owned(),
            partition: Some(0),
            key: encoder.key(key),
            value: value.map(|value| encoder.value(value)).transpose()?,
            headers: Headers::of::<R>(self.trace),
            timestamp: None,
        })
    }

    /// Writes all of `records` or, when this fails, perhaps all and never some of them.
    async fn commit(&self, records: &[Outgoing]) -> Result<()> {
        let mut tries = 0;
        loop {
            let failed = match self.try_commit(records).await {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            tries += 1;
            match failed.remedy {
                Remedy::Fenced => {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        "another apply has begun and taken over",
                    )
                    .mend(
                        "let it end, then plan again; what this one did is recorded, and nothing \
                         is half done but its last step, which the other one has looked at",
                    )
                    .because(failed.error));
                }
                Remedy::Abort if tries < TRIES => {
                    tracing::debug!(error = failed.error.log_line(), "a note is written again");
                    self.producer.abort().await.map_err(|failed| failed.error)?;
                }
                _ => return Err(failed.error),
            }
        }
    }

    async fn try_commit(&self, records: &[Outgoing]) -> Result<(), Failed> {
        self.producer.begin()?;
        for record in records {
            // Whether it arrived the commit tells.
            drop(self.producer.send(record.clone()).await?);
        }
        let mut tries = 0;
        loop {
            match self.producer.commit().await {
                Err(failed) if failed.remedy == Remedy::Again && tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }
}

/// Makes the topic of a product of the ledger, and registers it like any other product.
async fn prepare(
    platform: &Platform,
    product: &'static Descriptor,
) -> Result<mesh_stream::Registered> {
    platform
        .admin
        .ensure_topic(&TopicSpec::from(product))
        .await?;
    let registered = register_product(&platform.registry, product).await?;
    platform
        .catalog
        .register_product(product, &registered)
        .await?;
    Ok(registered)
}

fn run_row(run: &Run, now: TimestampMillis) -> Result<PlanState> {
    let open = run.open.as_ref().map(serde_json::to_string).transpose();
    let open_step =
        open.map_err(|error| Error::internal("a step is not written as JSON").because(error))?;
    Ok(PlanState {
        resource: RUN.to_owned(),
        domain: None,
        topic: None,
        run: run.id,
        plan: run.plan.clone(),
        principal: run.by.clone(),
        written_at: now,
        entries: Some(run.entries),
        open_step,
        finished: run.finished,
    })
}

fn now() -> TimestampMillis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    TimestampMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A new run.
pub(crate) fn new_run(plan: &str, by: &str) -> Run {
    Run {
        id: Uuid::now_v7(),
        plan: plan.to_owned(),
        by: by.to_owned(),
        entries: 0,
        open: None,
        finished: false,
    }
}
