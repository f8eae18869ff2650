//! The source of profiles: the bank's files, in batches of clients.

use std::path::Path;

use async_trait::async_trait;
use mesh_core::{EventId, Record, Result};
use mesh_runtime::{Context, Effects, Source, SourceBatch};

use crate::clients::read_profiles;
use crate::erasure::is_erased;
use crate::products::Profile;

/// The name of the source.
pub const CLIENTS: &str = "clients";
/// The documents that hold profiles, by client.
pub const PROFILE: &str = "profile";

const BATCH: usize = 1_000;

/// Reads `client.asc`, `district.asc` and `disp.asc`; its position counts clients.
pub struct Clients;

#[async_trait]
impl Source for Clients {
    async fn next(&self, dir: &Path, position: u64, ctx: &Context) -> Result<SourceBatch> {
        let profiles = read_profiles(dir)?;
        let total = profiles.len() as u64;
        let notes = profiles
            .iter()
            .filter(|one| one.data_note.is_some())
            .count();
        let mut effects = Effects::new();
        let mut next = position;
        let skip = usize::try_from(position).unwrap_or(usize::MAX);
        for profile in profiles.iter().skip(skip).take(BATCH) {
            let key = profile.client_id.to_string();
            next += 1;
            // The files are read once more into a new store, which has read back from the topics
            // who has moved since, and who is erased.
            let known = ctx.get_record::<Profile>(PROFILE, &key).await?.is_some();
            if known || is_erased(ctx, profile.client_id).await? {
                continue;
            }
            let topic = Profile::descriptor().topic.as_str();
            effects.add_emit_as(EventId::derived(&[topic, "import", &key]), profile);
            effects.add_put_record(PROFILE, key, profile);
        }
        Ok(SourceBatch {
            effects,
            next,
            total: Some(total),
            done: next >= total,
            note: (notes > 0)
                .then(|| format!("{notes} profiles with a figure that the bank does not know")),
        })
    }
}
