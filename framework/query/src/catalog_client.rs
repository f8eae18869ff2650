//! The products there are, from the catalog's REST API.
//!
//! The list is asked for again when it is older than the configured age; a product's
//! versions when the list shows a change, or after [`DETAIL_MAX_AGE`]. A contract is read
//! once, since a version stands under one contract text for ever.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use mesh_core::{Error, ErrorKind, Problem, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use url::Url;

use crate::life::TableLife;
use crate::product::Product;

/// How long the versions of a product are used while the list shows no change. A change to
/// an older major version alone does not show there.
const DETAIL_MAX_AGE: Duration = Duration::from_secs(15);
/// How long the catalog may take to answer one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests under way at a time.
const PARALLEL: usize = 8;
/// Products asked for at a time.
const PAGE: usize = 200;

/// One name of SQL and the version behind it.
#[derive(Debug, Clone)]
pub(crate) struct TableEntry {
    pub(crate) domain: String,
    /// `<product>` or `<product>_v<major>`.
    pub(crate) table: String,
    /// The version, or why it cannot be read.
    pub(crate) product: Result<Arc<Product>, Arc<Error>>,
    /// What is said about its end.
    pub(crate) life: Arc<TableLife>,
    /// Why the name is not one yet: those who may read the product are told, and it is not
    /// listed.
    pub(crate) not_yet: Option<Arc<Error>>,
}

/// Domain, product and version.
type Key = (String, String, String);

#[derive(Debug)]
pub(crate) struct CatalogClient {
    http: reqwest::Client,
    root: Url,
    max_age: Duration,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    fetched: Option<Instant>,
    tables: Arc<Vec<TableEntry>>,
    details: HashMap<(String, String), Held>,
    products: HashMap<Key, Result<Arc<Product>, Arc<Error>>>,
}

#[derive(Debug, Clone)]
struct Held {
    summary: Summary,
    fetched: Instant,
    versions: Vec<VersionSummary>,
}

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Summary>,
    next_cursor: Option<String>,
}

/// The part of a list entry that shows whether the product has changed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Summary {
    domain: String,
    product: String,
    version: String,
    updated_at: String,
}

#[derive(Debug, Deserialize)]
struct Detail {
    version: String,
    contract_text: String,
    versions: Vec<VersionSummary>,
}

#[derive(Debug, Clone, Deserialize)]
struct VersionSummary {
    version: String,
    major: u64,
    status: String,
    current: bool,
    current_of_major: bool,
    #[serde(default)]
    successor: Option<u64>,
}

impl CatalogClient {
    pub(crate) fn new(root: &str, max_age: Duration) -> Result<Self> {
        let wrong = |error: String| {
            Error::invalid("the catalog's address is no URL")
                .with("catalog", root)
                .detail(error)
                .mend("give it as `http://127.0.0.1:8080`")
        };
        let mut url = Url::parse(root).map_err(|error| wrong(error.to_string()))?;
        if url.cannot_be_a_base() {
            return Err(wrong("it cannot have a path".to_owned()));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let http = reqwest::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .build()
            .map_err(|error| Error::internal("the HTTP client cannot start").because(error))?;
        Ok(Self {
            http,
            root: url,
            max_age,
            cache: Mutex::default(),
        })
    }

    /// Every table there is.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the catalog does not answer: what it said before is not
    /// used past its age, since a product may have been withdrawn.
    pub(crate) async fn tables(&self) -> Result<Arc<Vec<TableEntry>>> {
        // Held over the requests, so that queries that come together ask once.
        let mut cache = self.cache.lock().await;
        if let Some(fetched) = cache.fetched
            && fetched.elapsed() < self.max_age
        {
            return Ok(Arc::clone(&cache.tables));
        }
        let mut details = Vec::new();
        let mut changed = Vec::new();
        for summary in self.list().await? {
            let key = (summary.domain.clone(), summary.product.clone());
            match cache.details.get(&key) {
                Some(held)
                    if held.summary == summary && held.fetched.elapsed() < DETAIL_MAX_AGE =>
                {
                    details.push(held.clone());
                }
                _ => changed.push(summary),
            }
        }
        for some in changed.chunks(PARALLEL) {
            let fetched = try_join_all(some.iter().map(|summary| self.versions(summary))).await?;
            details.extend(fetched.into_iter().flatten());
        }

        let mut products = HashMap::new();
        let mut unread = Vec::new();
        for held in &details {
            for version in held.versions.iter().filter(|version| version.is_shown()) {
                let key = held.key(version);
                match cache.products.get(&key) {
                    Some(product) => {
                        products.insert(key, product.clone());
                    }
                    None => unread.push(key),
                }
            }
        }
        for some in unread.chunks(PARALLEL) {
            let read = try_join_all(some.iter().map(|key| self.product(key))).await?;
            products.extend(some.iter().cloned().zip(read));
        }

        let tables = Arc::new(name_tables(&details, &products));
        cache.tables = Arc::clone(&tables);
        cache.details = details
            .into_iter()
            .map(|held| {
                let key = (held.summary.domain.clone(), held.summary.product.clone());
                (key, held)
            })
            .collect();
        cache.products = products;
        cache.fetched = Some(Instant::now());
        Ok(tables)
    }

    async fn list(&self) -> Result<Vec<Summary>> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut url = self.url(&["api", "v1", "products"])?;
            url.query_pairs_mut()
                .append_pair("limit", &PAGE.to_string());
            if let Some(cursor) = &cursor {
                url.query_pairs_mut().append_pair("cursor", cursor);
            }
            let page: Page = self.get(url).await?;
            all.extend(page.items);
            match page.next_cursor {
                Some(next) if Some(&next) != cursor.as_ref() => cursor = Some(next),
                _ => return Ok(all),
            }
        }
    }

    /// The versions of a product, or nothing if it was withdrawn since the list was made.
    async fn versions(&self, summary: &Summary) -> Result<Option<Held>> {
        let url = self.url(&["api", "v1", "products", &summary.domain, &summary.product])?;
        match self.get::<Detail>(url).await {
            Ok(detail) => Ok(Some(Held {
                summary: summary.clone(),
                fetched: Instant::now(),
                versions: detail.versions,
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn product(
        &self,
        (domain, product, version): &Key,
    ) -> Result<Result<Arc<Product>, Arc<Error>>> {
        let url = self.url(&[
            "api", "v1", "products", domain, product, "versions", version,
        ])?;
        let detail: Detail = self.get(url).await?;
        let parsed = Product::parse(domain, product, &detail.version, &detail.contract_text);
        Ok(parsed.map(Arc::new).map_err(|error| {
            tracing::warn!(
                domain,
                product,
                version,
                error = error.log_line(),
                "a contract of the catalog cannot be read, so its table is missing"
            );
            Arc::new(error)
        }))
    }

    fn url(&self, path: &[&str]) -> Result<Url> {
        let mut url = self.root.clone();
        url.path_segments_mut()
            .map_err(|()| Error::internal("the catalog's address cannot have a path"))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T> {
        let unreachable = |error: reqwest::Error| {
            Error::unavailable("the catalog does not answer, so the tables are not known")
                .with("catalog", &self.root)
                .mend("start it with `mesh up`, or give its address")
                .because(error.without_url())
        };
        let response = self.http.get(url).send().await.map_err(unreachable)?;
        let status = response.status();
        let body = response.bytes().await.map_err(unreachable)?;
        if !status.is_success() {
            return Err(match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => problem.into(),
                Err(_) => Error::new(
                    ErrorKind::from_http_status(status.as_u16()),
                    "the catalog refused a request",
                )
                .with("status", status.as_u16()),
            }
            .with("catalog", &self.root));
        }
        serde_json::from_slice(&body).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "the catalog's answer is not what this release expects",
            )
            .with("catalog", &self.root)
            .mend("run the catalog and SQL at the same release")
            .because(error)
        })
    }
}

impl Held {
    fn key(&self, version: &VersionSummary) -> Key {
        (
            self.summary.domain.clone(),
            self.summary.product.clone(),
            version.version.clone(),
        )
    }
}

impl VersionSummary {
    /// Whether it has a name in SQL: it stands for its product or for a major version. One
    /// that is out of service is not listed and says what to read instead.
    fn is_shown(&self) -> bool {
        self.current || self.current_of_major
    }
}

/// The table of the major that follows a version's: the one that was put in its place, or
/// the highest one above it that is in service.
fn successor(held: &Held, version: &VersionSummary) -> Option<String> {
    let next = version.successor.or_else(|| {
        held.versions
            .iter()
            .filter(|other| other.major > version.major && other.status == "active")
            .map(|other| other.major)
            .max()
    })?;
    let Summary {
        domain, product, ..
    } = &held.summary;
    Some(format!("{domain}.{product}_v{next}"))
}

/// What is said of a product by its plain name before it is in service.
fn not_in_service(domain: &str, product: &str, version: &VersionSummary) -> Error {
    Error::not_found(format!(
        "`{domain}.{product}` is not in service: its version {} is a {}",
        version.version,
        match version.status.as_str() {
            "proposed" => "proposal",
            other => other,
        }
    ))
    .mend(format!(
        "its owner writes `status: active` into both of its files, under the next version; \
         until then ask `{domain}.{product}_v{}`",
        version.major
    ))
}

/// `<product>_v<major>` for each major version, and `<product>` for the one that stands for
/// the product; one that is not in service yet says so.
fn name_tables(
    details: &[Held],
    products: &HashMap<Key, Result<Arc<Product>, Arc<Error>>>,
) -> Vec<TableEntry> {
    let mut tables = Vec::new();
    for held in details {
        let Summary {
            domain, product, ..
        } = &held.summary;
        for version in held.versions.iter().filter(|version| version.is_shown()) {
            let Some(parsed) = products.get(&held.key(version)) else {
                continue;
            };
            let life = Arc::new(TableLife {
                retired: version.status == "retired",
                deprecated: version.status == "deprecated",
                successor: successor(held, version),
            });
            let mut name = |table: String, not_yet: Option<Error>| {
                tables.push(TableEntry {
                    domain: domain.clone(),
                    table,
                    product: parsed.clone(),
                    life: Arc::clone(&life),
                    not_yet: not_yet.map(Arc::new),
                });
            };
            if version.current_of_major {
                name(format!("{product}_v{}", version.major), None);
            }
            if version.current {
                let drafted = matches!(version.status.as_str(), "proposed" | "draft");
                let not_yet = drafted.then(|| not_in_service(domain, product, version));
                name(product.clone(), not_yet);
            }
        }
    }
    tables
}
