//! What an operator asks for.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::Admin;
use serde::Deserialize;

use crate::store::ReplayPartition;

/// From where a replay is to begin.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// The first record that is still there.
    Earliest,
    /// The first record of each partition that was published at this time or later.
    Time(DateTime<Utc>),
    /// These offsets, one for each partition.
    Offsets(BTreeMap<i32, i64>),
}

/// `POST …/start`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Start {
    pub(crate) from: Origin,
}

/// `POST …/switch`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Switch {
    /// Switches over a version that is behind or has set events aside.
    pub(crate) force: bool,
    /// How many records the version may be behind; 1,000 by default.
    pub(crate) max_lag: Option<u64>,
    /// Stops feeding the older versions too.
    pub(crate) stop_old: bool,
}

/// `POST …/retire`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Retire {
    /// Stops older versions although they have not handled all that is theirs.
    pub(crate) force: bool,
}

/// `POST …/abandon`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Abandon {
    /// Removes the topics that the version has written.
    pub(crate) delete_topic: bool,
}

impl Origin {
    /// In words, as it is kept and shown.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Earliest => "earliest".to_owned(),
            Self::Time(time) => time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
            Self::Offsets(offsets) => {
                let pairs: Vec<String> = offsets
                    .iter()
                    .map(|(partition, offset)| format!("{partition}={offset}"))
                    .collect();
                pairs.join(",")
            }
        }
    }

    /// Start and present end of each partition of `topic`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with the mend if the topic has nothing to begin at there.
    pub(crate) async fn resolve(
        &self,
        admin: &Admin,
        topic: &str,
    ) -> Result<BTreeMap<i32, ReplayPartition>> {
        let partitions = admin.partitions(topic).await?;
        let refuse = |message: &'static str| Error::invalid(message).with("topic", topic);
        let mut at_time = BTreeMap::new();
        match self {
            Self::Earliest => {}
            Self::Time(time) if *time > Utc::now() => {
                return Err(refuse("the time lies in the future")
                    .with("from", self.words())
                    .mend("give a time that has passed, in UTC like `2024-01-01T00:00:00Z`"));
            }
            Self::Time(time) => {
                at_time = admin
                    .offsets_at(topic, partitions, time.timestamp_millis())
                    .await?;
            }
            Self::Offsets(offsets) => {
                let missing = (0..partitions).find(|partition| !offsets.contains_key(partition));
                let unknown = offsets.keys().find(|is| !(0..partitions).contains(*is));
                if let Some(partition) = missing.as_ref().or(unknown) {
                    return Err(refuse("the offsets do not name each partition once")
                        .with("partition", partition)
                        .with("partitions", partitions)
                        .mend(format!(
                            "give an offset for each of 0 to {}, like `0=15,1=20`",
                            partitions - 1
                        )));
                }
            }
        }
        let mut places = BTreeMap::new();
        for partition in 0..partitions {
            let (low, end) = admin.watermarks(topic, partition).await?;
            let start = match self {
                Self::Earliest => low,
                // Where nothing is that late, all that is still to come is.
                Self::Time(_) => at_time.get(&partition).copied().flatten().unwrap_or(end),
                Self::Offsets(offsets) => offsets.get(&partition).copied().unwrap_or(low),
            };
            if !(low..=end).contains(&start) && matches!(self, Self::Offsets(_)) {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "the offset is not in the partition",
                )
                .with("topic", topic)
                .with("partition", partition)
                .with("offset", start)
                .with("first", low)
                .with("end", end)
                .mend(format!("give an offset from {low} to {end}")));
            }
            let place = ReplayPartition {
                start,
                end: end.max(start),
                boundary: None,
            };
            places.insert(partition, place);
        }
        Ok(places)
    }
}
