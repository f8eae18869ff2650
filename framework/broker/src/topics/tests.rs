//! Changes of topics that come beside each other or fail.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::{MorePartitions, NewTopic, Topics};
use crate::config::BrokerConfig;
use crate::group::Offsets;
use crate::report::RecoveryReport;
use crate::topic_config::TopicConfigs;

fn open(folder: &Path) -> (Arc<Topics>, Offsets) {
    let config = BrokerConfig::new(folder, std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut report = RecoveryReport::default();
    let offsets = Offsets::open(&folder.join("offsets.log"), false, &mut report);
    let topics = Topics::open(Arc::new(config), false, &mut report);
    (Arc::new(topics.unwrap()), offsets.unwrap())
}

fn new() -> NewTopic {
    NewTopic {
        name: "t".to_owned(),
        partitions: 2,
        configs: TopicConfigs::default(),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

#[test]
fn a_deletion_takes_partitions_that_were_added_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let (topics, offsets) = open(dir.path());
    runtime().block_on(async {
        let seen = topics.create(new(), &offsets).await.unwrap();
        let more = MorePartitions {
            name: "t".to_owned(),
            count: 3,
            assignments: None,
        };
        topics.add_partitions(more, false).await.unwrap();
        let added = topics.partition("t", 2).unwrap();
        topics.delete(&seen).await.unwrap();
        assert!(!added.is_alive());
        assert!(topics.delete(&seen).await.is_err());
    });
    assert!(!dir.path().join("topics/t-2").exists());
}

#[test]
fn a_deletion_that_cannot_be_stored_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let (topics, offsets) = open(dir.path());
    let in_the_way = dir.path().join("topics.json.tmp");
    runtime().block_on(async {
        let topic = topics.create(new(), &offsets).await.unwrap();
        fs::create_dir(&in_the_way).unwrap();
        assert!(topics.delete(&topic).await.is_err());
        for (index, partition) in topic.partitions.iter().enumerate() {
            assert!(partition.is_alive(), "partition {index}");
            assert!(dir.path().join(format!("topics/t-{index}")).exists());
        }
        assert!(topics.by_name("t").is_some());
        fs::remove_dir(&in_the_way).unwrap();
        topics.delete(&topic).await.unwrap();
        assert!(topics.by_name("t").is_none());
    });
}
