//! Holding a schema against the versions of a subject.

use std::sync::Arc;

use super::register::{Parsed, Submission, parse};
use super::{Answer, App, computed, stored};
use crate::compat::{self, Compatibility, Previous};
use crate::refusal::Refusal;
use crate::store::{self, Shown, StoredVersion, Wanted};

/// The outcome of a check: no message means compatible.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) messages: Vec<String>,
}

impl App {
    /// Checks a schema against one version, or against those that the level of the subject
    /// names when `wanted` is `None`.
    pub(crate) async fn check_compatibility(
        &self,
        subject: &str,
        wanted: Option<Wanted>,
        submission: Submission,
    ) -> Answer<Verdict> {
        let parsed = parse(&submission).await?;
        let mut reader = self.store.read().await?;
        let level = self.level(&mut reader, Some(subject)).await?;
        let earlier = match wanted {
            None => store::live_versions(&mut reader, subject).await?,
            Some(wanted) => {
                let found = store::version(&mut reader, subject, wanted, Shown::Live).await?;
                match (found, wanted) {
                    (Some(version), _) => vec![version],
                    // A subject without versions takes any schema.
                    (None, Wanted::Latest) => Vec::new(),
                    (None, Wanted::Number(number)) => {
                        return Err(Refusal::version_not_found(number));
                    }
                }
            }
        };
        drop(reader);
        let messages = messages(level, &parsed, earlier).await?;
        Ok(Verdict { messages })
    }
}

/// What breaks the level, one text a difference, in the words of [`compat`].
pub(super) async fn messages(
    level: Compatibility,
    new: &Parsed,
    mut earlier: Vec<StoredVersion>,
) -> Answer<Vec<String>> {
    if !level.is_transitive() {
        // Only the latest counts; the others need not be parsed.
        let others = earlier.len().saturating_sub(1);
        earlier.drain(..others);
    }
    let new = Arc::clone(&new.schema);
    let work = move || {
        let mut schemas = Vec::with_capacity(earlier.len());
        for version in &earlier {
            schemas.push((version.version, stored(version)?));
        }
        let previous: Vec<Previous<'_>> = schemas
            .iter()
            .map(|(version, schema)| Previous {
                version: *version,
                schema,
            })
            .collect();
        compat::check(level, &new, &previous)
    };
    let broken = computed(work)
        .await
        .map_err(|error| Refusal::of_schema(&error))?;
    let mut messages: Vec<String> = broken.iter().map(ToString::to_string).collect();
    if let Some(first) = broken.first() {
        messages.push(format!("{{oldSchemaVersion: {}}}", first.version));
        messages.push(format!("{{compatibility: '{level}'}}"));
    }
    Ok(messages)
}
