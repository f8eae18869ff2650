//! Who may do what: users and tokens, their roles, and the proof that a request brings.

mod credential;
mod file;
mod login;

use std::sync::Arc;

pub use file::{Grant, Role, add_token, remove_user, set_user, user_names};
pub(crate) use login::Doorman;

use crate::refusal::Refusal;
use crate::subject::Subject;

/// What one request may do.
#[derive(Debug, Clone)]
pub(crate) enum Access {
    /// Everything: the registry asks nobody who they are.
    Open,
    /// What somebody was granted.
    Granted(Arc<[Grant]>),
}

impl Access {
    /// Whether `role` is held for the subject, the context or, without either, all.
    pub(crate) fn has(&self, role: Role, subject: &str) -> bool {
        match self {
            Self::Open => true,
            Self::Granted(grants) => grants
                .iter()
                .any(|grant| grant.role >= role && subject.starts_with(&grant.subjects)),
        }
    }

    /// Refuses what needs a role that is not held.
    pub(crate) fn demand(&self, role: Role, subject: &Subject) -> Result<(), Refusal> {
        if self.has(role, subject.as_str()) {
            return Ok(());
        }
        let place = match subject.is_global() {
            true => "the whole registry".to_owned(),
            false => format!("subject '{subject}'"),
        };
        Err(Refusal::forbidden(format!(
            "This needs the role {} for {place}",
            role.as_str()
        )))
    }
}
