//! `/schemas`: schemas by their ids.

use serde::Serialize;

use super::exchange::{Json, Path, Query, Text, id};
use super::schema::{SchemaParts, VersionAnswer};
use crate::app::{Answer, App};
use crate::compat::SchemaType;

/// A schema as `/schemas/ids/{id}` shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SchemaAnswer {
    #[serde(flatten)]
    parts: SchemaParts,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_id: Option<u32>,
}

#[derive(Debug, Serialize)]
pub(super) struct SubjectVersion {
    subject: String,
    version: u32,
}

pub(super) async fn types() -> Json<Vec<&'static str>> {
    Json(SchemaType::SERVED.map(SchemaType::as_str).into())
}

pub(super) async fn list(app: App, query: Query) -> Answer<Json<Vec<VersionAnswer>>> {
    let versions = app
        .all_versions(
            &query.prefix(),
            query.shown(),
            query.latest_only,
            query.page(),
        )
        .await?;
    Ok(Json(versions.into_iter().map(Into::into).collect()))
}

pub(super) async fn by_id(
    app: App,
    Path(text): Path<String>,
    query: Query,
) -> Answer<Json<SchemaAnswer>> {
    let subject = query.subject.as_deref();
    let found = app.schema(id(&text)?, subject, query.format()).await?;
    let max_id = match query.fetch_max_id {
        true => Some(app.max_id(subject).await?),
        false => None,
    };
    Ok(Json(SchemaAnswer {
        parts: found.content.into(),
        max_id,
    }))
}

pub(super) async fn text(app: App, Path(text): Path<String>, query: Query) -> Answer<Text> {
    let subject = query.subject.as_deref();
    let found = app.schema(id(&text)?, subject, query.format()).await?;
    Ok(Text(found.content.schema))
}

pub(super) async fn subjects(
    app: App,
    Path(text): Path<String>,
    query: Query,
) -> Answer<Json<Vec<String>>> {
    let subject = query.subject.as_deref();
    let versions = app
        .versions_of_id(id(&text)?, subject, query.shown(), query.page())
        .await?;
    let mut subjects: Vec<String> = versions.into_iter().map(|(subject, _)| subject).collect();
    subjects.dedup();
    Ok(Json(subjects))
}

pub(super) async fn versions(
    app: App,
    Path(text): Path<String>,
    query: Query,
) -> Answer<Json<Vec<SubjectVersion>>> {
    let subject = query.subject.as_deref();
    let versions = app
        .versions_of_id(id(&text)?, subject, query.shown(), query.page())
        .await?
        .into_iter()
        .map(|(subject, version)| SubjectVersion { subject, version })
        .collect();
    Ok(Json(versions))
}
