//! `/subjects/{subject}/versions` and what lies under it.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};

use super::exchange::{Json, Path, Query, Received, SchemaRequest, Text, wanted};
use crate::app::{AVRO, Answer, App};
use crate::store::{Shown, StoredVersion};

/// A version as answers show it. The type stands there only when it is not Avro.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionAnswer {
    subject: String,
    version: u32,
    id: u32,
    #[serde(skip_serializing_if = "is_avro")]
    schema_type: String,
    schema: String,
}

pub(super) fn is_avro(schema_type: &str) -> bool {
    schema_type == AVRO
}

impl From<StoredVersion> for VersionAnswer {
    fn from(version: StoredVersion) -> Self {
        Self {
            subject: version.subject,
            version: version.version,
            id: version.id,
            schema_type: version.schema_type,
            schema: version.schema,
        }
    }
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(subject): Path<String>,
    query: Query,
) -> Answer<Json<Vec<u32>>> {
    let versions = app
        .version_numbers(&subject, query.shown(), query.page())
        .await?;
    Ok(Json(versions))
}

pub(super) async fn register(
    State(app): State<Arc<App>>,
    Path(subject): Path<String>,
    query: Query,
    Received(request): Received<SchemaRequest>,
) -> Answer<Json<Value>> {
    let submission = request.submission(query.normalize)?;
    let id = app.register(&subject, submission).await?;
    Ok(Json(json!({"id": id})))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path((subject, version)): Path<(String, String)>,
    query: Query,
) -> Answer<Json<VersionAnswer>> {
    let found = app
        .version(&subject, wanted(&version)?, query.shown())
        .await?;
    Ok(Json(found.into()))
}

pub(super) async fn schema(
    State(app): State<Arc<App>>,
    Path((subject, version)): Path<(String, String)>,
    query: Query,
) -> Answer<Text> {
    let found = app
        .version(&subject, wanted(&version)?, query.shown())
        .await?;
    Ok(Text(found.schema))
}

/// No schema refers to another while references are refused.
pub(super) async fn referenced_by(
    State(app): State<Arc<App>>,
    Path((subject, version)): Path<(String, String)>,
) -> Answer<Json<Vec<u32>>> {
    app.version(&subject, wanted(&version)?, Shown::All).await?;
    Ok(Json(Vec::new()))
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path((subject, version)): Path<(String, String)>,
    query: Query,
) -> Answer<Json<u32>> {
    let deleted = app
        .delete_version(&subject, wanted(&version)?, query.permanent)
        .await?;
    Ok(Json(deleted))
}
