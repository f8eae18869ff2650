//! The broker's settings under Kafka's names: those fixed where it is started, and those
//! that can be changed while it runs because topics take them as their defaults.

use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsSynonym,
};
use kafka_protocol::protocol::StrBytes;

use super::text;
use crate::broker_settings::{BrokerSettings, Source, dynamic};
use crate::config::{BrokerConfig, FlushPolicy};
use crate::topic_config::{Kind, TopicConfigs, definitions};

/// Whether a name is one of the settings that cannot be changed while the broker runs.
pub(super) fn is_fixed(config: &BrokerConfig, name: &str) -> bool {
    fixed(config).iter().any(|found| &*found.name == name)
}

/// All settings of this broker, by name.
pub(super) fn of_this_broker(
    config: &BrokerConfig,
    settings: &BrokerSettings,
) -> Vec<DescribeConfigsResourceResult> {
    let mut all = fixed(config);
    for definition in definitions() {
        let Some(name) = definition
            .broker_name
            .filter(|name| dynamic(name).is_some())
        else {
            continue;
        };
        let synonyms = settings
            .values(definition, config)
            .into_iter()
            .map(|(value, source)| synonym(name, value, source))
            .collect();
        let (value, source) = settings.value(definition, config);
        all.push(
            result(name, value, source, definition.kind())
                .with_documentation(Some(StrBytes::from_static_str(definition.documentation)))
                .with_synonyms(synonyms),
        );
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// What was set for all brokers while they ran.
pub(super) fn of_all_brokers(set: &TopicConfigs) -> Vec<DescribeConfigsResourceResult> {
    set.iter()
        .filter_map(|(name, value)| {
            let definition = dynamic(name)?;
            let name = definition.broker_name?;
            let synonyms = vec![synonym(name, value.clone(), Source::Cluster)];
            Some(
                result(name, value.clone(), Source::Cluster, definition.kind())
                    .with_documentation(Some(StrBytes::from_static_str(definition.documentation)))
                    .with_synonyms(synonyms),
            )
        })
        .collect()
}

fn synonym(name: &'static str, value: String, source: Source) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(text(value))
        .with_source(source as i8)
}

fn result(
    name: &'static str,
    value: String,
    source: Source,
    kind: Kind,
) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(text(value))
        .with_config_source(source as i8)
        .with_config_type(kind as i8)
}

fn fixed(config: &BrokerConfig) -> Vec<DescribeConfigsResourceResult> {
    let millis = |duration: std::time::Duration| duration.as_millis().to_string();
    let minutes = |duration: std::time::Duration| (duration.as_secs() / 60).to_string();
    let bytes_per_second = |bytes: u64| match bytes {
        // As Kafka says that there is no bound.
        u64::MAX => "1.7976931348623157E308".to_owned(),
        bytes => format!("{bytes}.0"),
    };
    let flush_ms = match config.flush {
        FlushPolicy::Always => "0".to_owned(),
        FlushPolicy::Interval(interval) => millis(interval),
        FlushPolicy::Os => i64::MAX.to_string(),
    };
    let defaults = BrokerConfig::new(&config.data_dir, config.listen);
    let setting = |name: &'static str, kind: Kind, value: String, default: String| {
        let source = match value == default {
            true => Source::Default,
            false => Source::Static,
        };
        result(name, value.clone(), source, kind)
            .with_read_only(true)
            .with_synonyms(vec![synonym(name, value, source)])
    };
    macro_rules! number {
        ($name:literal, $kind:ident, $field:ident) => {
            setting(
                $name,
                Kind::$kind,
                config.$field.to_string(),
                defaults.$field.to_string(),
            )
        };
        ($name:literal, $kind:ident, $unit:ident, $field:ident) => {
            setting(
                $name,
                Kind::$kind,
                $unit(config.$field),
                $unit(defaults.$field),
            )
        };
    }
    let fixed = |name, kind, value: &str| setting(name, kind, value.to_owned(), value.to_owned());
    vec![
        number!("auto.create.topics.enable", Boolean, auto_create_topics),
        fixed("broker.id", Kind::Int, &config.node_id.to_string()),
        fixed("default.replication.factor", Kind::Int, "1"),
        number!("fetch.max.bytes", Int, max_fetch_bytes),
        number!(
            "group.initial.rebalance.delay.ms",
            Int,
            millis,
            group_initial_rebalance_delay
        ),
        number!(
            "group.max.session.timeout.ms",
            Int,
            millis,
            group_max_session_timeout
        ),
        number!(
            "group.min.session.timeout.ms",
            Int,
            millis,
            group_min_session_timeout
        ),
        setting(
            "log.dirs",
            Kind::String,
            config.data_dir.display().to_string(),
            String::new(),
        ),
        setting(
            "log.flush.interval.ms",
            Kind::Long,
            flush_ms,
            "1000".to_owned(),
        ),
        number!("log.cleaner.backoff.ms", Long, millis, log_cleaner_backoff),
        number!(
            "log.cleaner.dedupe.buffer.size",
            Long,
            log_cleaner_dedupe_buffer_bytes
        ),
        fixed("log.cleaner.enable", Kind::Boolean, "true"),
        fixed("log.cleaner.threads", Kind::Int, "1"),
        setting(
            "log.cleaner.io.max.bytes.per.second",
            Kind::Double,
            bytes_per_second(config.log_cleaner_max_bytes_per_second),
            bytes_per_second(defaults.log_cleaner_max_bytes_per_second),
        ),
        number!(
            "log.retention.check.interval.ms",
            Long,
            millis,
            log_retention_check_interval
        ),
        number!("max.connections", Int, max_connections),
        fixed("node.id", Kind::Int, &config.node_id.to_string()),
        number!("num.partitions", Int, default_partitions),
        number!("offset.metadata.max.bytes", Int, offset_metadata_max_bytes),
        number!(
            "offsets.retention.check.interval.ms",
            Long,
            millis,
            offsets_retention_check_interval
        ),
        number!("offsets.retention.minutes", Int, minutes, offsets_retention),
        fixed("offsets.topic.replication.factor", Kind::Int, "1"),
        number!("producer.id.expiration.ms", Int, millis, producer_id_expiry),
        number!("socket.request.max.bytes", Int, max_request_bytes),
        number!(
            "transaction.abort.timed.out.transaction.cleanup.interval.ms",
            Int,
            millis,
            transaction_check_interval
        ),
        number!(
            "transaction.max.timeout.ms",
            Int,
            millis,
            transaction_max_timeout
        ),
        number!(
            "transactional.id.expiration.ms",
            Int,
            millis,
            transactional_id_expiry
        ),
    ]
}
