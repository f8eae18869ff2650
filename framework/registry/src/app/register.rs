//! Registering schemas and looking them up.

use std::sync::Arc;

use crate::app::{AVRO, Answer, App, check_subject, computed, demand_subject, demand_writable};
use crate::compat::Schema;
use crate::refusal::Refusal;
use crate::store::{self, Shown, StoredVersion, Wanted};

/// A schema as a client submits it.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) schema: String,
    /// Whether to register the normalised text.
    pub(crate) normalize: bool,
    /// The version the client expects to make, if it says.
    pub(crate) version: Option<u32>,
}

/// A schema that was read, and the text that stands for it.
pub(super) struct Parsed {
    pub(super) schema: Arc<Schema>,
    text: String,
}

pub(super) async fn parse(submission: &Submission) -> Answer<Parsed> {
    let (text, normalize) = (submission.schema.clone(), submission.normalize);
    let parsed = computed(move || {
        let schema = Schema::parse(&text)?;
        let text = if normalize {
            schema.normalized()
        } else {
            schema.canonical()
        };
        Ok(Parsed {
            schema: Arc::new(schema),
            text,
        })
    });
    parsed.await.map_err(|error| Refusal::of_schema(&error))
}

impl App {
    /// Registers a schema under a subject and answers with its id. The same schema again
    /// has the same id and makes no new version.
    pub(crate) async fn register(&self, subject: &str, submission: Submission) -> Answer<u32> {
        check_subject(Some(subject))?;
        let parsed = parse(&submission).await?;

        // Producers register at every start: the common case takes no write lock.
        let mut reader = self.store.read().await?;
        if let Some(id) = registered(&mut reader, subject, &parsed.text).await? {
            return Ok(id);
        }
        drop(reader);

        let mut writer = self.store.write().await?;
        if let Some(id) = registered(&mut writer, subject, &parsed.text).await? {
            return Ok(id);
        }
        demand_writable(&mut writer, Some(subject)).await?;
        let version = store::next_version(&mut writer, subject).await?;
        if let Some(expected) = submission.version
            && expected != version
        {
            return Err(Refusal::invalid_schema(format!(
                "Version {expected} is not one more than the previous version {}",
                version - 1
            )));
        }
        let level = self.level(&mut writer, Some(subject)).await?;
        let earlier = store::live_versions(&mut writer, subject).await?;
        let messages = super::compatibility::messages(level, &parsed, earlier).await?;
        if !messages.is_empty() {
            tracing::info!(
                subject,
                compatibility = level.as_str(),
                "incompatible schema refused"
            );
            return Err(Refusal::incompatible(subject, &messages));
        }
        let id = match store::find_schema(&mut writer, AVRO, &parsed.text).await? {
            Some(id) => id,
            None => store::add_schema(&mut writer, AVRO, &parsed.text).await?,
        };
        store::add_version(&mut writer, subject, version, id).await?;
        store::commit(writer).await?;
        tracing::info!(subject, version, id, "schema registered");
        Ok(id)
    }

    /// The version under which a subject has the schema.
    pub(crate) async fn look_up(
        &self,
        subject: &str,
        submission: Submission,
        shown: Shown,
    ) -> Answer<StoredVersion> {
        let mut reader = self.store.read().await?;
        demand_subject(&mut reader, subject, shown).await?;
        drop(reader);
        let parsed = parse(&submission).await?;
        let mut reader = self.store.read().await?;
        let id = store::find_schema(&mut reader, AVRO, &parsed.text)
            .await?
            .ok_or_else(Refusal::schema_not_found)?;
        let number = store::version_of_schema(&mut reader, subject, id, shown)
            .await?
            .ok_or_else(Refusal::schema_not_found)?;
        store::version(&mut reader, subject, Wanted::Number(number), Shown::All)
            .await?
            .ok_or_else(Refusal::schema_not_found)
    }
}

/// The id, if the subject has a live version with this text.
async fn registered(
    connection: &mut sqlx::SqliteConnection,
    subject: &str,
    text: &str,
) -> Answer<Option<u32>> {
    let Some(id) = store::find_schema(connection, AVRO, text).await? else {
        return Ok(None);
    };
    let version = store::version_of_schema(connection, subject, id, Shown::Live).await?;
    Ok(version.map(|_| id))
}
