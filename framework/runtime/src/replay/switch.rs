//! Switching over to a replay, and stopping what it takes the place of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::GroupOffsets;

use super::order::{Retire, Switch};
use super::{Runners, Version, Way, progress};
use crate::failpoint::Point;
use crate::host::Host;
use crate::setup::persist;
use crate::store::{Phase, ReplayRow};

/// Records that a version may be behind when it is switched over to.
const MAX_LAG: u64 = 1_000;
/// How long the old version may take to come to where the new one is.
const CATCH_UP: Duration = Duration::from_secs(10);
/// Between two looks at positions, for which a client is made.
const PAUSE: Duration = Duration::from_millis(200);

/// Puts a replay into service in place of the older versions.
///
/// Both are stopped for the moment in which it is decided from which event on the new one
/// serves, so that each event is served by exactly one of them.
///
/// # Errors
/// With the mend, if it does not run, is behind or has set events aside.
pub(super) async fn switch(
    host: &Arc<Host>,
    version: &Arc<Version>,
    order: &Switch,
    by: &str,
) -> Result<()> {
    let runners = host.runners()?;
    let name = version.name.as_str();
    let row = started(host, name).await?;
    match row.phase {
        Phase::Running => {}
        Phase::Abandoned => {
            return Err(Error::new(ErrorKind::Conflict, "the replay was abandoned")
                .with("replay", name)
                .mend("start it again with `mesh replay start`"));
        }
        Phase::Switching | Phase::Switched => {
            // Whoever decided it may not have learned that it was kept.
            version.switch(row.boundaries());
            if row.phase == Phase::Switching {
                finish(host, version).await?;
            }
            return match order.stop_old {
                true => retire(host, version, &Retire { force: order.force }, by).await,
                false => Ok(()),
            };
        }
    }
    if !order.force {
        near(host, runners, version, order.max_lag.unwrap_or(MAX_LAG)).await?;
    }
    let retired = host.store.retired().await?;
    let older: Vec<String> = host
        .replays
        .versions
        .served_before(version)
        .iter()
        .map(|is| is.name.clone())
        .filter(|is| !retired.contains(is) && runners.all.contains_key(is))
        .collect();
    runners.stop(host, name).await;
    let decided = decide(host, runners, version, &older, order, by).await;
    let mut stopped = Vec::new();
    if decided.is_ok() && order.stop_old {
        stopped.clone_from(&older);
        for old in &older {
            host.forget_handler(old);
        }
    }
    for old in older.iter().filter(|old| !stopped.contains(old)) {
        runners.start(host, old).await;
    }
    runners.start(host, name).await;
    decided?;
    tracing::info!(replay = name, by, "it is decided to switch over");
    host.failpoint.pass(Point::ReplayDecided, version.reads);
    if let Err(error) = finish(host, version).await {
        tracing::warn!(
            replay = name,
            error = error.log_line(),
            "the catalog is told of the switch as soon as it answers"
        );
        finish_later(host, name);
    }
    Ok(())
}

/// Finds out from where on the new version serves, and keeps it. The new version stands
/// still; the old ones do when this returns, whatever it returns.
async fn decide(
    host: &Arc<Host>,
    runners: &Runners,
    version: &Arc<Version>,
    older: &[String],
    order: &Switch,
    by: &str,
) -> Result<()> {
    let mut boundaries = positions(host, runners, &version.name).await?;
    if order.stop_old && !order.force {
        // What the new one has passed in silence is for the old one to serve.
        let begun = tokio::time::Instant::now();
        for old in older {
            while let Some(behind) = behind(host, runners, old, &boundaries).await? {
                if begun.elapsed() > CATCH_UP {
                    return Err(behind);
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    for old in older {
        runners.stop(host, old).await;
        for (partition, next) in positions(host, runners, old).await? {
            let boundary = boundaries.entry(partition).or_insert(next);
            *boundary = next.max(*boundary);
        }
    }
    let retired: &[String] = match order.stop_old {
        true => older,
        false => &[],
    };
    host.store
        .decide_switch(&version.name, &boundaries, retired, by)
        .await?;
    version.switch(boundaries);
    Ok(())
}

/// Refuses a version that is not ready to serve.
async fn near(host: &Host, runners: &Runners, version: &Version, most: u64) -> Result<()> {
    let refuse = |message: &'static str| {
        Error::new(ErrorKind::FailedPrecondition, message).with("replay", &version.name)
    };
    let at = progress::positions(host, &version.name).await?;
    let mut lag = 0;
    for partition in 0..runners.admin.partitions(version.reads).await? {
        let (low, end) = runners.admin.watermarks(version.reads, partition).await?;
        let next = at.get(&partition).copied().unwrap_or(0).max(low);
        lag += (end - next).max(0) as u64;
    }
    if lag > most {
        return Err(refuse("the new version is behind")
            .with("records", lag)
            .with("max_lag", most)
            .mend("wait, see `mesh replay status`; or give a greater --max-lag, or --force"));
    }
    let set_aside = host.store.handler_totals(&version.name).await?.set_aside;
    if set_aside > 0 {
        return Err(refuse("the new version could not handle every event")
            .with("set_aside", set_aside)
            .mend(
                "see the table `set_aside` of the domain's store for their causes; abandon the \
                 replay and start a mended one, or give --force",
            ));
    }
    Ok(())
}

/// How far a handler that stands still has come.
async fn positions(host: &Host, runners: &Runners, name: &str) -> Result<BTreeMap<i32, i64>> {
    let mut found = progress::positions(host, name).await?;
    let through = runners.all.get(name);
    if let Some(runner) = through.filter(|runner| runner.way == Way::Through) {
        let partitions = runners.admin.partitions(runner.topic).await?;
        let places: Vec<(String, i32)> = (0..partitions)
            .map(|partition| (runner.topic.to_owned(), partition))
            .collect();
        // The group is the truth; the store follows.
        let group = GroupOffsets::new(&runners.stream, &format!("{}.{name}", host.domain))?;
        for ((_, partition), next) in group.committed(&places).await? {
            let known = found.entry(partition).or_insert(next);
            *known = next.max(*known);
        }
    }
    Ok(found)
}

/// Why `old` has not handled all that is before `boundaries`; `None` if it has.
async fn behind(
    host: &Host,
    runners: &Runners,
    old: &str,
    boundaries: &BTreeMap<i32, i64>,
) -> Result<Option<Error>> {
    let at = positions(host, runners, old).await?;
    for (partition, boundary) in boundaries {
        let next = at.get(partition).copied().unwrap_or(0);
        if next < *boundary {
            return Ok(Some(
                Error::new(
                    ErrorKind::FailedPrecondition,
                    "the old version has not handled all that is its to handle",
                )
                .with("handler", old)
                .with("partition", partition)
                .with("next_offset", next)
                .with("boundary", boundary)
                .mend("wait until it has, see `/status`, or give --force"),
            ));
        }
    }
    Ok(None)
}

/// Tells the catalog of a switch that is decided, and notes that.
async fn finish(host: &Arc<Host>, version: &Version) -> Result<()> {
    let row = started(host, &version.name).await?;
    if row.phase != Phase::Switching {
        return Ok(());
    }
    let products: BTreeMap<&str, u64> = version
        .writes
        .iter()
        .map(|product| {
            let contract = &product.contract;
            (contract.product.as_str(), contract.version.major)
        })
        .collect();
    host.catalog
        .switch(&host.domain, &products, row.switched_by.as_deref())
        .await?;
    host.failpoint.pass(Point::ReplaySwitched, version.reads);
    host.store
        .note_phase(&version.name, Phase::Switched)
        .await?;
    tracing::info!(replay = version.name, "switched over");
    Ok(())
}

/// [`finish`], as soon as the catalog answers.
pub(super) fn finish_later(host: &Arc<Host>, name: &str) {
    let Some(version) = host.replays.versions.get(name).cloned() else {
        return;
    };
    let host = Arc::clone(host);
    tokio::spawn(async move {
        let part = format!("replay {}", version.name);
        let done = persist(&host, &part, &host.intake, || finish(&host, &version)).await;
        if let Err(error) = done {
            // `/readyz` goes on showing it; the decision stands and the next start tries again.
            tracing::error!(
                replay = version.name,
                error = error.log_line(),
                "the catalog refuses the switch"
            );
        }
    });
}

/// Stops feeding the versions before `version`.
///
/// # Errors
/// With the mend, if it was not switched over to, or an old version is still behind.
pub(super) async fn retire(
    host: &Arc<Host>,
    version: &Version,
    order: &Retire,
    by: &str,
) -> Result<()> {
    let runners = host.runners()?;
    let row = started(host, &version.name).await?;
    if row.phase != Phase::Switched {
        return Err(Error::new(
            ErrorKind::Conflict,
            "it was not switched over to the replay yet",
        )
        .with("replay", &version.name)
        .mend("switch over first with `mesh replay switch`"));
    }
    let boundaries = row.boundaries();
    let older = host.replays.versions.served_before(version);
    if !order.force {
        for old in older
            .iter()
            .filter(|old| runners.all.contains_key(&old.name))
        {
            if let Some(behind) = behind(host, runners, &old.name, &boundaries).await? {
                return Err(behind);
            }
        }
    }
    let names: Vec<String> = older.iter().map(|old| old.name.clone()).collect();
    for name in &names {
        runners.stop(host, name).await;
    }
    host.store.retire(&names, by).await?;
    for name in &names {
        host.forget_handler(name);
        tracing::info!(handler = name, by, "an old version is fed no more");
    }
    Ok(())
}

async fn started(host: &Host, name: &str) -> Result<ReplayRow> {
    host.store.replay(name).await?.ok_or_else(|| {
        Error::new(ErrorKind::Conflict, "the replay was not started")
            .with("replay", name)
            .mend("start it with `mesh replay start`")
    })
}
