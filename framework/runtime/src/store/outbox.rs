//! Records to publish, and what is known to be published.

use std::collections::BTreeMap;

use mesh_core::Result;
use sqlx::QueryBuilder;

use super::Store;
use super::backend::{Writing, change, on};

/// Rows of one INSERT; seven values each, far below the 32,766 parameters of SQLite and 65,535 of
/// Postgres.
const INSERT_ROWS: usize = 500;

const INSERT: &str =
    "INSERT INTO outbox (topic, partition, event_id, trace, contract_version, key, value) ";
/// The same, and what [`Backend::last_row`](super::backend::Backend::last_row) reads: SQLite
/// keeps that by itself.
const INSERT_NOTED: [&str; 2] = [
    "WITH added AS (INSERT INTO outbox
         (topic, partition, event_id, trace, contract_version, key, value) ",
    " RETURNING seq)
     INSERT INTO meta (name, value) SELECT 'last_row', CAST(max(seq) AS TEXT) FROM added
     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
];

/// A record to publish, framed and addressed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct OutboxRow {
    /// Its place in the order of the outbox; 0 until it is committed.
    pub(crate) seq: i64,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// The 16 bytes of the event's id.
    pub(crate) event_id: Vec<u8>,
    pub(crate) trace: String,
    pub(crate) contract_version: String,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

/// The last record of a partition that is known to stand in Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) seq: i64,
    pub(crate) offset: i64,
    /// Records known to be published, in all or by this step.
    pub(crate) published: u64,
}

impl Store {
    /// Rows after `seq`, in order.
    pub(crate) async fn outbox_page(&self, seq: i64, limit: usize) -> Result<Vec<OutboxRow>> {
        on!(self.backend.reader().await?.connection(), c => sqlx::query_as(
            "SELECT seq, topic, partition, event_id, trace, contract_version, key, value
             FROM outbox WHERE seq > $1 ORDER BY seq LIMIT $2",
        )
        .bind(seq)
        .bind(limit as i64)
        .fetch_all(c))
    }

    /// The greatest sequence number of a row that was ever committed; 0 if none was.
    pub(crate) async fn outbox_last(&self) -> Result<i64> {
        let last: Option<i64> = on!(self.backend.reader().await?.connection(), c => sqlx::query_scalar(self.backend.last_row())
                .fetch_optional(c))?;
        Ok(last.unwrap_or(0))
    }

    /// The sequence numbers of the rows for one partition.
    pub(crate) async fn outbox_of(&self, topic: &str, partition: i32) -> Result<Vec<i64>> {
        on!(self.backend.reader().await?.connection(), c => sqlx::query_scalar(
            "SELECT seq FROM outbox WHERE topic = $1 AND partition = $2 ORDER BY seq",
        )
        .bind(topic)
        .bind(partition)
        .fetch_all(c))
    }

    /// What is noted for one partition.
    pub(crate) async fn noted(&self, topic: &str, partition: i32) -> Result<Option<Noted>> {
        let row: Option<(i64, i64, i64)> = on!(self.backend.reader().await?.connection(), c => sqlx::query_as(
            "SELECT seq, last_offset, published FROM relayed WHERE topic = $1 AND partition = $2",
        )
        .bind(topic)
        .bind(partition)
        .fetch_optional(c))?;
        Ok(row.map(|(seq, offset, published)| Noted {
            seq,
            offset,
            published: published as u64,
        }))
    }

    /// Notes what stands in Kafka and deletes every row up to `seq`, all of which are known
    /// to be published.
    pub(crate) async fn note_up_to(
        &self,
        seq: i64,
        noted: &BTreeMap<(String, i32), Noted>,
    ) -> Result<()> {
        let mut tx = self.backend.begin().await?;
        for ((topic, partition), noted) in noted {
            write_noted(&mut tx, topic, *partition, noted).await?;
        }
        let deleted = change!(
            tx.connection()?,
            sqlx::query("DELETE FROM outbox WHERE seq <= $1").bind(seq)
        )?;
        tx.commit(0, deleted).await
    }

    /// Notes what was found in one partition of Kafka and deletes these rows of it.
    pub(crate) async fn note_found(
        &self,
        topic: &str,
        partition: i32,
        noted: &Noted,
        found: &[i64],
    ) -> Result<()> {
        let mut tx = self.backend.begin().await?;
        write_noted(&mut tx, topic, partition, noted).await?;
        let deleted = change!(
            tx.connection()?,
            sqlx::query(
                "DELETE FROM outbox WHERE topic = $1 AND partition = $2
             AND seq IN (SELECT CAST(value AS BIGINT) FROM json_each($3))",
            )
            .bind(topic)
            .bind(partition)
            .bind(serde_json::json!(found).to_string())
        )?;
        tx.commit(0, deleted).await
    }
}

async fn write_noted(tx: &mut Writing, topic: &str, partition: i32, noted: &Noted) -> Result<()> {
    change!(
        tx.connection()?,
        sqlx::query(
            "INSERT INTO relayed (topic, partition, seq, last_offset, published)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (topic, partition) DO UPDATE SET
             seq = CASE WHEN excluded.seq > relayed.seq
                        THEN excluded.seq ELSE relayed.seq END,
             last_offset = CASE WHEN excluded.last_offset > relayed.last_offset
                                THEN excluded.last_offset ELSE relayed.last_offset END,
             published = relayed.published + excluded.published",
        )
        .bind(topic)
        .bind(partition)
        .bind(noted.seq)
        .bind(noted.offset)
        .bind(noted.published as i64)
    )?;
    Ok(())
}

pub(super) async fn write_outbox(tx: &mut Writing, rows: &[OutboxRow]) -> Result<()> {
    let [begin, end] = match tx {
        Writing::Sqlite(_) => [INSERT, ""],
        Writing::Postgres(_) => INSERT_NOTED,
    };
    for chunk in rows.chunks(INSERT_ROWS) {
        on!(tx.connection()?, c => async {
            let mut insert = QueryBuilder::new(begin);
            insert.push_values(chunk, |mut values, row| {
                values
                    .push_bind(&row.topic)
                    .push_bind(row.partition)
                    .push_bind(&row.event_id)
                    .push_bind(&row.trace)
                    .push_bind(&row.contract_version)
                    .push_bind(&row.key)
                    .push_bind(&row.value);
            });
            insert.push(end);
            // A statement of full length comes again and again; a shorter one does not.
            let insert = insert.build().persistent(chunk.len() == INSERT_ROWS);
            insert.execute(c).await.map(drop)
        })?;
    }
    Ok(())
}
