//! Subjects, versions and ids as they are.

use super::references::{Asked, resolve};
use super::{Answer, App, computed, demand_subject};
use crate::access::Role;
use crate::compat::{AnySchema, SchemaType};
use crate::refusal::Refusal;
use crate::store::{self, Content, Page, Session, Shown, StoredSchema, StoredVersion, Wanted};
use crate::subject::{Prefix, Subject};

impl App {
    pub(crate) async fn contexts(&self, page: Page) -> Answer<Vec<String>> {
        let mut reader = self.core.store.read().await?;
        Ok(store::contexts(&mut reader, page).await?)
    }

    pub(crate) async fn subjects(
        &self,
        shown: Shown,
        prefix: &Prefix,
        page: Page,
    ) -> Answer<Vec<String>> {
        let mut reader = self.core.store.read().await?;
        if self.access.has(Role::Read, "") {
            return Ok(store::subjects(&mut reader, shown, prefix, page).await?);
        }
        let all = store::subjects(&mut reader, shown, prefix, Page::ALL).await?;
        Ok(page.of(all, |subject| self.access.has(Role::Read, subject)))
    }

    pub(crate) async fn version_numbers(
        &self,
        subject: &str,
        shown: Shown,
        page: Page,
    ) -> Answer<Vec<u32>> {
        let mut reader = self.core.store.read().await?;
        let subject = self.meant(&mut reader, Role::Read, subject).await?;
        let exists = match shown {
            Shown::Live => Shown::Live,
            Shown::All | Shown::DeletedOnly => Shown::All,
        };
        demand_subject(&mut reader, &subject, exists).await?;
        Ok(store::version_numbers(&mut reader, &subject, shown, page).await?)
    }

    pub(crate) async fn version(
        &self,
        subject: &str,
        wanted: Wanted,
        shown: Shown,
        format: Format,
    ) -> Answer<StoredVersion> {
        let mut reader = self.core.store.read().await?;
        let subject = self.meant(&mut reader, Role::Read, subject).await?;
        let mut found = version_of(&mut reader, &subject, wanted, shown).await?;
        format
            .apply(&mut reader, &subject, &mut found.content)
            .await?;
        Ok(found)
    }

    /// The ids of the schemas that refer to a version.
    pub(crate) async fn referenced_by(
        &self,
        subject: &str,
        wanted: Wanted,
        shown: Shown,
        page: Page,
    ) -> Answer<Vec<u32>> {
        let mut reader = self.core.store.read().await?;
        let subject = self.meant(&mut reader, Role::Read, subject).await?;
        let found = version_of(&mut reader, &subject, wanted, Shown::All).await?;
        Ok(store::referenced_by(&mut reader, &subject, found.version, shown, page).await?)
    }

    /// The latest version whose metadata has all these properties.
    pub(crate) async fn latest_with_metadata(
        &self,
        subject: &str,
        properties: &[(String, String)],
        shown: Shown,
    ) -> Answer<StoredVersion> {
        let mut reader = self.core.store.read().await?;
        let subject = self.meant(&mut reader, Role::Read, subject).await?;
        demand_subject(&mut reader, &subject, shown).await?;
        let versions = store::seen_versions(&mut reader, &subject, shown).await?;
        let fits = |version: &StoredVersion| {
            version.content.metadata.as_ref().is_some_and(|metadata| {
                let mut all = properties.iter();
                all.all(|(name, value)| metadata.property(name) == Some(value))
            })
        };
        versions
            .into_iter()
            .rev()
            .find(fits)
            .ok_or_else(Refusal::schema_not_found)
    }

    pub(crate) async fn all_versions(
        &self,
        prefix: &Prefix,
        shown: Shown,
        latest_only: bool,
        page: Page,
    ) -> Answer<Vec<StoredVersion>> {
        let mut reader = self.core.store.read().await?;
        if self.access.has(Role::Read, "") {
            let list = store::all_versions(&mut reader, prefix, shown, latest_only, page);
            return Ok(list.await?);
        }
        let all = store::all_versions(&mut reader, prefix, shown, latest_only, Page::ALL).await?;
        let may = |version: &StoredVersion| self.access.has(Role::Read, &version.subject);
        Ok(page.of(all, may))
    }

    /// A schema by its id, in the context that `subject` stands in.
    pub(crate) async fn schema(
        &self,
        id: u32,
        subject: Option<&str>,
        format: Format,
    ) -> Answer<StoredSchema> {
        let mut reader = self.core.store.read().await?;
        let context = context_of_id(&mut reader, id, subject).await?;
        let mut found = store::schema_by_id(&mut reader, context.context(), id)
            .await?
            .ok_or_else(|| Refusal::schema_id_not_found(id))?;
        self.demand_id(&mut reader, context.context(), id).await?;
        format
            .apply(&mut reader, &context, &mut found.content)
            .await?;
        Ok(found)
    }

    /// Refuses a schema that stands in no subject which may be read.
    async fn demand_id(&self, session: &mut Session, context: &str, id: u32) -> Answer<()> {
        if self.access.has(Role::Read, "") {
            return Ok(());
        }
        let all = store::versions_of_id(session, context, id, Shown::All, Page::ALL).await?;
        match all
            .iter()
            .any(|(subject, _)| self.access.has(Role::Read, subject))
        {
            true => Ok(()),
            false => Err(Refusal::forbidden(format!(
                "This needs the role read for a subject with schema {id}"
            ))),
        }
    }

    pub(crate) async fn max_id(&self, subject: Option<&str>) -> Answer<u32> {
        let mut reader = self.core.store.read().await?;
        let subject = Subject::read(subject.unwrap_or_default());
        Ok(store::max_id(&mut reader, subject.context()).await?)
    }

    pub(crate) async fn versions_of_id(
        &self,
        id: u32,
        subject: Option<&str>,
        shown: Shown,
        page: Page,
    ) -> Answer<Vec<(String, u32)>> {
        let mut reader = self.core.store.read().await?;
        let context = context_of_id(&mut reader, id, subject).await?;
        let context = context.context();
        let versions = match self.access.has(Role::Read, "") {
            true => store::versions_of_id(&mut reader, context, id, shown, page).await?,
            false => {
                let all = store::versions_of_id(&mut reader, context, id, shown, Page::ALL).await?;
                page.of(all, |(subject, _)| self.access.has(Role::Read, subject))
            }
        };
        if versions.is_empty()
            && store::schema_by_id(&mut reader, context, id)
                .await?
                .is_none()
        {
            return Err(Refusal::schema_id_not_found(id));
        }
        Ok(versions)
    }
}

/// How a schema's text is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// As it is registered.
    Registered,
    /// With all that it refers to written into it.
    Resolved,
    /// In the binary form of its language, as base64, if it has one.
    Serialized,
}

impl Format {
    async fn apply(
        self,
        session: &mut Session,
        subject: &Subject,
        content: &mut Content,
    ) -> Answer<()> {
        let as_it_is = match self {
            Self::Registered => true,
            Self::Resolved => content.references.is_empty() || content.kind != SchemaType::Avro,
            Self::Serialized => content.kind != SchemaType::Protobuf,
        };
        if as_it_is {
            return Ok(());
        }
        let asked: Vec<Asked> = content.references.iter().map(Into::into).collect();
        let resolved = resolve(session, subject, content.kind, &asked, Shown::All).await?;
        let (kind, text) = (content.kind, content.schema.clone());
        let formatted = computed(move || {
            let schema = AnySchema::parse(kind, &text, &resolved.texts)?;
            Ok(match self {
                Self::Serialized => schema.serialized(),
                Self::Registered | Self::Resolved => schema.inlined(),
            })
        });
        match formatted
            .await
            .map_err(|error| Refusal::of_schema(&error))?
        {
            Some(formatted) => content.schema = formatted,
            None => {
                return Err(Refusal::invalid_schema(
                    "The schema cannot be written as one text: ask for it as it is registered, \
                     and for its references",
                ));
            }
        }
        Ok(())
    }
}

async fn version_of(
    session: &mut Session,
    subject: &Subject,
    wanted: Wanted,
    shown: Shown,
) -> Answer<StoredVersion> {
    if let Some(version) = store::version(session, subject, wanted, shown).await? {
        return Ok(version);
    }
    demand_subject(session, subject, shown).await?;
    Err(match wanted {
        Wanted::Latest => Refusal::version_not_found(-1),
        Wanted::Number(number) => Refusal::version_not_found(number),
    })
}

/// The context in which an id is looked for: the subject's, and for a subject that names
/// none the one where it has that id.
async fn context_of_id(session: &mut Session, id: u32, subject: Option<&str>) -> Answer<Subject> {
    let subject = Subject::read(subject.unwrap_or_default());
    if subject.in_default_context()
        && !subject.name().is_empty()
        && let Some(context) = store::subject_with_id(session, subject.name(), id).await?
    {
        return Ok(Subject::within(&context, ""));
    }
    Ok(subject.whole_context())
}
