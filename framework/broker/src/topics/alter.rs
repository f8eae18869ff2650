//! Changes to topics that exist, and to the settings that the broker gives them: durable
//! in the list of topics first, then in force at once.

use std::io;
use std::sync::Arc;

use kafka_protocol::ResponseError;

use super::{Directory, Refusal, Topic, Topics, storage_refusal};
use crate::broker_settings::BrokerSettings;
use crate::sync::write;
use crate::topic_config::{TopicConfigs, log_settings};
use crate::topic_folders::NewFolders;

/// How many partitions a topic shall have, and where the new ones shall be.
#[derive(Debug, Clone)]
pub(crate) struct MorePartitions {
    pub(crate) name: String,
    pub(crate) count: i32,
    /// The replicas of each new partition; `None` leaves it to the broker.
    pub(crate) assignments: Option<Vec<Vec<i32>>>,
}

fn unknown(name: &str) -> Refusal {
    (
        ResponseError::UnknownTopicOrPartition,
        format!("the topic '{name}' does not exist"),
    )
}

impl Topics {
    /// The broker's settings that were changed while it ran.
    pub(crate) fn broker_settings(&self) -> BrokerSettings {
        self.snapshot().broker_settings.clone()
    }

    /// Gives a topic the settings that `change` makes of its present ones.
    pub(crate) async fn alter_configs(
        self: &Arc<Self>,
        name: &str,
        validate_only: bool,
        change: impl FnOnce(&TopicConfigs, &BrokerSettings) -> Result<TopicConfigs, Refusal>,
    ) -> Result<(), Refusal> {
        let turn = self.changing.lock().await;
        let topic = self.by_name(name).ok_or_else(|| unknown(name))?;
        let configs = change(&topic.configs, &self.broker_settings())?;
        if validate_only || configs == topic.configs {
            return Ok(());
        }
        let topics = Arc::clone(self);
        let altered = tokio::task::spawn_blocking(move || {
            let mut directory = (*topics.snapshot()).clone();
            directory.insert(Arc::new(Topic {
                name: topic.name.clone(),
                id: topic.id,
                partitions: topic.partitions.clone(),
                configs,
            }));
            topics.publish(directory)
        })
        .await;
        drop(turn);
        finish("alter a topic", altered)
    }

    /// Gives the broker the settings that `change` makes of its present ones.
    pub(crate) async fn alter_broker(
        self: &Arc<Self>,
        validate_only: bool,
        change: impl FnOnce(&BrokerSettings) -> Result<BrokerSettings, Refusal>,
    ) -> Result<(), Refusal> {
        let turn = self.changing.lock().await;
        let settings = change(&self.broker_settings())?;
        if validate_only {
            return Ok(());
        }
        let topics = Arc::clone(self);
        let altered = tokio::task::spawn_blocking(move || {
            let mut directory = (*topics.snapshot()).clone();
            directory.broker_settings = settings;
            topics.publish(directory)
        })
        .await;
        drop(turn);
        finish("alter the broker", altered)
    }

    /// Adds partitions to a topic.
    pub(crate) async fn add_partitions(
        self: &Arc<Self>,
        more: MorePartitions,
        validate_only: bool,
    ) -> Result<(), Refusal> {
        let turn = self.changing.lock().await;
        let topic = self
            .by_name(&more.name)
            .ok_or_else(|| unknown(&more.name))?;
        let count = self.check_more(&topic, &more)?;
        if validate_only {
            return Ok(());
        }
        let topics = Arc::clone(self);
        let added = tokio::task::spawn_blocking(move || topics.add_now(&topic, count)).await;
        drop(turn);
        finish("add partitions", added)
    }

    fn check_more(&self, topic: &Topic, more: &MorePartitions) -> Result<usize, Refusal> {
        let refuse = |error, why| Err((error, why));
        let has = topic.partitions.len();
        let count = usize::try_from(more.count).unwrap_or(0);
        if count == has {
            return refuse(
                ResponseError::InvalidPartitions,
                format!("topic already has {has} partition(s)"),
            );
        }
        if count < has {
            return refuse(
                ResponseError::InvalidPartitions,
                format!(
                    "the topic {} currently has {has} partition(s); {} would not be an increase",
                    more.name, more.count
                ),
            );
        }
        let added = count - has;
        if let Some(assignments) = &more.assignments {
            if assignments.len() != added {
                return refuse(
                    ResponseError::InvalidReplicaAssignment,
                    format!(
                        "attempted to add {added} additional partition(s), but only {} assignment(s) were specified",
                        assignments.len()
                    ),
                );
            }
            let only_us = |replicas: &Vec<i32>| replicas.as_slice() == [self.config.node_id];
            if !assignments.iter().all(only_us) {
                return refuse(
                    ResponseError::InvalidReplicaAssignment,
                    "each partition has one replica, on this broker".to_owned(),
                );
            }
        }
        if self.snapshot().partitions().saturating_add(added) > self.config.max_partitions {
            return refuse(
                ResponseError::InvalidPartitions,
                format!(
                    "this broker holds at most {} partitions",
                    self.config.max_partitions
                ),
            );
        }
        Ok(count)
    }

    fn add_now(&self, topic: &Topic, count: usize) -> io::Result<()> {
        let before = topic.partitions.len();
        let mut directory = (*self.snapshot()).clone();
        let settings = self.settings(&directory.broker_settings, &topic.configs);
        let mut made = NewFolders::default();
        let added = (|| {
            let mut partitions = topic.partitions.clone();
            let new = self.make_partitions(&topic.name, before..count, settings, &mut made)?;
            partitions.extend(new);
            directory.insert(Arc::new(Topic {
                name: topic.name.clone(),
                id: topic.id,
                partitions,
                configs: topic.configs.clone(),
            }));
            self.publish(directory)
        })();
        added.inspect_err(|error| made.remove_after(error))
    }

    /// The settings that a topic's logs work with: its own, under them those that the
    /// broker was given while it ran, and under them the broker's configuration.
    pub(super) fn settings(
        &self,
        broker: &BrokerSettings,
        configs: &TopicConfigs,
    ) -> crate::log::LogSettings {
        log_settings(&self.config, &broker.beneath(configs))
    }

    /// Stores a changed list, then puts it and its settings in force.
    fn publish(&self, directory: Directory) -> io::Result<()> {
        self.save(&directory)?;
        for topic in directory.by_name.values() {
            let settings = self.settings(&directory.broker_settings, &topic.configs);
            for partition in &topic.partitions {
                partition.set_settings(settings);
            }
        }
        *write(&self.directory) = Arc::new(directory);
        Ok(())
    }
}

fn finish(
    what: &'static str,
    outcome: Result<io::Result<()>, tokio::task::JoinError>,
) -> Result<(), Refusal> {
    outcome
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|error| storage_refusal(what, &error))
}
