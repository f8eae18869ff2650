//! The configuration of topics: every name Kafka 4 knows, its type, default and check.
//!
//! All are stored and described. This broker acts on those of retention and compaction,
//! `max.message.bytes`, `message.timestamp.type`, `message.timestamp.before.max.ms` and
//! `.after.max.ms`, `segment.bytes`, `segment.ms` and `segment.jitter.ms`,
//! `index.interval.bytes` and `min.insync.replicas`.

use std::collections::BTreeMap;

use crate::config::{BrokerConfig, FlushPolicy};
use crate::log::{CleanupSettings, LogSettings, MAX_SEGMENT_BYTES, TimestampType};

/// The stored settings of a topic: what its creator has set, nothing else.
pub(crate) type TopicConfigs = BTreeMap<String, String>;

/// A type as DescribeConfigs names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean = 1,
    String = 2,
    Int = 3,
    Long = 5,
    Double = 6,
    List = 7,
}

#[derive(Debug, Clone, Copy)]
enum Check {
    Boolean,
    /// Only this value: the feature is absent.
    Only(&'static str),
    Int(i64, i64),
    Long(i64, i64),
    Ratio,
    OneOf(&'static [&'static str]),
    ListOf(&'static [&'static str]),
    AnyList,
}

/// One name that may be set on a topic.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    default: &'static str,
    check: Check,
    /// The broker's setting that gives the default.
    pub(crate) broker_name: Option<&'static str>,
    pub(crate) documentation: &'static str,
}

const fn define(
    name: &'static str,
    default: &'static str,
    check: Check,
    broker_name: &'static str,
    documentation: &'static str,
) -> Definition {
    Definition {
        name,
        default,
        check,
        broker_name: if broker_name.is_empty() {
            None
        } else {
            Some(broker_name)
        },
        documentation,
    }
}

const MAX_LONG: i64 = i64::MAX;
const MAX_INT: i64 = i32::MAX as i64;
const FOREVER: &str = "9223372036854775807";

use Check::{AnyList, Boolean, Int, ListOf, Long, OneOf, Only, Ratio};

#[rustfmt::skip]
static DEFINITIONS: &[Definition] = &[
    define("cleanup.policy", "delete", ListOf(&["delete", "compact"]), "log.cleanup.policy", "What happens to old records: delete, compact or both."),
    define("compression.gzip.level", "-1", Int(-1, 9), "compression.gzip.level", "The level of gzip where the broker compresses; this one never does."),
    define("compression.lz4.level", "9", Int(1, 17), "compression.lz4.level", "The level of lz4 where the broker compresses; this one never does."),
    define("compression.type", "producer", OneOf(&["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"]), "compression.type", "The codec of the topic; batches are kept in the codec they come in."),
    define("compression.zstd.level", "3", Int(-131_072, 22), "compression.zstd.level", "The level of zstd where the broker compresses; this one never does."),
    define("delete.retention.ms", "86400000", Long(0, MAX_LONG), "log.cleaner.delete.retention.ms", "How long tombstones are kept in a compacted topic."),
    define("file.delete.delay.ms", "60000", Long(0, MAX_LONG), "log.segment.delete.delay.ms", "How long a removed file stays on disk; here it goes at once, and who reads it still has it open."),
    define("flush.messages", FOREVER, Long(1, MAX_LONG), "log.flush.interval.messages", "Records between two fsyncs; the broker's flush policy decides."),
    define("flush.ms", FOREVER, Long(0, MAX_LONG), "log.flush.interval.ms", "Time between two fsyncs; the broker's flush policy decides."),
    define("follower.replication.throttled.replicas", "", AnyList, "", "Replicas with throttled replication; there is no replication."),
    define("index.interval.bytes", "4096", Int(0, MAX_INT), "log.index.interval.bytes", "Bytes of log for each index entry."),
    define("leader.replication.throttled.replicas", "", AnyList, "", "Replicas with throttled replication; there is no replication."),
    define("local.retention.bytes", "-2", Long(-2, MAX_LONG), "log.local.retention.bytes", "Local bytes kept with tiered storage, which is absent."),
    define("local.retention.ms", "-2", Long(-2, MAX_LONG), "log.local.retention.ms", "Local time kept with tiered storage, which is absent."),
    define("max.compaction.lag.ms", FOREVER, Long(1, MAX_LONG), "log.cleaner.max.compaction.lag.ms", "The longest time a record stays uncompacted."),
    define("max.message.bytes", "1048588", Int(0, MAX_INT), "message.max.bytes", "The largest record batch."),
    define("message.timestamp.after.max.ms", "3600000", Long(0, MAX_LONG), "log.message.timestamp.after.max.ms", "How far ahead of the broker's clock a record may be."),
    define("message.timestamp.before.max.ms", FOREVER, Long(0, MAX_LONG), "log.message.timestamp.before.max.ms", "How far behind the broker's clock a record may be."),
    define("message.timestamp.type", "CreateTime", OneOf(&["CreateTime", "LogAppendTime"]), "log.message.timestamp.type", "Whose time a record carries."),
    define("min.cleanable.dirty.ratio", "0.5", Ratio, "log.cleaner.min.cleanable.ratio", "The share of new records that starts compaction."),
    define("min.compaction.lag.ms", "0", Long(0, MAX_LONG), "log.cleaner.min.compaction.lag.ms", "The shortest time a record stays uncompacted."),
    define("min.insync.replicas", "1", Int(1, MAX_INT), "min.insync.replicas", "Replicas that acks=all needs; there is one."),
    define("preallocate", "false", Boolean, "log.preallocate", "Whether files are made at full size; they never are."),
    define("remote.log.copy.disable", "false", Boolean, "", "Tiered storage is absent."),
    define("remote.log.delete.on.disable", "false", Boolean, "", "Tiered storage is absent."),
    define("remote.storage.enable", "false", Only("false"), "", "Tiered storage is absent."),
    define("retention.bytes", "-1", Long(-1, MAX_LONG), "log.retention.bytes", "Bytes of a partition that are kept; -1 keeps all."),
    define("retention.ms", "604800000", Long(-1, MAX_LONG), "log.retention.ms", "How long records are kept; -1 keeps them for ever."),
    define("segment.bytes", "1073741824", Int(1024, MAX_INT), "log.segment.bytes", "Bytes at which a new segment is begun."),
    define("segment.index.bytes", "10485760", Int(4, MAX_INT), "log.index.size.max.bytes", "The largest index; indexes grow with their segment here."),
    define("segment.jitter.ms", "0", Long(0, MAX_LONG), "log.roll.jitter.ms", "Spread of segment.ms."),
    define("segment.ms", "604800000", Long(1, MAX_LONG), "log.roll.ms", "Age at which a new segment is begun."),
    define("unclean.leader.election.enable", "false", Boolean, "unclean.leader.election.enable", "There is one replica, which leads."),
];

impl Definition {
    pub(crate) fn kind(&self) -> Kind {
        match self.check {
            Boolean | Only(_) => Kind::Boolean,
            Int(..) => Kind::Int,
            Long(..) => Kind::Long,
            Ratio => Kind::Double,
            OneOf(_) => Kind::String,
            ListOf(_) | AnyList => Kind::List,
        }
    }

    /// The default: the broker's setting where it has one, else Kafka's.
    pub(crate) fn default_value(&self, broker: &BrokerConfig) -> String {
        match self.name {
            "segment.bytes" => broker.segment_bytes.to_string(),
            "index.interval.bytes" => broker.index_interval_bytes.to_string(),
            "max.message.bytes" => broker.max_message_bytes.to_string(),
            _ => self.default.to_owned(),
        }
    }

    /// Whether the broker's configuration changes Kafka's default.
    pub(crate) fn is_set_by_broker(&self, broker: &BrokerConfig) -> bool {
        self.default_value(broker) != self.default
    }

    /// Whether the value is a list, which can be added to.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.check, ListOf(_) | AnyList)
    }

    pub(crate) fn check(&self, value: &str) -> Result<(), String> {
        let number = |min: i64, max: i64| match value.trim().parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(()),
            Ok(_) => Err(format!("{} must be between {min} and {max}", self.name)),
            Err(_) => Err(format!("{} must be a whole number", self.name)),
        };
        match self.check {
            Boolean if matches!(value, "true" | "false") => Ok(()),
            Boolean => Err(format!("{} must be true or false", self.name)),
            Only(only) if value == only => Ok(()),
            Only(only) => Err(format!("{} can only be {only} in this broker", self.name)),
            Int(min, max) | Long(min, max) => number(min, max),
            Ratio => match value.trim().parse::<f64>() {
                Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(()),
                _ => Err(format!("{} must be between 0 and 1", self.name)),
            },
            OneOf(known) if known.contains(&value) => Ok(()),
            OneOf(known) => Err(format!("{} must be one of {}", self.name, known.join(", "))),
            ListOf(known) => match value.split(',').all(|item| known.contains(&item.trim())) {
                true => Ok(()),
                false => Err(format!("{} takes {}", self.name, known.join(", "))),
            },
            AnyList => Ok(()),
        }
    }
}

/// All definitions, sorted by name.
pub(crate) fn definitions() -> &'static [Definition] {
    DEFINITIONS
}

pub(crate) fn definition(name: &str) -> Option<&'static Definition> {
    DEFINITIONS
        .iter()
        .find(|definition| definition.name == name)
}

/// Checks the settings of a new topic.
pub(crate) fn check_all<'a>(
    settings: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<TopicConfigs, String> {
    let mut checked = TopicConfigs::new();
    for (name, value) in settings {
        let Some(definition) = definition(name) else {
            return Err(format!("unknown topic config name: {name}"));
        };
        let Some(value) = value else {
            return Err(format!(
                "null value not supported for topic configs: {name}"
            ));
        };
        definition.check(value)?;
        if checked.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(format!("{name} is set twice"));
        }
    }
    Ok(checked)
}

/// The settings that a topic's logs work with.
pub(crate) fn log_settings(broker: &BrokerConfig, configs: &TopicConfigs) -> LogSettings {
    let number = |name: &str, fallback: i64| {
        configs
            .get(name)
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or(fallback)
    };
    let bytes = |name: &str, fallback: u64| {
        u64::try_from(number(name, i64::try_from(fallback).unwrap_or(MAX_LONG))).unwrap_or(fallback)
    };
    LogSettings {
        segment_bytes: bytes("segment.bytes", broker.segment_bytes).min(MAX_SEGMENT_BYTES),
        index_interval_bytes: bytes("index.interval.bytes", broker.index_interval_bytes),
        max_message_bytes: bytes("max.message.bytes", broker.max_message_bytes),
        timestamp_type: match configs.get("message.timestamp.type").map(String::as_str) {
            Some("LogAppendTime") => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        },
        timestamp_before_max_ms: number("message.timestamp.before.max.ms", MAX_LONG),
        timestamp_after_max_ms: number("message.timestamp.after.max.ms", 3_600_000),
        min_insync_replicas: i32::try_from(number("min.insync.replicas", 1)).unwrap_or(1),
        producer_expiry_ms: i64::try_from(broker.producer_id_expiry.as_millis())
            .unwrap_or(MAX_LONG),
        durable_before_ack: broker.flush == FlushPolicy::Always,
        cleanup: cleanup_settings(configs),
    }
}

fn cleanup_settings(configs: &TopicConfigs) -> CleanupSettings {
    let text = |name: &'static str| match configs.get(name) {
        Some(value) => value.as_str(),
        None => definition(name).map_or("", |definition| definition.default),
    };
    let number = |name| text(name).trim().parse().unwrap_or(MAX_LONG);
    let policy = text("cleanup.policy");
    let has = |wanted| policy.split(',').any(|policy| policy.trim() == wanted);
    CleanupSettings {
        delete: has("delete"),
        compact: has("compact"),
        retention_ms: number("retention.ms"),
        retention_bytes: number("retention.bytes"),
        segment_ms: number("segment.ms"),
        segment_jitter_ms: number("segment.jitter.ms"),
        delete_retention_ms: number("delete.retention.ms"),
        min_compaction_lag_ms: number("min.compaction.lag.ms"),
        max_compaction_lag_ms: number("max.compaction.lag.ms"),
        min_dirty_ratio: text("min.cleanable.dirty.ratio")
            .trim()
            .parse()
            .unwrap_or(0.5),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn settings_are_checked_by_type_and_range() {
        let check = |name, value, accepted: bool| {
            let outcome = check_all([(name, Some(value))].into_iter());
            assert_eq!(outcome.is_ok(), accepted, "{name}={value}: {outcome:?}");
        };
        check("retention.ms", "-1", true);
        check("retention.ms", "-2", false);
        check("retention.ms", "a week", false);
        check("cleanup.policy", "compact,delete", true);
        check("cleanup.policy", "compact, delete", true);
        check("cleanup.policy", "shred", false);
        check("min.cleanable.dirty.ratio", "0.01", true);
        check("min.cleanable.dirty.ratio", "NaN", false);
        check("segment.bytes", "2147483648", false);
        check("remote.storage.enable", "true", false);
        check("message.timestamp.type", "LogAppendTime", true);
        check("no.such.name", "1", false);
        assert!(check_all([("retention.ms", None)].into_iter()).is_err());
        assert!(check_all([("flush.ms", Some("1")), ("flush.ms", Some("1"))].into_iter()).is_err());
    }

    #[test]
    fn every_default_passes_its_own_check_and_names_are_sorted() {
        for definition in definitions() {
            assert_eq!(
                definition.check(definition.default),
                Ok(()),
                "{}",
                definition.name
            );
        }
        assert!(definitions().is_sorted_by_key(|definition| definition.name));
    }
}
