//! `/subjects` and `/subjects/{subject}`.

use axum::extract::RawQuery;

use super::exchange::{Json, Path, Query, Received};
use super::schema::{SchemaRequest, VersionAnswer};
use crate::app::{Answer, App};

pub(super) async fn list(app: App, query: Query) -> Answer<Json<Vec<String>>> {
    let subjects = app
        .subjects(query.shown(), &query.prefix(), query.page())
        .await?;
    Ok(Json(subjects))
}

pub(super) async fn look_up(
    app: App,
    Path(subject): Path<String>,
    query: Query,
    Received(request): Received<SchemaRequest>,
) -> Answer<Json<VersionAnswer>> {
    let submission = request.submission(query.normalize)?;
    let found = app.look_up(&subject, submission, query.shown()).await?;
    Ok(Json(found.into()))
}

/// The latest version with the properties `?key=…&value=…&key=…&value=…`.
pub(super) async fn latest_with_metadata(
    app: App,
    Path(subject): Path<String>,
    query: Query,
    RawQuery(raw): RawQuery,
) -> Answer<Json<VersionAnswer>> {
    let raw = raw.unwrap_or_default();
    let all = |name: &str| -> Vec<String> {
        url::form_urlencoded::parse(raw.as_bytes())
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .collect()
    };
    let properties: Vec<(String, String)> = all("key").into_iter().zip(all("value")).collect();
    let found = app
        .latest_with_metadata(&subject, &properties, query.shown())
        .await?;
    Ok(Json(found.into()))
}

pub(super) async fn delete(
    app: App,
    Path(subject): Path<String>,
    query: Query,
) -> Answer<Json<Vec<u32>>> {
    let versions = app.delete_subject(&subject, query.permanent).await?;
    Ok(Json(versions))
}
