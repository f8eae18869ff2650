//! The counters behind `/metrics`.

use std::time::Duration;

use mesh_core::{Error, Result};
use prometheus::{
    Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

/// Counters of one process, in a registry of their own so that several hosts can live in
/// one test process.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) handled: IntCounterVec,
    pub(crate) duplicates: IntCounterVec,
    pub(crate) retried: IntCounterVec,
    pub(crate) failed: IntCounterVec,
    pub(crate) set_aside: IntCounterVec,
    pub(crate) lag: IntGaugeVec,
    pub(crate) source_position: IntGaugeVec,
    pub(crate) replay_percent: GaugeVec,
    pub(crate) replay_remaining: GaugeVec,
    pub(crate) replay_rate: GaugeVec,
    pub(crate) replay_position: GaugeVec,
    pub(crate) replay_end: GaugeVec,
    pub(crate) commits: IntCounter,
    pub(crate) conflicts: IntCounter,
    pub(crate) relayed: IntCounterVec,
    pub(crate) relay_failures: IntCounter,
    pub(crate) outbox_pending: IntGauge,
    pub(crate) ready: IntGauge,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
}

fn wrong(error: prometheus::Error) -> Error {
    Error::internal("a metric cannot be made").because(error)
}

impl Metrics {
    pub(crate) fn new(domain: &str) -> Result<Self> {
        let labels = [("domain".to_owned(), domain.to_owned())].into();
        let registry =
            Registry::new_custom(Some("mesh".to_owned()), Some(labels)).map_err(wrong)?;
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let made = IntCounterVec::new(Opts::new(name, help), labels).map_err(wrong)?;
            registry.register(Box::new(made.clone())).map_err(wrong)?;
            Ok::<_, Error>(made)
        };
        let counter = |name: &str, help: &str| {
            let made = IntCounter::new(name, help).map_err(wrong)?;
            registry.register(Box::new(made.clone())).map_err(wrong)?;
            Ok::<_, Error>(made)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let made = IntGaugeVec::new(Opts::new(name, help), labels).map_err(wrong)?;
            registry.register(Box::new(made.clone())).map_err(wrong)?;
            Ok::<_, Error>(made)
        };
        let replay = |name: &str, help: &str, labels: &[&str]| {
            let made = GaugeVec::new(Opts::new(name, help), labels).map_err(wrong)?;
            registry.register(Box::new(made.clone())).map_err(wrong)?;
            Ok::<_, Error>(made)
        };
        let gauge = |name: &str, help: &str| {
            let made = IntGauge::new(name, help).map_err(wrong)?;
            registry.register(Box::new(made.clone())).map_err(wrong)?;
            Ok::<_, Error>(made)
        };
        let request_seconds = HistogramVec::new(
            HistogramOpts::new("request_seconds", "Time to answer a request of the API.").buckets(
                vec![0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0],
            ),
            &["method", "route"],
        )
        .map_err(wrong)?;
        registry
            .register(Box::new(request_seconds.clone()))
            .map_err(wrong)?;
        Ok(Self {
            handled: counters(
                "events_handled_total",
                "Events handled and committed.",
                &["handler"],
            )?,
            duplicates: counters(
                "events_duplicate_total",
                "Events passed over because they were handled before.",
                &["handler"],
            )?,
            retried: counters(
                "events_retried_total",
                "Attempts at an event that were repeated.",
                &["handler"],
            )?,
            failed: counters(
                "events_failed_total",
                "Attempts at an event that failed.",
                &["handler"],
            )?,
            set_aside: counters(
                "events_set_aside_total",
                "Events set aside with their cause.",
                &["handler"],
            )?,
            lag: gauges(
                "handler_lag",
                "Records of its topic that a handler has not seen.",
                &["handler"],
            )?,
            source_position: gauges("source_position", "How far a source was read.", &["source"])?,
            replay_percent: replay(
                "replay_percent",
                "Of the records that were there when a replay was started, those it has passed.",
                &["replay"],
            )?,
            replay_remaining: replay(
                "replay_remaining",
                "Records up to the end as it is now that a replay has not passed.",
                &["replay"],
            )?,
            replay_rate: replay(
                "replay_records_per_second",
                "Records that a replay passes in a second.",
                &["replay"],
            )?,
            replay_position: replay(
                "replay_position",
                "The next offset of a replay.",
                &["replay", "partition"],
            )?,
            replay_end: replay(
                "replay_end",
                "The end of a partition that a replay reads.",
                &["replay", "partition"],
            )?,
            commits: counter("commits_total", "Local transactions committed.")?,
            conflicts: counter(
                "commit_conflicts_total",
                "Local transactions repeated because what they had read was changed.",
            )?,
            relayed: counters(
                "relayed_total",
                "Records of the outbox known to stand in Kafka.",
                &["topic"],
            )?,
            relay_failures: counter("relay_failures_total", "Times the relay had to begin anew.")?,
            outbox_pending: gauge(
                "outbox_pending",
                "Records of the outbox not known to stand in Kafka.",
            )?,
            ready: gauge("ready", "Whether the domain is ready, 1 or 0.")?,
            requests: counters(
                "requests_total",
                "Requests of the API.",
                &["method", "route", "status"],
            )?,
            request_seconds,
            registry,
        })
    }

    pub(crate) fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        self.requests
            .with_label_values(&[method, route, &status.to_string()])
            .inc();
        self.request_seconds
            .with_label_values(&[method, route])
            .observe(took.as_secs_f64());
    }

    /// All of them in Prometheus' text format, version 0.0.4.
    pub(crate) fn text(&self) -> Result<String> {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .map_err(wrong)?;
        String::from_utf8(text)
            .map_err(|error| Error::internal("a metric is not text").because(error))
    }
}
