//! Which subject is meant, and which settings hold for it.

use crate::access::Role;
use crate::app::{Answer, App, Asked};
use crate::compat::Compatibility;
use crate::refusal::Refusal;
use crate::store::{self, Config, Mode, Session};
use crate::subject::Subject;

/// What holds for a subject: its own settings, else those of its context, else the global
/// ones, each by itself.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) compatibility: Compatibility,
    pub(super) mode: Mode,
    /// Without the alias, which is a subject's own.
    pub(super) config: Config,
}

impl InForce {
    /// Whether metadata is added to what a client registers.
    pub(super) fn adds_metadata(&self) -> bool {
        self.config.default_metadata.is_some() || self.config.override_metadata.is_some()
    }

    /// Refuses to change a subject, a context or the registry that only reads.
    pub(super) fn demand_writable(&self, subject: &Subject) -> Answer<()> {
        match self.mode {
            Mode::ReadWrite | Mode::Import => Ok(()),
            Mode::ReadOnly | Mode::ReadOnlyOverride => {
                Err(Refusal::not_permitted(match subject.is_global() {
                    false => format!("Subject {subject} is in read-only mode"),
                    true => "The registry is in read-only mode".to_owned(),
                }))
            }
        }
    }
}

impl App {
    /// The subject that a request means: the one that the named one is an alias of. The role
    /// is needed for either.
    pub(super) async fn meant(
        &self,
        session: &mut Session,
        role: Role,
        subject: &str,
    ) -> Answer<Subject> {
        let subject = Subject::read(subject);
        self.access.demand(role, &subject)?;
        let alias = store::settings(session, &subject).await?.config.alias;
        Ok(match alias {
            Some(alias) => {
                let meant = Subject::within(subject.context(), &alias);
                self.access.demand(role, &meant)?;
                meant
            }
            None => subject,
        })
    }

    /// Who refers to a schema has to be able to read it.
    pub(super) fn demand_references(&self, parent: &Subject, asked: &[Asked]) -> Answer<()> {
        asked.iter().try_for_each(|asked| {
            let subject = Subject::within(parent.context(), &asked.subject);
            self.access.demand(Role::Read, &subject)
        })
    }

    pub(super) async fn in_force(
        &self,
        session: &mut Session,
        subject: &Subject,
    ) -> Answer<InForce> {
        let global = store::settings(session, &Subject::global()).await?;
        let mut layers = Vec::with_capacity(3);
        if !subject.name().is_empty() {
            layers.push(store::settings(session, subject).await?);
        }
        if !subject.in_default_context() {
            layers.push(store::settings(session, &subject.whole_context()).await?);
        }
        let overridden = (global.mode == Some(Mode::ReadOnlyOverride)).then_some(global.mode);
        layers.push(global);
        let mut compatibility = None;
        let mut mode = overridden.flatten();
        let mut config = Config::default();
        for layer in layers {
            compatibility = compatibility.or(layer.compatibility);
            mode = mode.or(layer.mode);
            let below = layer.config;
            config.normalize = config.normalize.or(below.normalize);
            config.compatibility_group = config.compatibility_group.or(below.compatibility_group);
            config.default_metadata = config.default_metadata.or(below.default_metadata);
            config.override_metadata = config.override_metadata.or(below.override_metadata);
        }
        Ok(InForce {
            compatibility: compatibility.unwrap_or(self.core.default_compatibility),
            mode: mode.unwrap_or(Mode::ReadWrite),
            config,
        })
    }
}
