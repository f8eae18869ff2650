//! The stored list of topics, and bringing the folders in line with it after a crash.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::broker_settings::BrokerSettings;
use crate::files;
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

/// Bytes that file systems allow for a name.
const LONGEST_NAME: usize = 255;

/// What the folder of a partition is called while it is being deleted. Of a long topic name
/// the end is left out, as Kafka does.
pub(crate) fn deleted_dir(folder: &Path, topic: &str, index: usize, id: Uuid) -> PathBuf {
    let rest = format!("-{index}.{}{DELETED}", id.simple());
    let room = LONGEST_NAME.saturating_sub(rest.len());
    let kept = &topic[..topic.floor_char_boundary(room)];
    folder.join(format!("{kept}{rest}"))
}

/// The folders that a change makes, to be removed again when it fails.
#[derive(Debug, Default)]
pub(crate) struct NewFolders(Vec<PathBuf>);

impl NewFolders {
    /// Makes way for a folder that is about to be created. One without records is the leftover
    /// of a change that failed; one with records may be all that is left of a topic.
    ///
    /// # Errors
    /// `AlreadyExists` where a folder with records stands.
    pub(crate) fn begin(&mut self, dir: &Path) -> io::Result<()> {
        if dir.exists() {
            let bytes = log_bytes(dir)?;
            if bytes > 0 {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    format!(
                        "{} holds {bytes} bytes of records that belong to no topic; move it away",
                        dir.display()
                    ),
                ));
            }
            fs::remove_dir_all(dir)?;
        }
        self.0.push(dir.to_owned());
        Ok(())
    }

    /// Removes the folders after the error that the change ended with, unless the list of
    /// topics names them already.
    pub(crate) fn remove_after(&self, error: &io::Error) {
        if files::is_in_place(error) {
            return;
        }
        for dir in &self.0 {
            if let Err(error) = fs::remove_dir_all(dir)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(dir = %dir.display(), %error, "leftover of a change that failed");
            }
        }
    }
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

/// Bytes of records in a folder.
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
            for index in 0..usize::try_from(topic.partitions).unwrap_or(0) {
                let dir = folder.join(format!("{}-{index}", topic.name));
                if dir.exists() {
                    fs::rename(&dir, deleted_dir(folder, &topic.name, index, topic.id))?;
                }
            }
        }
    }
    for name in folder_names(folder)? {
        if name.ends_with(DELETED) {
            // What ran in this process before may still be removing them.
            files::remove_folder(&folder.join(name))?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_name_of_a_deleted_folder_fits() {
        let folder = Path::new("topics");
        let id = Uuid::from_u128(7);
        let mut names = HashSet::new();
        for topic in ["t".to_owned(), "x".repeat(249), "ä".repeat(124)] {
            for index in [0, 1, 12, 99_999] {
                let dir = deleted_dir(folder, &topic, index, id);
                let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
                assert!(name.len() <= LONGEST_NAME, "{name}");
                let (_, found) = name
                    .strip_suffix(DELETED)
                    .unwrap()
                    .rsplit_once('.')
                    .unwrap();
                assert_eq!(found, id.simple().to_string());
                assert!(names.insert(name), "each partition has a name of its own");
            }
        }
    }

    /// Found by fuzzing: a start beside the end of a deletion.
    #[test]
    fn a_start_and_a_deletion_may_remove_the_same_folders() {
        let root = tempfile::tempdir().unwrap();
        let id = Uuid::from_u128(7);
        let stored = || Stored {
            version: 1,
            cluster_id: String::new(),
            topics: Vec::new(),
            broker_settings: BrokerSettings::default(),
        };
        for _ in 0..20 {
            let dirs: Vec<PathBuf> = (0..50)
                .map(|index| deleted_dir(root.path(), "t", index, id))
                .collect();
            for dir in &dirs {
                fs::create_dir(dir).unwrap();
                for name in ["0.log", "0.index", "0.timeindex"] {
                    fs::write(dir.join(name), "x").unwrap();
                }
            }
            let deletion = std::thread::spawn(move || {
                for dir in &dirs {
                    files::remove_folder(dir).unwrap();
                }
            });
            finish_deletions(root.path(), &mut stored()).unwrap();
            deletion.join().unwrap();
            assert_eq!(folder_names(root.path()).unwrap(), [""; 0]);
        }
    }

    #[test]
    fn a_failed_change_removes_what_it_has_made() {
        let root = tempfile::tempdir().unwrap();
        let dir = |name: &str| root.path().join(name);
        for name in ["orphan", "leftover"] {
            fs::create_dir(dir(name)).unwrap();
        }
        fs::write(dir("orphan").join("0.log"), "records").unwrap();
        fs::write(dir("leftover").join("0.log"), "").unwrap();
        let mut made = NewFolders::default();
        for name in ["new", "leftover"] {
            made.begin(&dir(name)).unwrap();
            fs::create_dir(dir(name)).unwrap();
        }
        let refused = made.begin(&dir("orphan")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        // The list of topics names them already.
        made.remove_after(&files::not_durable(io::Error::other("no fsync")));
        assert!(dir("new").exists() && dir("leftover").exists());
        made.remove_after(&refused);
        assert!(!dir("new").exists() && !dir("leftover").exists());
        assert!(dir("orphan").join("0.log").exists());
    }
}
