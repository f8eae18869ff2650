//! What the registry decides: names, ids, versions, compatibility and permission.

mod compatibility;
mod delete;
mod reading;
mod references;
mod register;
mod scope;
mod settings;

use std::sync::Arc;

use mesh_core::Error;

use crate::access::{Access, Doorman};
use crate::compat::Compatibility;
use crate::refusal::Refusal;
use crate::store::{self, Page, Session, Shown, Store};
use crate::subject::Subject;

pub(crate) use compatibility::Verdict;
pub(crate) use reading::Format;
pub(crate) use references::Asked;
pub(crate) use register::Submission;
pub(crate) use settings::{Change, Patch, Shape};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) store: Store,
    pub(crate) default_compatibility: Compatibility,
    /// Who lets requests in; without one everybody may do everything.
    pub(crate) doorman: Option<Doorman>,
}

/// The registry for one request, which may do what its access says.
#[derive(Debug)]
pub(crate) struct App {
    core: Arc<Core>,
    access: Access,
}

pub(crate) type Answer<T> = Result<T, Refusal>;

impl App {
    pub(crate) fn new(core: Arc<Core>, access: Access) -> Self {
        Self { core, access }
    }
}

async fn demand_subject(session: &mut Session, subject: &Subject, shown: Shown) -> Answer<()> {
    let one = Page {
        offset: 0,
        limit: 1,
    };
    if store::version_numbers(session, subject, shown, one)
        .await?
        .is_empty()
    {
        return Err(Refusal::subject_not_found(subject));
    }
    Ok(())
}

/// Checks a subject that is about to be written.
fn check_subject(subject: &Subject) -> Answer<()> {
    let Err(reason) = subject.check() else {
        return Ok(());
    };
    Err(invalid(subject, reason))
}

fn invalid(subject: &Subject, reason: &str) -> Refusal {
    let shown: String = subject.as_str().chars().take(80).collect();
    Refusal::invalid_subject(format!(
        "The specified subject '{}' is not a valid subject: {reason}",
        shown.escape_debug()
    ))
}

/// Runs work on schemas where it cannot hold up other requests.
async fn computed<T: Send + 'static>(
    work: impl FnOnce() -> mesh_core::Result<T> + Send + 'static,
) -> mesh_core::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("work on a schema was cut off").because(error))?
}
