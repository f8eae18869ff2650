//! The catalog, which knows the domains, and the API of a domain.

use std::time::Duration;

use mesh_core::{Error, ErrorKind, Principal, Problem, Purpose, Result};
use serde::Deserialize;
use serde_json::Value as Json;

use super::Ask;

/// Switching over and removing topics take a while.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A domain and where its API is.
#[derive(Debug)]
pub(super) struct Domain {
    pub(super) name: String,
    pub(super) url: String,
}

#[derive(Debug, Deserialize)]
struct Found {
    domain: String,
    api_url: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Found>,
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Items {
    items: Vec<Json>,
}

pub(super) struct Client {
    http: reqwest::Client,
    catalog: String,
    principal: Principal,
    purpose: Purpose,
}

impl Client {
    pub(super) fn new(ask: &Ask) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build();
        Ok(Self {
            http: http
                .map_err(|error| Error::internal("the HTTP client cannot start").because(error))?,
            catalog: ask.url.trim_end_matches('/').to_owned(),
            principal: ask.principal.parse()?,
            purpose: ask.purpose.parse()?,
        })
    }

    /// Where the API of a domain is.
    pub(super) async fn find(&self, domain: &str) -> Result<Domain> {
        let url = format!("{}/api/v1/domains/{domain}", self.catalog);
        let found: Found = self.send(self.http.get(&url), &self.catalog, MESH).await?;
        let url = found.api_url.ok_or_else(|| {
            Error::not_found("the domain has not said where its API is")
                .with("domain", domain)
                .mend("start the domain's process")
        })?;
        Ok(Domain {
            name: found.domain,
            url,
        })
    }

    /// All domains that have an API.
    pub(super) async fn domains(&self) -> Result<Vec<Domain>> {
        let mut domains = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut url = reqwest::Url::parse(&format!("{}/api/v1/domains", self.catalog))
                .map_err(|error| {
                    Error::invalid("the catalog's URL is not one")
                        .with("catalog", &self.catalog)
                        .because(error)
                })?;
            if let Some(cursor) = &cursor {
                url.query_pairs_mut().append_pair("cursor", cursor);
            }
            let request = self.http.get(url);
            let page: Page = self.send(request, &self.catalog, MESH).await?;
            domains.extend(page.items.into_iter().filter_map(|found| {
                Some(Domain {
                    name: found.domain,
                    url: found.api_url?,
                })
            }));
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(domains);
            }
        }
    }

    /// The replays that a domain declares.
    pub(super) async fn replays(&self, domain: &Domain) -> Result<Vec<Json>> {
        let root = domain.url.trim_end_matches('/');
        let request = self.http.get(format!("{root}/replays"));
        let found: Items = self.send(request, root, DOMAIN).await?;
        Ok(found.items)
    }

    /// Has a domain do something with a replay; how the replay is then.
    pub(super) async fn order(
        &self,
        domain: &Domain,
        handler: &str,
        version: u32,
        action: &str,
        body: &Json,
    ) -> Result<Json> {
        let root = domain.url.trim_end_matches('/');
        let url = format!("{root}/replays/{handler}/{version}/{action}");
        self.send(self.http.post(url).json(body), root, DOMAIN)
            .await
    }

    async fn send<T: serde::de::DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
        url: &str,
        (who, mend): (&'static str, &'static str),
    ) -> Result<T> {
        let silent = |error: reqwest::Error| {
            Error::unavailable(format!("{who} does not answer"))
                .with("url", url)
                .mend(mend)
                .because(error.without_url())
        };
        let response = request
            .header("Mesh-Principal", self.principal.as_str())
            .header("Mesh-Purpose", self.purpose.as_str())
            .send()
            .await
            .map_err(silent)?;
        let status = response.status();
        let body = response.bytes().await.map_err(silent)?;
        if !status.is_success() {
            return Err(match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => problem.into(),
                Err(_) => Error::new(
                    ErrorKind::from_http_status(status.as_u16()),
                    format!("{who} answered with status {}", status.as_u16()),
                )
                .with("url", url)
                .mend(mend),
            });
        }
        serde_json::from_slice(&body).map_err(|error| {
            Error::internal(format!("the answer of {who} cannot be read"))
                .with("url", url)
                .mend("run the domain and `mesh` at the same release")
                .because(error)
        })
    }
}

const MESH: (&str, &str) = (
    "the mesh",
    "start it with `mesh up` or `mesh demo`, or say where it is with --url; --api names a domain's API without a catalog",
);
const DOMAIN: (&str, &str) = (
    "the domain",
    "start the domain's process, and see its `/readyz` for what it waits for",
);
