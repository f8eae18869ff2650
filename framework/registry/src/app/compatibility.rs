//! Holding a schema against the versions of a subject.

use std::sync::Arc;

use super::references::{Asked, resolve};
use super::register::{Parsed, Submission, parse};
use super::scope::InForce;
use super::{Answer, App, computed};
use crate::access::Role;
use crate::compat::{self, AnySchema, Previous};
use crate::refusal::Refusal;
use crate::store::{self, Session, Shown, StoredVersion, Wanted};
use crate::subject::Subject;

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
        let mut reader = self.core.store.read().await?;
        let subject = self.meant(&mut reader, Role::Read, subject).await?;
        self.demand_references(&subject, &submission.references)?;
        let in_force = self.in_force(&mut reader, &subject).await?;
        let parsed = parse(&mut reader, &subject, &submission, &in_force, Shown::Live).await?;
        let earlier = match wanted {
            None => store::seen_versions(&mut reader, &subject, Shown::Live).await?,
            Some(wanted) => {
                let found = store::version(&mut reader, &subject, wanted, Shown::Live).await?;
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
        let messages = messages(&mut reader, &in_force, &parsed, earlier).await?;
        Ok(Verdict { messages })
    }
}

/// What breaks the level, one text a difference, in the words of [`compat`].
pub(super) async fn messages(
    session: &mut Session,
    in_force: &InForce,
    new: &Parsed,
    mut earlier: Vec<StoredVersion>,
) -> Answer<Vec<String>> {
    let level = in_force.compatibility;
    if level == compat::Compatibility::None {
        return Ok(Vec::new());
    }
    if let Some(group) = &in_force.config.compatibility_group {
        let of = |content: &store::Content| {
            let metadata = content.metadata.as_ref();
            metadata.and_then(|metadata| metadata.property(group).map(str::to_owned))
        };
        let own = of(&new.content);
        earlier.retain(|version| of(&version.content) == own);
    }
    if !level.is_transitive() {
        // Only the latest counts; the others need not be parsed.
        let others = earlier.len().saturating_sub(1);
        earlier.drain(..others);
    }
    let mut read = Vec::with_capacity(earlier.len());
    for version in earlier {
        let subject = Subject::read(&version.subject);
        let asked: Vec<Asked> = version.content.references.iter().map(Into::into).collect();
        let kind = version.content.kind;
        let resolved = resolve(session, &subject, kind, &asked, Shown::All).await?;
        read.push((version, resolved.texts));
    }
    let new = Arc::clone(&new.schema);
    let work = move || {
        let mut schemas = Vec::with_capacity(read.len());
        for (version, texts) in &read {
            schemas.push((version.version, stored(version, texts)?));
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

/// Parses a schema that was stored; it was valid when it was registered.
fn stored(version: &StoredVersion, texts: &[(String, String)]) -> mesh_core::Result<AnySchema> {
    let content = &version.content;
    AnySchema::parse(content.kind, &content.schema, texts).map_err(|error| {
        mesh_core::Error::new(
            mesh_core::ErrorKind::Corrupt,
            "a registered schema cannot be read",
        )
        .with("subject", &version.subject)
        .with("version", version.version)
        .because(error)
    })
}
