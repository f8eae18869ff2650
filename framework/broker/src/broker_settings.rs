//! The settings of the broker that can be changed while it runs: those that topics take
//! as their defaults. Kept with the list of topics.

use serde::{Deserialize, Serialize};

use crate::config::BrokerConfig;
use crate::topic_config::{Definition, TopicConfigs, definitions};

/// Where a value comes from, as DescribeConfigs says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Topic = 1,
    Broker = 2,
    /// Set for all brokers of the cluster.
    Cluster = 3,
    Static = 4,
    Default = 5,
}

/// Settings under the broker's names (`log.retention.ms`, not `retention.ms`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BrokerSettings {
    #[serde(default)]
    pub(crate) cluster: TopicConfigs,
    #[serde(default)]
    pub(crate) broker: TopicConfigs,
}

/// The definition behind a setting that can be changed while the broker runs. The fsyncs
/// are those of the flush policy, which is fixed.
pub(crate) fn dynamic(broker_name: &str) -> Option<&'static Definition> {
    definitions().iter().find(|definition| {
        definition.broker_name == Some(broker_name) && broker_name != "log.flush.interval.ms"
    })
}

impl BrokerSettings {
    /// Every value that a topic's setting has below the topic, the one in force first.
    pub(crate) fn values(
        &self,
        definition: &Definition,
        config: &BrokerConfig,
    ) -> Vec<(String, Source)> {
        let mut values = Vec::new();
        if let Some(name) = definition.broker_name {
            let set = [
                (self.broker.get(name), Source::Broker),
                (self.cluster.get(name), Source::Cluster),
            ];
            for (value, source) in set {
                values.extend(value.map(|value| (value.clone(), source)));
            }
        }
        let value = definition.default_value(config);
        if definition.is_set_by_broker(config) {
            values.push((value, Source::Static));
        } else {
            values.push((value, Source::Default));
        }
        values
    }

    /// The value in force for topics that do not set their own.
    pub(crate) fn value(&self, definition: &Definition, config: &BrokerConfig) -> (String, Source) {
        let mut values = self.values(definition, config);
        values.swap_remove(0)
    }

    /// A topic's settings with these beneath.
    pub(crate) fn beneath(&self, own: &TopicConfigs) -> TopicConfigs {
        let mut all = TopicConfigs::new();
        for definition in definitions() {
            let given = definition
                .broker_name
                .and_then(|name| self.broker.get(name).or_else(|| self.cluster.get(name)));
            if let Some(value) = own.get(definition.name).or(given) {
                all.insert(definition.name.to_owned(), value.clone());
            }
        }
        all
    }
}
