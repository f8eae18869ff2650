//! The relay: publishes the outbox to Kafka in order, each record once.
//!
//! Every record carries the outbox's id and its sequence number. A record is noted as
//! published after Kafka has acknowledged it; whatever happened in between, the relay
//! finds out at its next start by reading what stands after the last noted offset of each
//! partition (see [`recovery`]). After any failure of the producer it starts the same way
//! anew, so that no order is lost and nothing is sent on a guess.

mod recovery;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{FuturesOrdered, StreamExt};
use futures::{FutureExt, future::BoxFuture};
use mesh_core::{Error, ErrorKind, EventId, Result};
use mesh_stream::{Admin, Headers, OutboxMark, Outgoing, Producer, StreamConfig};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::failpoint::Point;
use crate::host::Host;
use crate::setup::persist;
use crate::status::sentence;
use crate::store::{Noted, OutboxRow};

/// Records on their way at a time.
const WINDOW: usize = 10_000;
/// Rows read from the outbox at a time.
const PAGE: usize = 2_000;
/// How long the relay sleeps when nobody tells it of new rows.
const IDLE: Duration = Duration::from_secs(1);
const PART: &str = "relay";

/// A partition that the outbox writes, and whether its topic is compacted.
pub(crate) type Target = (&'static str, i32, bool);

/// A record that Kafka has acknowledged.
struct Sent {
    seq: i64,
    topic: String,
    partition: i32,
    offset: i64,
}

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
        let found = persist(&host, PART, &host.drain, || {
            recovery::recover(&host, &stream, &admin, &targets)
        });
        match found.await {
            Ok(Some(())) => {}
            Ok(None) => return,
            Err(error) => {
                host.fail(PART, error);
                return;
            }
        }
        if let Some(recovered) = recovered.take() {
            // Nobody waits any more when the host stops meanwhile.
            recovered.send(()).ok();
        }
        let error = match publish(&host, &stream, &mut backoff).await {
            Ok(()) => return,
            Err(error) => error,
        };
        host.metrics.relay_failures.inc();
        host.status.wait(PART, sentence(&error));
        tracing::warn!(error = error.log_line(), "the relay begins anew");
        if !backoff.wait(&host.drain).await {
            return;
        }
    }
}

/// Publishes until the host drains and the outbox is empty.
async fn publish(host: &Host, stream: &StreamConfig, backoff: &mut Backoff) -> Result<()> {
    let producer = Producer::new(&relay_config(stream))?;
    let mut inflight: FuturesOrdered<BoxFuture<'static, Result<Sent>>> = FuturesOrdered::new();
    let mut last = 0;
    loop {
        while inflight.len() < WINDOW {
            let page = host.store.outbox_page(last, PAGE).await?;
            let full = page.len() == PAGE;
            for row in page {
                last = row.seq;
                inflight.push_back(send(host, &producer, row).await?);
                // What has arrived already is noted on the way, or a long queue would be
                // noted only when all of it is sent.
                if inflight.len() >= WINDOW {
                    break;
                }
            }
            if !full {
                break;
            }
        }
        host.metrics.outbox_pending.set(host.store.pending() as i64);
        if inflight.is_empty() {
            if host.drain.is_cancelled() && host.store.pending() == 0 {
                return Ok(());
            }
            let _ = tokio::time::timeout(IDLE, host.added.notified()).await;
            continue;
        }
        let mut sent = Vec::new();
        if let Some(first) = inflight.next().await {
            sent.push(first);
        }
        while let Some(Some(more)) = inflight.next().now_or_never() {
            sent.push(more);
        }
        let failed = note(host, sent).await?;
        if let Some(error) = failed {
            return Err(error);
        }
        backoff.reset();
    }
}

/// Librdkafka's defaults for a relay: what was put in the queue is never given up, so that
/// no later record of a partition can overtake it.
fn relay_config(stream: &StreamConfig) -> StreamConfig {
    let mut stream = stream.clone();
    stream.client_id = format!("{}-relay", stream.client_id);
    for (name, value) in [
        ("message.timeout.ms", "0"),
        ("enable.gapless.guarantee", "true"),
    ] {
        stream.overrides.insert(name.to_owned(), value.to_owned());
    }
    stream
}

async fn send(
    host: &Host,
    producer: &Producer,
    row: OutboxRow,
) -> Result<BoxFuture<'static, Result<Sent>>> {
    let corrupt = |what: &'static str| {
        Error::new(ErrorKind::Corrupt, "a row of the outbox cannot be read")
            .with("seq", row.seq)
            .with("column", what)
    };
    let headers = Headers {
        event_id: EventId(Uuid::from_slice(&row.event_id).map_err(|_| corrupt("event_id"))?),
        contract_version: row.contract_version.clone(),
        trace: row.trace.parse().map_err(|_| corrupt("trace"))?,
        outbox: Some(OutboxMark {
            outbox: host.store.outbox_id(),
            seq: row.seq as u64,
        }),
    };
    let delivery = producer
        .send(Outgoing {
            topic: row.topic.clone(),
            partition: Some(row.partition),
            key: Bytes::from(row.key),
            value: row.value.map(Bytes::from),
            headers,
            timestamp: None,
        })
        .await?;
    let (seq, topic) = (row.seq, row.topic);
    Ok(async move {
        let (partition, offset) = delivery.await?;
        Ok(Sent {
            seq,
            topic,
            partition,
            offset,
        })
    }
    .boxed())
}

/// Notes what was acknowledged, up to the first failure, which is given back.
async fn note(host: &Host, sent: Vec<Result<Sent>>) -> Result<Option<Error>> {
    let mut noted: BTreeMap<(String, i32), Noted> = BTreeMap::new();
    let mut up_to = None;
    let mut failed = None;
    for sent in sent {
        let sent = match sent {
            Ok(sent) => sent,
            Err(error) => {
                failed = Some(error);
                break;
            }
        };
        host.failpoint.pass(Point::RelaySent, &sent.topic);
        up_to = Some(sent.seq);
        let partition = noted.entry((sent.topic, sent.partition)).or_insert(Noted {
            seq: 0,
            offset: -1,
            published: 0,
        });
        partition.seq = partition.seq.max(sent.seq);
        partition.offset = partition.offset.max(sent.offset);
        partition.published += 1;
    }
    if let Some(up_to) = up_to {
        host.store.note_up_to(up_to, &noted).await?;
        published(host, &noted);
        host.relayed.notify_waiters();
    }
    Ok(failed)
}

fn published(host: &Host, noted: &BTreeMap<(String, i32), Noted>) {
    for ((topic, _), noted) in noted {
        host.metrics
            .relayed
            .with_label_values(&[topic])
            .inc_by(noted.published);
        host.status.published(topic, noted.published);
    }
}
