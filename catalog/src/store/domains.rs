//! Domains.

use chrono::{DateTime, Utc};
use mesh_core::Result;
use sqlx::{FromRow, SqliteConnection};

use super::{failed, instant};
use crate::model::Domain;

#[derive(FromRow)]
struct Row {
    domain: String,
    api_url: Option<String>,
    description: Option<String>,
    first_seen: i64,
    last_seen: i64,
    products: u32,
}

impl Row {
    fn read(self) -> Result<Domain> {
        Ok(Domain {
            domain: self.domain,
            api_url: self.api_url,
            description: self.description,
            first_seen: instant(self.first_seen)?,
            last_seen: instant(self.last_seen)?,
            products: self.products,
        })
    }
}

/// The domain called `name`.
pub(crate) async fn domain(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Option<Domain>> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT domain, api_url, description, first_seen, last_seen, \
         (SELECT COUNT(*) FROM versions AS v WHERE v.domain = d.domain AND v.current = 1) AS products \
         FROM domains AS d WHERE domain = ?",
    )
    .bind(name)
    .fetch_optional(connection)
    .await
    .map_err(failed)?;
    row.map(Row::read).transpose()
}

/// At most `limit` domains in the order of their names, those after `after`.
pub(crate) async fn domains(
    connection: &mut SqliteConnection,
    after: &str,
    limit: u32,
) -> Result<Vec<Domain>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT domain, api_url, description, first_seen, last_seen, \
         (SELECT COUNT(*) FROM versions AS v WHERE v.domain = d.domain AND v.current = 1) AS products \
         FROM domains AS d WHERE domain > ? ORDER BY domain LIMIT ?",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    rows.into_iter().map(Row::read).collect()
}

/// Says what a domain says of itself, over what it said before.
pub(crate) async fn put_domain(
    connection: &mut SqliteConnection,
    name: &str,
    api_url: &str,
    description: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO domains (domain, api_url, description, first_seen, last_seen) \
         VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT (domain) DO UPDATE \
         SET api_url = ?2, description = ?3, last_seen = MAX(last_seen, ?4)",
    )
    .bind(name)
    .bind(api_url)
    .bind(description)
    .bind(now.timestamp_millis())
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Notes that a domain was heard of.
pub(crate) async fn touch_domain(
    connection: &mut SqliteConnection,
    name: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO domains (domain, first_seen, last_seen) VALUES (?1, ?2, ?2) \
         ON CONFLICT (domain) DO UPDATE SET last_seen = MAX(last_seen, ?2)",
    )
    .bind(name)
    .bind(now.timestamp_millis())
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}
