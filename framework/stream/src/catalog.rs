//! The catalog's REST API, as far as domains and what makes products ready for them need it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use mesh_core::contract::Lifecycle;
use mesh_core::{Descriptor, Error, ErrorKind, Problem, Result};
use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use crate::registry::Registered;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Products asked for at a time.
const PAGE: &str = "200";

/// The client of the catalog: registers domains and products, and finds them.
#[derive(Debug, Clone)]
pub struct CatalogClient {
    http: reqwest::Client,
    base: Url,
}

#[derive(Debug, Deserialize)]
struct Found {
    api_url: Option<Url>,
}

/// A version of a product as it is registered.
#[derive(Debug, Clone, Copy)]
pub struct VersionTexts<'a> {
    /// The owning domain.
    pub domain: &'a str,
    /// The product.
    pub product: &'a str,
    /// The semantic version.
    pub version: &'a str,
    /// The topic.
    pub topic: &'a str,
    /// The product file's text.
    pub product_text: &'a str,
    /// The contract file's text.
    pub contract_text: &'a str,
    /// The schema of keys.
    pub key_schema: &'a str,
    /// The schema of values.
    pub value_schema: &'a str,
    /// The ids of the schemas.
    pub registered: Registered,
}

/// A version of a product as the catalog has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CatalogVersion {
    /// The semantic version.
    pub version: String,
    /// Where it stands in its life, such as `active`.
    pub status: String,
    /// The topic.
    pub topic: String,
    /// The contract file's text.
    pub contract_text: String,
    /// The product file's text.
    pub product_text: String,
    /// The id of the schema of keys; 0 where they are written without one.
    pub key_schema_id: u32,
    /// The id of the schema of values.
    pub value_schema_id: u32,
    /// The schema of keys.
    pub key_schema: String,
    /// The schema of values.
    pub value_schema: String,
}

/// When a version of a product ends, and who reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogLife {
    /// Where it stands in its life, such as `deprecated`.
    pub status: String,
    /// The ends that its contract announces.
    pub lifecycle: Lifecycle,
    /// The topic to read instead.
    pub successor: Option<String>,
    /// The domains that read it.
    pub readers: Vec<String>,
}

/// A topic that a handler of a domain reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reads {
    /// The handler.
    pub handler: String,
    /// The topic.
    pub topic: String,
}

#[derive(Debug, Deserialize)]
struct Living {
    status: String,
    lifecycle: LivingEnds,
    readers: Vec<LivingReader>,
}

#[derive(Debug, Deserialize)]
struct LivingEnds {
    end_of_support: Option<DateTime<Utc>>,
    end_of_life: Option<DateTime<Utc>>,
    successor: Option<String>,
}

#[derive(Debug, Deserialize)]
struct LivingReader {
    domain: String,
}

#[derive(Debug, Deserialize)]
struct Versions {
    versions: Vec<VersionName>,
}

#[derive(Debug, Deserialize)]
struct VersionName {
    version: String,
    status: String,
    topic: String,
}

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Listed>,
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    domain: String,
    product: String,
}

#[derive(Debug, Deserialize)]
struct Standing {
    status: String,
}

impl CatalogClient {
    /// A client of the catalog at `base`; nothing is asked yet.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn new(base: &Url) -> Result<Self> {
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

    /// Says where the API of `domain` is, and what its handlers read.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the catalog does not answer, else its refusal.
    pub async fn register_domain(
        &self,
        domain: &str,
        api_url: &Url,
        reads: &[Reads],
    ) -> Result<()> {
        let url = self.url(&["domains", domain])?;
        let body = json!({ "api_url": api_url, "reads": reads });
        self.send(self.http.put(url).json(&body)).await?;
        Ok(())
    }

    /// When the version that stands for a major ends, and who reads it; `None` if none is
    /// registered.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the catalog does not answer.
    pub async fn life(
        &self,
        domain: &str,
        product: &str,
        major: u64,
    ) -> Result<Option<CatalogLife>> {
        let version = format!("v{major}");
        let url = self.url(&["products", domain, product, "versions", &version])?;
        let found: Option<Living> = self.found(url, domain, product).await?;
        Ok(found.map(|found| CatalogLife {
            status: found.status,
            lifecycle: Lifecycle {
                end_of_support: found.lifecycle.end_of_support,
                end_of_life: found.lifecycle.end_of_life,
            },
            successor: found.lifecycle.successor,
            readers: found
                .readers
                .into_iter()
                .map(|reader| reader.domain)
                .collect(),
        }))
    }

    /// Registers a version of a product; the same again changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the version is registered with another contract,
    /// [`ErrorKind::Unavailable`] if the catalog does not answer.
    pub async fn register_product(
        &self,
        descriptor: &Descriptor,
        registered: &Registered,
    ) -> Result<()> {
        let contract = &descriptor.contract;
        let product = descriptor.product_text.as_deref().ok_or_else(|| {
            Error::invalid("a product has no `product.odps.yaml` beside its contract")
                .with("topic", descriptor.topic.as_str())
                .mend("write it: it names the product's owner")
        })?;
        self.register_version(&VersionTexts {
            domain: &contract.domain,
            product: &contract.product,
            version: &contract.version.to_string(),
            topic: descriptor.topic.as_str(),
            product_text: product,
            contract_text: &descriptor.contract_text,
            key_schema: &descriptor.key_schema,
            value_schema: &descriptor.value_schema,
            registered: *registered,
        })
        .await
    }

    /// As [`CatalogClient::register_product`], from texts alone.
    ///
    /// # Errors
    /// As [`CatalogClient::register_product`].
    pub async fn register_version(&self, texts: &VersionTexts<'_>) -> Result<()> {
        let path = [
            "products",
            texts.domain,
            texts.product,
            "versions",
            texts.version,
        ];
        let url = self.url(&path)?;
        let body = json!({
            "product": texts.product_text,
            "contract": texts.contract_text,
            "topic": texts.topic,
            "key_schema_id": texts.registered.key_id,
            "value_schema_id": texts.registered.value_id,
            "key_schema": texts.key_schema,
            "value_schema": texts.value_schema,
        });
        self.send(self.http.put(url).json(&body))
            .await
            .map_err(|error| error.with("topic", texts.topic))?;
        Ok(())
    }

    /// The versions of a product and where each stands in its life, the highest first; none if
    /// it is not registered.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the catalog does not answer.
    pub async fn versions(&self, domain: &str, product: &str) -> Result<Vec<(String, String)>> {
        let url = self.url(&["products", domain, product])?;
        let found: Option<Versions> = self.found(url, domain, product).await?;
        let versions = found.map(|found| found.versions).unwrap_or_default();
        Ok(versions
            .into_iter()
            .map(|version| (version.version, version.status))
            .collect())
    }

    /// The topics of all versions of all products.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the catalog does not answer.
    pub async fn topics(&self) -> Result<BTreeSet<String>> {
        let mut topics = BTreeSet::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut url = self.url(&["products"])?;
            url.query_pairs_mut().append_pair("limit", PAGE);
            if let Some(cursor) = &cursor {
                url.query_pairs_mut().append_pair("cursor", cursor);
            }
            let page: Option<Page> = self.found(url, "*", "*").await?;
            let Some(page) = page else {
                return Ok(topics);
            };
            for Listed { domain, product } in &page.items {
                let url = self.url(&["products", domain, product])?;
                let found: Option<Versions> = self.found(url, domain, product).await?;
                let versions = found.map(|found| found.versions).unwrap_or_default();
                topics.extend(versions.into_iter().map(|version| version.topic));
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(topics);
            }
        }
    }

    /// A version of a product; `None` if it is not registered.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the catalog does not answer.
    pub async fn version(
        &self,
        domain: &str,
        product: &str,
        version: &str,
    ) -> Result<Option<CatalogVersion>> {
        let url = self.url(&["products", domain, product, "versions", version])?;
        self.found(url, domain, product).await
    }

    /// Takes a version of a product out of the catalog.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it is not registered,
    /// [`ErrorKind::Unavailable`] if the catalog does not answer.
    pub async fn remove_version(&self, domain: &str, product: &str, version: &str) -> Result<()> {
        let url = self.url(&["products", domain, product, "versions", version])?;
        self.send(self.http.delete(url)).await.map(drop)
    }

    async fn found<T: DeserializeOwned>(
        &self,
        url: Url,
        domain: &str,
        product: &str,
    ) -> Result<Option<T>> {
        let response = match self.send(self.http.get(url)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        response.json().await.map(Some).map_err(|error| {
            Error::unavailable("the catalog's answer about a product cannot be read")
                .with("product", format!("{domain}.{product}"))
                .because(error.without_url())
        })
    }

    /// Where the version that stands for a major stands in its life, such as `active`; `None`
    /// if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the catalog does not answer.
    pub async fn major_status(
        &self,
        domain: &str,
        product: &str,
        major: u64,
    ) -> Result<Option<String>> {
        let major = format!("v{major}");
        let url = self.url(&["products", domain, product, "versions", &major])?;
        let found: Option<Standing> = self.found(url, domain, product).await?;
        Ok(found.map(|found| found.status))
    }

    /// Puts the named majors into service; the same again changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the catalog does not answer, else its refusal.
    pub async fn switch(
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
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the domain has not said it yet.
    pub async fn api_url(&self, domain: &str) -> Result<Url> {
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
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if it does not.
    pub async fn reachable(&self) -> Result<()> {
        let url = self.url(&[])?;
        match self.send(self.http.get(url)).await {
            // Any answer of its own shows that it is there.
            Err(error) if error.is_retryable() => Err(error),
            _ => Ok(()),
        }
    }
}
