//! How far replays have come, how fast they go and when they will be there.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mesh_core::{Result, TimestampMillis};
use serde::Serialize;

use super::Version;
use crate::host::Host;
use crate::store::{Phase, ReplayRow};

/// How often is looked.
const LOOK: Duration = Duration::from_secs(1);
/// Over how long the rate is taken.
const WINDOW: Duration = Duration::from_secs(15);

/// How a replay is doing.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct ReplayStatus {
    pub(crate) handler: String,
    pub(crate) version: u32,
    /// Its name among the handlers.
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) topic: String,
    pub(crate) writes: Vec<String>,
    /// `ready`, `replaying`, `following`, `switching`, `switched` or `abandoned`.
    pub(crate) state: &'static str,
    /// What it cannot do now, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waiting: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) started_at: Option<String>,
    pub(crate) started_by: Option<String>,
    pub(crate) switched_at: Option<String>,
    pub(crate) switched_by: Option<String>,
    pub(crate) partitions: Vec<PartitionStatus>,
    /// Of the records that were there when it was started.
    pub(crate) percent: Option<f64>,
    /// Records up to the end as it is now.
    pub(crate) remaining: Option<u64>,
    pub(crate) records_per_second: Option<f64>,
    /// Until it is at the end as it is now.
    pub(crate) seconds_left: Option<u64>,
    pub(crate) handled: u64,
    pub(crate) set_aside: u64,
    /// The older versions that are still fed.
    pub(crate) fed: Vec<String>,
}

/// How far a replay has come in one partition. Offsets count the marks of transactions too.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PartitionStatus {
    pub(crate) partition: i32,
    pub(crate) start: i64,
    pub(crate) position: i64,
    /// The end when it was started.
    pub(crate) end_at_start: i64,
    /// The end as it is now; `None` if Kafka was not asked yet.
    pub(crate) end: Option<i64>,
    /// From where on this version serves.
    pub(crate) boundary: Option<i64>,
}

/// What is remembered to tell how fast replays go: when each had which position.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<HashMap<String, VecDeque<(Instant, i64)>>>);

impl Rates {
    /// Notes a position; how many records a second that makes.
    fn note(&self, name: &str, position: i64) -> Option<f64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry(name.to_owned()).or_default();
        let now = Instant::now();
        let due = seen.back().is_none_or(|(at, _)| now - *at >= LOOK / 2);
        if due {
            seen.push_back((now, position));
        }
        while seen.len() > 2 && now - seen[0].0 > WINDOW {
            seen.pop_front();
        }
        let (begun, from) = *seen.front()?;
        let took = (now - begun).as_secs_f64();
        (took > 0.2).then(|| (position - from).max(0) as f64 / took)
    }

    pub(super) fn forget(&self, name: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(name);
    }
}

/// The next offset of each partition that the handler `name` has seen.
pub(super) async fn positions(host: &Host, name: &str) -> Result<BTreeMap<i32, i64>> {
    let Some(version) = host.replays.versions.get(name) else {
        return Ok(BTreeMap::new());
    };
    let mut found: BTreeMap<i32, i64> = host
        .store
        .positions(name, version.reads)
        .await?
        .into_iter()
        .collect();
    // What stands there besides may be marks of transactions, which only the consumer sees.
    host.status.handler(name, |handler| {
        for (partition, next) in &handler.next_offsets {
            let known = found.entry(*partition).or_insert(*next);
            *known = (*next).max(*known);
        }
    });
    Ok(found)
}

/// How the replay `version` is doing now.
///
/// # Errors
/// If the store cannot be read.
pub(super) async fn look(host: &Host, version: &Version) -> Result<ReplayStatus> {
    let retired = host.store.retired().await?;
    let older = host.replays.versions.served_before(version);
    let mut status = ReplayStatus {
        handler: version.handler.clone(),
        version: version.number,
        name: version.name.clone(),
        group: format!("{}.{}", host.domain, version.name),
        topic: version.reads.to_owned(),
        writes: version
            .writes
            .iter()
            .map(|product| product.topic.as_str().to_owned())
            .collect(),
        state: "ready",
        fed: older
            .iter()
            .map(|old| old.name.clone())
            .filter(|old| !retired.contains(old))
            .collect(),
        ..ReplayStatus::default()
    };
    let Some(row) = host.store.replay(&version.name).await? else {
        return Ok(status);
    };
    tell_row(&mut status, &row);
    let totals = host.store.handler_totals(&version.name).await?;
    status.handled = totals.handled;
    status.set_aside = totals.set_aside;
    let positions = positions(host, &version.name).await?;
    let ends = ends(host, version, &row).await;
    for (partition, is) in &row.partitions {
        status.partitions.push(PartitionStatus {
            partition: *partition,
            start: is.start,
            position: positions.get(partition).copied().unwrap_or(is.start),
            end_at_start: is.end,
            end: ends.get(partition).copied(),
            boundary: is.boundary,
        });
    }
    let waiting = host.status.waiting();
    status.waiting = waiting.get(&format!("handler {}", version.name)).cloned();
    let records: i64 = row.partitions.values().map(|is| is.end - is.start).sum();
    let done = |is: &PartitionStatus| is.position.min(is.end_at_start) - is.start;
    let done: i64 = status.partitions.iter().map(done).sum();
    status.percent = Some(match records {
        0 => 100.0,
        _ => (done.max(0) as f64 * 1_000.0 / records as f64).floor() / 10.0,
    });
    if row.phase == Phase::Running {
        status.state = match status
            .partitions
            .iter()
            .all(|is| is.position >= is.end_at_start)
        {
            true => "following",
            false => "replaying",
        };
    }
    let left = |is: &PartitionStatus| Some((is.end? - is.position).max(0) as u64);
    status.remaining = status.partitions.iter().map(left).sum();
    if row.phase != Phase::Abandoned {
        let position = status.partitions.iter().map(|is| is.position).sum();
        status.records_per_second = host.replays.rates.note(&version.name, position);
    }
    status.seconds_left = match (status.remaining, status.records_per_second) {
        (Some(0), _) => Some(0),
        (Some(left), Some(rate)) if rate > 0.0 => Some((left as f64 / rate).ceil() as u64),
        _ => None,
    };
    Ok(status)
}

fn tell_row(status: &mut ReplayStatus, row: &ReplayRow) {
    let time = |millis: i64| {
        let time = TimestampMillis(millis).to_datetime().unwrap_or_default();
        time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    };
    status.state = match row.phase {
        Phase::Running => "replaying",
        Phase::Switching => "switching",
        Phase::Switched => "switched",
        Phase::Abandoned => "abandoned",
    };
    status.from = Some(row.origin.clone());
    status.started_at = Some(time(row.started_at));
    status.started_by = Some(row.started_by.clone());
    status.switched_at = row.switched_at.map(time);
    status.switched_by.clone_from(&row.switched_by);
}

/// The ends of the partitions, as far as Kafka tells them.
async fn ends(host: &Host, version: &Version, row: &ReplayRow) -> BTreeMap<i32, i64> {
    let mut ends = BTreeMap::new();
    let Ok(runners) = host.runners() else {
        return ends;
    };
    for partition in row.partitions.keys() {
        match runners.admin.watermarks(version.reads, *partition).await {
            Ok((_, end)) => {
                ends.insert(*partition, end);
            }
            Err(error) => {
                tracing::debug!(
                    replay = version.name,
                    error = error.log_line(),
                    "the end of a partition is not known"
                );
                // The others will not answer either.
                break;
            }
        }
    }
    ends
}

/// Looks at the replays again and again, for `/status` and `/metrics`.
pub(crate) async fn watch(host: Arc<Host>) {
    loop {
        for version in host.replays.versions.replays() {
            match look(&host, version).await {
                Ok(status) => {
                    measure(&host, &status);
                    host.status.replay(status);
                }
                Err(error) => tracing::debug!(
                    replay = version.name,
                    error = error.log_line(),
                    "it is not known how far a replay is"
                ),
            }
        }
        tokio::select! {
            () = host.intake.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn measure(host: &Host, status: &ReplayStatus) {
    let metrics = &host.metrics;
    let name = status.name.as_str();
    if let Some(percent) = status.percent {
        metrics
            .replay_percent
            .with_label_values(&[name])
            .set(percent);
    }
    if let Some(remaining) = status.remaining {
        let gauge = metrics.replay_remaining.with_label_values(&[name]);
        gauge.set(remaining as f64);
    }
    if let Some(rate) = status.records_per_second {
        metrics.replay_rate.with_label_values(&[name]).set(rate);
    }
    for is in &status.partitions {
        let labels = [name, &is.partition.to_string()];
        let position = metrics.replay_position.with_label_values(&labels);
        position.set(is.position as f64);
        if let Some(end) = is.end {
            metrics
                .replay_end
                .with_label_values(&labels)
                .set(end as f64);
        }
    }
}
