//! `/subjects/{subject}/versions` and what lies under it.

use serde_json::{Value, json};

use super::exchange::{Json, Path, Query, Received, Text, wanted};
use super::schema::{SchemaRequest, VersionAnswer};
use crate::app::{Answer, App};

pub(super) async fn list(
    app: App,
    Path(subject): Path<String>,
    query: Query,
) -> Answer<Json<Vec<u32>>> {
    let versions = app
        .version_numbers(&subject, query.shown(), query.page())
        .await?;
    Ok(Json(versions))
}

pub(super) async fn register(
    app: App,
    Path(subject): Path<String>,
    query: Query,
    Received(request): Received<SchemaRequest>,
) -> Answer<Json<Value>> {
    let submission = request.submission(query.normalize)?;
    let id = app.register(&subject, submission).await?;
    Ok(Json(json!({"id": id})))
}

pub(super) async fn one(
    app: App,
    Path((subject, version)): Path<(String, String)>,
    query: Query,
) -> Answer<Json<VersionAnswer>> {
    let found = app
        .version(&subject, wanted(&version)?, query.shown(), query.format())
        .await?;
    Ok(Json(found.into()))
}

pub(super) async fn schema(
    app: App,
    Path((subject, version)): Path<(String, String)>,
    query: Query,
) -> Answer<Text> {
    let found = app
        .version(&subject, wanted(&version)?, query.shown(), query.format())
        .await?;
    Ok(Text(found.content.schema))
}

pub(super) async fn referenced_by(
    app: App,
    Path((subject, version)): Path<(String, String)>,
    query: Query,
) -> Answer<Json<Vec<u32>>> {
    let ids = app
        .referenced_by(&subject, wanted(&version)?, query.shown(), query.page())
        .await?;
    Ok(Json(ids))
}

pub(super) async fn delete(
    app: App,
    Path((subject, version)): Path<(String, String)>,
    query: Query,
) -> Answer<Json<u32>> {
    let deleted = app
        .delete_version(&subject, wanted(&version)?, query.permanent)
        .await?;
    Ok(Json(deleted))
}
