//! What operators have decided about major versions.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use mesh_core::Result;
use mesh_core::contract::Version;
use sqlx::SqliteConnection;

use super::{corrupt, failed};
use crate::model::Status;

/// A decision about one major version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) status: Status,
    /// The major that follows a deprecated one.
    pub(crate) successor: Option<u64>,
}

/// The decisions about a product, by major.
pub(crate) async fn standings(
    connection: &mut SqliteConnection,
    domain: &str,
    product: &str,
) -> Result<BTreeMap<u64, Decided>> {
    let rows: Vec<(i64, String, Option<i64>)> = sqlx::query_as(
        "SELECT major, status, successor FROM standings WHERE domain = ? AND product = ?",
    )
    .bind(domain)
    .bind(product)
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    rows.into_iter()
        .map(|(major, status, successor)| {
            let decided = Decided {
                status: Status::parse(&status).ok_or_else(|| corrupt("status"))?,
                successor: successor.map(|successor| successor as u64),
            };
            Ok((major as u64, decided))
        })
        .collect()
}

/// Keeps a decision in place of an earlier one.
pub(crate) async fn decide(
    connection: &mut SqliteConnection,
    (domain, product, major): (&str, &str, u64),
    decided: Decided,
    by: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO standings (domain, product, major, status, successor, decided_by, decided_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (domain, product, major) DO UPDATE SET
             status = excluded.status,
             successor = excluded.successor,
             decided_by = excluded.decided_by,
             decided_at = excluded.decided_at",
    )
    .bind(domain)
    .bind(product)
    .bind(major as i64)
    .bind(decided.status.as_str())
    .bind(decided.successor.map(|successor| successor as i64))
    .bind(by)
    .bind(now.timestamp_millis())
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Notes the status that holds for a version.
pub(crate) async fn set_status(
    connection: &mut SqliteConnection,
    domain: &str,
    product: &str,
    version: &Version,
    status: Status,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "UPDATE versions SET status = ?4, updated_at = MAX(updated_at, ?5)
         WHERE domain = ?1 AND product = ?2 AND version = ?3",
    )
    .bind(domain)
    .bind(product)
    .bind(version.to_string())
    .bind(status.as_str())
    .bind(now.timestamp_millis())
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Forgets what was decided about a major.
pub(crate) async fn forget_decision(
    connection: &mut SqliteConnection,
    domain: &str,
    product: &str,
    major: u64,
) -> Result<()> {
    sqlx::query("DELETE FROM standings WHERE domain = ? AND product = ? AND major = ?")
        .bind(domain)
        .bind(product)
        .bind(major as i64)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}
