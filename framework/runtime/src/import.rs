//! Running a source: one batch after the other, each committed with its position.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use mesh_core::{Error, Result, TraceContext};
use tokio::sync::Mutex;

use crate::backoff::Backoff;
use crate::context::Context;
use crate::host::Host;
use crate::source::Source;
use crate::status::sentence;
use crate::store::{Outcome, SourcePosition};
use crate::unit::{Cause, Unit};

/// How long a source that has nothing to read is left alone.
const IDLE: Duration = Duration::from_millis(200);

/// Reads until the source is done or the host takes nothing more in.
pub(crate) async fn run(host: Arc<Host>, name: String, source: Arc<dyn Source>) {
    let folder = match source.reads_directory() {
        true => host.config.source_dir.clone(),
        false => Some(PathBuf::new()),
    };
    let Some(folder) = folder else {
        tracing::info!(
            source = name,
            "no source directory is configured, the source waits"
        );
        return;
    };
    let mut backoff = Backoff::network();
    while host.room().await {
        match step(&host, &name, source.as_ref(), &folder).await {
            Ok(Stepped::Done) => return,
            Ok(Stepped::More) => {
                backoff.reset();
                host.status.source_error(&name, None);
            }
            Ok(Stepped::Nothing) => {
                backoff.reset();
                host.status.source_waits(&name);
                tokio::select! {
                    () = host.intake.cancelled() => return,
                    () = tokio::time::sleep(IDLE) => {}
                }
            }
            Err(error) => {
                tracing::error!(
                    source = name,
                    error = error.log_line(),
                    "a source cannot be read, trying again"
                );
                host.status.source_error(&name, Some(sentence(&error)));
                if !backoff.wait(&host.intake).await {
                    return;
                }
            }
        }
    }
}

enum Stepped {
    More,
    Nothing,
    Done,
}

async fn step(host: &Arc<Host>, name: &str, source: &dyn Source, folder: &Path) -> Result<Stepped> {
    let before = host.store.source(name).await?;
    if before.done {
        host.status.source(&before);
        return Ok(Stepped::Done);
    }
    let from = before.position;
    let unit = Arc::new(Mutex::new(Unit::new(&host.store)));
    let trace = TraceContext::new();
    let ctx = Context::new(Arc::clone(host), Arc::clone(&unit), trace);
    let batch = AssertUnwindSafe(source.next(folder, from, &ctx))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| {
            Err(Error::internal("the source panicked").mend("see the log for where"))
        })?;
    if batch.next < from {
        return Err(Error::internal("a source went backwards")
            .with("source", name)
            .with("from", from)
            .with("next", batch.next));
    }
    if batch.next == from && !batch.done {
        if !batch.effects.is_empty() {
            return Err(Error::internal("a source has effects and did not move on")
                .with("source", name)
                .with("position", from)
                .mend("count each row or step that has effects as a position"));
        }
        return Ok(Stepped::Nothing);
    }
    let position = SourcePosition {
        name: name.to_owned(),
        from,
        position: batch.next,
        total: batch.total,
        done: batch.done,
        note: batch.note,
    };
    let mut unit = std::mem::take(&mut *unit.lock().await);
    let at = from.to_string();
    let cause = Cause {
        parts: &[&host.domain, name, &at],
        trace,
    };
    unit.apply(batch.effects, &cause, host.outputs()?)?;
    let mut commit = unit.into_commit(None);
    commit.source = Some(position.clone());
    match host.commit(commit).await? {
        Outcome::Committed => {}
        // Read again, on the state as it is now.
        Outcome::Conflict | Outcome::Answered(_) => return Ok(Stepped::More),
    }
    host.status.source(&position);
    host.metrics
        .source_position
        .with_label_values(&[name])
        .set(position.position as i64);
    if position.done {
        tracing::info!(
            source = name,
            position = position.position,
            note = position.note,
            "source read to its end"
        );
        return Ok(Stepped::Done);
    }
    Ok(Stepped::More)
}
