//! Replays: where each began, how far it has come in its life, and what was retired.

use std::collections::{BTreeMap, BTreeSet};

use mesh_core::{Error, ErrorKind, Result};

use super::backend::{Writing, change, on};
use super::documents::prefix_end;
use super::{Store, now};

/// Where a replay stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It handles events, beside the old version.
    Running,
    /// It is decided that it takes over; the catalog may not have been told.
    Switching,
    /// It is in service.
    Switched,
    /// It was given up.
    Abandoned,
}

impl Phase {
    const ALL: [Self; 4] = [
        Self::Running,
        Self::Switching,
        Self::Switched,
        Self::Abandoned,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Switching => "switching",
            Self::Switched => "switched",
            Self::Abandoned => "abandoned",
        }
    }
}

/// A replay that was started.
#[derive(Debug, Clone)]
pub(crate) struct ReplayRow {
    /// `<handler>_v<version>`.
    pub(crate) name: String,
    pub(crate) phase: Phase,
    /// From where, in words.
    pub(crate) origin: String,
    /// Whether the consumer group was put to the start.
    pub(crate) placed: bool,
    pub(crate) started_at: i64,
    pub(crate) started_by: String,
    pub(crate) switched_at: Option<i64>,
    pub(crate) switched_by: Option<String>,
    pub(crate) partitions: BTreeMap<i32, ReplayPartition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReplayPartition {
    pub(crate) start: i64,
    /// The end of the partition when the replay was started.
    pub(crate) end: i64,
    /// Events from here on are the new version's.
    pub(crate) boundary: Option<i64>,
}

/// What an earlier run of a replay may have left.
#[derive(Debug)]
pub(crate) struct Remains<'a> {
    /// With what the kinds of its documents begin.
    pub(crate) kinds: &'a str,
    /// The topic that it reads.
    pub(crate) reads: &'a str,
    /// The topics that it writes.
    pub(crate) writes: &'a [&'a str],
}

type Row = (
    String,
    String,
    String,
    bool,
    i64,
    String,
    Option<i64>,
    Option<String>,
);

impl Store {
    /// Every replay that was ever started, by name.
    pub(crate) async fn replays(&self) -> Result<BTreeMap<String, ReplayRow>> {
        let rows: Vec<Row> = on!(self.backend.reader().await?.connection(), c => sqlx::query_as(
            "SELECT name, phase, origin, placed, started_at, started_by, switched_at, switched_by
             FROM replays",
        )
.fetch_all(c))?;
        let mut replays = BTreeMap::new();
        for (name, phase, origin, placed, started_at, started_by, switched_at, switched_by) in rows
        {
            let phase = Phase::ALL.into_iter().find(|is| is.as_str() == phase);
            let phase = phase.ok_or_else(|| {
                Error::new(
                    ErrorKind::Corrupt,
                    "the domain's database holds a wrong value",
                )
                .with("value", "replays.phase")
            })?;
            let row = ReplayRow {
                name: name.clone(),
                phase,
                origin,
                placed,
                started_at,
                started_by,
                switched_at,
                switched_by,
                partitions: BTreeMap::new(),
            };
            replays.insert(name, row);
        }
        let rows: Vec<(String, i32, i64, i64, Option<i64>)> = on!(self.backend.reader().await?.connection(), c => sqlx::query_as(
            "SELECT name, partition, start_offset, end_offset, boundary FROM replay_partitions",
        )
.fetch_all(c))?;
        for (name, partition, start, end, boundary) in rows {
            if let Some(replay) = replays.get_mut(&name) {
                let is = ReplayPartition {
                    start,
                    end,
                    boundary,
                };
                replay.partitions.insert(partition, is);
            }
        }
        Ok(replays)
    }

    pub(crate) async fn replay(&self, name: &str) -> Result<Option<ReplayRow>> {
        Ok(self.replays().await?.remove(name))
    }

    /// The next offset of each partition of `topic` that `handler` has seen.
    pub(crate) async fn positions(&self, handler: &str, topic: &str) -> Result<Vec<(i32, i64)>> {
        on!(self.backend.reader().await?.connection(), c => sqlx::query_as(
            "SELECT partition, next_offset FROM positions WHERE handler = $1 AND topic = $2",
        )
        .bind(handler)
        .bind(topic)
.fetch_all(c))
    }

    /// Begins a replay at its partitions' starts, on nothing of what an earlier run of it
    /// has left.
    pub(crate) async fn begin_replay(
        &self,
        replay: &ReplayRow,
        remains: &Remains<'_>,
    ) -> Result<()> {
        let name = replay.name.as_str();
        let mut tx = self.backend.begin().await?;
        for statement in [
            "DELETE FROM inbox WHERE handler = $1",
            "DELETE FROM positions WHERE handler = $1",
            "DELETE FROM set_aside WHERE handler = $1",
        ] {
            change!(tx.connection()?, sqlx::query(statement).bind(name))?;
        }
        let end = prefix_end(remains.kinds).unwrap_or_default();
        change!(
            tx.connection()?,
            sqlx::query("DELETE FROM documents WHERE kind >= $1 AND kind < $2")
                .bind(remains.kinds)
                .bind(end)
        )?;
        forget_topics(&mut tx, remains.writes).await?;
        write_replay(&mut tx, replay).await?;
        for (partition, is) in &replay.partitions {
            change!(
                tx.connection()?,
                sqlx::query(
                    "INSERT INTO positions (handler, topic, partition, next_offset)
                 VALUES ($1, $2, $3, $4)",
                )
                .bind(name)
                .bind(remains.reads)
                .bind(partition)
                .bind(is.start)
            )?;
        }
        tx.commit(0, 0).await
    }

    /// Keeps a replay that an earlier data folder knew of.
    pub(crate) async fn adopt_replay(&self, replay: &ReplayRow) -> Result<()> {
        let mut tx = self.backend.begin().await?;
        write_replay(&mut tx, replay).await?;
        tx.commit(0, 0).await
    }

    /// Notes that the group of a replay was put to its start.
    pub(crate) async fn note_placed(&self, name: &str) -> Result<()> {
        let mut tx = self.backend.begin().await?;
        change!(
            tx.connection()?,
            sqlx::query("UPDATE replays SET placed = true WHERE name = $1").bind(name)
        )?;
        tx.commit(0, 0).await
    }

    /// Notes the phase of a replay.
    pub(crate) async fn note_phase(&self, name: &str, phase: Phase) -> Result<()> {
        let mut tx = self.backend.begin().await?;
        write_phase(&mut tx, name, phase).await?;
        tx.commit(0, 0).await
    }

    /// Decides that `name` takes over from `boundaries` on, and that `retired` are not run
    /// any more.
    pub(crate) async fn decide_switch(
        &self,
        name: &str,
        boundaries: &BTreeMap<i32, i64>,
        retired: &[String],
        by: &str,
    ) -> Result<()> {
        let mut tx = self.backend.begin().await?;
        write_phase(&mut tx, name, Phase::Switching).await?;
        change!(
            tx.connection()?,
            sqlx::query("UPDATE replays SET switched_at = $2, switched_by = $3 WHERE name = $1")
                .bind(name)
                .bind(now())
                .bind(by)
        )?;
        for (partition, boundary) in boundaries {
            change!(tx.connection()?, sqlx::query(
                "INSERT INTO replay_partitions (name, partition, start_offset, end_offset, boundary)
                 VALUES ($1, $2, 0, 0, $3)
                 ON CONFLICT (name, partition) DO UPDATE SET boundary = excluded.boundary",
            )
            .bind(name)
            .bind(partition)
            .bind(boundary))?;
        }
        write_retired(&mut tx, retired, by).await?;
        tx.commit(0, 0).await
    }

    /// Notes that these handlers are not run any more.
    pub(crate) async fn retire(&self, names: &[String], by: &str) -> Result<()> {
        let mut tx = self.backend.begin().await?;
        write_retired(&mut tx, names, by).await?;
        tx.commit(0, 0).await
    }

    /// The handlers that are not run any more.
    pub(crate) async fn retired(&self) -> Result<BTreeSet<String>> {
        let names: Vec<String> = on!(self.backend.reader().await?.connection(), c => sqlx::query_scalar("SELECT name FROM retired_handlers")
.fetch_all(c))?;
        Ok(names.into_iter().collect())
    }

    /// Forgets what is known to stand in topics that are to be removed.
    pub(crate) async fn forget_topics(&self, topics: &[&str]) -> Result<()> {
        let mut tx = self.backend.begin().await?;
        forget_topics(&mut tx, topics).await?;
        tx.commit(0, 0).await
    }
}

async fn forget_topics(tx: &mut Writing, topics: &[&str]) -> Result<()> {
    for topic in topics {
        for statement in [
            "DELETE FROM relayed WHERE topic = $1",
            // How far rows of the topic were read back.
            "DELETE FROM positions WHERE topic = $1 AND handler IN ('.kept', '.rebuild')",
        ] {
            change!(tx.connection()?, sqlx::query(statement).bind(*topic))?;
        }
    }
    Ok(())
}

async fn write_replay(tx: &mut Writing, replay: &ReplayRow) -> Result<()> {
    change!(
        tx.connection()?,
        sqlx::query(
            "INSERT INTO replays (name, phase, origin, placed, started_at, started_by,
                              switched_at, switched_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (name) DO UPDATE SET
             phase = excluded.phase,
             origin = excluded.origin,
             placed = excluded.placed,
             started_at = excluded.started_at,
             started_by = excluded.started_by,
             switched_at = excluded.switched_at,
             switched_by = excluded.switched_by",
        )
        .bind(&replay.name)
        .bind(replay.phase.as_str())
        .bind(&replay.origin)
        .bind(replay.placed)
        .bind(replay.started_at)
        .bind(&replay.started_by)
        .bind(replay.switched_at)
        .bind(&replay.switched_by)
    )?;
    change!(
        tx.connection()?,
        sqlx::query("DELETE FROM replay_partitions WHERE name = $1").bind(&replay.name)
    )?;
    for (partition, is) in &replay.partitions {
        change!(tx.connection()?, sqlx::query(
            "INSERT INTO replay_partitions (name, partition, start_offset, end_offset, boundary)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&replay.name)
        .bind(partition)
        .bind(is.start)
        .bind(is.end)
        .bind(is.boundary))?;
    }
    Ok(())
}

async fn write_phase(tx: &mut Writing, name: &str, phase: Phase) -> Result<()> {
    change!(
        tx.connection()?,
        sqlx::query("UPDATE replays SET phase = $2 WHERE name = $1")
            .bind(name)
            .bind(phase.as_str())
    )?;
    Ok(())
}

async fn write_retired(tx: &mut Writing, names: &[String], by: &str) -> Result<()> {
    for name in names {
        change!(
            tx.connection()?,
            sqlx::query(
                "INSERT INTO retired_handlers (name, retired_at, retired_by) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO NOTHING",
            )
            .bind(name)
            .bind(now())
            .bind(by)
        )?;
    }
    Ok(())
}
