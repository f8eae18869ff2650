//! Putting the group of a replay to where it is to begin.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_core::{Error, Result};
use mesh_stream::{GroupOffsets, StreamConfig, TransactionalProducer};
use tokio_util::sync::CancellationToken;

use super::Way;
use crate::backoff::Backoff;
use crate::failpoint::Point;
use crate::host::Host;
use crate::status::sentence;

/// Makes sure that the handler `name`, if it is a replay, begins where it was told to;
/// `false` if it is stopped before.
pub(super) async fn placed(
    host: &Arc<Host>,
    name: &str,
    way: Way,
    stream: &StreamConfig,
    stop: &CancellationToken,
) -> bool {
    let is_replay = host.replays.versions.get(name);
    if !is_replay.is_some_and(|version| version.is_replay()) {
        return true;
    }
    let part = format!("handler {name}");
    let mut backoff = Backoff::network();
    loop {
        let placed = tokio::select! {
            () = stop.cancelled() => return false,
            placed = place(host, name, way, stream) => placed,
        };
        let Err(error) = placed else {
            host.status.clear(&part);
            return true;
        };
        // A group that still has a member of an earlier life loses it in time.
        host.status.wait(&part, sentence(&error));
        tracing::warn!(
            handler = name,
            error = error.log_line(),
            "the group of a replay is not put to its start yet"
        );
        if !backoff.wait(stop).await {
            return false;
        }
    }
}

async fn place(host: &Host, name: &str, way: Way, stream: &StreamConfig) -> Result<()> {
    let row = host.store.replay(name).await?;
    let row = row.ok_or_else(|| Error::internal("a replay is run that was not started"))?;
    if row.placed {
        return Ok(());
    }
    let group = format!("{}.{name}", host.domain);
    if way == Way::Through {
        // Ends what an earlier run may have left open, whose offsets would come after ours.
        let id = format!("{group}.{}", host.store.outbox_id());
        let producer = TransactionalProducer::init(stream, &id).await?;
        // Closing it takes time; a panic in it changes nothing here.
        let closed = tokio::task::spawn_blocking(move || drop(producer));
        closed.await.ok();
    }
    let version = host.replays.versions.get(name);
    let version = version.ok_or_else(|| Error::internal("a replay without a version"))?;
    let starts: BTreeMap<(String, i32), i64> = row
        .partitions
        .iter()
        .map(|(partition, is)| ((version.reads.to_owned(), *partition), is.start))
        .collect();
    GroupOffsets::new(stream, &group)?.place(&starts).await?;
    host.failpoint.pass(Point::ReplayPlaced, version.reads);
    // From here on the group itself knows how far it is.
    host.store.note_placed(name).await
}
