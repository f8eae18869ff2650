//! Doing one step. Doing it again when it is done changes nothing.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::{Ensured, Registered, TopicSpec, VersionTexts};

use crate::action::{Action, Entry, Resource, SettingChange};
use crate::platform::{Platform, entry_name};

/// How long a change may take to show.
const SHOWS: Duration = Duration::from_secs(20);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Did {
    pub(crate) outcome: String,
    /// Whether it made something that was not there.
    pub(crate) made: bool,
}

fn did(outcome: impl Into<String>, made: bool) -> Did {
    Did {
        outcome: outcome.into(),
        made,
    }
}

/// Whether there is no such thing.
pub(crate) async fn absent(platform: &Platform, resource: &Resource) -> Result<bool> {
    match resource {
        Resource::Topic(name) => match platform.admin.partitions(name).await {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        },
        Resource::Subject(name) => Ok(platform.registry.versions(name).await?.is_empty()),
        Resource::Product(name) => {
            let (domain, product, version) = entry_name(name)
                .ok_or_else(|| Error::internal("an entry without a name").with("name", name))?;
            let found = platform.catalog.version(domain, product, version).await?;
            Ok(found.is_none())
        }
    }
}

/// Does `action`.
pub(crate) async fn execute(platform: &Platform, action: &Action) -> Result<Did> {
    match action {
        Action::CreateTopic {
            topic,
            partitions,
            configs,
        } => create(platform, &spec(topic, *partitions, configs)).await,
        Action::ReplaceTopic {
            topic,
            partitions,
            configs,
        } => {
            let spec = spec(topic, *partitions, configs);
            if fits(platform, &spec).await? {
                return Ok(did("it was replaced already", false));
            }
            platform.admin.delete_topic(topic).await?;
            // A cluster may go on deleting after the topic has gone from its answers.
            shows("the topic was not made anew", async || {
                match create(platform, &spec).await {
                    Ok(done) => Ok(Some(done)),
                    Err(error)
                        if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) =>
                    {
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            })
            .await
            .map_err(|error| error.with("topic", topic))?;
            Ok(did("deleted and made anew", true))
        }
        Action::AddPartitions { topic, to, .. } => {
            if platform.admin.partitions(topic).await? >= *to {
                return Ok(did("they were there already", false));
            }
            platform.admin.add_partitions(topic, *to).await?;
            shows("the partitions do not show", async || {
                let count = platform.admin.partitions(topic).await?;
                Ok((count >= *to).then_some(()))
            })
            .await?;
            Ok(did(format!("{to} partitions"), false))
        }
        Action::AlterConfigs { topic, changes } => {
            alter(platform, topic, changes).await?;
            Ok(did("changed", false))
        }
        Action::SetCompatibility { subject, to, .. } => {
            platform.registry.set_compatibility(subject, to).await?;
            Ok(did("set", false))
        }
        Action::RegisterSchema {
            subject, schema, ..
        } => {
            let id = platform.registry.register(subject, schema).await?;
            Ok(did(format!("schema id {id}"), true))
        }
        Action::RegisterProduct(entry)
        | Action::DeprecateProduct(entry)
        | Action::RetireProduct(entry) => register(platform, entry).await,
        Action::DeleteProduct {
            domain,
            product,
            version,
        } => {
            let catalog = &platform.catalog;
            gone(catalog.remove_version(domain, product, version).await)
        }
        Action::DeleteSubject { subject } => gone(platform.registry.delete_subject(subject).await),
        Action::DeleteTopic { topic } => gone(platform.admin.delete_topic(topic).await),
    }
}

fn spec(topic: &str, partitions: i32, configs: &BTreeMap<String, String>) -> TopicSpec {
    TopicSpec {
        name: topic.to_owned(),
        partitions,
        configs: configs.clone(),
    }
}

async fn create(platform: &Platform, spec: &TopicSpec) -> Result<Did> {
    // One that somebody else has made meanwhile has to be what is wished.
    let made = match platform.admin.ensure_topic(spec).await? {
        Ensured::Created => true,
        Ensured::Exists => false,
    };
    shows("the topic does not show", async || {
        Ok((!absent(platform, &Resource::Topic(spec.name.clone())).await?).then_some(()))
    })
    .await?;
    Ok(match made {
        true => did("made", true),
        false => did("it was there already and fits", false),
    })
}

/// Whether a topic is what is wished of it.
async fn fits(platform: &Platform, spec: &TopicSpec) -> Result<bool> {
    let resource = Resource::Topic(spec.name.clone());
    if absent(platform, &resource).await?
        || platform.admin.partitions(&spec.name).await? != spec.partitions
    {
        return Ok(false);
    }
    let found = platform.admin.topic_settings(&[&spec.name]).await?;
    let Some(found) = found.get(&spec.name) else {
        return Ok(false);
    };
    let mut wished = spec.configs.iter();
    Ok(wished.all(|(name, value)| {
        let found = found.get(name);
        found.is_some_and(|setting| setting.value == *value)
    }))
}

async fn alter(
    platform: &Platform,
    topic: &str,
    changes: &BTreeMap<String, SettingChange>,
) -> Result<()> {
    let wished: BTreeMap<String, Option<String>> = changes
        .iter()
        .map(|(name, change)| (name.clone(), change.to.clone()))
        .collect();
    platform.admin.alter_settings(topic, &wished).await?;
    shows("the settings do not show", async || {
        let found = platform.admin.topic_settings(&[topic]).await?;
        let found = found.get(topic);
        let shown = wished.iter().all(|(name, wished)| match wished {
            Some(wished) => found
                .and_then(|found| found.get(name))
                .is_some_and(|setting| setting.value == *wished),
            None => true,
        });
        Ok(shown.then_some(()))
    })
    .await
    .map_err(|error| error.with("topic", topic))
}

async fn register(platform: &Platform, entry: &Entry) -> Result<Did> {
    let id = async |subject: String, schema: &str| {
        let found = platform.registry.find(&subject, schema).await?;
        found.map(|found| found.id).ok_or_else(|| {
            Error::new(
                ErrorKind::FailedPrecondition,
                "a schema of the product is not registered any more",
            )
            .with("subject", subject)
            .mend("plan again")
        })
    };
    let registered = Registered {
        key_id: match entry.registered_keys {
            true => id(format!("{}-key", entry.topic), &entry.key_schema).await?,
            false => 0,
        },
        value_id: id(format!("{}-value", entry.topic), &entry.value_schema).await?,
    };
    let texts = VersionTexts {
        domain: &entry.domain,
        product: &entry.product,
        version: &entry.version,
        topic: &entry.topic,
        product_text: &entry.product_text,
        contract_text: &entry.contract_text,
        key_schema: &entry.key_schema,
        value_schema: &entry.value_schema,
        registered,
    };
    platform.catalog.register_version(&texts).await?;
    Ok(did(format!("registered as {}", entry.status), true))
}

/// What has gone before is gone too.
fn gone(result: Result<()>) -> Result<Did> {
    match result {
        Ok(()) => Ok(did("deleted", false)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(did("it was gone already", false)),
        Err(error) => Err(error),
    }
}

/// Looks until there is something to see.
async fn shows<T, F: Future<Output = Result<Option<T>>>>(
    otherwise: &'static str,
    look: impl Fn() -> F,
) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look().await? {
            return Ok(seen);
        }
        if begun.elapsed() > SHOWS {
            return Err(Error::unavailable(otherwise).mend("apply again"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
