//! The state: what stands on the platform, as far as a wish or an earlier run is about it.

use std::collections::BTreeMap;

use mesh_stream::Compatibility;
use serde_json::json;

use crate::action::{Resource, fingerprint};
use crate::scope::Scope;

/// A topic as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicState {
    /// Its partitions.
    pub partitions: i32,
    /// Its settings by Kafka's names, the cluster's defaults among them.
    pub settings: BTreeMap<String, String>,
    /// Whether it holds records; known where a plan depends on it.
    pub records: Option<bool>,
}

/// A subject as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubjectState {
    /// The numbers of its versions.
    pub versions: Vec<u32>,
    /// The compatibility level that holds.
    pub level: String,
    /// The id of the wished schema, if a version is it.
    pub wished: Option<u32>,
    /// What the registry would say of the wished schema as a further version.
    pub verdict: Option<Compatibility>,
}

/// A version of a product as the catalog has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryState {
    /// Where it stands in its life.
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
}

/// What stands on the platform. What is not there is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Topics by name.
    pub topics: BTreeMap<String, TopicState>,
    /// Subjects by name.
    pub subjects: BTreeMap<String, SubjectState>,
    /// Versions of products by [`Resource`].
    pub products: BTreeMap<Resource, EntryState>,
}

impl State {
    /// Whether there is such a thing.
    pub fn has(&self, resource: &Resource) -> bool {
        match resource {
            Resource::Topic(name) => self.topics.contains_key(name),
            Resource::Subject(name) => self
                .subjects
                .get(name)
                .is_some_and(|subject| !subject.versions.is_empty()),
            Resource::Product(_) => self.products.contains_key(resource),
        }
    }

    /// A short text for each thing in `scope`, which changes when what a plan reads of it does.
    pub fn fingerprints(&self, scope: &Scope) -> BTreeMap<String, String> {
        let resources = scope.resources();
        let prints = resources
            .iter()
            .map(|resource| (resource.to_string(), self.fingerprint(resource, scope)));
        prints.collect()
    }

    fn fingerprint(&self, resource: &Resource, scope: &Scope) -> String {
        let told = match resource {
            Resource::Topic(name) => self.topics.get(name).map(|topic| {
                let wished = scope.topics.get(name).and_then(Option::as_ref);
                let settings: BTreeMap<_, _> = topic
                    .settings
                    .iter()
                    .filter(|(name, _)| {
                        wished.is_some_and(|wished| wished.configs.contains_key(*name))
                    })
                    .collect();
                // That records came is no change, that the first came is one.
                json!([topic.partitions, settings, topic.records])
            }),
            Resource::Subject(name) => self
                .subjects
                .get(name)
                .filter(|subject| !subject.versions.is_empty())
                .map(|subject| json!([subject.versions, subject.level, subject.wished])),
            Resource::Product(_) => self.products.get(resource).map(|entry| {
                json!([
                    entry.status,
                    entry.topic,
                    entry.contract_text,
                    entry.product_text,
                    entry.key_schema_id,
                    entry.value_schema_id
                ])
            }),
        };
        match told {
            Some(told) => fingerprint(&told.to_string()),
            None => "absent".to_owned(),
        }
    }
}
