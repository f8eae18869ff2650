//! `/config`: compatibility levels.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::exchange::{Json, Path, Query, Received, is_empty};
use crate::app::{Answer, App};
use crate::compat::Compatibility;
use crate::refusal::Refusal;

/// What is asked of a configuration, and the answer that it was done.
#[derive(Debug, Deserialize)]
pub(super) struct ConfigRequest {
    #[serde(alias = "compatibilityLevel")]
    compatibility: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Serialize)]
pub(super) struct ConfigDone {
    compatibility: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigAnswer {
    compatibility_level: &'static str,
}

impl ConfigRequest {
    fn level(&self) -> Answer<Compatibility> {
        if let Some((key, _)) = self.rest.iter().find(|(_, value)| !is_empty(value)) {
            let key: String = key.chars().take(40).collect();
            return Err(Refusal::invalid_compatibility(format!(
                "The setting '{key}' is not supported yet: set 'compatibility' alone"
            )));
        }
        let level = self.compatibility.as_deref().unwrap_or_default();
        level
            .parse()
            .map_err(|error: mesh_core::Error| Refusal::invalid_compatibility(error.message()))
    }
}

fn answer(level: Compatibility) -> Json<ConfigAnswer> {
    Json(ConfigAnswer {
        compatibility_level: level.as_str(),
    })
}

async fn set(
    app: &App,
    subject: Option<&str>,
    request: &ConfigRequest,
) -> Answer<Json<ConfigDone>> {
    let level = request.level()?;
    app.set_compatibility(subject, level).await?;
    Ok(Json(ConfigDone {
        compatibility: level.as_str(),
    }))
}

pub(super) async fn global(State(app): State<Arc<App>>) -> Answer<Json<ConfigAnswer>> {
    Ok(answer(app.compatibility(None, false).await?))
}

pub(super) async fn of_subject(
    State(app): State<Arc<App>>,
    Path(subject): Path<String>,
    query: Query,
) -> Answer<Json<ConfigAnswer>> {
    let level = app
        .compatibility(Some(&subject), query.default_to_global)
        .await?;
    Ok(answer(level))
}

pub(super) async fn set_global(
    State(app): State<Arc<App>>,
    Received(request): Received<ConfigRequest>,
) -> Answer<Json<ConfigDone>> {
    set(&app, None, &request).await
}

pub(super) async fn set_subject(
    State(app): State<Arc<App>>,
    Path(subject): Path<String>,
    Received(request): Received<ConfigRequest>,
) -> Answer<Json<ConfigDone>> {
    set(&app, Some(&subject), &request).await
}

pub(super) async fn delete_global(State(app): State<Arc<App>>) -> Answer<Json<ConfigAnswer>> {
    Ok(answer(app.delete_compatibility(None).await?))
}

pub(super) async fn delete_subject(
    State(app): State<Arc<App>>,
    Path(subject): Path<String>,
) -> Answer<Json<ConfigAnswer>> {
    Ok(answer(app.delete_compatibility(Some(&subject)).await?))
}
