//! Reading the ledger.

use mesh_core::{ErrorKind, Record, Result};
use mesh_stream::Decoder;
use mesh_stream::batch::PartitionReader;

use super::{Ledger, Owned, PlanLogLine, PlanState, RUN, Run};
use crate::action::Resource;
use crate::platform::Platform;

/// Records taken at a time.
const BATCH: usize = 500;

/// A line of the record of applied plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The run.
    pub run: String,
    /// The number of the line in its run.
    pub entry: i32,
    /// Who ran it.
    pub principal: String,
    /// The fingerprint of the plan.
    pub plan: String,
    /// `STARTED`, `INTENT`, `DONE`, `FAILED`, `INTERRUPTED` or `FINISHED`.
    pub phase: String,
    /// The number of the step.
    pub step: Option<i32>,
    /// The kind of the step.
    pub action: Option<String>,
    /// What it is about.
    pub resource: Option<String>,
    /// What came of it.
    pub outcome: Option<String>,
}

impl Ledger {
    /// Reads what earlier runs have left; nothing if there was none.
    ///
    /// # Errors
    /// If Kafka or the registry does not answer, or a row cannot be read.
    pub async fn read(platform: &Platform) -> Result<Self> {
        let mut ledger = Self::default();
        each::<PlanState>(platform, |key, row| {
            if key.resource == RUN {
                ledger.run = row.map(|row| {
                    let open = row.open_step.as_deref();
                    Run {
                        id: row.run,
                        plan: row.plan,
                        by: row.principal,
                        entries: row.entries.unwrap_or_default(),
                        open: open.and_then(|open| serde_json::from_str(open).ok()),
                        finished: row.finished,
                    }
                });
                return;
            }
            let Some(resource) = Resource::parse(&key.resource) else {
                // Of a later release; what this one does not know it does not delete.
                return;
            };
            match row {
                Some(row) => ledger.owned.insert(
                    resource,
                    Owned {
                        domain: row.domain.unwrap_or_default(),
                        topic: row.topic.unwrap_or_default(),
                        by: row.principal,
                    },
                ),
                None => ledger.owned.remove(&resource),
            };
        })
        .await?;
        Ok(ledger)
    }
}

/// The whole record of applied plans, in the order in which it was written.
///
/// # Errors
/// If Kafka or the registry does not answer, or a line cannot be read.
pub async fn log_lines(platform: &Platform) -> Result<Vec<LogLine>> {
    let mut lines = Vec::new();
    each::<PlanLogLine>(platform, |_, row| {
        if let Some(row) = row {
            lines.push(LogLine {
                run: row.run.to_string(),
                entry: row.entry,
                principal: row.principal,
                plan: row.plan,
                phase: row.phase.as_str().to_owned(),
                step: row.step,
                action: row.action,
                resource: row.resource,
                outcome: row.outcome,
            });
        }
    })
    .await?;
    Ok(lines)
}

/// Hands out every row of a product of one partition; none if its topic is not there.
async fn each<R: Record>(
    platform: &Platform,
    mut take: impl FnMut(R::Key, Option<R>),
) -> Result<()> {
    let topic = R::descriptor().topic.as_str();
    let (start, end) = match platform.admin.watermarks(topic, 0).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let decoder = Decoder::<R>::new(platform.registry.clone())?;
    let mut reader = PartitionReader::open(&platform.config, topic, 0, start, end)?;
    while let Some(mut messages) = reader.next_batch(BATCH).await? {
        for at in 0..messages.len() {
            if let Some(raw) = messages.to_raw(at) {
                let read = decoder.decode(&raw).await?;
                take(read.key, read.value);
            }
        }
    }
    Ok(())
}
