//! Registering schemas and looking them up.

use std::sync::Arc;

use super::references::{Asked, Resolved, resolve};
use super::scope::InForce;
use super::{Answer, App, check_subject, computed, demand_subject};
use crate::access::Role;
use crate::compat::{AnySchema, SchemaType};
use crate::metadata::{Metadata, RuleSet};
use crate::refusal::Refusal;
use crate::store::{self, Content, Mode, Session, Shown, StoredSchema, StoredVersion, Wanted};
use crate::subject::Subject;

/// A schema as a client submits it.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) kind: SchemaType,
    pub(crate) schema: String,
    pub(crate) references: Vec<Asked>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) rule_set: Option<RuleSet>,
    /// Whether to register the normalised text.
    pub(crate) normalize: bool,
    /// The version the client expects to make, if it says.
    pub(crate) version: Option<u32>,
    /// The id the client gives, in the mode IMPORT.
    pub(crate) id: Option<u32>,
}

impl Submission {
    /// Whether it asks for nothing else than what is registered. A version without an id
    /// only says what a new version is expected to be.
    fn is(&self, id: u32, version: u32) -> bool {
        let same = |wanted| wanted == version;
        self.id
            .is_none_or(|wanted| wanted == id && self.version.is_none_or(same))
    }
}

/// A schema that was read, and what stands for it.
pub(super) struct Parsed {
    pub(super) schema: Arc<AnySchema>,
    pub(super) content: Content,
    resolved: Resolved,
}

/// Reads a schema that is sent for `subject`.
pub(super) async fn parse(
    session: &mut Session,
    subject: &Subject,
    submission: &Submission,
    in_force: &InForce,
    shown: Shown,
) -> Answer<Parsed> {
    let kind = submission.kind;
    let resolved = resolve(session, subject, kind, &submission.references, shown).await?;
    let text = submission.schema.clone();
    let texts = resolved.texts.clone();
    let normalize = submission.normalize || in_force.config.normalize == Some(true);
    let parsed = computed(move || {
        let schema = AnySchema::parse(kind, &text, &texts)?;
        let text = if normalize {
            schema.normalized()
        } else {
            schema.canonical()
        };
        Ok((schema, text))
    });
    let (schema, text) = parsed.await.map_err(|error| Refusal::of_schema(&error))?;
    Ok(Parsed {
        schema: Arc::new(schema),
        content: Content {
            kind,
            schema: text,
            references: resolved.references.clone(),
            metadata: submission.metadata.clone(),
            rule_set: submission.rule_set.clone(),
        },
        resolved,
    })
}

impl App {
    /// Registers a schema under a subject and answers with its id. The same schema again
    /// has the same id and makes no new version.
    pub(crate) async fn register(&self, subject: &str, submission: Submission) -> Answer<u32> {
        // Producers register at every start: the common case takes no write lock.
        let mut reader = self.core.store.read().await?;
        let subject = self.meant(&mut reader, Role::Write, subject).await?;
        check_subject(&subject)?;
        self.demand_references(&subject, &submission.references)?;
        let in_force = self.in_force(&mut reader, &subject).await?;
        let mut parsed = parse(&mut reader, &subject, &submission, &in_force, Shown::Live).await?;
        if !in_force.adds_metadata()
            && let Some((id, version)) = registered(&mut reader, &subject, &parsed.content).await?
            && submission.is(id, version)
        {
            return Ok(id);
        }
        drop(reader);

        let mut writer = self.core.store.write().await?;
        let in_force = self.in_force(&mut writer, &subject).await?;
        demand_mode(&in_force, &subject, submission.id)?;
        if !submission.references.is_empty() {
            // What it refers to may have been deleted meanwhile.
            parsed = parse(&mut writer, &subject, &submission, &in_force, Shown::Live).await?;
        }
        let (version, stored) = match submission.id {
            Some(id) => import(&mut writer, &subject, &submission, &parsed, id).await?,
            None => {
                let live = store::seen_versions(&mut writer, &subject, Shown::Live).await?;
                complete(&mut parsed.content, &in_force, live.last());
                let same = registered(&mut writer, &subject, &parsed.content).await?;
                if let Some((id, _)) = same {
                    return Ok(id);
                }
                let version = next(&mut writer, &subject, submission.version).await?;
                compatible(&mut writer, &subject, &in_force, &parsed, live).await?;
                let context = subject.context();
                let known = store::find_schema(&mut writer, context, &parsed.content).await?;
                let stored = match known {
                    Some(known) => known,
                    None => add(&mut writer, context, &parsed, None).await?,
                };
                (version, stored)
            }
        };
        store::add_version(&mut writer, &subject, version, stored.row).await?;
        store::commit(writer).await?;
        let id = stored.id;
        tracing::info!(subject = subject.as_str(), version, id, "schema registered");
        Ok(id)
    }

    /// The version under which a subject has the schema.
    pub(crate) async fn look_up(
        &self,
        subject: &str,
        submission: Submission,
        shown: Shown,
    ) -> Answer<StoredVersion> {
        let mut reader = self.core.store.read().await?;
        let subject = self.meant(&mut reader, Role::Read, subject).await?;
        demand_subject(&mut reader, &subject, shown).await?;
        self.demand_references(&subject, &submission.references)?;
        let in_force = self.in_force(&mut reader, &subject).await?;
        let parsed = parse(&mut reader, &subject, &submission, &in_force, Shown::All).await?;
        let context = subject.context();
        if let Some(stored) = store::find_schema(&mut reader, context, &parsed.content).await?
            && let Some(number) =
                store::version_of_schema(&mut reader, &subject, stored.row, shown).await?
            && let Some(found) =
                store::version(&mut reader, &subject, Wanted::Number(number), Shown::All).await?
        {
            return Ok(found);
        }
        let versions = store::seen_versions(&mut reader, &subject, shown).await?;
        if let Some(alike) = alike(&parsed.content, &versions) {
            return Ok(alike.clone());
        }
        written_out(&mut reader, &parsed.content, versions)
            .await?
            .ok_or_else(Refusal::schema_not_found)
    }
}

/// The latest version with this text and these references, for a client that says nothing
/// of metadata and rules.
fn alike<'v>(content: &Content, versions: &'v [StoredVersion]) -> Option<&'v StoredVersion> {
    if content.metadata.is_some() || content.rule_set.is_some() {
        return None;
    }
    versions.iter().rev().find(|version| {
        let other = &version.content;
        other.kind == content.kind
            && other.schema == content.schema
            && other.references == content.references
    })
}

/// The latest version that says the same once all it refers to is written into it: so
/// clients send what they have read.
async fn written_out(
    session: &mut Session,
    content: &Content,
    versions: Vec<StoredVersion>,
) -> Answer<Option<StoredVersion>> {
    if !content.references.is_empty() {
        return Ok(None);
    }
    for version in versions.into_iter().rev() {
        let other = &version.content;
        if other.references.is_empty() || other.kind != content.kind {
            continue;
        }
        let subject = Subject::read(&version.subject);
        let asked: Vec<Asked> = other.references.iter().map(Into::into).collect();
        let resolved = resolve(session, &subject, other.kind, &asked, Shown::All).await?;
        let (kind, text) = (other.kind, other.schema.clone());
        let inlined =
            computed(move || Ok(AnySchema::parse(kind, &text, &resolved.texts)?.inlined()));
        let inlined = inlined.await.map_err(|error| Refusal::of_schema(&error))?;
        if inlined.as_deref() == Some(content.schema.as_str()) {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

/// Id and version, if the subject has a live version with this content.
async fn registered(
    session: &mut Session,
    subject: &Subject,
    content: &Content,
) -> Answer<Option<(u32, u32)>> {
    let Some(stored) = store::find_schema(session, subject.context(), content).await? else {
        return Ok(None);
    };
    let version = store::version_of_schema(session, subject, stored.row, Shown::Live).await?;
    Ok(version.map(|version| (stored.id, version)))
}

/// Whether the mode lets a schema in, with an id of the client's or without.
fn demand_mode(in_force: &InForce, subject: &Subject, id: Option<u32>) -> Answer<()> {
    in_force.demand_writable(subject)?;
    match (in_force.mode, id) {
        (Mode::Import, Some(_)) | (Mode::ReadWrite, None) => Ok(()),
        (_, Some(_)) => Err(Refusal::not_permitted(format!(
            "Subject {subject} is not in import mode: ids are given by the registry unless the \
             mode is IMPORT"
        ))),
        (_, None) => Err(Refusal::not_permitted(format!(
            "Subject {subject} is not in read-write mode: in the mode IMPORT a schema comes \
             with its id"
        ))),
    }
}

/// Adds what the configuration says to metadata, and takes over from the version before
/// what the client says nothing of.
fn complete(content: &mut Content, in_force: &InForce, previous: Option<&StoredVersion>) {
    if let Some(previous) = previous {
        let before = &previous.content;
        if content.metadata.is_none() {
            content.metadata.clone_from(&before.metadata);
        }
        if content.rule_set.is_none() {
            content.rule_set.clone_from(&before.rule_set);
        }
    }
    let config = &in_force.config;
    let own = Metadata::merged(config.default_metadata.as_ref(), content.metadata.as_ref());
    content.metadata = Metadata::merged(own.as_ref(), config.override_metadata.as_ref());
}

/// The version that comes next, which is the expected one if a client expects one.
async fn next(session: &mut Session, subject: &Subject, expected: Option<u32>) -> Answer<u32> {
    let version = store::next_version(session, subject).await?;
    match expected {
        Some(expected) if expected != version => Err(Refusal::invalid_schema(format!(
            "Version {expected} is not one more than the previous version {}",
            version - 1
        ))),
        _ => Ok(version),
    }
}

async fn compatible(
    session: &mut Session,
    subject: &Subject,
    in_force: &InForce,
    parsed: &Parsed,
    live: Vec<StoredVersion>,
) -> Answer<()> {
    let messages = super::compatibility::messages(session, in_force, parsed, live).await?;
    if messages.is_empty() {
        return Ok(());
    }
    tracing::info!(
        subject = subject.as_str(),
        compatibility = in_force.compatibility.as_str(),
        "incompatible schema refused"
    );
    Err(Refusal::incompatible(subject, &messages))
}

async fn add(
    session: &mut Session,
    context: &str,
    parsed: &Parsed,
    id: Option<u32>,
) -> Answer<StoredSchema> {
    let referred = &parsed.resolved.referred;
    Ok(store::add_schema(session, context, &parsed.content, id, referred).await?)
}

/// Puts a schema under the id and the version that a client gives. What is there already
/// is not replaced.
async fn import(
    session: &mut Session,
    subject: &Subject,
    submission: &Submission,
    parsed: &Parsed,
    id: u32,
) -> Answer<(u32, StoredSchema)> {
    let context = subject.context();
    let stored = match store::schema_by_id(session, context, id).await? {
        Some(known) if known.content == parsed.content => known,
        Some(_) => {
            return Err(Refusal::not_permitted(format!(
                "Overwrite new schema with id {id} is not permitted."
            )));
        }
        None => add(session, context, parsed, Some(id)).await?,
    };
    let live = store::version_of_schema(session, subject, stored.row, Shown::Live).await?;
    if let Some(live) = live {
        return Err(Refusal::not_permitted(format!(
            "Subject {subject} has the schema with id {id} already, as version {live}"
        )));
    }
    let Some(version) = submission.version else {
        return Ok((store::next_version(session, subject).await?, stored));
    };
    let wanted = Wanted::Number(version);
    if store::version(session, subject, wanted, Shown::All)
        .await?
        .is_some()
    {
        return Err(Refusal::not_permitted(format!(
            "Subject {subject} has a version {version} already"
        )));
    }
    Ok((version, stored))
}
