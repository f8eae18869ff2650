//! The one transaction in which everything that an event, a batch or a request caused
//! becomes true.

use std::sync::atomic::Ordering;

use mesh_core::Result;
use serde_json::json;
use uuid::Uuid;

use super::backend::{Writing, change, on};
use super::documents::{MARK, MARK_OPEN, prefix_end};
use super::intake::{write_inbox, write_position, write_set_aside, write_source};
use super::outbox::write_outbox;
use super::{OutboxRow, Position, ScanMark, SetAside, SourcePosition, Store, now};
use crate::effects::Change;

/// What is to become true at once.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    /// The store's version when the first of `reads` and `scans` may have been made.
    pub(crate) snapshot: u64,
    /// Kind, key and version of the documents that were read; version 0 is "not there".
    pub(crate) reads: Vec<(String, String, i64)>,
    pub(crate) scans: Vec<ScanMark>,
    pub(crate) documents: Vec<Change>,
    pub(crate) outputs: Vec<OutboxRow>,
    /// The handler whose inbox takes `events`.
    pub(crate) events: Option<(String, Vec<Uuid>)>,
    pub(crate) positions: Vec<Position>,
    pub(crate) set_aside: Option<SetAside>,
    pub(crate) source: Option<SourcePosition>,
    pub(crate) answer: Option<KeptAnswer>,
}

/// The answer to a request, kept under its route and key.
#[derive(Debug, Clone)]
pub(crate) struct KeptAnswer {
    pub(crate) route: String,
    pub(crate) key: String,
    pub(crate) body: String,
    /// Whether it is let go when it is old.
    pub(crate) passing: bool,
}

/// What came of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of it is true and durable.
    Committed,
    /// Nothing was done: what it was decided on has changed since.
    Conflict,
    /// Nothing was done: the request was answered before, with this.
    Answered(String),
}

impl Store {
    /// Commits all of `commit` or nothing. It must be polled to its end: see
    /// [`Host::commit`](crate::host::Host::commit).
    pub(crate) async fn commit(&self, commit: &Commit) -> Result<Outcome> {
        let mut tx = self.backend.begin().await?;
        // No other commit can come between here and the end: there is one writer.
        let current = self.version();
        let version = current + 1;
        if current != commit.snapshot && !unchanged(&mut tx, commit).await? {
            return Ok(Outcome::Conflict);
        }
        if let Some(answer) = &commit.answer
            && let Some(earlier) = keep_answer(&mut tx, answer).await?
        {
            return Ok(Outcome::Answered(earlier));
        }
        if let Some((handler, events)) = &commit.events
            && !write_inbox(&mut tx, handler, events).await?
        {
            return Ok(Outcome::Conflict);
        }
        write_documents(&mut tx, &commit.documents, version as i64).await?;
        for row in &commit.outputs {
            let bytes = row.key.len() + row.value.as_ref().map_or(0, Vec::len);
            let largest = &self.counters.largest;
            largest.fetch_max(bytes as u64, Ordering::AcqRel);
        }
        write_outbox(&mut tx, &commit.outputs).await?;
        for position in &commit.positions {
            write_position(&mut tx, position).await?;
        }
        if let Some(set_aside) = &commit.set_aside {
            write_set_aside(&mut tx, set_aside).await?;
        }
        if let Some(source) = &commit.source
            && !write_source(&mut tx, source).await?
        {
            return Ok(Outcome::Conflict);
        }
        let committed = tx.commit(commit.outputs.len() as u64, 0).await;
        // Raised after the commit, so that who takes a snapshot in between has his reads
        // checked in vain rather than not checked; and raised even on an error, since an
        // error of a commit does not prove that it did not happen. The next transaction
        // begins when `tx` is gone.
        self.counters.version.store(version, Ordering::Release);
        committed?;
        Ok(Outcome::Committed)
    }
}

/// Whether everything that was read is as it was.
async fn unchanged(tx: &mut Writing, commit: &Commit) -> Result<bool> {
    if !commit.reads.is_empty() {
        let changed: bool = on!(tx.connection()?, c => sqlx::query_scalar(
            "SELECT EXISTS (
                 SELECT 1 FROM json_each($1) AS seen
                 LEFT JOIN documents AS document
                     ON document.kind = seen.value ->> 0 AND document.key = seen.value ->> 1
                 WHERE coalesce(document.version, 0) <> CAST(seen.value ->> 2 AS BIGINT))",
        )
        .bind(json!(commit.reads).to_string())
        .fetch_one(c))?;
        if changed {
            return Ok(false);
        }
    }
    for scan in &commit.scans {
        let end = prefix_end(&scan.prefix);
        let seen: (i64, i64) = on!(tx.connection()?, c => match &end {
            Some(end) => sqlx::query_as(MARK)
                .bind(&scan.kind)
                .bind(&scan.prefix)
                .bind(end.as_str()),
            None => sqlx::query_as(MARK_OPEN)
                .bind(&scan.kind)
                .bind(&scan.prefix),
        }
        .fetch_one(c))?;
        if seen != (scan.count, scan.newest) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Keeps an answer; the earlier one if there is one.
async fn keep_answer(tx: &mut Writing, answer: &KeptAnswer) -> Result<Option<String>> {
    let earlier = on!(tx.connection()?, c => sqlx::query_scalar("SELECT body FROM answers WHERE route = $1 AND key = $2")
        .bind(&answer.route)
        .bind(&answer.key)
        .fetch_optional(c))?;
    if earlier.is_some() {
        return Ok(earlier);
    }
    change!(
        tx.connection()?,
        sqlx::query(
            "INSERT INTO answers (route, key, body, answered_at, passing)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&answer.route)
        .bind(&answer.key)
        .bind(&answer.body)
        .bind(now())
        .bind(i64::from(answer.passing))
    )?;
    Ok(None)
}

/// Writes documents in bulk: one statement takes all of them as one JSON array.
async fn write_documents(tx: &mut Writing, changes: &[Change], version: i64) -> Result<()> {
    let written: Vec<_> = changes
        .iter()
        .filter_map(|change| Some((&change.kind, &change.key, change.body.as_ref()?)))
        .collect();
    if !written.is_empty() {
        change!(
            tx.connection()?,
            sqlx::query(
                "INSERT INTO documents (kind, key, version, body)
             SELECT value ->> 0, value ->> 1, $2, value ->> 2 FROM json_each($1) WHERE true
             ON CONFLICT (kind, key)
             DO UPDATE SET version = excluded.version, body = excluded.body",
            )
            .bind(json!(written).to_string())
            .bind(version)
        )?;
    }
    let deleted: Vec<_> = changes
        .iter()
        .filter(|change| change.body.is_none())
        .map(|change| (&change.kind, &change.key))
        .collect();
    if !deleted.is_empty() {
        change!(
            tx.connection()?,
            sqlx::query(
                "DELETE FROM documents WHERE (kind, key) IN
                 (SELECT value ->> 0, value ->> 1 FROM json_each($1))",
            )
            .bind(json!(deleted).to_string())
        )?;
    }
    Ok(())
}
