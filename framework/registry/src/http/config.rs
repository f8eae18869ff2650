//! `/config`: compatibility levels and what else is set of subjects and contexts.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::exchange::{Json, Path, Query, Received, is_empty};
use super::schema::metadata;
use crate::app::{Answer, App, Change, Patch, Shape};
use crate::metadata::Metadata;
use crate::refusal::Refusal;
use crate::store::Config;
use crate::subject::Subject;

/// What is asked of a configuration: what is absent stays, what is null is unset.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct ConfigRequest(Map<String, Value>);

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigAnswer {
    compatibility_level: &'static str,
    #[serde(flatten)]
    config: Config,
}

impl ConfigRequest {
    fn change(&self) -> Answer<Change> {
        let mut change = Change::default();
        let mut changes = false;
        for (key, value) in &self.0 {
            match key.as_str() {
                // An empty level is none, and there is no level of no name.
                "compatibility" | "compatibilityLevel" => {
                    change.compatibility = patch(key, value, text)?.read(|level| {
                        level.parse().map_err(|error: mesh_core::Error| {
                            Refusal::invalid_compatibility(error.message())
                        })
                    })?;
                }
                "alias" => change.alias = patch(key, value, text)?,
                "normalize" => change.normalize = patch(key, value, Value::as_bool)?,
                "compatibilityGroup" => change.compatibility_group = patch(key, value, text)?,
                "defaultMetadata" => change.default_metadata = metadata_patch(value)?,
                "overrideMetadata" => change.override_metadata = metadata_patch(value)?,
                _ if is_empty(value) => continue,
                _ => {
                    let key: String = key.chars().take(40).collect();
                    return Err(Refusal::invalid_compatibility(format!(
                        "The setting '{key}' is not supported: set compatibility, alias, \
                         normalize, compatibilityGroup, defaultMetadata and overrideMetadata"
                    )));
                }
            }
            changes = true;
        }
        if changes {
            return Ok(change);
        }
        Err("".parse::<crate::Compatibility>().map_or_else(
            |error| Refusal::invalid_compatibility(error.message()),
            |_| Refusal::new(500, "Internal Server Error"),
        ))
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn patch<T>(key: &str, value: &Value, read: impl Fn(&Value) -> Option<T>) -> Answer<Patch<T>> {
    if value.is_null() {
        return Ok(Patch::Unset);
    }
    read(value).map(Patch::Set).ok_or_else(|| {
        Refusal::invalid_compatibility(format!("The setting '{key}' is not of its type"))
    })
}

fn metadata_patch(value: &Value) -> Answer<Patch<Metadata>> {
    let read = metadata(value.clone())
        .map_err(|refusal| Refusal::invalid_compatibility(refusal.message))?;
    Ok(read.map_or(Patch::Unset, Patch::Set))
}

impl<T> Patch<T> {
    fn read<U>(self, read: impl FnOnce(T) -> Answer<U>) -> Answer<Patch<U>> {
        Ok(match self {
            Self::Keep => Patch::Keep,
            Self::Unset => Patch::Unset,
            Self::Set(value) => Patch::Set(read(value)?),
        })
    }
}

fn answer(shape: Shape) -> Json<ConfigAnswer> {
    Json(ConfigAnswer {
        compatibility_level: shape.compatibility.as_str(),
        config: shape.config,
    })
}

/// The subject or the context that a path names.
pub(super) fn place(path: &str) -> Subject {
    Subject::read(path).for_settings()
}

/// Answers with the request, as Confluent's registry does, the level in its usual form.
async fn set(app: &App, at: &Subject, request: ConfigRequest) -> Answer<Json<Map<String, Value>>> {
    let change = request.change()?;
    let level = match &change.compatibility {
        Patch::Set(level) => Some(level.as_str()),
        Patch::Keep | Patch::Unset => None,
    };
    app.set_config(at, change).await?;
    let mut done = request.0;
    done.retain(|_, value| !value.is_null());
    done.remove("compatibilityLevel");
    if let Some(level) = level {
        done.insert("compatibility".to_owned(), level.into());
    }
    Ok(Json(done))
}

pub(super) async fn global(app: App) -> Answer<Json<ConfigAnswer>> {
    Ok(answer(app.config(&Subject::global(), false).await?))
}

pub(super) async fn of_subject(
    app: App,
    Path(subject): Path<String>,
    query: Query,
) -> Answer<Json<ConfigAnswer>> {
    let at = place(&subject);
    Ok(answer(app.config(&at, query.default_to_global).await?))
}

pub(super) async fn set_global(
    app: App,
    Received(request): Received<ConfigRequest>,
) -> Answer<Json<Map<String, Value>>> {
    set(&app, &Subject::global(), request).await
}

pub(super) async fn set_subject(
    app: App,
    Path(subject): Path<String>,
    Received(request): Received<ConfigRequest>,
) -> Answer<Json<Map<String, Value>>> {
    set(&app, &place(&subject), request).await
}

pub(super) async fn delete_global(app: App) -> Answer<Json<ConfigAnswer>> {
    Ok(answer(app.delete_config(&Subject::global()).await?))
}

pub(super) async fn delete_subject(
    app: App,
    Path(subject): Path<String>,
) -> Answer<Json<ConfigAnswer>> {
    Ok(answer(app.delete_config(&place(&subject)).await?))
}
