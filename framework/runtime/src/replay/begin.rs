//! Starting a replay, giving it up, and going on with it in the next life of the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::{GroupOffsets, TopicSpec};

use super::order::{Abandon, Start};
use super::{Runners, Version, switch};
use crate::failpoint::Point;
use crate::host::Host;
use crate::setup::persist;
use crate::status::HandlerStatus;
use crate::store::{HandlerTotals, Phase, Remains, ReplayPartition, ReplayRow, now};

/// How long the outbox may take to publish what was written before a topic is removed.
const DRAIN: Duration = Duration::from_secs(10);
/// Between two looks at the outbox.
const PAUSE: Duration = Duration::from_millis(20);

/// Begins a replay.
///
/// # Errors
/// With the mend, if it is under way, if its products are in service or hold records, or if
/// there is nothing to begin at where it is told to.
pub(super) async fn start(
    host: &Arc<Host>,
    version: &Version,
    order: &Start,
    by: &str,
) -> Result<()> {
    let runners = host.runners()?;
    let name = version.name.as_str();
    let refuse = |message: &'static str, mend: &'static str| {
        Error::new(ErrorKind::Conflict, message)
            .with("replay", name)
            .mend(mend)
    };
    match host.store.replay(name).await?.map(|row| row.phase) {
        None | Some(Phase::Abandoned) => {}
        Some(Phase::Running) => {
            return Err(refuse(
                "the replay is under way already",
                "look at it with `mesh replay status`, or give it up with `mesh replay abandon` first",
            ));
        }
        Some(Phase::Switching | Phase::Switched) => {
            return Err(refuse(
                "the replay was switched over to already",
                "declare the handler under another version number to make its products anew",
            ));
        }
    }
    not_in_service(host, version).await?;
    let partitions = order.from.resolve(&runners.admin, version.reads).await?;
    for product in &version.writes {
        runners
            .admin
            .ensure_topic(&TopicSpec::from(*product))
            .await?;
        empty(host, runners, name, product.topic.as_str()).await?;
    }
    let row = ReplayRow {
        name: name.to_owned(),
        phase: Phase::Running,
        origin: order.from.words(),
        placed: false,
        started_at: now(),
        started_by: by.to_owned(),
        switched_at: None,
        switched_by: None,
        partitions,
    };
    let writes: Vec<&str> = version.writes.iter().map(|is| is.topic.as_str()).collect();
    let remains = Remains {
        kinds: &version.kinds(),
        reads: version.reads,
        writes: &writes,
    };
    host.store.begin_replay(&row, &remains).await?;
    host.failpoint.pass(Point::ReplayStarted, version.reads);
    host.replays.rates.forget(name);
    tracing::info!(replay = name, from = row.origin, by, "replay started");
    show(host, version, HandlerTotals::default());
    runners.start(host, name).await;
    Ok(())
}

/// Makes sure that nobody is to read what the replay writes but who knows of it.
async fn not_in_service(host: &Host, version: &Version) -> Result<()> {
    for product in &version.writes {
        let contract = &product.contract;
        let major = contract.version.major;
        let status = host
            .catalog
            .major_status(&contract.domain, &contract.product, major)
            .await?;
        if let Some(status @ ("active" | "deprecated" | "retired")) = status.as_deref() {
            return Err(Error::new(
                ErrorKind::FailedPrecondition,
                "a product that the replay writes is or was in service",
            )
            .with("replay", &version.name)
            .with("topic", product.topic.as_str())
            .with("status", status)
            .mend("declare a new major version, whose contract says `status: draft`"));
        }
    }
    Ok(())
}

/// Makes sure that nothing stands in `topic`, and that nothing is on its way there.
async fn empty(host: &Host, runners: &Runners, name: &str, topic: &str) -> Result<()> {
    for partition in 0..runners.admin.partitions(topic).await? {
        let (low, _) = runners.admin.watermarks(topic, partition).await?;
        let end = runners.admin.log_end(topic, partition).await?;
        if low < end || !host.store.outbox_of(topic, partition).await?.is_empty() {
            return Err(Error::new(
                ErrorKind::FailedPrecondition,
                "a topic that the replay writes holds records already",
            )
            .with("replay", name)
            .with("topic", topic)
            .with("partition", partition)
            .mend(
                "remove what an earlier run has left with `mesh replay abandon … --delete-topic`, \
                 or declare the handler under another version number with a new major version",
            ));
        }
    }
    Ok(())
}

/// Gives a replay up. What it has written stays, unless its topics are to be removed.
///
/// # Errors
/// With the mend, if it was not started or is in service; retryable if Kafka cannot be asked
/// to remove a topic. The replay is given up then, and asking again goes on.
pub(super) async fn abandon(
    host: &Arc<Host>,
    version: &Version,
    order: &Abandon,
    by: &str,
) -> Result<()> {
    let runners = host.runners()?;
    let name = version.name.as_str();
    let refuse = |message: &'static str, mend: &'static str| {
        Err(Error::new(ErrorKind::Conflict, message)
            .with("replay", name)
            .mend(mend))
    };
    match host.store.replay(name).await?.map(|row| row.phase) {
        None if !order.delete_topic => {
            return refuse(
                "the replay was not started",
                "start it with `mesh replay start`",
            );
        }
        // What a lost data folder has left.
        None => {}
        Some(Phase::Switching | Phase::Switched) => {
            return refuse(
                "the replay is in service",
                "put another version in its place first: declare one, start and switch over to it",
            );
        }
        Some(Phase::Abandoned) => {}
        Some(Phase::Running) => {
            runners.stop(host, name).await;
            host.store.note_phase(name, Phase::Abandoned).await?;
            host.failpoint.pass(Point::ReplayAbandoned, version.reads);
            host.forget_handler(name);
            tracing::info!(replay = name, by, "replay abandoned");
        }
    }
    if !order.delete_topic {
        return Ok(());
    }
    not_in_service(host, version).await?;
    for product in &version.writes {
        let topic = product.topic.as_str();
        drained(host, topic, product.contract.schema.partitions).await?;
        // First, so that a life that ends in between does not miss what is not there.
        host.store.forget_topics(&[topic]).await?;
        let deleted = runners.admin.delete_topic(topic).await;
        deleted.map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => error.mend(
                "the replay is given up; have an administrator delete the topic, and start the \
                 replay again, which makes it anew",
            ),
            _ => error,
        })?;
        runners
            .admin
            .ensure_topic(&TopicSpec::from(*product))
            .await?;
        tracing::info!(
            replay = name,
            topic,
            by,
            "the topic of a replay was emptied"
        );
    }
    Ok(())
}

/// Waits until the outbox has nothing left for `topic`.
async fn drained(host: &Host, topic: &str, partitions: i32) -> Result<()> {
    let begun = tokio::time::Instant::now();
    for partition in 0..partitions {
        while !host.store.outbox_of(topic, partition).await?.is_empty() {
            if begun.elapsed() > DRAIN {
                return Err(Error::unavailable(
                    "the outbox still publishes what the replay has written",
                )
                .with("topic", topic)
                .mend("see `/status` for what the relay waits for, and ask again"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// Shows a replay among the handlers.
pub(super) fn show(host: &Host, version: &Version, totals: HandlerTotals) {
    host.status.add_handler(HandlerStatus::new(
        &host.domain,
        &version.name,
        version.reads,
        totals,
    ));
}

/// Reads what is known of replays, before anything is handled.
///
/// # Errors
/// If the store cannot be read.
pub(crate) async fn load(host: &Host) -> Result<()> {
    for (name, row) in host.store.replays().await? {
        // A version that is declared no more is not run, and serves all the same.
        let Some(version) = host.replays.versions.get(&name) else {
            continue;
        };
        if matches!(row.phase, Phase::Switching | Phase::Switched) {
            version.switch(row.boundaries());
        }
        if row.phase != Phase::Abandoned {
            show(host, version, host.store.handler_totals(&name).await?);
        }
    }
    Ok(())
}

/// Starts the handlers that are to run: those that were not retired, and replays that were
/// started and not given up.
///
/// # Errors
/// If the store cannot be read, or it is refused to tell whether a replay is in service.
pub(crate) async fn go_on(host: &Arc<Host>) -> Result<()> {
    let runners = host.runners()?;
    let mut rows = host.store.replays().await?;
    let retired = host.store.retired().await?;
    for version in host.replays.versions.replays() {
        if rows.contains_key(&version.name) {
            continue;
        }
        let part = format!("replay {}", version.name);
        let adopted = persist(host, &part, &host.intake, || adopt(host, runners, version));
        match adopted.await? {
            Some(Some(row)) => {
                rows.insert(version.name.clone(), row);
            }
            Some(None) => {}
            // The host stops.
            None => return Ok(()),
        }
    }
    for name in runners.all.keys() {
        let is_replay = host.replays.versions.get(name);
        let is_replay = is_replay.is_some_and(|version| version.is_replay());
        let row = rows.get(name);
        if retired.contains(name) || (is_replay && row.is_none_or(ReplayRow::is_over)) {
            if !is_replay || row.is_some() {
                host.forget_handler(name);
            }
            continue;
        }
        if row.is_some_and(|row| row.phase == Phase::Switching) {
            switch::finish_later(host, name);
        }
        runners.start(host, name).await;
    }
    Ok(())
}

/// Takes up a version that is in service and whose data folder was lost: its group knows how
/// far it is. Where it was switched over nobody knows any more, so it serves all that is
/// left, and no older version does. `None` if it is not in service.
///
/// # Errors
/// If catalog, Kafka or store cannot be asked.
async fn adopt(
    host: &Arc<Host>,
    runners: &Runners,
    version: &Version,
) -> Result<Option<ReplayRow>> {
    for product in &version.writes {
        let contract = &product.contract;
        let (product, major) = (&contract.product, contract.version.major);
        let status = host.catalog.major_status(&contract.domain, product, major);
        if !matches!(status.await?.as_deref(), Some("active" | "deprecated")) {
            return Ok(None);
        }
    }
    let partitions = runners.admin.partitions(version.reads).await?;
    let places: Vec<(String, i32)> = (0..partitions)
        .map(|partition| (version.reads.to_owned(), partition))
        .collect();
    let group = format!("{}.{}", host.domain, version.name);
    let committed = GroupOffsets::new(&runners.stream, &group)?
        .committed(&places)
        .await?;
    if committed.is_empty() {
        return Ok(None);
    }
    let place = |next: i64| ReplayPartition {
        start: next,
        end: next,
        boundary: Some(0),
    };
    let row = ReplayRow {
        name: version.name.clone(),
        phase: Phase::Switched,
        origin: "the group's offsets".to_owned(),
        placed: true,
        started_at: now(),
        started_by: format!("service:{}", host.domain),
        switched_at: Some(now()),
        switched_by: None,
        partitions: committed
            .into_iter()
            .map(|((_, partition), next)| (partition, place(next)))
            .collect(),
    };
    host.store.adopt_replay(&row).await?;
    version.switch(row.boundaries());
    show(host, version, HandlerTotals::default());
    tracing::warn!(
        replay = version.name,
        "a version in service that this data folder knew nothing of goes on at its group's offsets"
    );
    Ok(Some(row))
}

impl ReplayRow {
    /// Whether it is not run any more.
    fn is_over(&self) -> bool {
        self.phase == Phase::Abandoned
    }

    /// From where on the version serves.
    pub(super) fn boundaries(&self) -> BTreeMap<i32, i64> {
        let known = |(partition, is): (&i32, &ReplayPartition)| Some((*partition, is.boundary?));
        self.partitions.iter().filter_map(known).collect()
    }
}
