//! Asking another domain's API.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Principal, Problem, Purpose, Record, Result, TraceContext};
use mesh_enforcement::{PRINCIPAL_HEADER, PURPOSE_HEADER};
use mesh_stream::CatalogClient;
use reqwest::header::RETRY_AFTER;
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use url::Url;

use crate::state::describe;

const CONNECT: Duration = Duration::from_secs(3);

/// Finds and calls the APIs of other domains; shared by all [`Peer`]s of a process.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    http: reqwest::Client,
    catalog: CatalogClient,
    principal: Principal,
    known: Arc<Mutex<HashMap<String, Url>>>,
}

impl Peers {
    pub(crate) fn new(
        catalog: CatalogClient,
        principal: Principal,
        timeout: Duration,
    ) -> Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            // The services of a mesh reach each other directly.
            .no_proxy()
            .build()
            .map_err(|error| Error::internal("cannot make an HTTP client").because(error))?;
        Ok(Self {
            http,
            catalog,
            principal,
            known: Arc::default(),
        })
    }

    pub(crate) fn peer(&self, domain: &str, purpose: &str, trace: TraceContext) -> Result<Peer> {
        Ok(Peer {
            peers: self.clone(),
            domain: domain.to_owned(),
            purpose: purpose.parse()?,
            trace,
        })
    }

    fn cached(&self, domain: &str) -> Option<Url> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(domain).cloned()
    }

    fn forget(&self, domain: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(domain);
    }

    async fn resolve(&self, domain: &str) -> Result<Url> {
        if let Some(url) = self.cached(domain) {
            return Ok(url);
        }
        let url = self.catalog.api_url(domain).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(domain.to_owned(), url.clone());
        Ok(url)
    }
}

/// Another domain's API, found through the catalog. Requests are made as
/// `service:<own domain>`, for the purpose the peer was made with, in the caller's trace.
///
/// A peer that cannot be reached, and an answer that says to try later, are retryable
/// errors; a problem document becomes the error that the peer meant.
#[derive(Debug, Clone)]
pub struct Peer {
    peers: Peers,
    domain: String,
    purpose: Purpose,
    trace: TraceContext,
}

impl Peer {
    /// The record that `GET path` answers with; `path` holds no query that is not encoded.
    ///
    /// # Errors
    /// The peer's own, [`ErrorKind::Unavailable`] if it cannot be reached, and
    /// [`ErrorKind::Corrupt`] if the answer is not of this type.
    pub async fn get_record<R: Record>(&self, path: &str) -> Result<R> {
        record(&self.domain, &self.get_json(path).await?)
    }

    /// The records that `GET path` answers with under `items`.
    ///
    /// # Errors
    /// As [`Peer::get_record`].
    pub async fn get_records<R: Record>(&self, path: &str) -> Result<Vec<R>> {
        let answer = self.get_json(path).await?;
        let items = answer
            .get("items")
            .and_then(Json::as_array)
            .ok_or_else(|| unexpected(&self.domain, "the answer has no `items`".to_owned()))?;
        items
            .iter()
            .map(|item| record(&self.domain, item))
            .collect()
    }

    /// The record that `POST path` answers with.
    ///
    /// # Errors
    /// As [`Peer::get_record`].
    pub async fn post_record<B, R>(&self, path: &str, body: &B) -> Result<R>
    where
        B: Serialize + Sync + ?Sized,
        R: Record,
    {
        record(&self.domain, &self.post_json(path, body).await?)
    }

    /// What `GET path` answers with, read as `T`.
    ///
    /// # Errors
    /// As [`Peer::get_record`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        typed(&self.domain, self.get_json(path).await?)
    }

    /// What `POST path` answers with, read as `T`.
    ///
    /// # Errors
    /// As [`Peer::get_record`].
    pub async fn post<B, T>(&self, path: &str, body: &B) -> Result<T>
    where
        B: Serialize + Sync + ?Sized,
        T: DeserializeOwned,
    {
        typed(&self.domain, self.post_json(path, body).await?)
    }

    /// The JSON that `GET path` answers with.
    ///
    /// # Errors
    /// As [`Peer::get_record`].
    pub async fn get_json(&self, path: &str) -> Result<Json> {
        self.send(Method::GET, path, None).await
    }

    /// The JSON that `POST path` answers with.
    ///
    /// # Errors
    /// As [`Peer::get_record`].
    pub async fn post_json<B: Serialize + Sync + ?Sized>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<Json> {
        let body = serde_json::to_vec(body).map_err(|error| {
            Error::internal("a request's body cannot be written as JSON").detail(describe(&error))
        })?;
        self.send(Method::POST, path, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Json> {
        let known = self.peers.cached(&self.domain).is_some();
        match self.attempt(&method, path, body.clone()).await {
            Err(Unanswered::Unreached(_)) if known => {
                // The peer may have been started elsewhere since its address was kept.
                self.peers.forget(&self.domain);
                self.attempt(&method, path, body).await
            }
            other => other,
        }
        .map_err(|unanswered| match unanswered {
            Unanswered::Unreached(error) => {
                self.peers.forget(&self.domain);
                error
            }
            Unanswered::Refused(error) => error,
        })
    }

    async fn attempt(
        &self,
        method: &Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Json, Unanswered> {
        let base = self
            .peers
            .resolve(&self.domain)
            .await
            .map_err(Unanswered::Refused)?;
        let url = self.url(&base, path).map_err(Unanswered::Refused)?;
        let mut request = self
            .peers
            .http
            .request(method.clone(), url)
            .header(PRINCIPAL_HEADER, self.peers.principal.as_str())
            .header(PURPOSE_HEADER, self.purpose.as_str())
            .header("traceparent", self.trace.child().to_string());
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let unreached = |error: reqwest::Error| {
            Unanswered::Unreached(
                Error::unavailable("another domain does not answer")
                    .with("domain", &self.domain)
                    .mend("see whether its process runs; the request is repeated until it does")
                    .because(error.without_url()),
            )
        };
        let response = request.send().await.map_err(unreached)?;
        if !response.status().is_success() {
            return Err(Unanswered::Refused(self.refusal(response).await));
        }
        let bytes = response.bytes().await.map_err(unreached)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Unanswered::Refused(unexpected(&self.domain, describe(&error))))
    }

    fn url(&self, base: &Url, path: &str) -> Result<Url> {
        // Put together as text, so that a base with a path keeps it and no path can lead
        // to another host.
        let text = format!("{}{path}", base.as_str().trim_end_matches('/'));
        match Url::parse(&text) {
            Ok(url) if path.starts_with('/') => Ok(url),
            _ => Err(Error::internal("not a path of a peer's API")
                .with("domain", &self.domain)
                .mend("give a path that begins with `/`, with its parts percent-encoded")),
        }
    }

    async fn refusal(&self, response: Response) -> Error {
        let status = response.status();
        let later = response.headers().contains_key(RETRY_AFTER);
        let error = match response.json::<Problem>().await {
            Ok(problem) => Error::from(problem),
            Err(_) => Error::new(
                ErrorKind::from_http_status(status.as_u16()),
                "another domain refused a request without saying why",
            ),
        };
        // A gateway that gives up and a process that goes down mid-answer are passing faults.
        let passing = status == StatusCode::BAD_GATEWAY || later;
        let retryable = error.is_retryable() || passing;
        error
            .with("domain", &self.domain)
            .with("status", status.as_u16())
            .retryable(retryable)
    }
}

enum Unanswered {
    /// Nobody answered at the address.
    Unreached(Error),
    /// Somebody did, with an error.
    Refused(Error),
}

fn unexpected(domain: &str, detail: String) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "another domain's answer is not of the expected type",
    )
    .with("domain", domain)
    .detail(detail)
    .mend("see which version of its API and contract this domain was built against")
}

fn record<R: Record>(domain: &str, json: &Json) -> Result<R> {
    R::from_json(json).map_err(|error| unexpected(domain, error.log_line()))
}

fn typed<T: DeserializeOwned>(domain: &str, json: Json) -> Result<T> {
    serde_json::from_value(json).map_err(|error| unexpected(domain, describe(&error)))
}
