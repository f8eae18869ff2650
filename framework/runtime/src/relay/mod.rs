//! The relay: publishes the outbox to Kafka in order, each record once.
//!
//! Rows go out in Kafka transactions, each with the position of the outbox up to which it
//! publishes (see [`writer`]). A relay that starts fences every earlier one of the same
//! outbox, reads the positions and knows exactly what is published (see [`recovery`]).
//! Rows leave the outbox after their transaction is committed; a reader of committed
//! records sees each of them once, whatever happens in between.

mod recovery;
mod scan;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use mesh_core::{ErrorKind, Result};
use mesh_stream::{Admin, Failed, Remedy, StreamConfig};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) use self::writer::insist;
use self::writer::{Published, Writer};
use crate::backoff::Backoff;
use crate::host::Host;
use crate::setup::persist;
use crate::status::sentence;
use crate::store::OutboxRow;

/// Rows of one transaction at most.
const ROWS: usize = 10_000;
/// Bytes of keys and values at which a transaction takes no more rows.
const BYTES: usize = 16 << 20;
/// Rows read from the outbox at a time at most.
const PAGE: usize = 2_000;
/// How long the first rows after a pause wait for more to share their transaction.
const LINGER: Duration = Duration::from_millis(2);
/// How long the relay sleeps when nobody tells it of new rows.
const IDLE: Duration = Duration::from_secs(1);
const PART: &str = "relay";
/// What is noted beside the next transaction, which has its own reasons to wait.
const NOTES: &str = "outbox";

/// A partition that the outbox writes, and whether its topic is compacted.
pub(crate) type Target = (&'static str, i32, bool);

/// Runs until the host drains and the outbox is empty, or nothing can be done any more.
pub(crate) async fn run(
    host: Arc<Host>,
    stream: StreamConfig,
    admin: Admin,
    targets: Vec<Target>,
    recovered: oneshot::Sender<()>,
) {
    let mut recovered = Some(recovered);
    let mut backoff = Backoff::network();
    loop {
        let opened = persist(&host, PART, &host.drain, || async {
            let writer = Writer::open(&host, &stream).await?;
            recovery::recover(&host, &stream, &admin, &writer, &targets).await?;
            Ok(writer)
        });
        let writer = match opened.await {
            Ok(Some(writer)) => writer,
            Ok(None) => return,
            Err(error) => {
                host.fail(PART, error);
                return;
            }
        };
        if let Some(recovered) = recovered.take() {
            // Nobody waits any more when the host stops meanwhile.
            recovered.send(()).ok();
        }
        let mut noting = None;
        let published = publish(&host, &writer, &mut backoff, &mut noting).await;
        // Before anything is recovered, so that nothing is counted twice.
        finish(&mut noting).await;
        // Closing the clients takes time; a panic in it changes nothing here.
        tokio::task::spawn_blocking(move || drop(writer)).await.ok();
        let failed = match published {
            Ok(()) => return,
            Err(failed) => failed,
        };
        if failed.remedy == Remedy::Fenced || is_hopeless(&failed) {
            host.fail(PART, failed.error);
            return;
        }
        if !tell(&host, &failed, &mut backoff).await {
            return;
        }
    }
}

/// What was published last is noted in a task of its own, while the next transaction goes
/// out; whether it was noted.
type Noting = Option<JoinHandle<bool>>;

/// Publishes until the host drains and the outbox is empty, or cannot be published for now.
///
/// # Errors
/// What this writer cannot go on after.
async fn publish(
    host: &Arc<Host>,
    writer: &Writer,
    backoff: &mut Backoff,
    noting: &mut Noting,
) -> Result<(), Failed> {
    let mut last = 0;
    let mut fresh = true;
    loop {
        let rows = gather(host, last, fresh).await.map_err(|error| Failed {
            error,
            remedy: Remedy::Renew,
        })?;
        host.metrics.outbox_pending.set(host.store.pending() as i64);
        fresh = rows.is_empty();
        let Some(newest) = rows.last().map(|row| row.seq) else {
            if finish(noting).await && host.store.pending() > 0 {
                continue;
            }
            if host.drain.is_cancelled() {
                return Ok(());
            }
            let _ = tokio::time::timeout(IDLE, host.added.notified()).await;
            continue;
        };
        match writer.publish(host, rows).await {
            Ok(published) => {
                last = newest;
                if backoff.attempts() > 0 || host.status.waits(PART) {
                    host.status.clear(PART);
                    backoff.reset();
                }
                finish(noting).await;
                let host = Arc::clone(host);
                *noting = Some(tokio::spawn(async move {
                    note(&host, newest, &published).await
                }));
            }
            Err(failed) if failed.remedy == Remedy::Abort && !is_hopeless(&failed) => {
                let told = tell(host, &failed, backoff).await;
                writer.abort(host).await?;
                if !told {
                    return Ok(());
                }
            }
            Err(failed) => return Err(failed),
        }
    }
}

/// Whether the same rows fail again, however often they are sent.
fn is_hopeless(failed: &Failed) -> bool {
    matches!(
        failed.error.kind(),
        ErrorKind::InvalidInput | ErrorKind::Corrupt
    )
}

/// The rows of the next transaction, from after `last`; none if there are none.
async fn gather(host: &Host, last: i64, fresh: bool) -> Result<Vec<OutboxRow>> {
    let mut rows: Vec<OutboxRow> = Vec::new();
    let mut bytes = 0;
    let mut lingered = !fresh;
    while rows.len() < ROWS && bytes < BYTES {
        let from = rows.last().map_or(last, |row| row.seq);
        let limit = PAGE.min(host.store.rows_within(BYTES));
        let page = host.store.outbox_page(from, limit).await?;
        let full = page.len() == limit;
        for row in page {
            bytes += row.key.len() + row.value.as_ref().map_or(0, Vec::len);
            rows.push(row);
            if bytes >= BYTES {
                break;
            }
        }
        if full {
            continue;
        }
        if lingered || rows.is_empty() {
            break;
        }
        lingered = true;
        tokio::time::sleep(LINGER).await;
    }
    Ok(rows)
}

/// Says why nothing is published now, and waits; `false` if the host drains.
async fn tell(host: &Host, failed: &Failed, backoff: &mut Backoff) -> bool {
    host.metrics.relay_failures.inc();
    host.status.wait(PART, sentence(&failed.error));
    tracing::warn!(
        error = failed.error.log_line(),
        remedy = ?failed.remedy,
        "a transaction of the relay failed and is made again"
    );
    backoff.wait(&host.drain).await
}

/// Waits until what was published last is noted; `false` if it is not.
async fn finish(noting: &mut Noting) -> bool {
    match noting.take() {
        None => true,
        Some(noting) => noting.await.unwrap_or_else(|error| {
            tracing::error!(%error, "noting what was published ended with a panic");
            false
        }),
    }
}

/// Notes what was published and deletes every row up to `up_to`; `false` if that fails and
/// the host drains. However often it fails, nothing is published again: the relay is past
/// these rows, and its next start asks Kafka.
async fn note(host: &Host, up_to: i64, published: &Published) -> bool {
    let mut backoff = Backoff::network();
    while let Err(error) = host.store.note_up_to(up_to, published).await {
        host.status.wait(NOTES, sentence(&error));
        tracing::warn!(
            error = error.log_line(),
            "what was published is not noted yet"
        );
        if !backoff.wait(&host.drain).await {
            return false;
        }
    }
    host.status.clear(NOTES);
    show(host, published);
    host.relayed.notify_waiters();
    true
}

fn show(host: &Host, published: &Published) {
    for ((topic, _), noted) in published {
        host.metrics
            .relayed
            .with_label_values(&[topic])
            .inc_by(noted.published);
        host.status.published(topic, noted.published);
    }
}
