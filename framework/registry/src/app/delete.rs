//! Deleting versions and subjects: softly first, then for good.

use super::{Answer, App, demand_subject, demand_writable};
use crate::refusal::Refusal;
use crate::store::{self, Page, Shown, Wanted};

const EVERY: Page = Page {
    offset: 0,
    limit: -1,
};

impl App {
    /// Deletes a subject and answers with the versions that this deleted. Its settings go
    /// with the soft deletion, as in Confluent's registry.
    pub(crate) async fn delete_subject(&self, subject: &str, permanent: bool) -> Answer<Vec<u32>> {
        let mut writer = self.store.write().await?;
        demand_subject(&mut writer, subject, Shown::All).await?;
        demand_writable(&mut writer, Some(subject)).await?;
        let live = store::version_numbers(&mut writer, subject, Shown::Live, EVERY).await?;
        let deleted = if permanent {
            if !live.is_empty() {
                return Err(Refusal::subject_not_soft_deleted(subject));
            }
            let all = store::version_numbers(&mut writer, subject, Shown::All, EVERY).await?;
            store::delete_versions(&mut writer, subject, None).await?;
            all
        } else {
            if live.is_empty() {
                return Err(Refusal::subject_soft_deleted(subject));
            }
            store::hide_versions(&mut writer, subject, None).await?;
            store::clear(&mut writer, subject).await?;
            live
        };
        store::commit(writer).await?;
        tracing::info!(
            subject,
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
        let mut writer = self.store.write().await?;
        demand_subject(&mut writer, subject, Shown::All).await?;
        demand_writable(&mut writer, Some(subject)).await?;
        let latest_live = wanted == Wanted::Latest && !permanent;
        let shown = if latest_live { Shown::Live } else { Shown::All };
        let Some(version) = store::version(&mut writer, subject, wanted, shown).await? else {
            return Err(match wanted {
                Wanted::Latest => Refusal::version_not_found(-1),
                Wanted::Number(number) => Refusal::version_not_found(number),
            });
        };
        match (permanent, version.deleted) {
            (false, true) => {
                return Err(Refusal::version_soft_deleted(subject, version.version));
            }
            (true, false) => {
                return Err(Refusal::version_not_soft_deleted(subject, version.version));
            }
            (true, true) => {
                store::delete_versions(&mut writer, subject, Some(version.version)).await?;
            }
            (false, false) => {
                store::hide_versions(&mut writer, subject, Some(version.version)).await?;
                let left = store::version_numbers(&mut writer, subject, Shown::Live, EVERY).await?;
                if left.is_empty() {
                    store::clear(&mut writer, subject).await?;
                }
            }
        }
        store::commit(writer).await?;
        tracing::info!(
            subject,
            version = version.version,
            permanent,
            "version deleted"
        );
        Ok(version.version)
    }
}
