//! The catalog's REST API, as far as a domain needs it.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_core::{Descriptor, Error, ErrorKind, Problem, Result};
use mesh_stream::Registered;
use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response};
use serde::Deserialize;
use serde_json::json;
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Registers a domain and finds others.
#[derive(Debug, Clone)]
pub(crate) struct CatalogClient {
    http: reqwest::Client,
    base: Url,
}

#[derive(Debug, Deserialize)]
struct Found {
    api_url: Option<Url>,
}

#[derive(Debug, Deserialize)]
struct Standing {
    status: String,
}

impl CatalogClient {
    pub(crate) fn new(base: &Url) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // The services of a mesh reach each other directly.
            .no_proxy()
            .build()
            .map_err(|error| Error::internal("cannot make an HTTP client").because(error))?;
        Ok(Self {
            http,
            base: base.clone(),
        })
    }

    fn url(&self, segments: &[&str]) -> Result<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| {
                Error::invalid("the catalog's URL cannot have a path").with("url", &self.base)
            })?
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(segments);
        Ok(url)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|error| {
            Error::unavailable("the catalog does not answer")
                .with("catalog_url", &self.base)
                .mend("start the platform with `mesh up`, or set MESH_CATALOG_URL")
                .because(error.without_url())
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let later = response.headers().contains_key(RETRY_AFTER);
        let error = match response.json::<Problem>().await {
            Ok(problem) => Error::from(problem),
            Err(_) => Error::new(
                ErrorKind::from_http_status(status),
                "the catalog refused a request without saying why",
            ),
        };
        // What the catalog's own faults concern may pass; a refusal does not.
        let retryable = error.is_retryable() || later || status >= 500;
        Err(error.with("status", status).retryable(retryable))
    }

    /// Says where the API of `domain` is.
    pub(crate) async fn register_domain(&self, domain: &str, api_url: &Url) -> Result<()> {
        let url = self.url(&["domains", domain])?;
        self.send(self.http.put(url).json(&json!({ "api_url": api_url })))
            .await?;
        Ok(())
    }

    /// Registers a version of a product; the same again changes nothing.
    pub(crate) async fn register_product(
        &self,
        descriptor: &Descriptor,
        registered: &Registered,
    ) -> Result<()> {
        let contract = &descriptor.contract;
        let version = contract.version.to_string();
        let product = descriptor.product_text.ok_or_else(|| {
            Error::invalid("a product has no `product.odps.yaml` beside its contract")
                .with("topic", descriptor.topic.as_str())
                .mend("write it: it names the product's owner")
        })?;
        let url = self.url(&[
            "products",
            &contract.domain,
            &contract.product,
            "versions",
            &version,
        ])?;
        let body = json!({
            "product": product,
            "contract": descriptor.contract_text,
            "topic": descriptor.topic.as_str(),
            "key_schema_id": registered.key_id,
            "value_schema_id": registered.value_id,
            "key_schema": descriptor.key_schema,
            "value_schema": descriptor.value_schema,
        });
        self.send(self.http.put(url).json(&body))
            .await
            .map_err(|error| error.with("topic", descriptor.topic.as_str()))?;
        Ok(())
    }

    /// Where the version that stands for a major stands in its life, such as `active`; `None`
    /// if there is none.
    pub(crate) async fn major_status(
        &self,
        domain: &str,
        product: &str,
        major: u64,
    ) -> Result<Option<String>> {
        let major = format!("v{major}");
        let url = self.url(&["products", domain, product, "versions", &major])?;
        let response = match self.send(self.http.get(url)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let found: Standing = response.json().await.map_err(|error| {
            Error::unavailable("the catalog's answer about a product cannot be read")
                .with("product", format!("{domain}.{product}"))
                .because(error.without_url())
        })?;
        Ok(Some(found.status))
    }

    /// Puts the named majors into service; the same again changes nothing.
    pub(crate) async fn switch(
        &self,
        domain: &str,
        products: &BTreeMap<&str, u64>,
        by: Option<&str>,
    ) -> Result<()> {
        let url = self.url(&["domains", domain, "switch"])?;
        let body = json!({ "products": products, "by": by });
        self.send(self.http.post(url).json(&body)).await?;
        Ok(())
    }

    /// Where the API of `domain` is.
    pub(crate) async fn api_url(&self, domain: &str) -> Result<Url> {
        let absent = || {
            // It registers itself when it starts, so this passes.
            Error::unavailable("another domain has not registered its API yet")
                .with("domain", domain)
                .mend("start that domain")
        };
        let url = self.url(&["domains", domain])?;
        let response = match self.send(self.http.get(url)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(absent()),
            other => other?,
        };
        let found: Found = response.json().await.map_err(|error| {
            Error::unavailable("the catalog's answer about a domain cannot be read")
                .with("domain", domain)
                .because(error.without_url())
        })?;
        found.api_url.ok_or_else(absent)
    }

    /// Whether the catalog answers.
    pub(crate) async fn reachable(&self) -> Result<()> {
        let url = self.url(&[])?;
        match self.send(self.http.get(url)).await {
            // Any answer of its own shows that it is there.
            Err(error) if error.is_retryable() => Err(error),
            _ => Ok(()),
        }
    }
}
