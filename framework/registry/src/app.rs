//! What the registry decides: names, ids, versions, compatibility and permission.

mod compatibility;
mod delete;
mod register;

use mesh_core::Error;
use sqlx::SqliteConnection;

use crate::compat::{Compatibility, Schema};
use crate::refusal::Refusal;
use crate::store::{self, Mode, Page, Setting, Shown, Store, StoredVersion, Wanted};

pub(crate) use compatibility::Verdict;
pub(crate) use register::Submission;

/// The one schema type so far, as answers and requests name it.
pub(crate) const AVRO: &str = "AVRO";

#[derive(Debug)]
pub(crate) struct App {
    store: Store,
    default_compatibility: Compatibility,
}

pub(crate) type Answer<T> = Result<T, Refusal>;

impl App {
    pub(crate) fn new(store: Store, default_compatibility: Compatibility) -> Self {
        Self {
            store,
            default_compatibility,
        }
    }

    pub(crate) async fn close(&self) {
        self.store.close().await;
    }

    pub(crate) async fn subjects(
        &self,
        shown: Shown,
        prefix: &str,
        page: Page,
    ) -> Answer<Vec<String>> {
        let mut reader = self.store.read().await?;
        Ok(store::subjects(&mut reader, shown, prefix, page).await?)
    }

    pub(crate) async fn version_numbers(
        &self,
        subject: &str,
        shown: Shown,
        page: Page,
    ) -> Answer<Vec<u32>> {
        let mut reader = self.store.read().await?;
        let exists = match shown {
            Shown::Live => Shown::Live,
            Shown::All | Shown::DeletedOnly => Shown::All,
        };
        demand_subject(&mut reader, subject, exists).await?;
        Ok(store::version_numbers(&mut reader, subject, shown, page).await?)
    }

    pub(crate) async fn version(
        &self,
        subject: &str,
        wanted: Wanted,
        shown: Shown,
    ) -> Answer<StoredVersion> {
        let mut reader = self.store.read().await?;
        if let Some(version) = store::version(&mut reader, subject, wanted, shown).await? {
            return Ok(version);
        }
        demand_subject(&mut reader, subject, shown).await?;
        Err(match wanted {
            Wanted::Latest => Refusal::version_not_found(-1),
            Wanted::Number(number) => Refusal::version_not_found(number),
        })
    }

    pub(crate) async fn all_versions(
        &self,
        prefix: &str,
        shown: Shown,
        latest_only: bool,
        page: Page,
    ) -> Answer<Vec<StoredVersion>> {
        let mut reader = self.store.read().await?;
        Ok(store::all_versions(&mut reader, prefix, shown, latest_only, page).await?)
    }

    /// Type and text of a schema.
    pub(crate) async fn schema(&self, id: u32) -> Answer<(String, String)> {
        let mut reader = self.store.read().await?;
        store::schema_by_id(&mut reader, id)
            .await?
            .ok_or_else(|| Refusal::schema_id_not_found(id))
    }

    pub(crate) async fn max_id(&self) -> Answer<u32> {
        let mut reader = self.store.read().await?;
        Ok(store::max_id(&mut reader).await?)
    }

    pub(crate) async fn versions_of_id(
        &self,
        id: u32,
        shown: Shown,
        page: Page,
    ) -> Answer<Vec<(String, u32)>> {
        let mut reader = self.store.read().await?;
        let versions = store::versions_of_id(&mut reader, id, shown, page).await?;
        if versions.is_empty() && store::schema_by_id(&mut reader, id).await?.is_none() {
            return Err(Refusal::schema_id_not_found(id));
        }
        Ok(versions)
    }

    /// The compatibility level of the subject, or the global one without a subject.
    pub(crate) async fn compatibility(
        &self,
        subject: Option<&str>,
        default_to_global: bool,
    ) -> Answer<Compatibility> {
        let mut reader = self.store.read().await?;
        match (subject, store::get(&mut reader, subject).await?) {
            (_, Some(level)) => Ok(level),
            (None, None) => Ok(self.default_compatibility),
            (Some(_), None) if default_to_global => self.level(&mut reader, None).await,
            (Some(subject), None) => Err(Refusal::no_subject_compatibility(subject)),
        }
    }

    /// The mode of the subject, or the global one without a subject.
    pub(crate) async fn mode(
        &self,
        subject: Option<&str>,
        default_to_global: bool,
    ) -> Answer<Mode> {
        let mut reader = self.store.read().await?;
        match (subject, store::get(&mut reader, subject).await?) {
            (_, Some(mode)) => Ok(mode),
            (None, None) => Ok(Mode::ReadWrite),
            (Some(_), None) if default_to_global => mode_in_force(&mut reader, None).await,
            (Some(subject), None) => Err(Refusal::no_subject_mode(subject)),
        }
    }

    pub(crate) async fn set_compatibility(
        &self,
        subject: Option<&str>,
        level: Compatibility,
    ) -> Answer<()> {
        check_subject(subject)?;
        let mut writer = self.store.write().await?;
        demand_writable(&mut writer, subject).await?;
        store::set(&mut writer, subject, Some(level)).await?;
        store::commit(writer).await?;
        tracing::info!(subject, compatibility = level.as_str(), "compatibility set");
        Ok(())
    }

    /// Unsets the level and answers with what it was.
    pub(crate) async fn delete_compatibility(
        &self,
        subject: Option<&str>,
    ) -> Answer<Compatibility> {
        let mut writer = self.store.write().await?;
        demand_writable(&mut writer, subject).await?;
        let was = match (take(&mut writer, subject).await?, subject) {
            (Some(was), _) => was,
            (None, Some(subject)) => return Err(Refusal::subject_not_found(subject)),
            (None, None) => self.default_compatibility,
        };
        store::commit(writer).await?;
        tracing::info!(subject, "compatibility unset");
        Ok(was)
    }

    pub(crate) async fn set_mode(&self, subject: Option<&str>, mode: Mode) -> Answer<()> {
        check_subject(subject)?;
        let mut writer = self.store.write().await?;
        store::set(&mut writer, subject, Some(mode)).await?;
        store::commit(writer).await?;
        tracing::info!(subject, mode = mode.as_str(), "mode set");
        Ok(())
    }

    /// Unsets the mode of a subject and answers with what it was.
    pub(crate) async fn delete_mode(&self, subject: &str) -> Answer<Mode> {
        let mut writer = self.store.write().await?;
        let was = take(&mut writer, Some(subject))
            .await?
            .ok_or_else(|| Refusal::subject_not_found(subject))?;
        store::commit(writer).await?;
        tracing::info!(subject, "mode unset");
        Ok(was)
    }

    /// The level in force for a subject.
    async fn level(
        &self,
        connection: &mut SqliteConnection,
        subject: Option<&str>,
    ) -> Answer<Compatibility> {
        let level = in_force(connection, subject).await?;
        Ok(level.unwrap_or(self.default_compatibility))
    }
}

/// A subject's own setting, else the global one.
async fn in_force<S: Setting>(
    connection: &mut SqliteConnection,
    subject: Option<&str>,
) -> Answer<Option<S>> {
    if subject.is_some()
        && let Some(own) = store::get(connection, subject).await?
    {
        return Ok(Some(own));
    }
    Ok(store::get(connection, None).await?)
}

async fn mode_in_force(connection: &mut SqliteConnection, subject: Option<&str>) -> Answer<Mode> {
    let mode = in_force(connection, subject).await?;
    Ok(mode.unwrap_or(Mode::ReadWrite))
}

async fn take<S: Setting>(
    connection: &mut SqliteConnection,
    subject: Option<&str>,
) -> Answer<Option<S>> {
    let was = store::get(connection, subject).await?;
    if was.is_some() {
        store::set::<S>(connection, subject, None).await?;
    }
    Ok(was)
}

async fn demand_writable(connection: &mut SqliteConnection, subject: Option<&str>) -> Answer<()> {
    match mode_in_force(connection, subject).await? {
        Mode::ReadWrite => Ok(()),
        Mode::ReadOnly => Err(Refusal::not_permitted(match subject {
            Some(subject) => format!("Subject {subject} is in read-only mode"),
            None => "The registry is in read-only mode".to_owned(),
        })),
    }
}

async fn demand_subject(
    connection: &mut SqliteConnection,
    subject: &str,
    shown: Shown,
) -> Answer<()> {
    let one = Page {
        offset: 0,
        limit: 1,
    };
    if store::version_numbers(connection, subject, shown, one)
        .await?
        .is_empty()
    {
        return Err(Refusal::subject_not_found(subject));
    }
    Ok(())
}

/// Checks a subject that is about to be written.
fn check_subject(subject: Option<&str>) -> Answer<()> {
    let Some(subject) = subject else {
        return Ok(());
    };
    let reason = if subject.trim().is_empty() {
        "it is empty"
    } else if subject.len() > 1024 {
        "it is longer than 1024 bytes"
    } else if subject.chars().any(char::is_control) {
        "it holds a control character"
    } else if subject.starts_with(':') {
        "contexts (subjects that start with ':') are not supported yet"
    } else if subject == "__GLOBAL" || subject == "__EMPTY" {
        "it is reserved"
    } else {
        return Ok(());
    };
    let shown: String = subject.chars().take(80).collect();
    Err(Refusal::invalid_subject(format!(
        "The specified subject '{}' is not a valid subject: {reason}",
        shown.escape_debug()
    )))
}

/// Runs work on schemas where it cannot hold up other requests.
async fn computed<T: Send + 'static>(
    work: impl FnOnce() -> mesh_core::Result<T> + Send + 'static,
) -> mesh_core::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("work on a schema was cut off").because(error))?
}

/// Parses a schema that was stored; it was valid when it was registered.
fn stored(version: &StoredVersion) -> mesh_core::Result<Schema> {
    Schema::parse(&version.schema).map_err(|error| {
        Error::new(
            mesh_core::ErrorKind::Corrupt,
            "a registered schema cannot be read",
        )
        .with("subject", &version.subject)
        .with("version", version.version)
        .because(error)
    })
}
