//! Schemas under their ids.

use mesh_core::{Error, ErrorKind, Result};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::contexts::{next_id, take_id};
use super::{Session, change, from_json, number, on, to_json};
use crate::compat::{Reference, SchemaType};
use crate::metadata::{Metadata, RuleSet};
use crate::subject::{DEFAULT, Subject};

/// The namespace of schema fingerprints (UUID version 5).
const FINGERPRINTS: Uuid = Uuid::from_u128(0x8d4f_0c6e_53b1_4a52_9f0b_6a55_2d6e_71c3);

/// What makes a schema the same: all that is registered of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) kind: SchemaType,
    pub(crate) schema: String,
    pub(crate) references: Vec<Reference>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) rule_set: Option<RuleSet>,
}

impl Content {
    /// A key of fixed length. It is that of type and text alone where there is no more;
    /// `twin` tells apart what was imported under a second id.
    fn fingerprint(&self, context: &str, twin: Option<i64>) -> String {
        let kind = self.kind.as_str();
        let mut key = Vec::with_capacity(kind.len() + 1 + self.schema.len());
        key.extend_from_slice(kind.as_bytes());
        key.push(0);
        key.extend_from_slice(self.schema.as_bytes());
        let more = !self.references.is_empty()
            || self.metadata.is_some()
            || self.rule_set.is_some()
            || context != DEFAULT
            || twin.is_some();
        if more {
            let more = json!([context, self.references, self.metadata, self.rule_set, twin]);
            key.push(0);
            key.extend_from_slice(more.to_string().as_bytes());
        }
        Uuid::new_v5(&FINGERPRINTS, &key).to_string()
    }
}

/// A schema as it is stored: its row, its id in the context, and what it is.
#[derive(Debug, Clone)]
pub(crate) struct StoredSchema {
    pub(crate) row: i64,
    pub(crate) id: u32,
    pub(crate) content: Content,
}

/// The columns of [`Parts`], of the table `s`.
macro_rules! parts {
    () => {
        "s.id, s.number, s.schema_type, s.schema, s.refs, s.metadata, s.rule_set"
    };
}
pub(super) use parts;

#[derive(FromRow)]
pub(super) struct Parts {
    id: i64,
    number: i64,
    schema_type: String,
    schema: String,
    refs: Option<String>,
    metadata: Option<String>,
    rule_set: Option<String>,
}

impl Parts {
    pub(super) fn read(self) -> Result<StoredSchema> {
        let kind = SchemaType::of(&self.schema_type).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "a schema of an unknown type is stored")
                .with("type", &self.schema_type)
        })?;
        let references = self.refs.as_deref();
        let metadata = self.metadata.as_deref();
        let rule_set = self.rule_set.as_deref();
        Ok(StoredSchema {
            row: self.id,
            id: number(self.number)?,
            content: Content {
                kind,
                schema: self.schema,
                references: references
                    .map(|text| from_json(text, "references"))
                    .transpose()?
                    .unwrap_or_default(),
                metadata: metadata
                    .map(|text| from_json(text, "metadata"))
                    .transpose()?,
                rule_set: rule_set
                    .map(|text| from_json(text, "rule set"))
                    .transpose()?,
            },
        })
    }
}

/// The schema with this content, if it was ever registered in the context.
pub(crate) async fn find_schema(
    session: &mut Session,
    context: &str,
    content: &Content,
) -> Result<Option<StoredSchema>> {
    let fingerprint = content.fingerprint(context, None);
    let parts: Option<Parts> = on!(session, c => sqlx::query_as(concat!(
        "SELECT ", parts!(), " FROM schemas AS s WHERE s.fingerprint = $1"
    ))
    .bind(&fingerprint)
    .fetch_optional(c))?;
    let Some(found) = parts.map(Parts::read).transpose()? else {
        return Ok(None);
    };
    if found.content == *content {
        return Ok(Some(found));
    }
    Err(
        Error::new(ErrorKind::Corrupt, "two schemas have one fingerprint")
            .with("context", context)
            .with("id", found.id),
    )
}

/// A schema to which at least one version, deleted or not, still refers.
pub(crate) async fn schema_by_id(
    session: &mut Session,
    context: &str,
    id: u32,
) -> Result<Option<StoredSchema>> {
    let parts: Option<Parts> = on!(session, c => sqlx::query_as(concat!(
        "SELECT ", parts!(), " FROM schemas AS s WHERE s.context = $1 AND s.number = $2 \
         AND EXISTS (SELECT 1 FROM versions WHERE schema_id = s.id)"
    ))
    .bind(context)
    .bind(i64::from(id))
    .fetch_optional(c))?;
    parts.map(Parts::read).transpose()
}

/// Adds a schema under an id of the registry's or of the client's. The client's may be one
/// that was given before, if no version has that schema any more. `referred` are subjects
/// and versions that it refers to.
pub(crate) async fn add_schema(
    session: &mut Session,
    context: &str,
    content: &Content,
    id: Option<u32>,
    referred: &[(Subject, u32)],
) -> Result<StoredSchema> {
    let id = match id {
        None => next_id(session, context).await?,
        Some(id) => {
            let id = i64::from(id);
            take_id(session, context, id).await?;
            forget(session, context, id).await?;
            id
        }
    };
    let twin = find_schema(session, context, content).await?.map(|_| id);
    let references = match content.references.is_empty() {
        true => None,
        false => Some(to_json(&content.references)?),
    };
    let metadata = content.metadata.as_ref().map(to_json).transpose()?;
    let rule_set = content.rule_set.as_ref().map(to_json).transpose()?;
    let row: i64 = on!(session, c => sqlx::query_scalar(
        "INSERT INTO schemas
             (schema_type, fingerprint, schema, context, number, refs, metadata, rule_set)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
    )
    .bind(content.kind.as_str())
    .bind(content.fingerprint(context, twin))
    .bind(&content.schema)
    .bind(context)
    .bind(id)
    .bind(&references)
    .bind(&metadata)
    .bind(&rule_set)
    .fetch_one(c))?;
    for (at, (subject, version)) in referred.iter().enumerate() {
        change!(
            session,
            sqlx::query(
                "INSERT INTO schema_references (schema_id, position, subject, version)
             VALUES ($1, $2, $3, $4)",
            )
            .bind(row)
            .bind(at as i64)
            .bind(subject.as_str())
            .bind(i64::from(*version))
        )?;
    }
    Ok(StoredSchema {
        row,
        id: number(id)?,
        content: content.clone(),
    })
}

/// Makes an id free that only a schema without versions has.
async fn forget(session: &mut Session, context: &str, id: i64) -> Result<()> {
    change!(
        session,
        sqlx::query(
            "DELETE FROM schema_references WHERE schema_id IN (
             SELECT s.id FROM schemas AS s WHERE s.context = $1 AND s.number = $2
             AND NOT EXISTS (SELECT 1 FROM versions WHERE schema_id = s.id))",
        )
        .bind(context)
        .bind(id)
    )?;
    change!(
        session,
        sqlx::query(
            "DELETE FROM schemas WHERE context = $1 AND number = $2
         AND NOT EXISTS (SELECT 1 FROM versions WHERE schema_id = schemas.id)",
        )
        .bind(context)
        .bind(id)
    )
}
