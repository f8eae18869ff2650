//! The HTTP server of a domain: its API, and what operators ask for.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Query, RawPathParams, State};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on};
use futures::FutureExt;
use mesh_core::{Error, ErrorKind, Result, TraceContext};
use mesh_enforcement::{Access, Resource};
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::api::{AnswerCommit, Api, Endpoint, Request};
use crate::context::Context;
use crate::host::Host;
use crate::store::{KeptAnswer, Outcome};
use crate::unit::{Cause, Unit};
use crate::{rebuild, replay};

/// How often a POST is run again because others have changed what it read.
const CONFLICTS: u32 = 20;

/// Serves until the host takes nothing more in, and lets running requests finish.
pub(crate) async fn serve(host: Arc<Host>, api: Api, listener: TcpListener) {
    let stop = host.intake.clone();
    let router = router(Arc::clone(&host), api);
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await;
    if let Err(error) = served {
        host.fail(
            "api",
            Error::internal("the API stopped serving").because(error),
        );
    }
}

fn router(host: Arc<Host>, api: Api) -> Router {
    let mut router: Router<Arc<Host>> = Router::new()
        .route("/healthz", get(async || text("ok\n")))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .merge(replay::routes());
    for route in api.routes {
        let filter = match route.method {
            Method::POST => MethodFilter::POST,
            _ => MethodFilter::GET,
        };
        let handled = Arc::new(Handled {
            method: route.method,
            path: route.path.clone(),
            endpoint: route.endpoint,
        });
        let answer = move |State(host): State<Arc<Host>>, request: axum::extract::Request| {
            let handled = Arc::clone(&handled);
            async move { handled.answer(host, request).await }
        };
        router = router.route(&route.path, on(filter, answer));
    }
    router
        .fallback(async || {
            Error::not_found("there is no such path")
                .mend("see the API's page for the paths there are")
        })
        .method_not_allowed_fallback(async || {
            let error = Error::invalid("the path does not take this method");
            let mut response = error.into_response();
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response
        })
        .with_state(host)
}

fn text(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}

fn json_response(status: StatusCode, body: &Json) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn readyz(State(host): State<Arc<Host>>) -> Response {
    let waiting = host.status.waiting();
    let ready = waiting.is_empty();
    let status = match ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    json_response(status, &json!({ "ready": ready, "waiting": waiting }))
}

async fn status(State(host): State<Arc<Host>>) -> Result<Response> {
    let report = host.status.report(&host.domain, host.store.pending());
    let body = serde_json::to_value(report)
        .map_err(|error| Error::internal("the status cannot be shown").because(error))?;
    Ok(json_response(StatusCode::OK, &body))
}

async fn metrics(State(host): State<Arc<Host>>) -> Result<Response> {
    host.metrics.outbox_pending.set(host.store.pending() as i64);
    host.metrics
        .ready
        .set(i64::from(host.status.waiting().is_empty()));
    Ok(text(host.metrics.text()?))
}

/// A route of the domain's API.
struct Handled {
    method: Method,
    path: String,
    endpoint: Arc<dyn Endpoint>,
}

impl Handled {
    /// Answers within the time allowed, whatever the handler does.
    async fn answer(&self, host: Arc<Host>, request: axum::extract::Request) -> Response {
        let begun = Instant::now();
        let limit = host.config.request_timeout;
        let work = AssertUnwindSafe(self.work(&host, request)).catch_unwind();
        let result = match tokio::time::timeout(limit, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Error::internal("the request's handler panicked")),
            Err(_) => Err(Error::new(ErrorKind::Timeout, "the request took too long")
                .with("seconds", limit.as_secs())),
        };
        let response = match result {
            Ok(body) => json_response(StatusCode::OK, &body),
            Err(error) => error.into_response(),
        };
        let status = response.status().as_u16();
        host.metrics
            .request(self.method.as_str(), &self.path, status, begun.elapsed());
        response
    }

    async fn work(&self, host: &Arc<Host>, request: axum::extract::Request) -> Result<Json> {
        let request = self.read(host, request).await?;
        if host.status.waits(rebuild::PART) {
            return Err(Error::unavailable(
                "the domain's documents are being read back from its topics",
            )
            .mend("ask again when /readyz says that the domain is ready"));
        }
        for _ in 0..CONFLICTS {
            let unit = Arc::new(Mutex::new(Unit::new(&host.store)));
            let ctx = Context::new(Arc::clone(host), Arc::clone(&unit), request.trace);
            let answer = self.endpoint.call(request.clone(), ctx).await?;
            let Some(commit) = answer.commit else {
                return Ok(answer.body);
            };
            let unit = std::mem::take(&mut *unit.lock().await);
            match self.commit(host, &request, unit, commit).await? {
                Outcome::Committed => return Ok(answer.body),
                Outcome::Answered(earlier) => return self.endpoint.again(&request, &earlier),
                Outcome::Conflict => tokio::task::yield_now().await,
            }
        }
        Err(Error::unavailable(
            "others keep changing what the request reads",
        ))
    }

    /// Who asks for what: refused here if it is not said or not allowed.
    async fn read(&self, host: &Host, request: axum::extract::Request) -> Result<Request> {
        let (mut parts, body) = request.into_parts();
        let access = Access::from_headers(&parts.headers)?;
        let resource = Resource::of(&self.endpoint.descriptor().contract);
        let decision = host
            .decisions
            .decide(&access, self.endpoint.action(), &resource)
            .await?;
        decision.require()?;
        let path = path_of(&mut parts).await?;
        let query = Query::<BTreeMap<String, String>>::try_from_uri(&parts.uri)
            .map_err(|_| Error::invalid("the query is malformed").mend("send `name=value` pairs"))?
            .0;
        let limit = host.config.body_limit;
        let body = to_bytes(body, limit).await.map_err(|_| {
            Error::invalid("the request's body is too large or was cut off")
                .with("limit_bytes", limit)
                .mend("send less")
        })?;
        Ok(Request {
            path,
            query,
            body,
            idempotency_key: idempotency_key(&parts)?,
            trace: trace_of(&parts),
            decision: Arc::new(decision),
        })
    }

    async fn commit(
        &self,
        host: &Arc<Host>,
        request: &Request,
        mut unit: Unit,
        commit: AnswerCommit,
    ) -> Result<Outcome> {
        if self.method != Method::POST {
            return Err(Error::internal("a GET wants to change something")
                .with("path", &self.path)
                .mend("make it a POST"));
        }
        let route = format!("{} {}", self.method, self.path);
        let cause = Cause {
            parts: &[&host.domain, &route, &commit.key],
            trace: request.trace,
        };
        unit.apply(commit.effects, &cause, host.outputs()?)?;
        let mut all = unit.into_commit(None);
        all.answer = commit.answer.map(|body| KeptAnswer {
            route,
            key: commit.key,
            body,
            passing: commit.passing,
        });
        host.commit(all).await
    }
}

/// The key under which a repeated request is known (draft-ietf-httpapi-idempotency-key).
fn idempotency_key(parts: &Parts) -> Result<Option<String>> {
    let Some(value) = parts.headers.get("idempotency-key") else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .filter(|text| (1..=200).contains(&text.len()))
        .map(|text| Some(text.to_owned()))
        .ok_or_else(|| {
            Error::invalid("the idempotency key cannot be used")
                .with("header", "Idempotency-Key")
                .mend("send 1 to 200 ASCII characters, such as a UUID")
        })
}

async fn path_of(parts: &mut Parts) -> Result<BTreeMap<String, String>> {
    let params = RawPathParams::from_request_parts(parts, &())
        .await
        .map_err(|_| Error::invalid("the path is malformed").mend("percent-encode it as UTF-8"))?;
    Ok(params
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

/// The caller's trace, or a new one if it sends none that can be read (W3C Trace Context,
/// section 3.2.2.5).
fn trace_of(parts: &Parts) -> TraceContext {
    parts
        .headers
        .get("traceparent")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<TraceContext>().ok())
        .map_or_else(TraceContext::new, |trace| trace.child())
}
