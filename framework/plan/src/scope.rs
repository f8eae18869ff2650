//! What of the platform a plan is about.

use std::collections::{BTreeMap, BTreeSet};

use mesh_stream::TopicSpec;
use serde::{Deserialize, Serialize};

use crate::action::Resource;
use crate::ledger::Ledger;
use crate::planner::unwished;
use crate::wish::Wish;

/// A topic as a contract wishes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WishedTopic {
    /// Its partitions.
    pub partitions: i32,
    /// Its settings; others are nobody's business here.
    pub configs: BTreeMap<String, String>,
}

/// The things on the platform that a plan reads, with what is wished of them. Without a wish
/// they are what earlier runs have made and nobody wishes any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Topics by name.
    pub topics: BTreeMap<String, Option<WishedTopic>>,
    /// Subjects by name, with the schema wished.
    pub subjects: BTreeMap<String, Option<String>>,
    /// Entries of the catalog, as [`Resource`] names them.
    pub products: BTreeSet<String>,
}

impl Scope {
    /// What `wish` is about, and what it leaves of what `ledger` holds.
    pub fn of(wish: &Wish, ledger: &Ledger) -> Self {
        let mut scope = Self::default();
        for product in &wish.products {
            let TopicSpec {
                name,
                partitions,
                configs,
            } = product.topic();
            let wished = WishedTopic {
                partitions,
                configs,
            };
            scope.topics.insert(name, Some(wished));
            for (subject, schema) in product.schemas() {
                scope.subjects.insert(subject, Some(schema.to_owned()));
            }
            scope.products.insert(product.resource().to_string());
        }
        for (resource, _) in unwished(wish, ledger) {
            scope.add(resource);
        }
        scope
    }

    fn add(&mut self, resource: &Resource) {
        match resource {
            Resource::Topic(name) => {
                self.topics.entry(name.clone()).or_default();
            }
            Resource::Subject(name) => {
                self.subjects.entry(name.clone()).or_default();
            }
            Resource::Product(_) => {
                self.products.insert(resource.to_string());
            }
        }
    }

    /// Everything in it.
    pub fn resources(&self) -> Vec<Resource> {
        let topics = self.topics.keys().cloned().map(Resource::Topic);
        let subjects = self.subjects.keys().cloned().map(Resource::Subject);
        let products = self
            .products
            .iter()
            .filter_map(|name| Resource::parse(name));
        topics.chain(subjects).chain(products).collect()
    }
}
