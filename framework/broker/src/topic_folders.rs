//! The stored list of topics, and bringing the folders in line with it after a crash.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::broker_settings::BrokerSettings;
use crate::topic_config::TopicConfigs;

/// What the name of a folder ends with that is being deleted.
const DELETED: &str = "-delete";

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredTopic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
    pub(crate) partitions: i32,
    #[serde(default)]
    pub(crate) configs: TopicConfigs,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) version: u32,
    pub(crate) cluster_id: String,
    pub(crate) topics: Vec<StoredTopic>,
    #[serde(default)]
    pub(crate) broker_settings: BrokerSettings,
}

pub(crate) fn deleted_dir(dir: &Path, id: Uuid) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}{DELETED}", id.simple()));
    dir.with_file_name(name)
}

fn folder_names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

fn log_bytes(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|found| found == "log") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}

pub(crate) fn has_data(folder: &Path) -> io::Result<bool> {
    for name in folder_names(folder)? {
        if log_bytes(&folder.join(name))? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Completes deletions that a crash has cut short, and removes what they left.
pub(crate) fn finish_deletions(folder: &Path, stored: &mut Stored) -> io::Result<()> {
    for name in folder_names(folder)? {
        let Some((_, id)) = name
            .strip_suffix(DELETED)
            .and_then(|name| name.rsplit_once('.'))
        else {
            continue;
        };
        let deleted = stored
            .topics
            .iter()
            .position(|topic| topic.id.simple().to_string() == id);
        if let Some(at) = deleted {
            let topic = stored.topics.remove(at);
            tracing::warn!(
                topic = topic.name,
                "completing a deletion that was cut short"
            );
            for index in 0..topic.partitions {
                let dir = folder.join(format!("{}-{index}", topic.name));
                if dir.exists() {
                    fs::rename(&dir, deleted_dir(&dir, topic.id))?;
                }
            }
        }
    }
    for name in folder_names(folder)? {
        if name.ends_with(DELETED) {
            fs::remove_dir_all(folder.join(name))?;
        }
    }
    Ok(())
}

/// Removes empty folders of a creation that was cut short; what holds records and belongs
/// to no topic is left alone. A folder that a topic should have and has not is an error.
pub(crate) fn remove_leftovers(folder: &Path, stored: &Stored) -> io::Result<()> {
    let mut wanted: HashSet<String> = HashSet::new();
    for topic in &stored.topics {
        for index in 0..topic.partitions {
            let name = format!("{}-{index}", topic.name);
            // At once, before anything is removed, and before a wrong number of partitions
            // fills the memory.
            if !folder.join(&name).is_dir() {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("the folder of partition {name} is missing"),
                ));
            }
            wanted.insert(name);
        }
    }
    for name in folder_names(folder)? {
        if wanted.contains(&name) {
            continue;
        }
        let dir = folder.join(&name);
        match log_bytes(&dir)? {
            0 => fs::remove_dir_all(&dir)?,
            bytes => {
                tracing::warn!(dir = %dir.display(), bytes, "a folder with records belongs to no topic");
            }
        }
    }
    Ok(())
}
