//! DescribeLogDirs: how much of the one data folder each partition takes.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};

pub(super) async fn describe_log_dirs(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    if let Err(error) = shared.check(caller, Operation::Describe, Resource::Cluster) {
        let refused = DescribeLogDirsResponse::default();
        // Before version 3 there is no place for an error.
        return match version {
            3.. => refused.with_error_code(error.code()),
            _ => refused,
        };
    }
    // Asked for by name, or all of them; what is not here is left out of the answer.
    let asked: BTreeMap<TopicName, Option<Vec<i32>>> = match request.topics {
        Some(topics) => topics
            .into_iter()
            .map(|topic| (topic.topic, Some(topic.partitions)))
            .collect(),
        None => shared
            .topics
            .all()
            .iter()
            .map(|topic| (topic.name.clone(), None))
            .collect(),
    };
    let topics = asked
        .into_iter()
        .filter_map(|(name, wanted)| {
            let topic = shared.topics.by_name(&name)?;
            let partitions: Vec<DescribeLogDirsPartition> = (0..)
                .zip(&topic.partitions)
                .filter(|(index, _)| wanted.as_ref().is_none_or(|wanted| wanted.contains(index)))
                .map(|(index, partition)| {
                    DescribeLogDirsPartition::default()
                        .with_partition_index(index)
                        .with_partition_size(i64::try_from(partition.size()).unwrap_or(i64::MAX))
                })
                .collect();
            (!partitions.is_empty()).then(|| {
                DescribeLogDirsTopic::default()
                    .with_name(name)
                    .with_partitions(partitions)
            })
        })
        .collect();
    let folder = shared.config.data_dir.clone();
    let shown = folder.display().to_string();
    let room = match tokio::task::spawn_blocking(move || room(&folder)).await {
        Ok(room) => room,
        Err(error) => Err(io::Error::other(error)),
    };
    let result = DescribeLogDirsResult::default()
        .with_log_dir(StrBytes::from_string(shown))
        .with_topics(topics);
    let result = match room {
        Ok((total, usable)) if version >= 4 => {
            result.with_total_bytes(total).with_usable_bytes(usable)
        }
        Ok(_) => result,
        Err(error) => {
            tracing::error!(%error, "cannot ask for the room on the disk");
            result.with_error_code(ResponseError::KafkaStorageError.code())
        }
    };
    DescribeLogDirsResponse::default().with_results(vec![result])
}

/// All bytes of the file system that holds a folder, and those that are free to us.
fn room(folder: &Path) -> io::Result<(i64, i64)> {
    let path = CString::new(folder.as_os_str().as_bytes()).map_err(io::Error::other)?;
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the path ends with a zero byte, and the structure is one that may be all zero.
    let found = unsafe {
        if libc::statvfs(path.as_ptr(), found.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        found.assume_init()
    };
    let bytes = |blocks: u64| {
        let bytes = blocks.saturating_mul(found.f_frsize);
        i64::try_from(bytes).unwrap_or(i64::MAX)
    };
    Ok((bytes(found.f_blocks), bytes(found.f_bavail)))
}
