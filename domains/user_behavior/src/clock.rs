//! Closes sessions by the clock: of users from whom nothing comes any more while nobody else
//! watches either. It is a source that reads nothing, since the host asks a source again and
//! again.
//!
//! The clock counts from the arrival of the last view, not from its time, so that views of the
//! past that are being read are not taken for idle; and from the start of this process, since
//! what came while it was down is still to be handled. While a file of the past is read, event time
//! alone closes.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::Utc;
use mesh_core::Result;
use mesh_runtime::{Context, Source, SourceBatch};

use crate::follow::Work;
use crate::import::Import;
use crate::settings::Settings;

/// The name of the source.
pub const CLOCK: &str = "clock";

/// Closes sessions that are idle; its position counts the times that it closed some.
pub struct Clock {
    settings: Settings,
    import: Import,
    started: i64,
    /// When it looked last.
    looked: Mutex<i64>,
}

impl Clock {
    /// A clock that waits for `import`.
    pub fn new(settings: Settings, import: Import) -> Self {
        let started = Utc::now().timestamp_millis();
        Self {
            settings,
            import,
            started,
            looked: Mutex::new(started),
        }
    }

    /// Whether it is time to look again: ten times in a gap, and not more often than each second.
    fn is_time(&self, now: i64) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let due = *looked + (self.settings.limits.gap / 10).clamp(1_000, 60_000);
        if now < due {
            return false;
        }
        *looked = now;
        true
    }
}

#[async_trait]
impl Source for Clock {
    async fn next(&self, _: &Path, position: u64, ctx: &Context) -> Result<SourceBatch> {
        let now = Utc::now().timestamp_millis();
        if !self.import.is_over(ctx) || !self.is_time(now) {
            return Ok(SourceBatch::wait(position));
        }
        let mut work = Work::new(ctx, &self.settings);
        if work.close_idle(now, self.started).await? == 0 {
            return Ok(SourceBatch::wait(position));
        }
        Ok(SourceBatch::more(work.finish().await?, position + 1))
    }
}
