//! `/subjects` and `/subjects/{subject}`.

use std::sync::Arc;

use axum::extract::State;

use super::exchange::{Json, Path, Query, Received, SchemaRequest};
use super::versions::VersionAnswer;
use crate::app::{Answer, App};

pub(super) async fn list(State(app): State<Arc<App>>, query: Query) -> Answer<Json<Vec<String>>> {
    let subjects = app
        .subjects(query.shown(), query.prefix(), query.page())
        .await?;
    Ok(Json(subjects))
}

pub(super) async fn look_up(
    State(app): State<Arc<App>>,
    Path(subject): Path<String>,
    query: Query,
    Received(request): Received<SchemaRequest>,
) -> Answer<Json<VersionAnswer>> {
    let submission = request.submission(query.normalize)?;
    let found = app.look_up(&subject, submission, query.shown()).await?;
    Ok(Json(found.into()))
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path(subject): Path<String>,
    query: Query,
) -> Answer<Json<Vec<u32>>> {
    let versions = app.delete_subject(&subject, query.permanent).await?;
    Ok(Json(versions))
}
