//! `/schemas`: schemas by their global ids.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;

use super::exchange::{Json, Path, Query, Text, id};
use super::versions::{VersionAnswer, is_avro};
use crate::app::{AVRO, Answer, App};

/// A schema as `/schemas/ids/{id}` shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SchemaAnswer {
    #[serde(skip_serializing_if = "is_avro")]
    schema_type: String,
    schema: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_id: Option<u32>,
}

#[derive(Debug, Serialize)]
pub(super) struct SubjectVersion {
    subject: String,
    version: u32,
}

pub(super) async fn types() -> Json<[&'static str; 1]> {
    Json([AVRO])
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    query: Query,
) -> Answer<Json<Vec<VersionAnswer>>> {
    let versions = app
        .all_versions(
            query.prefix(),
            query.shown(),
            query.latest_only,
            query.page(),
        )
        .await?;
    Ok(Json(versions.into_iter().map(Into::into).collect()))
}

pub(super) async fn by_id(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    query: Query,
) -> Answer<Json<SchemaAnswer>> {
    let (schema_type, schema) = app.schema(id(&text)?).await?;
    let max_id = match query.fetch_max_id {
        true => Some(app.max_id().await?),
        false => None,
    };
    Ok(Json(SchemaAnswer {
        schema_type,
        schema,
        max_id,
    }))
}

pub(super) async fn text(State(app): State<Arc<App>>, Path(text): Path<String>) -> Answer<Text> {
    let (_, schema) = app.schema(id(&text)?).await?;
    Ok(Text(schema))
}

pub(super) async fn subjects(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    query: Query,
) -> Answer<Json<Vec<String>>> {
    let versions = app
        .versions_of_id(id(&text)?, query.shown(), query.page())
        .await?;
    let mut subjects: Vec<String> = versions.into_iter().map(|(subject, _)| subject).collect();
    subjects.dedup();
    Ok(Json(subjects))
}

pub(super) async fn versions(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    query: Query,
) -> Answer<Json<Vec<SubjectVersion>>> {
    let versions = app
        .versions_of_id(id(&text)?, query.shown(), query.page())
        .await?
        .into_iter()
        .map(|(subject, version)| SubjectVersion { subject, version })
        .collect();
    Ok(Json(versions))
}
