//! The source of applications: the bank's file, in the order of their days.

use std::path::Path;

use async_trait::async_trait;
use mesh_core::{EventId, Record, Result};
use mesh_runtime::{Context, Effects, Source, SourceBatch};

use crate::bank_files::read_applications;
use crate::products::Application;

/// The name of the source.
pub const APPLICATIONS: &str = "applications";

const BATCH: usize = 1_000;

/// Reads the applications; its position counts them.
pub struct Applications;

#[async_trait]
impl Source for Applications {
    async fn next(&self, dir: &Path, position: u64, _: &Context) -> Result<SourceBatch> {
        let applications = read_applications(dir)?;
        let topic = Application::descriptor().topic.as_str();
        let total = applications.len() as u64;
        let mut effects = Effects::new();
        let mut next = position;
        let skip = usize::try_from(position).unwrap_or(usize::MAX);
        for application in applications.iter().skip(skip).take(BATCH) {
            let key = application.application_id.to_string();
            effects.add_emit_as(EventId::derived(&[topic, "import", &key]), application);
            next += 1;
        }
        Ok(SourceBatch {
            effects,
            next,
            total: Some(total),
            done: next >= total,
            ..SourceBatch::default()
        })
    }
}
