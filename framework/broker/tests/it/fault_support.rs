//! Copies of a data folder, to be damaged and started on.

use std::fs;
use std::path::{Path, PathBuf};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::OffsetCommitRequest;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use mesh_broker::{Broker, BrokerConfig, RecoveryReport};

use crate::support::{ANY, Raw, name, records_of, runtime, string, values_of};

pub(crate) const CORRUPT: i16 = ResponseError::CorruptMessage.code();

/// A folder in memory where there is such a place: these tests start hundreds of brokers.
pub(crate) fn quick_dir() -> tempfile::TempDir {
    match Path::new("/dev/shm").is_dir() {
        true => tempfile::tempdir_in("/dev/shm").unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

/// The files of a folder, by their path in it.
#[derive(Clone)]
pub(crate) struct Copy(pub(crate) Vec<(PathBuf, Vec<u8>)>);

impl Copy {
    pub(crate) fn of(folder: &Path) -> Self {
        fn walk(base: &Path, folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => walk(base, &path, files),
                    false => {
                        let name = path.strip_prefix(base).unwrap().to_owned();
                        files.push((name, fs::read(&path).unwrap()));
                    }
                }
            }
        }
        let mut files = Vec::new();
        walk(folder, folder, &mut files);
        files.sort();
        Self(files)
    }

    pub(crate) fn write(&self, folder: &Path) {
        for (name, bytes) in &self.0 {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    pub(crate) fn file(&mut self, name: &str) -> &mut Vec<u8> {
        let found = self.0.iter_mut().find(|(path, _)| path == Path::new(name));
        &mut found.unwrap_or_else(|| panic!("{name} is there")).1
    }

    /// Starts a broker on the files.
    pub(crate) fn start(&self) -> mesh_core::Result<Running> {
        let dir = quick_dir();
        self.write(dir.path());
        let config = BrokerConfig::new(dir.path(), ANY);
        let runtime = runtime();
        let broker = runtime.block_on(Broker::start(config.clone()))?;
        Ok(Running {
            broker: Some(broker),
            runtime,
            config,
            _dir: dir,
        })
    }
}

/// A broker on a copy.
pub(crate) struct Running {
    broker: Option<Broker>,
    runtime: tokio::runtime::Runtime,
    config: BrokerConfig,
    _dir: tempfile::TempDir,
}

impl Running {
    pub(crate) fn raw(&self) -> Raw {
        Raw::connect(self.broker().local_addr())
    }

    pub(crate) fn broker(&self) -> &Broker {
        self.broker.as_ref().unwrap()
    }

    pub(crate) fn report(&self) -> &RecoveryReport {
        self.broker().recovery()
    }

    /// Stops in order and starts again.
    pub(crate) fn again(&mut self) {
        let broker = self.broker.take().unwrap();
        self.runtime.block_on(broker.shutdown()).unwrap();
        let starting = Broker::start(self.config.clone());
        self.broker = Some(self.runtime.block_on(starting).unwrap());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(broker) = self.broker.take() {
            self.runtime.block_on(broker.abandon());
        }
    }
}

/// Reads `t-0` to `end` as a consumer that passes over what is corrupt, offset by offset.
/// Returns the values by offset, and the offsets that were refused. (The decoder of the test
/// checks each batch's CRC.)
pub(crate) fn read_past_damage(raw: &mut Raw, end: i64) -> (Vec<(i64, String)>, Vec<i64>) {
    let (mut values, mut refused) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < end {
        let data = raw.fetch("t", 0, at);
        match data.error_code {
            0 => {
                let records = records_of(&data);
                assert!(!records.is_empty(), "nothing at {at}, and no error");
                for (record, value) in records.iter().zip(values_of(&records)) {
                    // A batch that begins before what was asked for.
                    if record.offset >= at {
                        assert_eq!(record.offset, at, "passed over in silence");
                        values.push((record.offset, value));
                        at = record.offset + 1;
                    }
                }
            }
            CORRUPT => {
                assert!(
                    data.records.unwrap_or_default().is_empty(),
                    "served at {at}"
                );
                refused.push(at);
                at += 1;
            }
            other => panic!("fetch at {at}: {other}"),
        }
    }
    (values, refused)
}

/// Commits an offset of `t-0` for a group without members.
pub(crate) fn commit(raw: &mut Raw, group: &str, offset: i64) -> i16 {
    let request = OffsetCommitRequest::default()
        .with_group_id(string(group).into())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![
            OffsetCommitRequestTopic::default()
                .with_name(name("t"))
                .with_partitions(vec![
                    OffsetCommitRequestPartition::default()
                        .with_partition_index(0)
                        .with_committed_offset(offset),
                ]),
        ]);
    raw.call(8, &request).topics[0].partitions[0].error_code
}
