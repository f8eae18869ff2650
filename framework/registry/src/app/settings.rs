//! Compatibility, configuration and mode of subjects, contexts and the registry.

use super::{Answer, App, check_subject, invalid};
use crate::access::Role;
use crate::compat::Compatibility;
use crate::metadata::Metadata;
use crate::refusal::Refusal;
use crate::store::{self, Config, Mode, Page, Session, Shown};
use crate::subject::{Prefix, Subject};

/// What a request does to one setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Patch<T> {
    #[default]
    Keep,
    Unset,
    Set(T),
}

impl<T> Patch<T> {
    fn apply(self, setting: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Unset => *setting = None,
            Self::Set(value) => *setting = Some(value),
        }
    }
}

/// What a request does to a configuration.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) compatibility: Patch<Compatibility>,
    pub(crate) alias: Patch<String>,
    pub(crate) normalize: Patch<bool>,
    pub(crate) compatibility_group: Patch<String>,
    pub(crate) default_metadata: Patch<Metadata>,
    pub(crate) override_metadata: Patch<Metadata>,
}

/// A configuration as it is shown; the level is the one in force.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) compatibility: Compatibility,
    pub(crate) config: Config,
}

impl App {
    /// The configuration of a subject or a context, or the global one.
    pub(crate) async fn config(&self, at: &Subject, default_to_global: bool) -> Answer<Shape> {
        self.demand_read(at)?;
        let mut reader = self.core.store.read().await?;
        let own = store::settings(&mut reader, at).await?;
        let in_force = self.in_force(&mut reader, at).await?;
        if default_to_global {
            let mut config = in_force.config;
            config.alias = own.config.alias;
            return Ok(Shape {
                compatibility: in_force.compatibility,
                config,
            });
        }
        if !at.is_global() && !own.has_config() {
            return Err(Refusal::no_subject_compatibility(at));
        }
        Ok(Shape {
            compatibility: own.compatibility.unwrap_or(in_force.compatibility),
            config: own.config,
        })
    }

    pub(crate) async fn set_config(&self, at: &Subject, change: Change) -> Answer<()> {
        self.access.demand(Role::Write, at)?;
        check_place(at)?;
        self.check_alias(at, &change.alias)?;
        let mut writer = self.core.store.write().await?;
        self.demand_writable(&mut writer, at).await?;
        let mut settings = store::settings(&mut writer, at).await?;
        change.compatibility.apply(&mut settings.compatibility);
        let config = &mut settings.config;
        change.alias.apply(&mut config.alias);
        change.normalize.apply(&mut config.normalize);
        change
            .compatibility_group
            .apply(&mut config.compatibility_group);
        change.default_metadata.apply(&mut config.default_metadata);
        change
            .override_metadata
            .apply(&mut config.override_metadata);
        store::store_settings(&mut writer, at, &settings).await?;
        store::commit(writer).await?;
        let level = settings.compatibility.map(Compatibility::as_str);
        tracing::info!(subject = at.as_str(), compatibility = level, "configured");
        Ok(())
    }

    /// Unsets the configuration and answers with what it was.
    pub(crate) async fn delete_config(&self, at: &Subject) -> Answer<Shape> {
        self.access.demand(Role::Write, at)?;
        let mut writer = self.core.store.write().await?;
        let in_force = self.demand_writable(&mut writer, at).await?;
        let mut settings = store::settings(&mut writer, at).await?;
        if !at.is_global() && !settings.has_config() {
            return Err(Refusal::subject_not_found(at));
        }
        let was = Shape {
            compatibility: settings.compatibility.take().unwrap_or(in_force),
            config: std::mem::take(&mut settings.config),
        };
        store::store_settings(&mut writer, at, &settings).await?;
        store::commit(writer).await?;
        tracing::info!(subject = at.as_str(), "configuration unset");
        Ok(was)
    }

    /// The mode of a subject or a context, or the global one.
    pub(crate) async fn mode(&self, at: &Subject, default_to_global: bool) -> Answer<Mode> {
        self.demand_read(at)?;
        let mut reader = self.core.store.read().await?;
        if default_to_global || at.is_global() {
            return Ok(self.in_force(&mut reader, at).await?.mode);
        }
        let own = store::settings(&mut reader, at).await?.mode;
        own.ok_or_else(|| Refusal::no_subject_mode(at))
    }

    /// Sets the mode. IMPORT wants a place without schemas, unless it is forced.
    pub(crate) async fn set_mode(&self, at: &Subject, mode: Mode, force: bool) -> Answer<()> {
        self.access.demand(Role::Admin, at)?;
        check_place(at)?;
        let mut writer = self.core.store.write().await?;
        let mut settings = store::settings(&mut writer, at).await?;
        let begins = mode == Mode::Import && settings.mode != Some(Mode::Import);
        if begins && !force && has_versions(&mut writer, at).await? {
            return Err(Refusal::not_permitted(
                "Cannot import since found existing subjects: delete them first, or set the \
                 mode with force=true",
            ));
        }
        settings.mode = Some(mode);
        store::store_settings(&mut writer, at, &settings).await?;
        store::commit(writer).await?;
        tracing::info!(subject = at.as_str(), mode = mode.as_str(), "mode set");
        Ok(())
    }

    /// Unsets the mode and answers with what it was.
    pub(crate) async fn delete_mode(&self, at: &Subject) -> Answer<Mode> {
        self.access.demand(Role::Admin, at)?;
        let mut writer = self.core.store.write().await?;
        let mut settings = store::settings(&mut writer, at).await?;
        let was = match settings.mode.take() {
            Some(was) => was,
            None if at.is_global() => Mode::ReadWrite,
            None => return Err(Refusal::subject_not_found(at)),
        };
        store::store_settings(&mut writer, at, &settings).await?;
        store::commit(writer).await?;
        tracing::info!(subject = at.as_str(), "mode unset");
        Ok(was)
    }

    fn check_alias(&self, at: &Subject, alias: &Patch<String>) -> Answer<()> {
        let Patch::Set(alias) = alias else {
            return Ok(());
        };
        if at.name().is_empty() {
            return Err(Refusal::invalid_compatibility(
                "An alias is set for a subject, not for a context or the registry",
            ));
        }
        let alias = Subject::within(at.context(), alias);
        check_subject(&alias)?;
        self.access.demand(Role::Read, &alias)?;
        if alias == *at {
            return Err(Refusal::invalid_compatibility(
                "A subject cannot be an alias of itself",
            ));
        }
        Ok(())
    }

    /// Everybody who is let in may know what is set globally.
    fn demand_read(&self, at: &Subject) -> Answer<()> {
        match at.is_global() {
            true => Ok(()),
            false => self.access.demand(Role::Read, at),
        }
    }

    /// The level in force where something may be changed.
    async fn demand_writable(&self, session: &mut Session, at: &Subject) -> Answer<Compatibility> {
        let in_force = self.in_force(session, at).await?;
        in_force.demand_writable(at)?;
        Ok(in_force.compatibility)
    }
}

/// Whether a version that is not deleted stands in the subject, the context or anywhere.
async fn has_versions(session: &mut Session, at: &Subject) -> Answer<bool> {
    let one = Page {
        offset: 0,
        limit: 1,
    };
    if !at.name().is_empty() {
        let versions = store::version_numbers(session, at, Shown::Live, one).await?;
        return Ok(!versions.is_empty());
    }
    let prefix = Prefix {
        context: (!at.is_global()).then(|| at.context().to_owned()),
        name: String::new(),
    };
    let subjects = store::subjects(session, Shown::Live, &prefix, one).await?;
    Ok(!subjects.is_empty())
}

/// Checks where something is to be set: a subject, a context or the registry.
fn check_place(at: &Subject) -> Answer<()> {
    if at.is_global() {
        return Ok(());
    }
    if at.name().is_empty() {
        return at.check_context().map_err(|reason| invalid(at, reason));
    }
    check_subject(at)
}
