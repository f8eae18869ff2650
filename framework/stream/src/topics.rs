//! Topics as they are: which there are, their settings, and changes to them.

use std::collections::BTreeMap;
use std::ptr::{self, NonNull};

use mesh_core::{Error, ErrorKind, Result};
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigSource, NewPartitions, NewTopic, OwnedResourceSpecifier,
    ResourceSpecifier, TopicReplication,
};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::Consumer;
use rdkafka::error::{IsError, RDKafkaErrorCode};
use rdkafka_sys as sys;

use crate::admin::{Admin, Ensured, TopicSpec};
use crate::client::Context;
use crate::config::StreamConfig;
use crate::fault::{self, ASK_TIMEOUT};
use crate::request::{refused, request, text};

const ALTERING: &str = "changing a topic's settings";
/// Topics whose settings are asked for at a time.
const TOGETHER: usize = 100;

/// A setting of a topic as the cluster has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSetting {
    /// Its value.
    pub value: String,
    /// Whether it was set for this topic, and is not the cluster's default.
    pub own: bool,
}

impl Admin {
    /// A client made for one call: nothing would read its log in between.
    fn calls(&self, what: &'static str) -> Result<(AdminClient<Context>, AdminOptions)> {
        let config = self.config();
        let client =
            AdminClient::from_config_and_context(&config.admin(), Context::new(config, "admin"))
                .map_err(|error| fault::kafka(&config.bootstrap, what, error))?;
        let options = AdminOptions::new()
            .request_timeout(Some(ASK_TIMEOUT * 2))
            .operation_timeout(Some(ASK_TIMEOUT));
        Ok((client, options))
    }

    /// Makes the topic unless there is one of its name, whatever that is like.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if no broker answers, else the broker's refusal.
    pub async fn create_topic(&self, spec: &TopicSpec) -> Result<Ensured> {
        let what = "making a topic";
        let bootstrap = &self.config().bootstrap;
        let (admin, options) = self.calls(what)?;
        let topic = spec.configs.iter().fold(
            // -1: as many replicas as the cluster makes by default (KIP-464).
            NewTopic::new(&spec.name, spec.partitions, TopicReplication::Fixed(-1)),
            |topic, (name, value)| topic.set(name, value),
        );
        let answers = admin
            .create_topics([&topic], &options)
            .await
            .map_err(|error| fault::kafka(bootstrap, what, error).with("topic", &spec.name))?;
        match answers.into_iter().next() {
            Some(Ok(_)) => {
                tracing::info!(
                    topic = spec.name,
                    partitions = spec.partitions,
                    configs = ?spec.configs,
                    "topic made"
                );
                Ok(Ensured::Created)
            }
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(Ensured::Exists),
            Some(Err((_, code))) => {
                Err(fault::coded(bootstrap, what, code).with("topic", &spec.name))
            }
            None => Err(unanswered(&spec.name)),
        }
    }

    /// The partitions of every topic there is.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if no broker answers.
    pub async fn topics(&self) -> Result<BTreeMap<String, i32>> {
        self.ask("asking for the topics", |client| {
            let metadata = client.fetch_metadata(None, ASK_TIMEOUT)?;
            let topics = metadata.topics().iter();
            Ok(topics
                .filter(|topic| !topic.error().is_some_and(|code| code.is_error()))
                .map(|topic| {
                    let count = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
                    (topic.name().to_owned(), count)
                })
                .collect())
        })
        .await
    }

    /// The settings of `topics` by Kafka's names; topics that are not there are left out.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if no broker answers, [`ErrorKind::PermissionDenied`] if
    /// this client may not see the settings of one.
    pub async fn topic_settings(
        &self,
        topics: &[&str],
    ) -> Result<BTreeMap<String, BTreeMap<String, TopicSetting>>> {
        let what = "asking for a topic's settings";
        let bootstrap = &self.config().bootstrap;
        let mut found = BTreeMap::new();
        if topics.is_empty() {
            return Ok(found);
        }
        let (admin, options) = self.calls(what)?;
        for some in topics.chunks(TOGETHER) {
            let resources: Vec<_> = some
                .iter()
                .map(|topic| ResourceSpecifier::Topic(topic))
                .collect();
            let answers = admin
                .describe_configs(&resources, &options)
                .await
                .map_err(|error| fault::kafka(bootstrap, what, error))?;
            for answer in answers {
                match answer {
                    Ok(resource) => {
                        let OwnedResourceSpecifier::Topic(topic) = resource.specifier else {
                            continue;
                        };
                        let settings = resource.entries.into_iter().filter_map(|entry| {
                            let setting = TopicSetting {
                                value: entry.value?,
                                own: matches!(entry.source, ConfigSource::DynamicTopic),
                            };
                            Some((entry.name, setting))
                        });
                        found.insert(topic, settings.collect());
                    }
                    Err(
                        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic,
                    ) => {}
                    Err(code) => return Err(fault::coded(bootstrap, what, code)),
                }
            }
        }
        Ok(found)
    }

    /// Changes settings of a topic, each to its value or, without one, back to the cluster's
    /// default. All others stay as they are.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the broker refuses a name or a value,
    /// [`ErrorKind::NotFound`] if there is no such topic.
    pub async fn alter_settings(
        &self,
        topic: &str,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<()> {
        let (config, topic, changes) = (self.config().clone(), topic.to_owned(), changes.clone());
        tokio::task::spawn_blocking(move || alter(&config, &topic, &changes))
            .await
            .map_err(|error| Error::internal(ALTERING).because(error))?
    }

    /// Gives a topic partitions up to `count`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it has as many or more,
    /// [`ErrorKind::NotFound`] if there is no such topic.
    pub async fn add_partitions(&self, topic: &str, count: i32) -> Result<()> {
        let what = "adding partitions";
        let (admin, options) = self.calls(what)?;
        let wanted = NewPartitions::new(topic, usize::try_from(count).unwrap_or(0));
        let answers = admin.create_partitions([&wanted], &options).await;
        self.answered(topic, what, answers)
    }

    fn answered(
        &self,
        topic: &str,
        what: &'static str,
        answers: rdkafka::error::KafkaResult<Vec<rdkafka::admin::TopicResult>>,
    ) -> Result<()> {
        let bootstrap = &self.config().bootstrap;
        let answers =
            answers.map_err(|error| fault::kafka(bootstrap, what, error).with("topic", topic))?;
        match answers.into_iter().next() {
            Some(Ok(_)) => Ok(()),
            Some(Err((_, code))) => Err(fault::coded(bootstrap, what, code).with("topic", topic)),
            None => Err(unanswered(topic)),
        }
    }
}

fn unanswered(topic: &str) -> Error {
    Error::internal("the broker did not answer about the topic").with("topic", topic)
}

/// A description of changes that librdkafka has made for us.
struct Resource(NonNull<sys::rd_kafka_ConfigResource_t>);

impl Drop for Resource {
    fn drop(&mut self) {
        // SAFETY: it is ours, and destroyed here alone.
        unsafe { sys::rd_kafka_ConfigResource_destroy(self.0.as_ptr()) };
    }
}

/// Asks for a change that leaves other settings alone (KIP-339), which the binding lacks.
fn alter(
    config: &StreamConfig,
    topic: &str,
    changes: &BTreeMap<String, Option<String>>,
) -> Result<()> {
    use sys::rd_kafka_AlterConfigOpType_t as Op;
    let name = text(ALTERING, topic)?;
    // SAFETY: the name lives until the call returns, which copies it.
    let made = unsafe {
        sys::rd_kafka_ConfigResource_new(
            sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC,
            name.as_ptr(),
        )
    };
    let resource = NonNull::new(made)
        .map(Resource)
        .ok_or_else(|| Error::invalid("a topic without a name"))?;
    for (setting, value) in changes {
        let setting_text = text(ALTERING, setting)?;
        let value = value
            .as_deref()
            .map(|value| text(ALTERING, value))
            .transpose()?;
        let (op, value) = match &value {
            Some(value) => (Op::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET, value.as_ptr()),
            None => (Op::RD_KAFKA_ALTER_CONFIG_OP_TYPE_DELETE, ptr::null()),
        };
        // SAFETY: the texts live until the call returns, which copies them; an error is
        // ours to destroy.
        let refused = unsafe {
            let error = sys::rd_kafka_ConfigResource_add_incremental_config(
                resource.0.as_ptr(),
                setting_text.as_ptr(),
                op,
                value,
            );
            let refused = !error.is_null();
            if refused {
                sys::rd_kafka_error_destroy(error);
            }
            refused
        };
        if refused {
            return Err(Error::invalid("a topic's setting cannot be changed so")
                .with("topic", topic)
                .with("setting", setting));
        }
    }
    let mut resources = [resource.0.as_ptr()];
    request(
        config,
        ALTERING,
        // SAFETY: the description outlives the call, which copies it; no options mean the
        // client's defaults.
        |client, queue| unsafe {
            sys::rd_kafka_IncrementalAlterConfigs(
                client,
                resources.as_mut_ptr(),
                resources.len(),
                ptr::null(),
                queue,
            );
        },
        // SAFETY: the event lives until this returns, and with it all results.
        |event| unsafe {
            let result = sys::rd_kafka_event_IncrementalAlterConfigs_result(event);
            if result.is_null() {
                return Err(unanswered(topic));
            }
            let mut count = 0;
            let answers =
                sys::rd_kafka_IncrementalAlterConfigs_result_resources(result, &mut count);
            if count == 0 {
                return Err(unanswered(topic));
            }
            let answer = *answers;
            let code = sys::rd_kafka_ConfigResource_error(answer);
            if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Ok(());
            }
            let mut error = refused(config, ALTERING, code).with("topic", topic);
            let why = sys::rd_kafka_ConfigResource_error_string(answer);
            if !why.is_null() && error.kind() == ErrorKind::InvalidInput {
                let why = std::ffi::CStr::from_ptr(why);
                error = error.with("reason", why.to_string_lossy());
            }
            Err(error)
        },
    )
}
