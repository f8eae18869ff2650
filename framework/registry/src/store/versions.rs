//! Subjects with their versions.

use mesh_core::Result;
use sqlx::FromRow;

use super::schemas::{Parts, parts};
use super::{Content, Session, change, number, on};
use crate::subject::{Prefix, Subject};

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

/// A part of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) offset: i64,
    pub(crate) limit: i64,
}

impl Page {
    /// The whole list.
    pub(crate) const ALL: Self = Self {
        offset: 0,
        limit: i64::MAX,
    };

    /// This part of those of a list that fit.
    pub(crate) fn of<T>(self, list: Vec<T>, fits: impl Fn(&T) -> bool) -> Vec<T> {
        let bound = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        list.into_iter()
            .filter(|item| fits(item))
            .skip(bound(self.offset))
            .take(bound(self.limit))
            .collect()
    }
}

/// A version by its number, or the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Latest,
    Number(u32),
}

#[derive(Debug, Clone)]
pub(crate) struct StoredVersion {
    pub(crate) subject: String,
    pub(crate) version: u32,
    pub(crate) id: u32,
    pub(crate) content: Content,
    pub(crate) deleted: bool,
}

#[derive(FromRow)]
struct Row {
    subject: String,
    version: i64,
    deleted: i64,
    #[sqlx(flatten)]
    parts: Parts,
}

impl Row {
    fn read(self) -> Result<StoredVersion> {
        let schema = self.parts.read()?;
        Ok(StoredVersion {
            subject: self.subject,
            version: number(self.version)?,
            id: schema.id,
            content: schema.content,
            deleted: self.deleted != 0,
        })
    }
}

fn numbers(rows: Vec<i64>) -> Result<Vec<u32>> {
    rows.into_iter().map(number).collect()
}

/// Subjects and versions of a schema.
pub(crate) async fn versions_of_id(
    session: &mut Session,
    context: &str,
    id: u32,
    shown: Shown,
    page: Page,
) -> Result<Vec<(String, u32)>> {
    let (least, most) = shown.range();
    let rows: Vec<(String, i64)> = on!(session, c => sqlx::query_as(
        "SELECT v.subject, v.version FROM versions AS v JOIN schemas AS s ON s.id = v.schema_id
         WHERE s.context = $1 AND s.number = $2 AND v.deleted BETWEEN $3 AND $4
         ORDER BY v.subject, v.version LIMIT $5 OFFSET $6",
    )
    .bind(context)
    .bind(i64::from(id))
    .bind(least)
    .bind(most)
    .bind(page.limit)
    .bind(page.offset)
    .fetch_all(c))?;
    rows.into_iter()
        .map(|(subject, version)| Ok((subject, number(version)?)))
        .collect()
}

/// The first context, the default one before others, in which a subject of that name has a
/// schema with that id.
pub(crate) async fn subject_with_id(
    session: &mut Session,
    name: &str,
    id: u32,
) -> Result<Option<String>> {
    on!(session, c => sqlx::query_scalar(
        "SELECT v.context FROM versions AS v JOIN schemas AS s ON s.id = v.schema_id
         WHERE v.name = $1 AND s.number = $2 ORDER BY v.context LIMIT 1",
    )
    .bind(name)
    .bind(i64::from(id))
    .fetch_optional(c))
}

pub(crate) async fn subjects(
    session: &mut Session,
    shown: Shown,
    prefix: &Prefix,
    page: Page,
) -> Result<Vec<String>> {
    let (least, most) = shown.range();
    // A subject counts as deleted when no version of it lives.
    on!(session, c => sqlx::query_scalar(
        "SELECT subject FROM versions
         WHERE ($1 IS NULL OR context = $1) AND substr(name, 1, length($2)) = $2
         GROUP BY context, name, subject HAVING MIN(deleted) BETWEEN $3 AND $4
         ORDER BY context, name LIMIT $5 OFFSET $6",
    )
    .bind(prefix.context.as_deref())
    .bind(&prefix.name)
    .bind(least)
    .bind(most)
    .bind(page.limit)
    .bind(page.offset)
    .fetch_all(c))
}

pub(crate) async fn version_numbers(
    session: &mut Session,
    subject: &Subject,
    shown: Shown,
    page: Page,
) -> Result<Vec<u32>> {
    let (least, most) = shown.range();
    numbers(on!(session, c => sqlx::query_scalar(
        "SELECT version FROM versions WHERE subject = $1 AND deleted BETWEEN $2 AND $3
         ORDER BY version LIMIT $4 OFFSET $5",
    )
    .bind(subject.as_str())
    .bind(least)
    .bind(most)
    .bind(page.limit)
    .bind(page.offset)
    .fetch_all(c))?)
}

pub(crate) async fn version(
    session: &mut Session,
    subject: &Subject,
    wanted: Wanted,
    shown: Shown,
) -> Result<Option<StoredVersion>> {
    let (least, most) = shown.range();
    let number = match wanted {
        Wanted::Latest => None,
        Wanted::Number(number) => Some(i64::from(number)),
    };
    let row: Option<Row> = on!(session, c => sqlx::query_as(concat!(
        "SELECT v.subject, v.version, v.deleted, ", parts!(),
        " FROM versions AS v JOIN schemas AS s ON s.id = v.schema_id
         WHERE v.subject = $1 AND ($2 IS NULL OR v.version = $2)
         AND v.deleted BETWEEN $3 AND $4 ORDER BY v.version DESC LIMIT 1",
    ))
    .bind(subject.as_str())
    .bind(number)
    .bind(least)
    .bind(most)
    .fetch_optional(c))?;
    row.map(Row::read).transpose()
}

/// The latest version of a subject that has the schema of this row.
pub(crate) async fn version_of_schema(
    session: &mut Session,
    subject: &Subject,
    row: i64,
    shown: Shown,
) -> Result<Option<u32>> {
    let (least, most) = shown.range();
    let version: Option<i64> = on!(session, c => sqlx::query_scalar(
        "SELECT MAX(version) FROM versions
         WHERE subject = $1 AND schema_id = $2 AND deleted BETWEEN $3 AND $4",
    )
    .bind(subject.as_str())
    .bind(row)
    .bind(least)
    .bind(most)
    .fetch_one(c))?;
    version.map(number).transpose()
}

/// The versions of a subject that are seen, in ascending order.
pub(crate) async fn seen_versions(
    session: &mut Session,
    subject: &Subject,
    shown: Shown,
) -> Result<Vec<StoredVersion>> {
    let (least, most) = shown.range();
    let rows: Vec<Row> = on!(session, c => sqlx::query_as(concat!(
        "SELECT v.subject, v.version, v.deleted, ", parts!(),
        " FROM versions AS v JOIN schemas AS s ON s.id = v.schema_id
         WHERE v.subject = $1 AND v.deleted BETWEEN $2 AND $3 ORDER BY v.version",
    ))
    .bind(subject.as_str())
    .bind(least)
    .bind(most)
    .fetch_all(c))?;
    rows.into_iter().map(Row::read).collect()
}

/// Versions of every subject that starts with `prefix`.
pub(crate) async fn all_versions(
    session: &mut Session,
    prefix: &Prefix,
    shown: Shown,
    latest_only: bool,
    page: Page,
) -> Result<Vec<StoredVersion>> {
    let (least, most) = shown.range();
    let rows: Vec<Row> = on!(session, c => sqlx::query_as(concat!(
        "SELECT v.subject, v.version, v.deleted, ", parts!(),
        " FROM versions AS v JOIN schemas AS s ON s.id = v.schema_id
         WHERE ($1 IS NULL OR v.context = $1) AND substr(v.name, 1, length($2)) = $2
         AND v.deleted BETWEEN $3 AND $4
         AND (NOT $5 OR v.version = (SELECT MAX(version) FROM versions
              WHERE subject = v.subject AND deleted BETWEEN $3 AND $4))
         ORDER BY v.context, v.name, v.version LIMIT $6 OFFSET $7",
    ))
    .bind(prefix.context.as_deref())
    .bind(&prefix.name)
    .bind(least)
    .bind(most)
    .bind(latest_only)
    .bind(page.limit)
    .bind(page.offset)
    .fetch_all(c))?;
    rows.into_iter().map(Row::read).collect()
}

/// One more than the highest version of the subject, deleted ones included.
pub(crate) async fn next_version(session: &mut Session, subject: &Subject) -> Result<u32> {
    number(on!(session, c => sqlx::query_scalar(
        "SELECT COALESCE(MAX(version), 0) + 1 FROM versions WHERE subject = $1",
    )
    .bind(subject.as_str())
    .fetch_one(c))?)
}

/// Adds a version that is not there, with the schema of this row.
pub(crate) async fn add_version(
    session: &mut Session,
    subject: &Subject,
    version: u32,
    row: i64,
) -> Result<()> {
    change!(
        session,
        sqlx::query(
            "INSERT INTO versions (subject, version, schema_id, registered_at, context, name)
         VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(subject.as_str())
        .bind(i64::from(version))
        .bind(row)
        .bind(chrono::Utc::now().timestamp_millis())
        .bind(subject.context())
        .bind(subject.name())
    )
}

/// Soft-deletes one version, or all of the subject.
pub(crate) async fn hide_versions(
    session: &mut Session,
    subject: &Subject,
    version: Option<u32>,
) -> Result<()> {
    change!(
        session,
        sqlx::query(
            "UPDATE versions SET deleted = 1 WHERE subject = $1 AND ($2 IS NULL OR version = $2)",
        )
        .bind(subject.as_str())
        .bind(version.map(i64::from))
    )
}

/// Deletes one soft-deleted version, or all of the subject, for good. The ids stay taken.
pub(crate) async fn delete_versions(
    session: &mut Session,
    subject: &Subject,
    version: Option<u32>,
) -> Result<()> {
    change!(
        session,
        sqlx::query(
            "DELETE FROM versions
         WHERE subject = $1 AND deleted = 1 AND ($2 IS NULL OR version = $2)",
        )
        .bind(subject.as_str())
        .bind(version.map(i64::from))
    )
}

/// The ids of the schemas that refer to a version, as far as versions of them are seen.
pub(crate) async fn referenced_by(
    session: &mut Session,
    subject: &Subject,
    version: u32,
    shown: Shown,
    page: Page,
) -> Result<Vec<u32>> {
    let (least, most) = shown.range();
    numbers(on!(session, c => sqlx::query_scalar(
        "SELECT DISTINCT s.number FROM schema_references AS r
         JOIN schemas AS s ON s.id = r.schema_id JOIN versions AS v ON v.schema_id = s.id
         WHERE r.subject = $1 AND r.version = $2 AND v.deleted BETWEEN $3 AND $4
         ORDER BY s.number LIMIT $5 OFFSET $6",
    )
    .bind(subject.as_str())
    .bind(i64::from(version))
    .bind(least)
    .bind(most)
    .bind(page.limit)
    .bind(page.offset)
    .fetch_all(c))?)
}

/// The lowest version of the subject, or this one, that a schema refers to of which a
/// version is seen.
pub(crate) async fn is_referenced(
    session: &mut Session,
    subject: &Subject,
    version: Option<u32>,
    shown: Shown,
) -> Result<Option<u32>> {
    let (least, most) = shown.range();
    let lowest: Option<i64> = on!(session, c => sqlx::query_scalar(
        "SELECT MIN(r.version) FROM schema_references AS r
         JOIN versions AS v ON v.schema_id = r.schema_id
         WHERE r.subject = $1 AND ($2 IS NULL OR r.version = $2)
         AND v.deleted BETWEEN $3 AND $4",
    )
    .bind(subject.as_str())
    .bind(version.map(i64::from))
    .bind(least)
    .bind(most)
    .fetch_one(c))?;
    lowest.map(number).transpose()
}
