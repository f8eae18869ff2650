//! The source of views: the ratings file, in the order of time. Its position counts rows in that
//! order.
//!
//! Without the file the source waits for it, since a domain can live on what players report alone.
//! Views over the API are taken when the file is through, so that no view of today makes those of
//! the past late.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mesh_core::{Error, ErrorKind, EventId, Result};
use mesh_runtime::{Context, Effects, Source, SourceBatch};
use serde::{Deserialize, Serialize};

use crate::ratings::{FILES, Ratings};

/// The name of the source.
pub const VIEWS: &str = "views";

/// The document that says what file is being read.
const FILE: (&str, &str) = ("file", "ratings");

const BATCH: usize = 1_000;

/// What file is being read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reading {
    rows: u64,
    digest: String,
}

/// Whether there is a file to read, as the source found it last.
#[derive(Debug, Clone, Default)]
pub struct Import {
    absent: Arc<AtomicBool>,
}

impl Import {
    /// Whether nothing of the past is left to publish.
    pub fn is_over(&self, ctx: &Context) -> bool {
        ctx.source_done(VIEWS) || self.absent.load(Ordering::Acquire)
    }

    /// An error, retryable, as long as the file is being read.
    ///
    /// # Errors
    /// Unavailable until the source is done or has found that there is no file.
    pub fn require(&self, ctx: &Context) -> Result<()> {
        if self.is_over(ctx) {
            return Ok(());
        }
        Err(
            Error::unavailable("the views of the past are still being read")
                .mend("ask again in a moment; /status shows how far the source is"),
        )
    }
}

/// Reads `ratings.csv` or `ratings.csv.gz`.
#[derive(Default)]
pub struct Views {
    import: Import,
    // The rows in order are kept between batches; after a restart they are read anew.
    ratings: Mutex<Option<Arc<Ratings>>>,
}

impl Views {
    /// The source, which tells `import` what it finds.
    pub fn new(import: Import) -> Self {
        Self {
            import,
            ratings: Mutex::default(),
        }
    }

    async fn ratings(&self, dir: &Path) -> Result<Option<Arc<Ratings>>> {
        let kept = self.kept().clone();
        if kept.is_some() {
            return Ok(kept);
        }
        let dir = dir.to_owned();
        let read = tokio::task::spawn_blocking(move || Ratings::open(&dir))
            .await
            .map_err(|error| Error::internal("the reading of a file broke off").because(error))??;
        let read = read.map(Arc::new);
        self.kept().clone_from(&read);
        Ok(read)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Arc<Ratings>>> {
        self.ratings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Source for Views {
    async fn next(&self, dir: &Path, position: u64, ctx: &Context) -> Result<SourceBatch> {
        let before: Option<Reading> = ctx.get(FILE.0, FILE.1).await?;
        let changed = |message: &'static str| {
            Error::new(ErrorKind::FailedPrecondition, message)
                .with("directory", dir.display())
                .with("rows_read", position)
                .mend("put the file back as it was, or start with an empty data directory")
        };
        let Some(ratings) = self.ratings(dir).await? else {
            if before.is_some() {
                return Err(changed("the ratings file is gone and was read in part"));
            }
            if !self.import.absent.swap(true, Ordering::AcqRel) {
                tracing::info!(
                    directory = %dir.display(),
                    files = FILES.join(", "),
                    "no ratings to import, waiting for live views"
                );
            }
            return Ok(SourceBatch::wait(position));
        };
        self.import.absent.store(false, Ordering::Release);
        let reading = Reading {
            rows: ratings.len() as u64,
            digest: ratings.digest().to_owned(),
        };
        let mut effects = Effects::new();
        match before {
            None => effects.add_put(FILE.0, FILE.1, &reading),
            Some(before) if before == reading => {}
            Some(_) => {
                // Its rows are in another order now: a position says nothing about them.
                *self.kept() = None;
                return Err(changed("the ratings file is another than was read in part"));
            }
        }
        let from = usize::try_from(position).unwrap_or(usize::MAX);
        let mut next = position;
        for view in ratings.views(from, BATCH) {
            effects.add_emit_as(EventId(view.view_id), &view);
            next += 1;
        }
        let done = next >= reading.rows;
        if done {
            *self.kept() = None;
        }
        Ok(SourceBatch {
            effects,
            next,
            total: Some(reading.rows),
            done,
            ..SourceBatch::default()
        })
    }
}
