//! Whether those who are scored still are of the kind that they were: the population stability
//! index of the bands, month by month, against a reference period.
//!
//! A handler counts the scores of each month, and a source tells a month's index when the month is
//! over and no score of it has come for a while; scores that come later make a new revision.
//! Counts are all that is kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{Datelike, Months, NaiveDate, Utc};
use mesh_core::{Error, EventId, Record, Result, TimestampMillis};
use mesh_runtime::{Context, Effects, Handler, Source, SourceBatch};
use mesh_stream::Received;
use serde::{Deserialize, Serialize};

use crate::measures::{divergence, expected_psi};
use crate::products::{
    CreditScore, CreditScoreBand as Band, Drift, DriftBands, DriftVerdict as Verdict,
};
use crate::scorecard;

/// The name of the source.
pub const SOURCE: &str = "drift";
/// How long no score of a month must have come before the month is told.
pub const QUIET: Duration = Duration::from_secs(5);

/// The reference period is the first months that have so many scores together.
pub const REFERENCE_SCORES: u64 = 200;
/// From here on the index says that something is shifting (Siddiqi, 2006).
pub const SHIFTING: f64 = 0.1;
/// From here on it says that something has shifted (Siddiqi, 2006).
pub const SHIFTED: f64 = 0.25;

/// The documents that count scores, by month and partition, so that the workers of two
/// partitions never wait for each other.
const COUNTED: &str = "drift_counted";
/// The documents that say what was told of a month, by month.
const TOLD: &str = "drift_told";
/// The document that holds the reference period.
const REFERENCE: (&str, &str) = ("drift_reference", "reference");

/// Scores of a month by band, in the order of [`Band::ALL`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Scores in each band.
    pub bands: Vec<u64>,
    /// When the last one was counted, in milliseconds since 1970.
    pub changed_at: i64,
}

impl Counts {
    /// Adds one score.
    pub fn add(&mut self, band: Band) {
        self.bands.resize(Band::ALL.len(), 0);
        let at = Band::ALL.iter().position(|one| *one == band);
        if let Some(count) = at.and_then(|at| self.bands.get_mut(at)) {
            *count += 1;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.bands.resize(Band::ALL.len(), 0);
        for (mine, more) in self.bands.iter_mut().zip(&other.bands) {
            *mine += more;
        }
        self.changed_at = self.changed_at.max(other.changed_at);
    }

    /// All scores together.
    pub fn total(&self) -> u64 {
        self.bands.iter().sum()
    }
}

/// The reference period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Its first month, by the first day.
    pub from: NaiveDate,
    /// Its last month, by the first day.
    pub to: NaiveDate,
    /// Its scores.
    pub counts: Counts,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Told {
    revision: i32,
    scores: u64,
}

/// Counts scores.
pub struct Count;

#[async_trait]
impl Handler<CreditScore> for Count {
    async fn handle(&self, event: &Received<CreditScore>, ctx: &Context) -> Result<Effects> {
        let Some(score) = &event.value else {
            return Ok(Effects::new());
        };
        let key = format!("{}/{}", month_of(score.as_of)?, event.partition);
        let mut counts: Counts = ctx.get(COUNTED, &key).await?.unwrap_or_default();
        counts.add(score.band);
        counts.changed_at = TimestampMillis::now().0;
        Ok(Effects::new().put(COUNTED, key, &counts))
    }
}

/// The first day of the month of `day`.
fn month_of(day: NaiveDate) -> Result<NaiveDate> {
    day.with_day(1)
        .ok_or_else(|| Error::internal("a month has no first day"))
}

/// Tells months; its position counts the rows that it has told.
pub struct Watch {
    /// How long no score of a month must have come.
    pub quiet: Duration,
}

#[async_trait]
impl Source for Watch {
    fn reads_directory(&self) -> bool {
        false
    }

    async fn next(&self, _: &Path, position: u64, ctx: &Context) -> Result<SourceBatch> {
        let mut months: BTreeMap<NaiveDate, Counts> = BTreeMap::new();
        for (key, counts) in ctx.scan::<Counts>(COUNTED, "").await? {
            let month = key.split('/').next().and_then(|text| text.parse().ok());
            let month: NaiveDate =
                month.ok_or_else(|| Error::internal("a count stands under no month"))?;
            months.entry(month).or_default().merge(&counts);
        }
        let quiet_since = TimestampMillis::now().0
            - i64::try_from(self.quiet.as_millis()).unwrap_or(i64::MAX / 2);
        let today = Utc::now().date_naive();
        let kept: Option<Reference> = ctx.get(REFERENCE.0, REFERENCE.1).await?;
        let mut effects = Effects::new();
        let reference = match kept {
            Some(reference) => reference,
            None => match reference(&months, quiet_since, today) {
                Some(reference) => {
                    effects.add_put(REFERENCE.0, REFERENCE.1, &reference);
                    // What follows is told from the next step on.
                    return Ok(SourceBatch::more(effects, position + 1));
                }
                None => return Ok(SourceBatch::wait(position)),
            },
        };
        let told: BTreeMap<String, Told> = ctx.scan(TOLD, "").await?.into_iter().collect();
        for (month, counts) in months.iter().filter(|(month, _)| **month > reference.to) {
            let key = month.to_string();
            let before = told.get(&key);
            let new = before.is_none_or(|before| before.scores != counts.total());
            if !new || counts.changed_at > quiet_since || !is_over(*month, today) {
                continue;
            }
            let revision = before.map_or(0, |before| before.revision.saturating_add(1));
            let row = drift(*month, revision, counts, &reference)?;
            let topic = Drift::descriptor().topic.as_str();
            let number = revision.to_string();
            effects.add_emit_as(EventId::derived(&[topic, &key, &number]), &row);
            let scores = counts.total();
            effects.add_put(TOLD, key, &Told { revision, scores });
            return Ok(SourceBatch::more(effects, position + 1));
        }
        Ok(SourceBatch::wait(position))
    }
}

/// Whether `month` is over by the calendar. Past years may be scored at any time: then it is the
/// quiet that tells, and a revision that mends.
fn is_over(month: NaiveDate, today: NaiveDate) -> bool {
    let next = month.checked_add_months(Months::new(1));
    next.is_some_and(|next| next <= today)
}

/// The first months that have [`REFERENCE_SCORES`] together, once they are over and quiet.
pub fn reference(
    months: &BTreeMap<NaiveDate, Counts>,
    quiet_since: i64,
    today: NaiveDate,
) -> Option<Reference> {
    let from = *months.keys().next()?;
    let mut counts = Counts::default();
    for (month, of_month) in months {
        counts.merge(of_month);
        if counts.total() >= REFERENCE_SCORES {
            let done = counts.changed_at <= quiet_since && is_over(*month, today);
            return done.then_some(Reference {
                from,
                to: *month,
                counts,
            });
        }
    }
    None
}

/// The row of a month.
///
/// # Errors
/// If there are more scores than the contract can count.
pub fn drift(
    month: NaiveDate,
    revision: i32,
    counts: &Counts,
    reference: &Reference,
) -> Result<Drift> {
    let count = |number: u64| {
        i32::try_from(number).map_err(|_| Error::invalid("a month has too many scores to count"))
    };
    let psi = divergence(&counts.bands, &reference.counts.bands);
    let (scores, of_reference) = (counts.total(), reference.counts.total());
    let by_chance = expected_psi(Band::ALL.len(), scores, of_reference);
    let pairs = counts.bands.iter().zip(&reference.counts.bands);
    let bands = Band::ALL
        .iter()
        .zip(pairs)
        .map(|(band, (scores, of_reference))| {
            Ok(DriftBands {
                band: band.as_str().to_owned(),
                scores: count(*scores)?,
                reference_scores: count(*of_reference)?,
            })
        })
        .collect::<Result<_>>()?;
    Ok(Drift {
        month,
        revision,
        scores: count(scores)?,
        reference_from: reference.from,
        reference_to: reference.to,
        reference_scores: count(of_reference)?,
        psi,
        expected_psi: by_chance,
        verdict: verdict(psi, by_chance),
        bands,
        scorecard_version: scorecard::VERSION.to_owned(),
        computed_at: TimestampMillis::now(),
    })
}

/// What an index says, given what it is on average by chance.
pub fn verdict(psi: f64, by_chance: f64) -> Verdict {
    if by_chance > SHIFTING {
        Verdict::TooFew
    } else if psi >= SHIFTED {
        Verdict::Shifted
    } else if psi >= SHIFTING {
        Verdict::Shifting
    } else {
        Verdict::Stable
    }
}
