//! What operators ask for over HTTP.
//!
//! | | |
//! |---|---|
//! | `GET /replays` | the replays that the domain declares, and how far they are |
//! | `GET /replays/{handler}/{version}` | one of them |
//! | `POST /replays/{handler}/{version}/start` | `{"from": "earliest"}`, `{"from": {"time": "…Z"}}` or `{"from": {"offsets": {"0": 15}}}` |
//! | `POST /replays/{handler}/{version}/switch` | `{"force": false, "max_lag": 1000, "stop_old": false}` |
//! | `POST /replays/{handler}/{version}/retire` | `{"force": false}` |
//! | `POST /replays/{handler}/{version}/abandon` | `{"delete_topic": false}` |

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use mesh_core::{Error, Result};
use mesh_enforcement::{Access, Action, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Version, begin, progress, switch};
use crate::host::Host;
use crate::state::describe;

pub(crate) fn routes() -> Router<Arc<Host>> {
    Router::new()
        .route("/replays", get(list))
        .route("/replays/{handler}/{version}", get(one))
        .route("/replays/{handler}/{version}/{action}", post(act))
}

async fn list(State(host): State<Arc<Host>>, headers: HeaderMap) -> Result<Json<Value>> {
    let access = Access::from_headers(&headers)?;
    let mut items = Vec::new();
    for version in host.replays.versions.replays() {
        allowed(&host, &access, version, Action::Read).await?;
        items.push(shown(&host, version).await?);
    }
    Ok(Json(json!({ "items": items })))
}

async fn one(
    State(host): State<Arc<Host>>,
    Path((handler, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>> {
    let access = Access::from_headers(&headers)?;
    let version = declared(&host, &handler, &number)?;
    allowed(&host, &access, &version, Action::Read).await?;
    Ok(Json(shown(&host, &version).await?))
}

async fn act(
    State(host): State<Arc<Host>>,
    Path((handler, number, action)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>> {
    let access = Access::from_headers(&headers)?;
    let version = declared(&host, &handler, &number)?;
    allowed(&host, &access, &version, Action::Operate).await?;
    let by = access.principal.to_string();
    // An order that has begun is brought to its end even if the caller goes away.
    let work = tokio::spawn(async move {
        let _turn = host.replays.orders.lock().await;
        match action.as_str() {
            "start" => begin::start(&host, &version, &required(&body)?, &by).await?,
            "switch" => switch::switch(&host, &version, &read(&body)?, &by).await?,
            "retire" => switch::retire(&host, &version, &read(&body)?, &by).await?,
            "abandon" => begin::abandon(&host, &version, &read(&body)?, &by).await?,
            _ => {
                return Err(
                    Error::not_found("there is no such thing to do with a replay")
                        .with("action", action)
                        .mend("post to `start`, `switch`, `retire` or `abandon`"),
                );
            }
        }
        shown(&host, &version).await
    });
    let done = work.await;
    let done = done.map_err(|error| Error::internal("an order was cut short").because(error))?;
    Ok(Json(done?))
}

async fn shown(host: &Host, version: &Version) -> Result<Value> {
    let status = progress::look(host, version).await?;
    let value = serde_json::to_value(&status)
        .map_err(|error| Error::internal("the replay cannot be shown").because(error))?;
    host.status.replay(status);
    Ok(value)
}

/// The replay that the domain declares under these names.
fn declared(host: &Host, handler: &str, number: &str) -> Result<Arc<Version>> {
    let versions = &host.replays.versions;
    let found = number.parse().ok().and_then(|n| versions.of(handler, n));
    let found = found.filter(|version| version.is_replay());
    found.cloned().ok_or_else(|| {
        let known: Vec<String> = versions
            .replays()
            .map(|is| format!("{} {}", is.handler, is.number))
            .collect();
        let mend = match known.is_empty() {
            true => "declare one with `.replay(…)` in the domain's code".to_owned(),
            false => format!("take one of {}", known.join(", ")),
        };
        Error::not_found("the domain declares no such replay")
            .with("handler", handler)
            .with("version", number)
            .mend(mend)
    })
}

/// Refuses who may not do this with each of the products that the replay writes.
async fn allowed(host: &Host, access: &Access, version: &Version, action: Action) -> Result<()> {
    for product in &version.writes {
        let resource = Resource::of(&product.contract);
        let decision = host.decisions.decide(access, action, &resource).await?;
        decision.require()?;
    }
    Ok(())
}

fn read<T: DeserializeOwned + Default>(body: &Bytes) -> Result<T> {
    match body.is_empty() {
        true => Ok(T::default()),
        false => required(body),
    }
}

fn required<T: DeserializeOwned>(body: &Bytes) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        Error::invalid("the body is not what this order takes")
            .with("problem", describe(&error))
            .mend("see docs/replay.md for the bodies; `mesh replay` makes them")
    })
}
