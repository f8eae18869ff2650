//! Deletions: folders first, then the list; taken back when the list cannot be written.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use kafka_protocol::ResponseError;

use super::{FOLDER, Refusal, Topic, Topics, partition_dir, storage_refusal};
use crate::files;
use crate::sync::write;
use crate::topic_folders::deleted_dir;

impl Topics {
    /// Deletes a topic: gone for all clients when this returns, its files soon after.
    pub(crate) async fn delete(self: &Arc<Self>, topic: &Topic) -> Result<(), Refusal> {
        let turn = self.changing.lock().await;
        // Partitions may have been added since it was looked up.
        let Some(topic) = self.by_id(topic.id) else {
            return Err((
                ResponseError::UnknownTopicOrPartition,
                "the topic is not there".to_owned(),
            ));
        };
        let topics = Arc::clone(self);
        let deleted = tokio::task::spawn_blocking(move || topics.delete_now(&topic)).await;
        drop(turn);
        let folders = match deleted {
            Ok(Ok(folders)) => folders,
            Ok(Err(error)) => return Err(storage_refusal("delete a topic", &error)),
            Err(error) => {
                return Err(storage_refusal("delete a topic", &io::Error::other(error)));
            }
        };
        tokio::task::spawn_blocking(move || {
            for folder in folders {
                // The next start in this process may be at it too.
                if let Err(error) = files::remove_folder(&folder) {
                    tracing::warn!(dir = %folder.display(), %error, "cannot remove a deleted partition");
                }
            }
        });
        Ok(())
    }

    fn delete_now(&self, topic: &Topic) -> io::Result<Vec<PathBuf>> {
        let mut directory = (*self.snapshot()).clone();
        directory.by_name.remove(topic.name.as_str());
        directory.by_id.remove(&topic.id);
        let home = self.config.data_dir.join(FOLDER);
        let mut folders = Vec::with_capacity(topic.partitions.len());
        let deleted = (|| {
            for (index, partition) in topic.partitions.iter().enumerate() {
                let target = deleted_dir(&home, &topic.name, index, topic.id);
                partition.retire(&target)?;
                folders.push(target);
            }
            files::sync_dir(&home)?;
            self.save(&directory)
        })();
        match deleted {
            Ok(()) => {
                *write(&self.directory) = Arc::new(directory);
                Ok(folders)
            }
            // The list is without it. The folders stay for the next start, which tells by them
            // that the topic is deleted, should the list before come back.
            Err(error) if files::is_in_place(&error) => {
                *write(&self.directory) = Arc::new(directory);
                Err(error)
            }
            Err(error) => {
                for (index, partition) in topic.partitions[..folders.len()].iter().enumerate() {
                    let dir = partition_dir(&self.config.data_dir, &topic.name, index);
                    if let Err(error) = partition.revive(&dir) {
                        tracing::error!(%error, topic = %topic.name.as_str(), partition = index,
                            "a partition whose deletion failed is out of use until the next start, \
                             which completes the deletion");
                    }
                }
                Err(error)
            }
        }
    }
}
