//! Versions of products.

use chrono::{DateTime, Utc};
use mesh_core::Result;
use mesh_core::contract::Version;
use sqlx::{FromRow, SqliteConnection};

use super::standings::standings;
use super::{corrupt, failed, instant};
use crate::model::{Document, ProductKind, ProductSummary, Status};

/// The columns of [`SummaryRow`].
pub(super) const SUMMARY: &str = "domain, product, version, kind, status, owner, description, \
     topic, value_schema_id, tags, registered_at, updated_at";

#[derive(FromRow)]
pub(super) struct SummaryRow {
    domain: String,
    product: String,
    version: String,
    kind: String,
    status: String,
    owner: String,
    description: Option<String>,
    topic: String,
    value_schema_id: u32,
    tags: String,
    registered_at: i64,
    updated_at: i64,
}

impl SummaryRow {
    pub(super) fn read(self) -> Result<ProductSummary> {
        Ok(ProductSummary {
            domain: self.domain,
            product: self.product,
            version: self.version,
            kind: ProductKind::parse(&self.kind).ok_or_else(|| corrupt("kind"))?,
            status: Status::parse(&self.status).ok_or_else(|| corrupt("status"))?,
            owner: self.owner,
            description: self.description,
            topic: self.topic,
            value_schema_id: self.value_schema_id,
            tags: serde_json::from_str(&self.tags).map_err(|e| corrupt("tags").because(e))?,
            registered_at: instant(self.registered_at)?,
            updated_at: instant(self.updated_at)?,
        })
    }
}

/// A version to be registered, read and checked.
#[derive(Debug)]
pub(crate) struct NewVersion {
    pub(crate) domain: String,
    pub(crate) product: String,
    pub(crate) version: Version,
    pub(crate) kind: ProductKind,
    /// What the contract says.
    pub(crate) stated: Status,
    /// What holds.
    pub(crate) status: Status,
    pub(crate) topic: String,
    pub(crate) contract_id: String,
    pub(crate) contract_text: String,
    pub(crate) changes: Changes,
}

/// What may change about a version while its contract stays.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) owner: String,
    pub(crate) description: Option<String>,
    pub(crate) key_schema_id: u32,
    pub(crate) value_schema_id: u32,
    /// A JSON array.
    pub(crate) tags: String,
    pub(crate) search: String,
    /// A [`Document`] as JSON.
    pub(crate) document: String,
    pub(crate) key_schema: String,
    pub(crate) value_schema: String,
    pub(crate) product_text: String,
}

/// What a registration is compared with.
#[derive(Debug)]
pub(crate) struct StoredVersion {
    pub(crate) contract_text: String,
    pub(crate) changes: Changes,
}

#[derive(FromRow)]
struct StoredRow {
    contract_text: String,
    owner: String,
    description: Option<String>,
    key_schema_id: u32,
    value_schema_id: u32,
    tags: String,
    search: String,
    document: String,
    key_schema: String,
    value_schema: String,
    product_text: String,
}

/// The stored version to compare a registration with.
pub(crate) async fn version(
    connection: &mut SqliteConnection,
    domain: &str,
    product: &str,
    version: &Version,
) -> Result<Option<StoredVersion>> {
    let row: Option<StoredRow> = sqlx::query_as(
        "SELECT contract_text, owner, description, key_schema_id, value_schema_id, tags, search, \
         document, key_schema, value_schema, product_text \
         FROM versions WHERE domain = ? AND product = ? AND version = ?",
    )
    .bind(domain)
    .bind(product)
    .bind(version.to_string())
    .fetch_optional(connection)
    .await
    .map_err(failed)?;
    Ok(row.map(|row| StoredVersion {
        contract_text: row.contract_text,
        changes: Changes {
            owner: row.owner,
            description: row.description,
            key_schema_id: row.key_schema_id,
            value_schema_id: row.value_schema_id,
            tags: row.tags,
            search: row.search,
            document: row.document,
            key_schema: row.key_schema,
            value_schema: row.value_schema,
            product_text: row.product_text,
        },
    }))
}

pub(crate) async fn add_version(
    connection: &mut SqliteConnection,
    new: &NewVersion,
    now: DateTime<Utc>,
) -> Result<()> {
    let changes = &new.changes;
    sqlx::query(
        "INSERT INTO versions (domain, product, version, kind, status, topic, contract_id, \
         contract_text, owner, description, key_schema_id, value_schema_id, tags, search, document, \
         key_schema, value_schema, product_text, registered_at, updated_at, stated) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?19, ?20)",
    )
    .bind(&new.domain)
    .bind(&new.product)
    .bind(new.version.to_string())
    .bind(new.kind.as_str())
    .bind(new.status.as_str())
    .bind(&new.topic)
    .bind(&new.contract_id)
    .bind(&new.contract_text)
    .bind(&changes.owner)
    .bind(&changes.description)
    .bind(changes.key_schema_id)
    .bind(changes.value_schema_id)
    .bind(&changes.tags)
    .bind(&changes.search)
    .bind(&changes.document)
    .bind(&changes.key_schema)
    .bind(&changes.value_schema)
    .bind(&changes.product_text)
    .bind(now.timestamp_millis())
    .bind(new.stated.as_str())
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

pub(crate) async fn change_version(
    connection: &mut SqliteConnection,
    new: &NewVersion,
    now: DateTime<Utc>,
) -> Result<()> {
    let changes = &new.changes;
    sqlx::query(
        "UPDATE versions SET owner = ?4, description = ?5, key_schema_id = ?6, value_schema_id = ?7, \
         tags = ?8, search = ?9, document = ?10, key_schema = ?11, value_schema = ?12, \
         product_text = ?13, updated_at = MAX(updated_at, ?14) \
         WHERE domain = ?1 AND product = ?2 AND version = ?3",
    )
    .bind(&new.domain)
    .bind(&new.product)
    .bind(new.version.to_string())
    .bind(&changes.owner)
    .bind(&changes.description)
    .bind(changes.key_schema_id)
    .bind(changes.value_schema_id)
    .bind(&changes.tags)
    .bind(&changes.search)
    .bind(&changes.document)
    .bind(&changes.key_schema)
    .bind(&changes.value_schema)
    .bind(&changes.product_text)
    .bind(now.timestamp_millis())
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Takes a version out; whether it was there.
pub(crate) async fn remove_version(
    connection: &mut SqliteConnection,
    domain: &str,
    product: &str,
    version: &Version,
) -> Result<bool> {
    let done = sqlx::query("DELETE FROM versions WHERE domain = ? AND product = ? AND version = ?")
        .bind(domain)
        .bind(product)
        .bind(version.to_string())
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(done.rows_affected() > 0)
}

/// Domain and product of the one product that a contract id belongs to.
pub(crate) async fn contract_owner(
    connection: &mut SqliteConnection,
    contract_id: &str,
) -> Result<Option<(String, String)>> {
    sqlx::query_as("SELECT domain, product FROM versions WHERE contract_id = ? LIMIT 1")
        .bind(contract_id)
        .fetch_optional(connection)
        .await
        .map_err(failed)
}

/// One version among the versions of a product.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) version: Version,
    /// What its contract says.
    pub(crate) stated: Status,
    /// What holds.
    pub(crate) status: Status,
    /// The major that was put into service in its place.
    pub(crate) successor: Option<u64>,
    pub(crate) topic: String,
    /// Whether it stands for the product.
    pub(crate) current: bool,
    pub(crate) registered_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

/// The versions of a product, the highest first.
pub(crate) async fn entries(
    connection: &mut SqliteConnection,
    domain: &str,
    product: &str,
) -> Result<Vec<Entry>> {
    let decided = standings(&mut *connection, domain, product).await?;
    let rows: Vec<(String, String, String, String, bool, i64, i64)> = sqlx::query_as(
        "SELECT version, stated, status, topic, current, registered_at, updated_at \
         FROM versions WHERE domain = ? AND product = ?",
    )
    .bind(domain)
    .bind(product)
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    let mut entries = rows
        .into_iter()
        .map(
            |(version, stated, status, topic, current, registered_at, updated_at)| {
                let version =
                    Version::parse(&version).map_err(|e| corrupt("version").because(e))?;
                let decided = decided.get(&version.major);
                Ok(Entry {
                    stated: Status::parse(&stated).ok_or_else(|| corrupt("stated"))?,
                    successor: decided.and_then(|decided| decided.successor),
                    version,
                    status: Status::parse(&status).ok_or_else(|| corrupt("status"))?,
                    topic,
                    current,
                    registered_at: instant(registered_at)?,
                    updated_at: instant(updated_at)?,
                })
            },
        )
        .collect::<Result<Vec<_>>>()?;
    entries.sort_by(|a, b| b.version.cmp(&a.version));
    Ok(entries)
}

/// What a list would show of `version`, which is known to be there.
pub(crate) async fn summary(
    connection: &mut SqliteConnection,
    domain: &str,
    product: &str,
    version: &Version,
) -> Result<ProductSummary> {
    let row: SummaryRow = sqlx::query_as(
        "SELECT domain, product, version, kind, status, owner, description, topic, value_schema_id, \
         tags, registered_at, updated_at \
         FROM versions WHERE domain = ? AND product = ? AND version = ?",
    )
    .bind(domain)
    .bind(product)
    .bind(version.to_string())
    .fetch_one(connection)
    .await
    .map_err(failed)?;
    row.read()
}

/// All that is kept of one version.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) summary: ProductSummary,
    pub(crate) document: Document,
    pub(crate) key_schema_id: u32,
    pub(crate) key_schema: String,
    pub(crate) value_schema: String,
    pub(crate) contract_text: String,
    pub(crate) product_text: String,
}

#[derive(FromRow)]
struct TextsRow {
    #[sqlx(flatten)]
    summary: SummaryRow,
    document: String,
    key_schema_id: u32,
    key_schema: String,
    value_schema: String,
    contract_text: String,
    product_text: String,
}

/// All that is kept of `version`, which is known to be there.
pub(crate) async fn texts(
    connection: &mut SqliteConnection,
    domain: &str,
    product: &str,
    version: &Version,
) -> Result<Texts> {
    let row: TextsRow = sqlx::query_as(
        "SELECT domain, product, version, kind, status, owner, description, topic, value_schema_id, \
         tags, registered_at, updated_at, document, key_schema_id, key_schema, value_schema, \
         contract_text, product_text \
         FROM versions WHERE domain = ? AND product = ? AND version = ?",
    )
    .bind(domain)
    .bind(product)
    .bind(version.to_string())
    .fetch_one(connection)
    .await
    .map_err(failed)?;
    let document = serde_json::from_str(&row.document).map_err(|error| {
        let found = corrupt("document").because(error);
        found.mend("start the product's domain again: its registration renews the document")
    })?;
    Ok(Texts {
        summary: row.summary.read()?,
        document,
        key_schema_id: row.key_schema_id,
        key_schema: row.key_schema,
        value_schema: row.value_schema,
        contract_text: row.contract_text,
        product_text: row.product_text,
    })
}
