//! `/mode`: whether schemas can be registered and deleted.

use serde::{Deserialize, Serialize};

use super::config::place;
use super::exchange::{Json, Path, Query, Received};
use crate::app::{Answer, App};
use crate::refusal::Refusal;
use crate::store::Mode;
use crate::subject::Subject;

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

async fn set(
    app: &App,
    at: &Subject,
    request: &ModeRequest,
    force: bool,
) -> Answer<Json<ModeAnswer>> {
    let text = request.mode.as_deref().unwrap_or_default();
    let Some(mode) = Mode::of(text) else {
        return Err(match text.to_ascii_uppercase().as_str() {
            "FORWARD" => Refusal::not_permitted(
                "The mode FORWARD is not supported: there is no registry to forward to",
            ),
            _ => Refusal::invalid_mode(
                "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE, IMPORT",
            ),
        });
    };
    app.set_mode(at, mode, force).await?;
    Ok(answer(mode))
}

pub(super) async fn global(app: App) -> Answer<Json<ModeAnswer>> {
    Ok(answer(app.mode(&Subject::global(), false).await?))
}

pub(super) async fn of_subject(
    app: App,
    Path(subject): Path<String>,
    query: Query,
) -> Answer<Json<ModeAnswer>> {
    let at = place(&subject);
    Ok(answer(app.mode(&at, query.default_to_global).await?))
}

pub(super) async fn set_global(
    app: App,
    query: Query,
    Received(request): Received<ModeRequest>,
) -> Answer<Json<ModeAnswer>> {
    set(&app, &Subject::global(), &request, query.force).await
}

pub(super) async fn set_subject(
    app: App,
    Path(subject): Path<String>,
    query: Query,
    Received(request): Received<ModeRequest>,
) -> Answer<Json<ModeAnswer>> {
    set(&app, &place(&subject), &request, query.force).await
}

pub(super) async fn delete_global(app: App) -> Answer<Json<ModeAnswer>> {
    Ok(answer(app.delete_mode(&Subject::global()).await?))
}

pub(super) async fn delete_subject(
    app: App,
    Path(subject): Path<String>,
) -> Answer<Json<ModeAnswer>> {
    Ok(answer(app.delete_mode(&place(&subject)).await?))
}
