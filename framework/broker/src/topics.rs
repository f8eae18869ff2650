//! The topics of the broker and their durable list.
//!
//! `topics.json` is the truth, replaced as a whole. A topic exists once it is in there, its
//! folders were made before; a deleted topic's folders are renamed first (the new name
//! carries the topic's id), so that a crash in between leaves a deletion that the next
//! start completes.

mod alter;
mod delete;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::protocol::StrBytes;
use mesh_core::{Error, ErrorKind};
use uuid::Uuid;

pub(crate) use self::alter::MorePartitions;
pub(crate) use crate::topic_name::{Refusal, check_name};

use crate::broker_settings::BrokerSettings;
use crate::config::BrokerConfig;
use crate::files;
use crate::group::Offsets;
use crate::log::{LogSettings, Partition};
use crate::report::RecoveryReport;
use crate::sync::{read, write};
use crate::topic_config::{TopicConfigs, log_settings};
use crate::topic_folders::{
    NewFolders, Stored, StoredTopic, finish_deletions, has_data, remove_leftovers,
};

const FILE: &str = "topics.json";
const FOLDER: &str = "topics";

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: TopicName,
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<Arc<Partition>>,
    pub(crate) configs: TopicConfigs,
}

impl Topic {
    pub(crate) fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(index).ok()?)
    }
}

#[derive(Debug, Default, Clone)]
struct Directory {
    by_name: BTreeMap<String, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
    broker_settings: BrokerSettings,
}

impl Directory {
    fn insert(&mut self, topic: Arc<Topic>) {
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(topic.name.to_string(), topic);
    }

    fn partitions(&self) -> usize {
        self.by_name
            .values()
            .map(|topic| topic.partitions.len())
            .sum()
    }
}

/// All topics.
#[derive(Debug)]
pub(crate) struct Topics {
    config: Arc<BrokerConfig>,
    cluster_id: String,
    directory: RwLock<Arc<Directory>>,
    changing: tokio::sync::Mutex<()>,
}

/// What a new topic shall be.
#[derive(Debug, Clone)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    pub(crate) configs: TopicConfigs,
}

fn partition_dir(data_dir: &Path, topic: &str, partition: usize) -> PathBuf {
    data_dir.join(FOLDER).join(format!("{topic}-{partition}"))
}

impl Topics {
    /// Reads the list and opens every partition.
    pub(crate) fn open(
        config: Arc<BrokerConfig>,
        clean: bool,
        report: &mut RecoveryReport,
    ) -> mesh_core::Result<Self> {
        let folder = config.data_dir.join(FOLDER);
        let failed = |error: io::Error| {
            Error::new(
                ErrorKind::FailedPrecondition,
                "the data folder cannot be used",
            )
            .with("folder", config.data_dir.display())
            .mend("give the process the right to read and write there")
            .because(error)
        };
        fs::create_dir_all(&folder).map_err(failed)?;
        let path = config.data_dir.join(FILE);
        let unreadable = |error: io::Error| {
            Error::new(ErrorKind::Corrupt, "the list of topics cannot be read")
                .with("file", path.display())
                .mend("restore the file from a backup; the records lie beside it")
                .because(error)
        };
        let mut stored = match files::read_checked(&path).map_err(unreadable)? {
            Some(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| unreadable(error.into()))?
            }
            None => {
                if has_data(&folder).map_err(failed)? {
                    return Err(Error::new(
                        ErrorKind::Corrupt,
                        "there are partitions and no list of topics",
                    )
                    .with("file", path.display())
                    .mend("restore the file from a backup, or take an empty data folder"));
                }
                Stored {
                    version: 1,
                    cluster_id: new_cluster_id(),
                    topics: Vec::new(),
                    broker_settings: BrokerSettings::default(),
                }
            }
        };
        finish_deletions(&folder, &mut stored).map_err(failed)?;
        remove_leftovers(&folder, &stored).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Error::new(ErrorKind::Corrupt, "the folder of a partition is missing")
                    .with("folder", folder.display())
                    .mend("restore it from a backup, or take the topic out of topics.json")
                    .because(error)
            }
            _ => failed(error),
        })?;
        let mut directory = Directory {
            broker_settings: stored.broker_settings,
            ..Directory::default()
        };
        for topic in &stored.topics {
            let settings =
                log_settings(&config, &directory.broker_settings.beneath(&topic.configs));
            let mut partitions = Vec::new();
            for index in 0..topic.partitions {
                let dir = partition_dir(&config.data_dir, &topic.name, index as usize);
                let (partition, recovered) =
                    Partition::open(&topic.name, index, &dir, settings, clean)?;
                report.scanned_bytes += recovered.scanned_bytes;
                report.findings.extend(recovered.findings);
                partitions.push(Arc::new(partition));
            }
            directory.insert(Arc::new(Topic {
                name: TopicName(StrBytes::from_string(topic.name.clone())),
                id: topic.id,
                partitions,
                configs: topic.configs.clone(),
            }));
        }
        let topics = Self {
            config,
            cluster_id: stored.cluster_id,
            directory: RwLock::new(Arc::new(directory)),
            changing: tokio::sync::Mutex::new(()),
        };
        topics.save(&topics.snapshot()).map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::StorageFull => ErrorKind::ResourceExhausted,
                _ => ErrorKind::FailedPrecondition,
            };
            Error::new(kind, "the list of topics cannot be written")
                .with("file", path.display())
                .mend("give the process the right to write there, and the disk some room")
                .because(error)
        })?;
        Ok(topics)
    }

    pub(crate) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    fn snapshot(&self) -> Arc<Directory> {
        Arc::clone(&read(&self.directory))
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<Topic>> {
        read(&self.directory).by_name.get(name).map(Arc::clone)
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        read(&self.directory).by_id.get(&id).map(Arc::clone)
    }

    /// All topics, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        self.snapshot().by_name.values().map(Arc::clone).collect()
    }

    pub(crate) fn partition(&self, topic: &str, index: i32) -> Option<Arc<Partition>> {
        self.by_name(topic)?.partition(index).map(Arc::clone)
    }

    fn save(&self, directory: &Directory) -> io::Result<()> {
        let stored = Stored {
            version: 1,
            cluster_id: self.cluster_id.clone(),
            topics: directory
                .by_name
                .values()
                .map(|topic| StoredTopic {
                    name: topic.name.to_string(),
                    id: topic.id,
                    partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
                    configs: topic.configs.clone(),
                })
                .collect(),
            broker_settings: directory.broker_settings.clone(),
        };
        let bytes = serde_json::to_vec_pretty(&stored).map_err(io::Error::other)?;
        files::write_checked(&self.config.data_dir.join(FILE), &bytes)
    }

    /// Checks whether a topic could be created now.
    pub(crate) fn check_new(&self, new: &NewTopic) -> Result<(), Refusal> {
        check_name(&new.name)?;
        let directory = self.snapshot();
        if directory.by_name.contains_key(&new.name) {
            return Err((
                ResponseError::TopicAlreadyExists,
                format!("topic '{}' already exists", new.name),
            ));
        }
        // Kafka's metric names do not tell '.' from '_', so it refuses such neighbours.
        let folded = new.name.replace('.', "_");
        let twin = directory
            .by_name
            .keys()
            .find(|name| name.replace('.', "_") == folded);
        if let Some(twin) = twin {
            return Err((
                ResponseError::InvalidTopicException,
                format!("topic '{}' collides with existing topic '{twin}'", new.name),
            ));
        }
        let partitions = usize::try_from(new.partitions).unwrap_or(0);
        if partitions == 0 {
            return Err((
                ResponseError::InvalidPartitions,
                "number of partitions must be larger than 0".to_owned(),
            ));
        }
        if directory.partitions().saturating_add(partitions) > self.config.max_partitions {
            return Err((
                ResponseError::InvalidPartitions,
                format!(
                    "this broker holds at most {} partitions",
                    self.config.max_partitions
                ),
            ));
        }
        Ok(())
    }

    /// Creates a topic, durably. Offsets under its name are those of an earlier topic, whose
    /// deletion was cut short before they were forgotten: they go first.
    pub(crate) async fn create(
        self: &Arc<Self>,
        new: NewTopic,
        offsets: &Offsets,
    ) -> Result<Arc<Topic>, Refusal> {
        let turn = self.changing.lock().await;
        self.check_new(&new)?;
        if let Err(error) = offsets.remove_topic(&new.name).await {
            let why = "cannot forget the offsets of an earlier topic of this name";
            return Err((error, why.to_owned()));
        }
        let topics = Arc::clone(self);
        let created = tokio::task::spawn_blocking(move || topics.create_now(&new)).await;
        drop(turn);
        match created {
            Ok(Ok(topic)) => Ok(topic),
            Ok(Err(error)) => Err(storage_refusal("create a topic", &error)),
            Err(error) => Err(storage_refusal("create a topic", &io::Error::other(error))),
        }
    }

    fn create_now(&self, new: &NewTopic) -> io::Result<Arc<Topic>> {
        let settings = self.settings(&self.snapshot().broker_settings, &new.configs);
        let count = usize::try_from(new.partitions).unwrap_or(0);
        let mut made = NewFolders::default();
        let created = (|| {
            let partitions = self.make_partitions(&new.name, 0..count, settings, &mut made)?;
            let topic = Arc::new(Topic {
                name: TopicName(StrBytes::from_string(new.name.clone())),
                id: Uuid::new_v4(),
                partitions,
                configs: new.configs.clone(),
            });
            let mut directory = (*self.snapshot()).clone();
            directory.insert(Arc::clone(&topic));
            self.save(&directory)?;
            *write(&self.directory) = Arc::new(directory);
            Ok(topic)
        })();
        created.inspect_err(|error| made.remove_after(error))
    }

    /// Makes partitions of a topic and their folders, and notes in `made` which these are.
    fn make_partitions(
        &self,
        name: &str,
        indexes: Range<usize>,
        settings: LogSettings,
        made: &mut NewFolders,
    ) -> io::Result<Vec<Arc<Partition>>> {
        let mut partitions = Vec::with_capacity(indexes.len());
        for index in indexes {
            let dir = partition_dir(&self.config.data_dir, name, index);
            made.begin(&dir)?;
            let index = i32::try_from(index).unwrap_or(i32::MAX);
            partitions.push(Arc::new(Partition::create(name, index, &dir, settings)?));
        }
        files::sync_dir(&self.config.data_dir.join(FOLDER))?;
        Ok(partitions)
    }
}

fn storage_refusal(what: &'static str, error: &io::Error) -> Refusal {
    tracing::error!(%error, what, "storage error");
    (
        ResponseError::KafkaStorageError,
        format!("cannot {what}: {}", error.kind()),
    )
}

fn new_cluster_id() -> String {
    // Kafka's are 22 characters of base64; any text without spaces will do for clients.
    Uuid::new_v4().simple().to_string()[..22].to_owned()
}
