//! Where in a topic a time lies, putting a group to a place, and removing a topic: what
//! re-running a handler takes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mesh_core::{Error, Result};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use crate::admin::Admin;
use crate::client::{Context, drain};
use crate::fault::{self, ASK_TIMEOUT};
use crate::transaction::GroupOffsets;

/// Between two looks whether a topic is gone.
const PAUSE: Duration = Duration::from_millis(50);

impl Admin {
    /// For each of the first `partitions` partitions, the offset of the first record whose
    /// timestamp is `millis` (since 1970, UTC) or later; `None` where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mesh_core::ErrorKind::NotFound) if there is no such topic.
    pub async fn offsets_at(
        &self,
        topic: &str,
        partitions: i32,
        millis: i64,
    ) -> Result<BTreeMap<i32, Option<i64>>> {
        let name = topic.to_owned();
        self.ask("asking for offsets by time", move |client| {
            let mut times = TopicPartitionList::new();
            for partition in 0..partitions {
                times.add_partition_offset(&name, partition, Offset::Offset(millis))?;
            }
            let found = client.offsets_for_times(times, ASK_TIMEOUT)?;
            let mut offsets = BTreeMap::new();
            for element in found.elements() {
                element.error()?;
                let offset = match element.offset() {
                    Offset::Offset(offset) if offset >= 0 => Some(offset),
                    _ => None,
                };
                offsets.insert(element.partition(), offset);
            }
            Ok(offsets)
        })
        .await
        .map_err(|error| error.with("topic", topic))
    }

    /// Removes a topic with all that it holds, and waits until it is gone; one that is not
    /// there is no error.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](mesh_core::ErrorKind::Unavailable) if no broker answers or
    /// the topic does not go.
    pub async fn delete_topic(&self, topic: &str) -> Result<()> {
        let config = self.config();
        let failed = |error: Error| error.with("topic", topic);
        let admin: AdminClient<Context> =
            AdminClient::from_config_and_context(&config.admin(), Context::new(config, "admin"))
                .map_err(|error| fault::kafka(&config.bootstrap, "making a client", error))?;
        let options = AdminOptions::new()
            .request_timeout(Some(ASK_TIMEOUT * 2))
            .operation_timeout(Some(ASK_TIMEOUT));
        let answers = admin
            .delete_topics(&[topic], &options)
            .await
            .map_err(|error| failed(fault::kafka(&config.bootstrap, "removing a topic", error)))?;
        match answers.into_iter().next() {
            Some(Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition))) => {}
            Some(Err((_, code))) => {
                let error = fault::coded(&config.bootstrap, "removing a topic", code);
                return Err(failed(error));
            }
            None => {
                return Err(failed(Error::internal(
                    "the broker did not answer about the topic",
                )));
            }
        }
        let begun = Instant::now();
        loop {
            match self.partitions(topic).await {
                Err(error) if error.kind() == mesh_core::ErrorKind::NotFound => return Ok(()),
                Ok(_) if begun.elapsed() >= ASK_TIMEOUT => {
                    return Err(failed(Error::unavailable("a removed topic is still there")));
                }
                Ok(_) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error),
            }
        }
    }
}

impl GroupOffsets {
    /// Puts the group, which nobody may be a member of, to these offsets.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](mesh_core::ErrorKind::Conflict) if the group has members;
    /// [`ErrorKind::Unavailable`](mesh_core::ErrorKind::Unavailable) if its coordinator
    /// cannot be asked.
    pub async fn place(&self, offsets: &BTreeMap<(String, i32), i64>) -> Result<()> {
        let what = "putting a group to its place";
        let failed = |error| fault::kafka(&self.bootstrap, what, error).with("group", &self.group);
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for ((topic, partition), next) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*next))
                .map_err(failed)?;
        }
        let client = std::sync::Arc::clone(&self.client);
        tokio::task::spawn_blocking(move || {
            let done = client.commit(&list, CommitMode::Sync);
            drain(&client);
            done
        })
        .await
        .map_err(|error| Error::internal(what).because(error))?
        .map_err(failed)
    }
}
