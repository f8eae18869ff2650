//! `/mode`: whether schemas can be registered and deleted.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::exchange::{Json, Path, Query, Received};
use crate::app::{Answer, App};
use crate::refusal::Refusal;
use crate::store::{Mode, Setting};

#[derive(Debug, Deserialize)]
pub(super) struct ModeRequest {
    mode: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct ModeAnswer {
    mode: &'static str,
}

fn answer(mode: Mode) -> Json<ModeAnswer> {
    Json(ModeAnswer {
        mode: mode.as_str(),
    })
}

async fn set(app: &App, subject: Option<&str>, request: &ModeRequest) -> Answer<Json<ModeAnswer>> {
    let text = request.mode.as_deref().unwrap_or_default();
    let Some(mode) = Mode::from_text(text) else {
        return Err(match text.to_ascii_uppercase().as_str() {
            "IMPORT" | "READONLY_OVERRIDE" | "FORWARD" => {
                Refusal::not_permitted("This mode is not supported yet: READWRITE and READONLY are")
            }
            _ => Refusal::invalid_mode("Invalid mode. Valid values are READWRITE, READONLY"),
        });
    };
    app.set_mode(subject, mode).await?;
    Ok(answer(mode))
}

pub(super) async fn global(State(app): State<Arc<App>>) -> Answer<Json<ModeAnswer>> {
    Ok(answer(app.mode(None, false).await?))
}

pub(super) async fn of_subject(
    State(app): State<Arc<App>>,
    Path(subject): Path<String>,
    query: Query,
) -> Answer<Json<ModeAnswer>> {
    Ok(answer(
        app.mode(Some(&subject), query.default_to_global).await?,
    ))
}

pub(super) async fn set_global(
    State(app): State<Arc<App>>,
    Received(request): Received<ModeRequest>,
) -> Answer<Json<ModeAnswer>> {
    set(&app, None, &request).await
}

pub(super) async fn set_subject(
    State(app): State<Arc<App>>,
    Path(subject): Path<String>,
    Received(request): Received<ModeRequest>,
) -> Answer<Json<ModeAnswer>> {
    set(&app, Some(&subject), &request).await
}

pub(super) async fn delete_subject(
    State(app): State<Arc<App>>,
    Path(subject): Path<String>,
) -> Answer<Json<ModeAnswer>> {
    Ok(answer(app.delete_mode(&subject).await?))
}
