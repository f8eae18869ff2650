//! What must hold of a partition, whatever its files hold.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;

use crate::buffers::Buffers;
use crate::config::BrokerConfig;
use crate::log::batch::{self, BatchHeader};
use crate::log::{LogSettings, Partition};
use crate::topic_config::{TopicConfigs, log_settings};

/// Tries to get past damage before the next segment is looked at.
const PATIENCE: usize = 64;

pub(super) fn config(folder: &Path) -> BrokerConfig {
    let mut config = BrokerConfig::new(folder, std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    config.flush = crate::FlushPolicy::Os;
    config.max_partitions = 12;
    config.max_message_bytes = 1 << 20;
    config.segment_bytes = 1 << 20;
    config.group_initial_rebalance_delay = Duration::ZERO;
    config.group_min_session_timeout = Duration::from_millis(1);
    config.security.failed_authentication_delay = Duration::ZERO;
    config
}

pub(super) fn settings(folder: &Path) -> LogSettings {
    log_settings(&config(folder), &TopicConfigs::default())
}

/// Batches from an offset on.
pub(super) fn read(partition: &Partition, offset: i64) -> Result<Bytes, ResponseError> {
    partition.read(&Buffers::default(), offset, 1 << 16, true, i64::MAX)
}

/// Reads a partition to its end; returns where whole batches begin. Each has a right CRC and
/// comes behind the one before. Where `damage` may be, what is damaged is refused and never
/// passed over in silence.
pub(super) fn read_to_the_end(partition: &Partition, damage: bool) -> Vec<i64> {
    let end = partition.high_watermark();
    let mut starts = Vec::new();
    let mut at = partition.log_start();
    let mut patience = PATIENCE;
    assert!(at <= end, "the log begins at {at} and ends at {end}");
    while at < end {
        match read(partition, at) {
            Ok(bytes) => {
                assert!(!bytes.is_empty(), "nothing at {at}, which is before {end}");
                let mut left = &bytes[..];
                let from = at;
                while let Some(header) = BatchHeader::parse(left) {
                    let whole = left.get(..header.total_len()).expect("a whole batch");
                    assert!(batch::crc_matches(whole), "a bad CRC at {at}");
                    assert!(header.last_offset() >= at, "a batch that is over at {at}");
                    assert!(
                        header.base_offset == at || (header.base_offset < at && at == from),
                        "{} is served at {at}",
                        header.base_offset
                    );
                    assert!(header.next_offset() <= end, "beyond the end");
                    starts.push(header.base_offset);
                    at = header.next_offset();
                    left = &left[whole.len()..];
                }
                assert!(left.is_empty(), "half a batch behind {at}");
                patience = PATIENCE;
            }
            Err(ResponseError::CorruptMessage) if damage => {
                patience -= 1;
                at = match patience {
                    0 => {
                        patience = PATIENCE;
                        let bases = partition.segment_bases();
                        bases.into_iter().find(|base| *base > at).unwrap_or(end)
                    }
                    _ => at + 1,
                };
            }
            Err(error) => panic!("reading at {at} of {end}: {error}"),
        }
    }
    starts
}

/// Asks the other questions that a partition answers.
pub(super) fn ask(partition: &Partition, times: &[i64], damage: bool) {
    for time in times {
        match partition.offset_for_time(*time) {
            Ok(Some(found)) => assert!(found.timestamp >= *time),
            Ok(None) => {}
            Err(ResponseError::CorruptMessage) if damage => {}
            Err(error) => panic!("offset for time {time}: {error}"),
        }
    }
    match partition.offset_of_max_time() {
        Ok(_) => {}
        Err(ResponseError::CorruptMessage) if damage => {}
        Err(error) => panic!("offset of the largest time: {error}"),
    }
    let (start, end) = (partition.log_start(), partition.high_watermark());
    match partition.read_committed(&Buffers::default(), start, 1 << 16, true) {
        Ok(_) => {}
        Err(ResponseError::CorruptMessage) if damage => {}
        Err(error) => panic!("what is committed: {error}"),
    }
    assert!(partition.last_stable_offset() <= end);
    partition.active_producers();
    partition.open_transactions();
}
