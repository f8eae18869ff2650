//! Doing a plan, step by step, each recorded before and after.

use std::collections::BTreeSet;

use mesh_core::{Error, ErrorKind, Principal, Result};

use crate::action::{Action, Resource};
use crate::execute::{absent, execute};
use crate::failpoint::{Failpoint, Point};
use crate::ledger::{Keeper, Ledger, Note, Open, Owned, PlanLogLinePhase as Phase, Run, new_run};
use crate::plan::{Plan, Step};
use crate::platform::Platform;

/// The variable that names a failpoint.
const FAILPOINT: &str = "MESH_FAILPOINT";

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The number of the step, from 1.
    pub step: usize,
    /// What came of it, in words.
    pub outcome: String,
}

/// One apply at work: it holds the lock.
pub struct Applier {
    platform: Platform,
    keeper: Keeper,
    ledger: Ledger,
    failpoint: Failpoint,
}

impl Applier {
    /// Takes the lock for the principal `by`, and finds out what an interrupted run has left.
    ///
    /// # Errors
    /// If a part of the platform does not answer, or this principal may not write the ledger.
    pub async fn begin(platform: &Platform, by: &Principal) -> Result<Self> {
        let mut failpoint = Failpoint::parse(std::env::var(FAILPOINT).ok().as_deref())?;
        let keeper = Keeper::take(platform, by.as_str()).await?;
        failpoint.pass(Point::Locked);
        // Read under the lock: nobody else writes it from now on.
        let ledger = Ledger::read(platform).await?;
        let mut applier = Self {
            platform: platform.clone(),
            keeper,
            ledger,
            failpoint,
        };
        applier.recover().await?;
        Ok(applier)
    }

    /// What earlier runs have left.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Finds out what came of a step of which no end is known, and records it.
    async fn recover(&mut self) -> Result<()> {
        let Some(mut run) = self.ledger.run.clone() else {
            return Ok(());
        };
        let Some(open) = run.open.clone() else {
            return Ok(());
        };
        let Some(resource) = Resource::parse(&open.resource) else {
            return Err(Error::internal("an open step is about nothing known")
                .with("resource", &open.resource)
                .mend("apply with the release that began it"));
        };
        let gone = absent(&self.platform, &resource).await?;
        let deletes = open.kind.starts_with("delete_");
        let (outcome, owned) = match (deletes, open.absent, gone) {
            (true, _, true) => ("found done", Some((resource, None))),
            (true, _, false) => ("found not done", None),
            // It was not there, the intent was recorded, and now it is: the run made it.
            (false, true, false) => (
                "found done",
                Some((resource, Some(owned_by(&open, &run.by)))),
            ),
            (false, true, true) => ("found not done", None),
            (false, false, _) => ("left to be planned anew", None),
        };
        tracing::info!(
            resource = open.resource,
            kind = open.kind,
            outcome,
            "the last apply was interrupted"
        );
        let note = Note {
            phase: Phase::Interrupted,
            step: Some(&open),
            open: false,
            outcome: Some(outcome.to_owned()),
            owned,
            finished: false,
        };
        self.keeper.note(&mut run, &mut self.ledger, note).await?;
        self.failpoint.pass(Point::Recovered);
        Ok(())
    }

    /// What on the platform is not any more what `plan` was made from; nothing if it may be
    /// applied. Where the last run was of this very plan and did not come to its end, what
    /// its steps are about is exempt.
    ///
    /// # Errors
    /// If a part of the platform does not answer.
    pub async fn moved(&self, plan: &Plan) -> Result<Vec<String>> {
        let resumed = self.ledger.unfinished() == Some(plan.hash().as_str());
        let ours: BTreeSet<String> = match resumed {
            true => touched(plan),
            false => BTreeSet::new(),
        };
        let state = self.platform.read(&plan.scope).await?;
        let now = state.fingerprints(&plan.scope);
        Ok(plan
            .state
            .iter()
            .filter(|(name, print)| now.get(*name) != Some(print) && !ours.contains(*name))
            .map(|(name, _)| name.clone())
            .collect())
    }

    /// Does the ready steps of `plan`, telling of each before it begins and after it has ended.
    ///
    /// # Errors
    /// If a step of the plan is refused: then none is done. Else the first step that failed,
    /// after which none is done; applying again goes on.
    pub async fn apply(
        &mut self,
        plan: &Plan,
        mut tell: impl FnMut(&Step, Option<&Applied>),
    ) -> Result<Vec<Applied>> {
        if plan.is_refused() {
            return Err(Error::new(
                ErrorKind::FailedPrecondition,
                "steps of the plan cannot be done as they are",
            )
            .mend("take the way out that each of them names, and plan again"));
        }
        let mut applied = Vec::new();
        if !plan.has_work() {
            self.settle().await?;
            return Ok(applied);
        }
        let mut run = new_run(&plan.hash(), &self.keeper.by);
        let summary = serde_json::to_string(&plan.summary()).ok();
        self.note(&mut run, Phase::Started, None, summary).await?;
        self.failpoint.pass(Point::Started);
        for (number, step) in (1..).zip(&plan.steps) {
            if step.is_ready() {
                tell(step, None);
                let outcome = self.step(&mut run, number, step).await?;
                let done = Applied {
                    step: number,
                    outcome,
                };
                tell(step, Some(&done));
                applied.push(done);
            }
        }
        self.finish(&mut run, None).await?;
        Ok(applied)
    }

    /// Ends a run that was interrupted where nothing is left to do.
    async fn settle(&mut self) -> Result<()> {
        match self.ledger.run.clone() {
            Some(mut run) if !run.finished => {
                let outcome = "nothing was left to do".to_owned();
                self.finish(&mut run, Some(outcome)).await
            }
            _ => Ok(()),
        }
    }

    async fn finish(&mut self, run: &mut Run, outcome: Option<String>) -> Result<()> {
        let note = Note {
            phase: Phase::Finished,
            step: None,
            open: false,
            outcome,
            owned: None,
            finished: true,
        };
        self.keeper.note(run, &mut self.ledger, note).await?;
        self.failpoint.pass(Point::Finished);
        Ok(())
    }

    async fn step(&mut self, run: &mut Run, number: usize, step: &Step) -> Result<String> {
        let resource = step.action.resource();
        let open = Open {
            step: number,
            kind: step.action.kind().to_owned(),
            resource: resource.to_string(),
            product: step.product.clone(),
            domain: step.domain.clone(),
            topic: step.topic.clone(),
            reason: step.reason.clone(),
            details: step.action.brief(),
            absent: absent(&self.platform, &resource).await?,
        };
        let intent = Note {
            phase: Phase::Intent,
            step: Some(&open),
            open: true,
            outcome: None,
            owned: None,
            finished: false,
        };
        self.keeper.note(run, &mut self.ledger, intent).await?;
        self.failpoint.pass(Point::Intended);
        let did = match execute(&self.platform, &step.action).await {
            Ok(did) => did,
            Err(error) => {
                let error = error.with("step", number).with("resource", &open.resource);
                // The step's own error is what matters, if the note cannot be written either.
                let told = self
                    .note(run, Phase::Failed, Some(&open), Some(error.to_string()))
                    .await;
                if let Err(told) = told {
                    tracing::warn!(error = told.log_line(), "a failed step is not recorded");
                }
                return Err(error);
            }
        };
        self.failpoint.pass(Point::Acted);
        let owned = match &step.action {
            Action::DeleteTopic { .. }
            | Action::DeleteSubject { .. }
            | Action::DeleteProduct { .. } => Some((resource, None)),
            _ if did.made && open.absent => {
                Some((resource, Some(owned_by(&open, &self.keeper.by))))
            }
            _ => None,
        };
        let done = Note {
            phase: Phase::Done,
            step: Some(&open),
            open: false,
            outcome: Some(did.outcome.clone()),
            owned,
            finished: false,
        };
        self.keeper.note(run, &mut self.ledger, done).await?;
        self.failpoint.pass(Point::Recorded);
        Ok(did.outcome)
    }

    /// A note that changes nothing else.
    async fn note(
        &mut self,
        run: &mut Run,
        phase: Phase,
        step: Option<&Open>,
        outcome: Option<String>,
    ) -> Result<()> {
        let note = Note {
            phase,
            step,
            open: false,
            outcome,
            owned: None,
            finished: false,
        };
        self.keeper.note(run, &mut self.ledger, note).await
    }
}

fn owned_by(open: &Open, by: &str) -> Owned {
    Owned {
        domain: open.domain.clone(),
        topic: open.topic.clone(),
        by: by.to_owned(),
    }
}

/// What the steps of a plan change.
fn touched(plan: &Plan) -> BTreeSet<String> {
    let ready = plan.steps.iter().filter(|step| step.is_ready());
    let mut touched = BTreeSet::new();
    for step in ready {
        touched.insert(step.action.resource().to_string());
    }
    touched
}
