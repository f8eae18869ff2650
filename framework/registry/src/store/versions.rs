//! Schemas under their ids, and subjects with their versions.

use mesh_core::{Error, ErrorKind, Result};
use sqlx::{FromRow, SqliteConnection};
use uuid::Uuid;

use super::failed;

/// The namespace of schema fingerprints (UUID version 5).
const FINGERPRINTS: Uuid = Uuid::from_u128(0x8d4f_0c6e_53b1_4a52_9f0b_6a55_2d6e_71c3);

/// Which versions a request sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Live,
    All,
    DeletedOnly,
}

impl Shown {
    /// The least and the greatest value of `deleted` that is seen.
    fn range(self) -> (i64, i64) {
        match self {
            Self::Live => (0, 0),
            Self::All => (0, 1),
            Self::DeletedOnly => (1, 1),
        }
    }
}

/// A part of a list; a negative limit means the rest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) offset: i64,
    pub(crate) limit: i64,
}

/// A version by its number, or the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Latest,
    Number(u32),
}

#[derive(Debug, Clone, FromRow)]
pub(crate) struct StoredVersion {
    pub(crate) subject: String,
    pub(crate) version: u32,
    pub(crate) id: u32,
    pub(crate) schema_type: String,
    pub(crate) schema: String,
    pub(crate) deleted: bool,
}

fn fingerprint(schema_type: &str, schema: &str) -> String {
    let mut text = Vec::with_capacity(schema_type.len() + 1 + schema.len());
    text.extend_from_slice(schema_type.as_bytes());
    text.push(0);
    text.extend_from_slice(schema.as_bytes());
    Uuid::new_v5(&FINGERPRINTS, &text).to_string()
}

/// The id of a schema text, if it was ever registered.
pub(crate) async fn find_schema(
    connection: &mut SqliteConnection,
    schema_type: &str,
    schema: &str,
) -> Result<Option<u32>> {
    let row: Option<(u32, String)> =
        sqlx::query_as("SELECT id, schema FROM schemas WHERE fingerprint = ?")
            .bind(fingerprint(schema_type, schema))
            .fetch_optional(connection)
            .await
            .map_err(failed)?;
    match row {
        None => Ok(None),
        Some((id, text)) if text == schema => Ok(Some(id)),
        Some((id, _)) => Err(Error::new(
            ErrorKind::Corrupt,
            "two schema texts have one fingerprint",
        )
        .with("id", id)),
    }
}

pub(crate) async fn add_schema(
    connection: &mut SqliteConnection,
    schema_type: &str,
    schema: &str,
) -> Result<u32> {
    sqlx::query_scalar(
        "INSERT INTO schemas (schema_type, fingerprint, schema) VALUES (?, ?, ?) RETURNING id",
    )
    .bind(schema_type)
    .bind(fingerprint(schema_type, schema))
    .bind(schema)
    .fetch_one(connection)
    .await
    .map_err(failed)
}

/// Type and text of a schema that at least one version, deleted or not, still refers to.
pub(crate) async fn schema_by_id(
    connection: &mut SqliteConnection,
    id: u32,
) -> Result<Option<(String, String)>> {
    sqlx::query_as(
        "SELECT schema_type, schema FROM schemas AS s WHERE id = ? \
         AND EXISTS (SELECT 1 FROM versions WHERE schema_id = s.id)",
    )
    .bind(id)
    .fetch_optional(connection)
    .await
    .map_err(failed)
}

/// The highest id handed out so far; 0 when there is none.
pub(crate) async fn max_id(connection: &mut SqliteConnection) -> Result<u32> {
    sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM schemas")
        .fetch_one(connection)
        .await
        .map_err(failed)
}

/// Subjects and versions of a schema.
pub(crate) async fn versions_of_id(
    connection: &mut SqliteConnection,
    id: u32,
    shown: Shown,
    page: Page,
) -> Result<Vec<(String, u32)>> {
    let (least, most) = shown.range();
    sqlx::query_as(
        "SELECT subject, version FROM versions WHERE schema_id = ? AND deleted BETWEEN ? AND ? \
         ORDER BY subject, version LIMIT ? OFFSET ?",
    )
    .bind(id)
    .bind(least)
    .bind(most)
    .bind(page.limit)
    .bind(page.offset)
    .fetch_all(connection)
    .await
    .map_err(failed)
}

pub(crate) async fn subjects(
    connection: &mut SqliteConnection,
    shown: Shown,
    prefix: &str,
    page: Page,
) -> Result<Vec<String>> {
    let (least, most) = shown.range();
    // A subject counts as deleted when no version of it lives.
    sqlx::query_scalar(
        "SELECT subject FROM versions WHERE substr(subject, 1, length(?1)) = ?1 \
         GROUP BY subject HAVING MIN(deleted) BETWEEN ?2 AND ?3 \
         ORDER BY subject LIMIT ?4 OFFSET ?5",
    )
    .bind(prefix)
    .bind(least)
    .bind(most)
    .bind(page.limit)
    .bind(page.offset)
    .fetch_all(connection)
    .await
    .map_err(failed)
}

pub(crate) async fn version_numbers(
    connection: &mut SqliteConnection,
    subject: &str,
    shown: Shown,
    page: Page,
) -> Result<Vec<u32>> {
    let (least, most) = shown.range();
    sqlx::query_scalar(
        "SELECT version FROM versions WHERE subject = ? AND deleted BETWEEN ? AND ? \
         ORDER BY version LIMIT ? OFFSET ?",
    )
    .bind(subject)
    .bind(least)
    .bind(most)
    .bind(page.limit)
    .bind(page.offset)
    .fetch_all(connection)
    .await
    .map_err(failed)
}

pub(crate) async fn version(
    connection: &mut SqliteConnection,
    subject: &str,
    wanted: Wanted,
    shown: Shown,
) -> Result<Option<StoredVersion>> {
    let (least, most) = shown.range();
    let number = match wanted {
        Wanted::Latest => None,
        Wanted::Number(number) => Some(number),
    };
    sqlx::query_as(
        "SELECT v.subject, v.version, s.id, s.schema_type, s.schema, v.deleted \
         FROM versions AS v JOIN schemas AS s ON s.id = v.schema_id \
         WHERE v.subject = ?1 AND (?2 IS NULL OR v.version = ?2) \
         AND v.deleted BETWEEN ?3 AND ?4 ORDER BY v.version DESC LIMIT 1",
    )
    .bind(subject)
    .bind(number)
    .bind(least)
    .bind(most)
    .fetch_optional(connection)
    .await
    .map_err(failed)
}

/// The latest version of a subject that has the schema.
pub(crate) async fn version_of_schema(
    connection: &mut SqliteConnection,
    subject: &str,
    id: u32,
    shown: Shown,
) -> Result<Option<u32>> {
    let (least, most) = shown.range();
    sqlx::query_scalar(
        "SELECT MAX(version) FROM versions \
         WHERE subject = ? AND schema_id = ? AND deleted BETWEEN ? AND ?",
    )
    .bind(subject)
    .bind(id)
    .bind(least)
    .bind(most)
    .fetch_one(connection)
    .await
    .map_err(failed)
}

/// The versions of a subject that are not deleted, in ascending order.
pub(crate) async fn live_versions(
    connection: &mut SqliteConnection,
    subject: &str,
) -> Result<Vec<StoredVersion>> {
    sqlx::query_as(
        "SELECT v.subject, v.version, s.id, s.schema_type, s.schema, v.deleted \
         FROM versions AS v JOIN schemas AS s ON s.id = v.schema_id \
         WHERE v.subject = ? AND v.deleted = 0 ORDER BY v.version",
    )
    .bind(subject)
    .fetch_all(connection)
    .await
    .map_err(failed)
}

/// Versions of every subject that starts with `prefix`.
pub(crate) async fn all_versions(
    connection: &mut SqliteConnection,
    prefix: &str,
    shown: Shown,
    latest_only: bool,
    page: Page,
) -> Result<Vec<StoredVersion>> {
    let (least, most) = shown.range();
    sqlx::query_as(
        "SELECT v.subject, v.version, s.id, s.schema_type, s.schema, v.deleted \
         FROM versions AS v JOIN schemas AS s ON s.id = v.schema_id \
         WHERE substr(v.subject, 1, length(?1)) = ?1 AND v.deleted BETWEEN ?2 AND ?3 \
         AND (NOT ?4 OR v.version = (SELECT MAX(version) FROM versions \
              WHERE subject = v.subject AND deleted BETWEEN ?2 AND ?3)) \
         ORDER BY v.subject, v.version LIMIT ?5 OFFSET ?6",
    )
    .bind(prefix)
    .bind(least)
    .bind(most)
    .bind(latest_only)
    .bind(page.limit)
    .bind(page.offset)
    .fetch_all(connection)
    .await
    .map_err(failed)
}

/// One more than the highest version of the subject, deleted ones included.
pub(crate) async fn next_version(connection: &mut SqliteConnection, subject: &str) -> Result<u32> {
    sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) + 1 FROM versions WHERE subject = ?")
        .bind(subject)
        .fetch_one(connection)
        .await
        .map_err(failed)
}

pub(crate) async fn add_version(
    connection: &mut SqliteConnection,
    subject: &str,
    version: u32,
    id: u32,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO versions (subject, version, schema_id, registered_at) VALUES (?, ?, ?, ?)",
    )
    .bind(subject)
    .bind(version)
    .bind(id)
    .bind(chrono::Utc::now().timestamp_millis())
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Soft-deletes one version, or all of the subject.
pub(crate) async fn hide_versions(
    connection: &mut SqliteConnection,
    subject: &str,
    version: Option<u32>,
) -> Result<()> {
    sqlx::query(
        "UPDATE versions SET deleted = 1 WHERE subject = ?1 AND (?2 IS NULL OR version = ?2)",
    )
    .bind(subject)
    .bind(version)
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Deletes one soft-deleted version, or all of the subject, for good. The ids stay taken.
pub(crate) async fn delete_versions(
    connection: &mut SqliteConnection,
    subject: &str,
    version: Option<u32>,
) -> Result<()> {
    sqlx::query(
        "DELETE FROM versions WHERE subject = ?1 AND deleted = 1 AND (?2 IS NULL OR version = ?2)",
    )
    .bind(subject)
    .bind(version)
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}
