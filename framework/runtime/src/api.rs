//! A domain's own HTTP API: routes whose answers are governed records of one product.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::Method;
use mesh_core::{Descriptor, Error, Record, Result, TraceContext};
use mesh_enforcement::{Access, Action, Decision, Governed};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::context::Context;
use crate::effects::Effects;
use crate::ingest::Ingest;
use crate::state::describe;

/// The routes of a domain's API. A path looks like `/v1/profiles/{client_id}`; a handler is
/// an `async fn(Request, Context) -> Result<Reply<R>>`.
///
/// Before the handler is called the host has asked for a decision about `R` for the
/// request's principal and purpose: a request without them is answered with 401, a denied
/// one with 403.
#[derive(Default)]
#[must_use]
pub struct Api {
    pub(crate) routes: Vec<Route>,
}

pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) endpoint: Arc<dyn Endpoint>,
}

impl Api {
    /// Answers `GET path`; its handler must not return effects.
    pub fn get<F, Fut, R>(self, path: &str, handler: F) -> Self
    where
        F: Fn(Request, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply<R>>> + Send + 'static,
        R: Record,
    {
        self.route(Method::GET, path, handler)
    }

    /// Answers `POST path`; its handler may return effects, see [`Reply::commit`].
    pub fn post<F, Fut, R>(self, path: &str, handler: F) -> Self
    where
        F: Fn(Request, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply<R>>> + Send + 'static,
        R: Record,
    {
        self.route(Method::POST, path, handler)
    }

    /// Answers `POST path` by publishing the rows in its body to `product`: one JSON object,
    /// several one after the other (as JSON lines), or an array of them. All of them are
    /// taken or none; the answer, `{"accepted": n}`, is sent once they are committed. A
    /// request that is sent again with the same `Idempotency-Key` publishes nothing twice.
    pub fn ingest(self, path: &str, product: &'static Descriptor) -> Self {
        self.take(path, Ingest::rows(product))
    }

    /// [`Api::ingest`] of a state product, where `"<deleted>": true` in a row with the columns
    /// of its key takes the row of that key away. No column of the product has this name.
    pub fn ingest_changes(self, path: &str, product: &'static Descriptor, deleted: &str) -> Self {
        self.take(path, Ingest::changes(product, deleted))
    }

    fn take(mut self, path: &str, ingest: Ingest) -> Self {
        self.routes.push(Route {
            method: Method::POST,
            path: path.to_owned(),
            endpoint: Arc::new(ingest),
        });
        self
    }

    fn route<F, Fut, R>(mut self, method: Method, path: &str, handler: F) -> Self
    where
        F: Fn(Request, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply<R>>> + Send + 'static,
        R: Record,
    {
        self.routes.push(Route {
            method,
            path: path.to_owned(),
            endpoint: Arc::new(Typed {
                handler,
                record: PhantomData,
            }),
        });
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        let mut seen = BTreeSet::new();
        for route in &self.routes {
            let wrong = |message: &'static str, mend: &'static str| {
                Err(Error::invalid(message)
                    .with("method", &route.method)
                    .with("path", &route.path)
                    .mend(mend))
            };
            let version = route
                .path
                .strip_prefix("/v")
                .and_then(|rest| rest.chars().next());
            if !version.is_some_and(|c| c.is_ascii_digit()) || route.path.ends_with('/') {
                return wrong(
                    "a path of a domain's API begins with its version",
                    "write it like `/v1/profiles/{client_id}`",
                );
            }
            if !seen.insert((route.method.as_str(), route.path.as_str())) {
                return wrong("a route is declared twice", "remove one of them");
            }
        }
        Ok(())
    }
}

/// A request to a domain's API whose principal and purpose are known and allowed.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) path: BTreeMap<String, String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) body: Bytes,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) trace: TraceContext,
    pub(crate) decision: Arc<Decision>,
}

impl Request {
    /// Who asks, and for what.
    pub fn access(&self) -> &Access {
        self.decision.access()
    }

    /// The trace the request belongs to.
    pub fn trace(&self) -> TraceContext {
        self.trace
    }

    /// The path's parameter `name`, as text.
    ///
    /// # Errors
    /// If the route has no such parameter.
    pub fn param(&self, name: &str) -> Result<&str> {
        self.path.get(name).map(String::as_str).ok_or_else(|| {
            Error::internal("the route has no such parameter").with("parameter", name)
        })
    }

    /// The path's parameter `name`, read as `T`.
    ///
    /// # Errors
    /// [`InvalidInput`](mesh_core::ErrorKind::InvalidInput) if it is not one.
    pub fn parse<T: FromStr>(&self, name: &str) -> Result<T> {
        read(name, self.param(name)?)
    }

    /// The query's parameter `name`, as text.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The query's parameter `name`, read as `T`, if it is there.
    ///
    /// # Errors
    /// [`InvalidInput`](mesh_core::ErrorKind::InvalidInput) if it is not one.
    pub fn parse_query<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        self.query(name).map(|text| read(name, text)).transpose()
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// [`InvalidInput`](mesh_core::ErrorKind::InvalidInput) with what is wrong and where,
    /// without the body's values.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Error::invalid("the body is not the JSON that this path takes")
                .with("problem", describe(&error))
                .mend("send a JSON object with the fields that the API's page lists")
        })
    }
}

fn read<T: FromStr>(name: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| {
        Error::invalid("a parameter is not of the right form")
            .with("parameter", name)
            .with("expected", short_type_name::<T>())
            .mend("send a value of the expected form")
    })
}

fn short_type_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.rsplit("::").next().unwrap_or(name)
}

/// The answer of a domain's API: records that have passed the request's decision, and,
/// for a POST, effects that are committed before it is sent.
#[derive(Debug)]
#[must_use]
pub struct Reply<R: Record> {
    governed: Governed<R>,
    commit: Option<Commit>,
}

#[derive(Debug)]
struct Commit {
    key: String,
    effects: Effects,
    /// The answer as it is kept for a repeated request; governed anew when it is sent.
    answer: Json,
}

impl<R: Record> Reply<R> {
    /// Answers with one record, as a JSON object.
    ///
    /// # Errors
    /// If the request's decision is not about `R`.
    pub fn one(request: &Request, record: R) -> Result<Self> {
        Ok(Self {
            governed: request.decision.govern_one(record)?,
            commit: None,
        })
    }

    /// Answers with records, as `{"items": [...]}`.
    ///
    /// # Errors
    /// As [`Reply::one`].
    pub fn many(request: &Request, records: Vec<R>) -> Result<Self> {
        Ok(Self {
            governed: request.decision.govern(records)?,
            commit: None,
        })
    }

    /// Commits `effects` and then answers with `record`. `key` names what is asked for,
    /// such as an application's id: a later request to the same route under the same key
    /// commits nothing and is answered with the record of the first.
    ///
    /// # Errors
    /// As [`Reply::one`].
    pub fn commit(
        request: &Request,
        key: impl Into<String>,
        record: R,
        effects: Effects,
    ) -> Result<Self> {
        let answer = record.to_json();
        Ok(Self {
            governed: request.decision.govern_one(record)?,
            commit: Some(Commit {
                key: key.into(),
                effects,
                answer,
            }),
        })
    }
}

/// An endpoint of any record type.
#[async_trait]
pub(crate) trait Endpoint: Send + Sync {
    fn descriptor(&self) -> &'static Descriptor;
    /// What the caller must be allowed to do with the product.
    fn action(&self) -> Action {
        Action::Read
    }
    async fn call(&self, request: Request, ctx: Context) -> Result<Answer>;
    /// Governs an answer that was kept for an earlier request.
    fn again(&self, request: &Request, answer: &str) -> Result<Json>;
}

/// What an endpoint answers, once its effects are committed.
pub(crate) struct Answer {
    pub(crate) body: Json,
    pub(crate) commit: Option<AnswerCommit>,
}

pub(crate) struct AnswerCommit {
    pub(crate) key: String,
    pub(crate) effects: Effects,
    /// What is kept for a repeated request; nothing where none can be known.
    pub(crate) answer: Option<String>,
    /// Whether it is let go when it is old.
    pub(crate) passing: bool,
}

struct Typed<F, R> {
    handler: F,
    record: PhantomData<fn() -> R>,
}

#[async_trait]
impl<F, Fut, R> Endpoint for Typed<F, R>
where
    F: Fn(Request, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply<R>>> + Send + 'static,
    R: Record,
{
    fn descriptor(&self) -> &'static Descriptor {
        R::descriptor()
    }

    async fn call(&self, request: Request, ctx: Context) -> Result<Answer> {
        let reply = (self.handler)(request, ctx).await?;
        Ok(Answer {
            body: reply.governed.into_json(),
            commit: reply.commit.map(|commit| AnswerCommit {
                key: commit.key,
                effects: commit.effects,
                answer: Some(commit.answer.to_string()),
                passing: false,
            }),
        })
    }

    fn again(&self, request: &Request, answer: &str) -> Result<Json> {
        let json: Json = serde_json::from_str(answer).map_err(|error| {
            Error::new(
                mesh_core::ErrorKind::Corrupt,
                "a kept answer cannot be read",
            )
            .because(error)
        })?;
        let record = R::from_json(&json)?;
        Ok(request.decision.govern_one(record)?.into_json())
    }
}
