//! Deleting versions and subjects: softly first, then for good.

use super::{Answer, App, demand_subject};
use crate::access::Role;
use crate::refusal::Refusal;
use crate::store::{self, Page, Session, Shown, Wanted};
use crate::subject::Subject;

impl App {
    /// Deletes a subject and answers with the versions that this deleted. Its settings go
    /// with the soft deletion, as in Confluent's registry.
    pub(crate) async fn delete_subject(&self, subject: &str, permanent: bool) -> Answer<Vec<u32>> {
        let mut writer = self.core.store.write().await?;
        let subject = &self.meant(&mut writer, role(permanent), subject).await?;
        demand_subject(&mut writer, subject, Shown::All).await?;
        let in_force = self.in_force(&mut writer, subject).await?;
        in_force.demand_writable(subject)?;
        let live = store::version_numbers(&mut writer, subject, Shown::Live, Page::ALL).await?;
        let deleted = if permanent {
            if !live.is_empty() {
                return Err(Refusal::subject_not_soft_deleted(subject));
            }
            demand_unreferenced(&mut writer, subject, None, Shown::All).await?;
            let all = store::version_numbers(&mut writer, subject, Shown::All, Page::ALL).await?;
            store::delete_versions(&mut writer, subject, None).await?;
            all
        } else {
            if live.is_empty() {
                return Err(Refusal::subject_soft_deleted(subject));
            }
            demand_unreferenced(&mut writer, subject, None, Shown::Live).await?;
            store::hide_versions(&mut writer, subject, None).await?;
            store::clear(&mut writer, subject).await?;
            live
        };
        store::commit(writer).await?;
        tracing::info!(
            subject = subject.as_str(),
            permanent,
            versions = deleted.len(),
            "subject deleted"
        );
        Ok(deleted)
    }

    /// Deletes one version and answers with its number.
    pub(crate) async fn delete_version(
        &self,
        subject: &str,
        wanted: Wanted,
        permanent: bool,
    ) -> Answer<u32> {
        let mut writer = self.core.store.write().await?;
        let subject = &self.meant(&mut writer, role(permanent), subject).await?;
        demand_subject(&mut writer, subject, Shown::All).await?;
        let in_force = self.in_force(&mut writer, subject).await?;
        in_force.demand_writable(subject)?;
        let latest_live = wanted == Wanted::Latest && !permanent;
        let shown = if latest_live { Shown::Live } else { Shown::All };
        let Some(version) = store::version(&mut writer, subject, wanted, shown).await? else {
            return Err(match wanted {
                Wanted::Latest => Refusal::version_not_found(-1),
                Wanted::Number(number) => Refusal::version_not_found(number),
            });
        };
        let number = version.version;
        match (permanent, version.deleted) {
            (false, true) => return Err(Refusal::version_soft_deleted(subject, number)),
            (true, false) => return Err(Refusal::version_not_soft_deleted(subject, number)),
            (true, true) => {
                demand_unreferenced(&mut writer, subject, Some(number), Shown::All).await?;
                store::delete_versions(&mut writer, subject, Some(number)).await?;
            }
            (false, false) => {
                demand_unreferenced(&mut writer, subject, Some(number), Shown::Live).await?;
                store::hide_versions(&mut writer, subject, Some(number)).await?;
                let left =
                    store::version_numbers(&mut writer, subject, Shown::Live, Page::ALL).await?;
                if left.is_empty() {
                    store::clear(&mut writer, subject).await?;
                }
            }
        }
        store::commit(writer).await?;
        tracing::info!(
            subject = subject.as_str(),
            version = number,
            permanent,
            "version deleted"
        );
        Ok(number)
    }
}

/// What is deleted softly can be had again; for good it cannot.
fn role(permanent: bool) -> Role {
    match permanent {
        true => Role::Admin,
        false => Role::Write,
    }
}

/// Refuses to delete what is referred to: softly while a version that is not deleted does,
/// for good while any does, for data in topics is still read with it.
async fn demand_unreferenced(
    session: &mut Session,
    subject: &Subject,
    version: Option<u32>,
    shown: Shown,
) -> Answer<()> {
    match store::is_referenced(session, subject, version, shown).await? {
        None => Ok(()),
        Some(version) => Err(Refusal::reference_exists(subject, version)),
    }
}
