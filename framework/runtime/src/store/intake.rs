//! How far handlers and sources have come, what they know already and what they set aside.

use std::collections::HashSet;

use mesh_core::Result;
use serde_json::json;
use uuid::Uuid;

use super::backend::{Writing, change, on};
use super::{Store, now};

/// Ids and answers that are let go in one transaction at most.
pub(super) const PURGE_ROWS: usize = 5_000;

/// How far a handler has come in one partition.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    pub(crate) handler: String,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) next_offset: i64,
    /// Events handled by this step.
    pub(crate) handled: u64,
    /// Events passed over by this step because they were handled before.
    pub(crate) duplicates: u64,
}

/// An event that failed for good.
#[derive(Debug, Clone)]
pub(crate) struct SetAside {
    pub(crate) handler: String,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) event_id: Uuid,
    pub(crate) cause: String,
    pub(crate) attempts: u32,
    pub(crate) trace: String,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

/// How far a source was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourcePosition {
    pub(crate) name: String,
    /// The position before this step.
    pub(crate) from: u64,
    pub(crate) position: u64,
    pub(crate) total: Option<u64>,
    pub(crate) done: bool,
    pub(crate) note: Option<String>,
}

/// What a handler has done in all its life.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HandlerTotals {
    pub(crate) handled: u64,
    pub(crate) duplicates: u64,
    pub(crate) set_aside: u64,
}

impl Store {
    /// The next offset that `handler` expects of a partition, if it has seen the partition.
    pub(crate) async fn position(
        &self,
        handler: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<i64>> {
        on!(self.backend.reader().await?.connection(), c => sqlx::query_scalar(
            "SELECT next_offset FROM positions
             WHERE handler = $1 AND topic = $2 AND partition = $3",
        )
        .bind(handler)
        .bind(topic)
        .bind(partition)
        .fetch_optional(c))
    }

    /// Which of `events` the handler has handled already.
    pub(crate) async fn known_events(
        &self,
        handler: &str,
        events: &[Uuid],
    ) -> Result<HashSet<Uuid>> {
        let known: Vec<Vec<u8>> = on!(self.backend.reader().await?.connection(), c => sqlx::query_scalar(
            "SELECT event_id FROM inbox WHERE handler = $1
             AND event_id IN (SELECT unhex(value) FROM json_each($2))",
        )
        .bind(handler)
        .bind(hex_list(events))
        .fetch_all(c))?;
        Ok(known
            .iter()
            .filter_map(|id| Uuid::from_slice(id).ok())
            .collect())
    }

    /// What `handler` has done in all its life.
    pub(crate) async fn handler_totals(&self, handler: &str) -> Result<HandlerTotals> {
        let (handled, duplicates, set_aside): (i64, i64, i64) = on!(self.backend.reader().await?.connection(), c => sqlx::query_as(
            "SELECT CAST(coalesce(sum(handled), 0) AS BIGINT),
                    CAST(coalesce(sum(duplicates), 0) AS BIGINT),
                    (SELECT count(*) FROM set_aside WHERE handler = $1)
             FROM positions WHERE handler = $1",
        )
        .bind(handler)
        .fetch_one(c))?;
        Ok(HandlerTotals {
            handled: handled as u64,
            duplicates: duplicates as u64,
            set_aside: set_aside as u64,
        })
    }

    /// How far `source` was read; the beginning if it was not.
    pub(crate) async fn source(&self, name: &str) -> Result<SourcePosition> {
        let row: Option<(i64, Option<i64>, bool, Option<String>)> = on!(self.backend.reader().await?.connection(), c => sqlx::query_as("SELECT position, total, done, note FROM sources WHERE name = $1")
                .bind(name)
                .fetch_optional(c))?;
        let mut source = SourcePosition {
            name: name.to_owned(),
            ..SourcePosition::default()
        };
        if let Some((position, total, done, note)) = row {
            source.position = position as u64;
            source.from = position as u64;
            source.total = total.map(|total| total as u64);
            source.done = done;
            source.note = note;
        }
        Ok(source)
    }

    /// Forgets answers to requests that came with an Idempotency-Key more than `days` ago, as
    /// [`Store::purge_inbox`] does.
    pub(crate) async fn purge_answers(&self, days: u32) -> Result<u64> {
        let sql = "DELETE FROM answers WHERE (route, key) IN
                   (SELECT route, key FROM answers WHERE passing = 1 AND answered_at < $1
                    ORDER BY answered_at LIMIT $2)";
        self.purge(sql, days).await
    }

    /// Forgets ids of events handled more than `days` ago, so few that other commits need
    /// not wait for long; how many, 0 when there are no more.
    pub(crate) async fn purge_inbox(&self, days: u32) -> Result<u64> {
        let sql = "DELETE FROM inbox WHERE (handler, event_id) IN
                   (SELECT handler, event_id FROM inbox WHERE handled_at < $1
                    ORDER BY handled_at LIMIT $2)";
        self.purge(sql, days).await
    }

    async fn purge(&self, sql: &'static str, days: u32) -> Result<u64> {
        let before = now() - i64::from(days) * 86_400_000;
        let mut tx = self.backend.begin().await?;
        let purged = change!(
            tx.connection()?,
            sqlx::query(sql).bind(before).bind(PURGE_ROWS as i64)
        )?;
        tx.commit(0, 0).await?;
        Ok(purged)
    }
}

fn hex_list(events: &[Uuid]) -> String {
    let hex: Vec<String> = events.iter().map(|id| id.simple().to_string()).collect();
    json!(hex).to_string()
}

/// Notes events as handled; `false` if one of them was noted before.
pub(super) async fn write_inbox(tx: &mut Writing, handler: &str, events: &[Uuid]) -> Result<bool> {
    if events.is_empty() {
        return Ok(true);
    }
    let noted = change!(
        tx.connection()?,
        sqlx::query(
            "INSERT INTO inbox (handler, event_id, handled_at)
         SELECT $1, unhex(value), $3 FROM json_each($2) WHERE true
         ON CONFLICT (handler, event_id) DO NOTHING",
        )
        .bind(handler)
        .bind(hex_list(events))
        .bind(now())
    )?;
    Ok(noted == events.len() as u64)
}

pub(super) async fn write_position(tx: &mut Writing, position: &Position) -> Result<()> {
    change!(
        tx.connection()?,
        sqlx::query(
            "INSERT INTO positions (handler, topic, partition, next_offset, handled, duplicates)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (handler, topic, partition) DO UPDATE SET
             next_offset = excluded.next_offset,
             handled = positions.handled + excluded.handled,
             duplicates = positions.duplicates + excluded.duplicates",
        )
        .bind(&position.handler)
        .bind(&position.topic)
        .bind(position.partition)
        .bind(position.next_offset)
        .bind(position.handled as i64)
        .bind(position.duplicates as i64)
    )?;
    Ok(())
}

pub(super) async fn write_set_aside(tx: &mut Writing, event: &SetAside) -> Result<()> {
    change!(
        tx.connection()?,
        sqlx::query(
            "INSERT INTO set_aside (handler, topic, partition, record_offset, event_id, cause,
                                attempts, trace, key, value, set_aside_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (handler, topic, partition, record_offset) DO NOTHING",
        )
        .bind(&event.handler)
        .bind(&event.topic)
        .bind(event.partition)
        .bind(event.offset)
        .bind(event.event_id.as_bytes().as_slice())
        .bind(&event.cause)
        .bind(i64::from(event.attempts))
        .bind(&event.trace)
        .bind(&event.key)
        .bind(&event.value)
        .bind(now())
    )?;
    Ok(())
}

/// Notes how far a source was read; `false` if it was not at `from` before.
pub(super) async fn write_source(tx: &mut Writing, source: &SourcePosition) -> Result<bool> {
    let before: Option<i64> = on!(tx.connection()?, c => sqlx::query_scalar("SELECT position FROM sources WHERE name = $1")
        .bind(&source.name)
        .fetch_optional(c))?;
    if before.unwrap_or(0) != source.from as i64 {
        return Ok(false);
    }
    change!(
        tx.connection()?,
        sqlx::query(
            "INSERT INTO sources (name, position, total, done, note, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (name) DO UPDATE SET
             position = excluded.position,
             total = coalesce(excluded.total, sources.total),
             done = excluded.done,
             note = coalesce(excluded.note, sources.note),
             updated_at = excluded.updated_at",
        )
        .bind(&source.name)
        .bind(source.position as i64)
        .bind(source.total.map(|total| total as i64))
        .bind(source.done)
        .bind(&source.note)
        .bind(now())
    )?;
    Ok(true)
}
