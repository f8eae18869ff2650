//! The platform: Kafka, the registry and the catalog, read side by side.

use std::collections::BTreeMap;
use std::future::Future;

use futures::{StreamExt, TryStreamExt, stream};
use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::{Admin, CatalogClient, RegistryClient, StreamConfig};
use url::Url;

use crate::action::Resource;
use crate::planner::{CLEANUP, compacts};
use crate::scope::{Scope, WishedTopic};
use crate::state::{EntryState, State, SubjectState, TopicState};

/// Questions under way at a time to the registry and to the catalog.
const PARALLEL: usize = 8;

/// The clients of a platform. Clones share them.
#[derive(Debug, Clone)]
pub struct Platform {
    pub(crate) config: StreamConfig,
    pub(crate) admin: Admin,
    pub(crate) registry: RegistryClient,
    pub(crate) catalog: CatalogClient,
}

impl Platform {
    /// The platform that `config` and `catalog` name; nothing is asked yet.
    ///
    /// # Errors
    /// If an address or a setting is wrong.
    pub fn new(config: StreamConfig, catalog: &Url) -> Result<Self> {
        Ok(Self {
            admin: Admin::new(&config)?,
            registry: RegistryClient::new(&config.registry_url)?,
            catalog: CatalogClient::new(catalog)?,
            config,
        })
    }

    /// Kafka's admin client.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The registry's client.
    pub fn registry(&self) -> &RegistryClient {
        &self.registry
    }

    /// The catalog's client.
    pub fn catalog(&self) -> &CatalogClient {
        &self.catalog
    }

    /// Reads what `scope` is about.
    ///
    /// # Errors
    /// Which of the three does not answer, all of them where several do not.
    pub async fn read(&self, scope: &Scope) -> Result<State> {
        let (topics, subjects, products) = side_by_side(
            self.read_topics(scope),
            self.read_subjects(scope),
            self.read_products(scope),
        )
        .await?;
        Ok(State {
            topics,
            subjects,
            products,
        })
    }

    async fn read_topics(&self, scope: &Scope) -> Result<BTreeMap<String, TopicState>> {
        let there = self.admin.topics().await?;
        let wanted: Vec<&str> = scope
            .topics
            .keys()
            .map(String::as_str)
            .filter(|name| there.contains_key(*name))
            .collect();
        let mut settings = self.admin.topic_settings(&wanted).await?;
        let mut found = BTreeMap::new();
        for name in wanted {
            // One that is gone meanwhile is not there.
            let Some(settings) = settings.remove(name) else {
                continue;
            };
            let mut topic = TopicState {
                partitions: there.get(name).copied().unwrap_or_default(),
                settings: settings
                    .into_iter()
                    .map(|(name, setting)| (name, setting.value))
                    .collect(),
                records: None,
            };
            if let Some(Some(wished)) = scope.topics.get(name)
                && depends_on_records(wished, &topic)
            {
                topic.records = Some(self.has_records(name, topic.partitions).await?);
            }
            found.insert(name.to_owned(), topic);
        }
        Ok(found)
    }

    async fn has_records(&self, topic: &str, partitions: i32) -> Result<bool> {
        for partition in 0..partitions {
            let (low, high) = self.admin.watermarks(topic, partition).await?;
            if low < high {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn read_subjects(&self, scope: &Scope) -> Result<BTreeMap<String, SubjectState>> {
        if scope.subjects.is_empty() {
            return Ok(BTreeMap::new());
        }
        stream::iter(&scope.subjects)
            .map(|(subject, schema)| async move {
                let state = self.read_subject(subject, schema.as_deref()).await?;
                Ok((subject.clone(), state))
            })
            .buffered(PARALLEL)
            .try_collect()
            .await
    }

    async fn read_subject(&self, subject: &str, schema: Option<&str>) -> Result<SubjectState> {
        let registry = &self.registry;
        let mut state = SubjectState {
            versions: registry.versions(subject).await?,
            level: registry.compatibility(subject).await?,
            ..SubjectState::default()
        };
        if let Some(schema) = schema
            && !state.versions.is_empty()
        {
            state.wished = registry.find(subject, schema).await?.map(|found| found.id);
            if state.wished.is_none() {
                state.verdict = Some(registry.check(subject, schema).await?);
            }
        }
        Ok(state)
    }

    async fn read_products(&self, scope: &Scope) -> Result<BTreeMap<Resource, EntryState>> {
        let found: Vec<Option<(Resource, EntryState)>> = stream::iter(&scope.products)
            .map(|name| async move {
                let Some((domain, product, version)) = entry_name(name) else {
                    return Ok(None);
                };
                let found = self.catalog.version(domain, product, version).await?;
                Ok::<_, Error>(found.map(|found| {
                    let state = EntryState {
                        status: found.status,
                        topic: found.topic,
                        contract_text: found.contract_text,
                        product_text: found.product_text,
                        key_schema_id: found.key_schema_id,
                        value_schema_id: found.value_schema_id,
                    };
                    (Resource::product(domain, product, version), state)
                }))
            })
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// Domain, product and version of an entry, as [`Resource`] names it.
pub(crate) fn entry_name(name: &str) -> Option<(&str, &str, &str)> {
    let (id, version) = name
        .strip_prefix("product/")
        .unwrap_or(name)
        .split_once('@')?;
    let (domain, product) = id.split_once('.')?;
    Some((domain, product, version))
}

/// Whether what may be done with a topic depends on its holding records.
fn depends_on_records(wished: &WishedTopic, found: &TopicState) -> bool {
    let policy =
        |configs: &BTreeMap<String, String>| compacts(configs.get(CLEANUP).map(String::as_str));
    found.partitions != wished.partitions || policy(&wished.configs) != policy(&found.settings)
}

/// Asks all three; where several fail all are told.
async fn side_by_side<A, B, C>(
    kafka: impl Future<Output = Result<A>>,
    registry: impl Future<Output = Result<B>>,
    catalog: impl Future<Output = Result<C>>,
) -> Result<(A, B, C)> {
    let (kafka, registry, catalog) = tokio::join!(kafka, registry, catalog);
    let failed: Vec<String> = [
        kafka.as_ref().err().map(|error| ("Kafka", error)),
        registry.as_ref().err().map(|error| ("registry", error)),
        catalog.as_ref().err().map(|error| ("catalog", error)),
    ]
    .into_iter()
    .flatten()
    .map(|(part, error)| format!("{part}: {error}"))
    .collect();
    match (kafka, registry, catalog) {
        (Ok(kafka), Ok(registry), Ok(catalog)) => Ok((kafka, registry, catalog)),
        (Err(error), Ok(_), Ok(_)) | (Ok(_), Err(error), Ok(_)) | (Ok(_), Ok(_), Err(error)) => {
            Err(error)
        }
        _ => Err(Error::new(
            ErrorKind::Unavailable,
            format!(
                "several parts of the platform cannot be read: {}",
                failed.join("; ")
            ),
        )),
    }
}
