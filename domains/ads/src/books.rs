//! Taking facts in: what an event changes of performance, ad sets and campaign days, and the turn of
//! the day that it may bring, in the one commit that takes it in.
//!
//! The event's commit counts it, and not a consumer of the topics, so that a decision lacks nothing
//! that was taken in before it: impressions, clicks and conversions are topics of their own, and
//! nothing orders what a reader sees of one against the others.
//!
//! The watermark is the latest event time seen less the allowed lateness (Akidau et al. 2015, *The
//! Dataflow Model*). When it enters a day, each campaign that runs has its budget decided, before the
//! event that brought it there is counted. A later event of an earlier day is counted in its own day
//! and decides nothing again.

use chrono::{NaiveDate, TimeDelta};
use mesh_core::{Error, Record, RecordKey, Result, TimestampMillis};
use mesh_runtime::{Context, Effects};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::budget::{self, day_start};
use crate::products::{Ad, AdSet, BudgetDecision, Campaign, CampaignDay, Money, Performance};

/// The documents that hold campaigns, by number.
pub const CAMPAIGN: &str = "campaign";
/// The documents that hold ads, by number.
pub const AD: &str = "ad";
/// The documents that hold performance, by ad, age band and day.
pub const PERFORMANCE: &str = "performance";
/// The documents that hold totals of ad sets, by campaign and ad set.
pub const AD_SET: &str = "ad_set";
/// The documents that hold days of campaigns, by campaign and day.
pub const CAMPAIGN_DAY: &str = "campaign_day";
/// The documents that hold decisions, by campaign and day.
pub const DECISION: &str = "decision";
/// The document that says which day the watermark has entered.
const TURN: (&str, &str) = ("turn", "turn");

/// The age band of those whose ages nobody knows.
pub const UNKNOWN_AGES: &str = "UNKNOWN";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    day: NaiveDate,
}

/// What an event adds to its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Times shown.
    pub shown: i64,
    /// Clicks.
    pub clicks: i64,
    /// Enquiries.
    pub enquiries: i64,
    /// Purchases.
    pub approved: i64,
    /// Money paid.
    pub spend: Money,
}

/// An event as far as it is counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact<'a> {
    /// The ad.
    pub ad: &'a Ad,
    /// The ages of those that it is about.
    pub age_band: &'a str,
    /// When it happened.
    pub at: TimestampMillis,
    /// What it adds.
    pub counts: Counts,
    /// The figures of the report that it is, by [`Reported::figures_id`](crate::form::Reported::figures_id).
    pub figures: Option<Uuid>,
}

/// How days are turned.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Campaigns that exist from the first event on.
    pub campaigns: Vec<Campaign>,
    /// How far the watermark is behind the latest event, in minutes.
    pub lateness_minutes: u32,
}

/// The day (UTC) of an event time.
///
/// # Errors
/// If it is outside of the calendar.
pub fn day_of(at: TimestampMillis) -> Result<NaiveDate> {
    at.to_datetime()
        .map(|at| at.date_naive())
        .ok_or_else(|| Error::invalid("a time is outside of the calendar").with("field", "at"))
}

/// Counts `fact`, after whatever turn of the day it brings.
///
/// # Errors
/// If the store cannot be read, or a sum does not fit.
pub async fn count(fact: &Fact<'_>, rules: &Rules, ctx: &Context) -> Result<Effects> {
    let mut effects = Effects::new();
    let turned = turn(fact.at, rules, ctx, &mut effects).await?;
    let (ad, counts, day) = (fact.ad, &fact.counts, day_of(fact.at)?);

    let fresh = window(fact, day);
    let known: Option<Performance> = ctx.get_record(PERFORMANCE, &text(&fresh)).await?;
    let mut row = known.unwrap_or(fresh);
    add(&mut row.shown, counts.shown)?;
    add(&mut row.clicks, counts.clicks)?;
    add(&mut row.enquiries, counts.enquiries)?;
    add(&mut row.approved, counts.approved)?;
    row.spend = row.spend.checked_add(counts.spend)?;
    row.latest_at = row.latest_at.max(fact.at);
    row.reported_row = fact.figures.or(row.reported_row);
    row.ctr = (row.shown > 0).then(|| row.clicks as f64 / row.shown as f64);
    row.cost_per_approved = cost_per(row.spend, row.approved)?;
    keep(&mut effects, PERFORMANCE, &row);

    let fresh = AdSet {
        campaign_id: ad.campaign_id,
        ad_set: ad.ad_set.clone(),
        shown: 0,
        clicks: 0,
        enquiries: 0,
        approved: 0,
        spend: Money::ZERO,
        latest_at: fact.at,
    };
    let known: Option<AdSet> = ctx.get_record(AD_SET, &text(&fresh)).await?;
    let mut set = known.unwrap_or(fresh);
    add(&mut set.shown, counts.shown)?;
    add(&mut set.clicks, counts.clicks)?;
    add(&mut set.enquiries, counts.enquiries)?;
    add(&mut set.approved, counts.approved)?;
    set.spend = set.spend.checked_add(counts.spend)?;
    set.latest_at = set.latest_at.max(fact.at);
    keep(&mut effects, AD_SET, &set);

    let fresh = unspent(ad.campaign_id, day);
    let decided = turned
        .into_iter()
        .find(|one| one.campaign_id == fresh.campaign_id && one.day == day);
    let known = match decided {
        Some(decided) => Some(decided),
        None => ctx.get_record(CAMPAIGN_DAY, &text(&fresh)).await?,
    };
    if known.is_none() || counts.spend != Money::ZERO {
        let mut one = known.unwrap_or(fresh);
        one.spent = one.spent.checked_add(counts.spend)?;
        one.latest_at = one.latest_at.max(fact.at);
        keep(&mut effects, CAMPAIGN_DAY, &one);
    }
    Ok(effects)
}

/// The figures of the report that are counted for an ad, an age band and a day, if any are.
///
/// # Errors
/// If the store cannot be read.
pub async fn figures_of(
    ad: &Ad,
    age_band: &str,
    day: NaiveDate,
    ctx: &Context,
) -> Result<Option<Uuid>> {
    let fact = Fact {
        ad,
        age_band,
        at: day_start(day),
        counts: Counts::default(),
        figures: None,
    };
    let known: Option<Performance> = ctx
        .get_record(PERFORMANCE, &text(&window(&fact, day)))
        .await?;
    Ok(known.and_then(|row| row.reported_row))
}

/// Decides what the day brings that the watermark enters with an event at `at`; the days of campaigns
/// as the decisions leave them.
async fn turn(
    at: TimestampMillis,
    rules: &Rules,
    ctx: &Context,
    effects: &mut Effects,
) -> Result<Vec<CampaignDay>> {
    let late = TimeDelta::minutes(i64::from(rules.lateness_minutes)).num_milliseconds();
    let entered = day_of(TimestampMillis(at.0.saturating_sub(late)))?;
    let known: Option<Turn> = ctx.get(TURN.0, TURN.1).await?;
    if known.is_some_and(|turn| turn.day >= entered) {
        return Ok(Vec::new());
    }
    effects.add_put(TURN.0, TURN.1, &Turn { day: entered });
    let mut campaigns: Vec<(String, Campaign)> = ctx.scan_records(CAMPAIGN, "").await?;
    for planned in &rules.campaigns {
        let key = text(planned);
        if !campaigns.iter().any(|(known, _)| *known == key) {
            keep(effects, CAMPAIGN, planned);
            campaigns.push((key, planned.clone()));
        }
    }
    let mut days = Vec::new();
    for (_, campaign) in &campaigns {
        days.extend(allot(campaign, entered, ctx, effects).await?);
    }
    Ok(days)
}

/// Decides on a campaign that begins to exist on a day whose turn has come already.
///
/// # Errors
/// If the store cannot be read, or a sum does not fit.
pub async fn begin(campaign: &Campaign, ctx: &Context, effects: &mut Effects) -> Result<()> {
    let turn: Option<Turn> = ctx.get(TURN.0, TURN.1).await?;
    if let Some(Turn { day }) = turn {
        allot(campaign, day, ctx, effects).await?;
    }
    Ok(())
}

/// Decides on `campaign` for `day`, once, if it runs.
async fn allot(
    campaign: &Campaign,
    day: NaiveDate,
    ctx: &Context,
    effects: &mut Effects,
) -> Result<Option<CampaignDay>> {
    if day < campaign.starts_on || campaign.ends_on < day {
        return Ok(None);
    }
    let of_campaign = format!("{}/", campaign.campaign_id);
    let days: Vec<(String, CampaignDay)> = ctx.scan_records(CAMPAIGN_DAY, &of_campaign).await?;
    let sets: Vec<(String, AdSet)> = ctx.scan_records(AD_SET, &of_campaign).await?;
    let days: Vec<CampaignDay> = days.into_iter().map(|(_, day)| day).collect();
    let sets: Vec<AdSet> = sets.into_iter().map(|(_, set)| set).collect();
    let known = days.iter().find(|known| known.day == day);
    if known.is_some_and(|known| known.allotted.is_some()) {
        return Ok(None);
    }
    let mut one = known
        .cloned()
        .unwrap_or_else(|| unspent(campaign.campaign_id, day));
    let charged = budget::charged(&days, day)?;
    let decision = budget::decide(campaign, day, &sets, charged, TimestampMillis::now())?;
    one.allotted = Some(decision.amount);
    keep(effects, CAMPAIGN_DAY, &one);
    effects.add_put_record(DECISION, decision_key(&decision), &decision);
    effects.add_emit(&decision);
    tracing::info!(
        campaign_id = campaign.campaign_id,
        %day,
        ad_sets = decision.allotments.len(),
        "a budget is decided"
    );
    Ok(Some(one))
}

/// The key of the document of a decision.
fn decision_key(decision: &BudgetDecision) -> String {
    format!("{}/{}", decision.campaign_id, decision.day)
}

fn unspent(campaign_id: i64, day: NaiveDate) -> CampaignDay {
    CampaignDay {
        campaign_id,
        day,
        allotted: None,
        spent: Money::ZERO,
        latest_at: day_start(day),
    }
}

fn window(fact: &Fact<'_>, day: NaiveDate) -> Performance {
    Performance {
        ad_id: fact.ad.ad_id,
        age_band: fact.age_band.to_owned(),
        day,
        campaign_id: fact.ad.campaign_id,
        ad_set: fact.ad.ad_set.clone(),
        shown: 0,
        clicks: 0,
        enquiries: 0,
        approved: 0,
        spend: Money::ZERO,
        ctr: None,
        cost_per_approved: None,
        reported_row: None,
        latest_at: fact.at,
    }
}

/// Keeps a row of a state product as a document and publishes it.
pub fn keep<R: Record>(effects: &mut Effects, kind: &str, row: &R) {
    effects.add_put_record(kind, text(row), row);
    effects.add_emit(row);
}

/// The key of a row, as the keys of documents have it.
fn text<R: Record>(row: &R) -> String {
    row.key().to_text()
}

fn add(sum: &mut i64, more: i64) -> Result<()> {
    *sum = sum
        .checked_add(more)
        .ok_or_else(|| Error::invalid("a count does not fit 64 bits"))?;
    Ok(())
}

/// `spend` for each of `approved`, rounded half up to cents; `None` for none.
///
/// # Errors
/// None in practice: a part is no larger than the whole.
pub fn cost_per(spend: Money, approved: i64) -> Result<Option<Money>> {
    if approved <= 0 {
        return Ok(None);
    }
    let approved = i128::from(approved);
    Money::from_unscaled((2 * spend.unscaled() + approved).div_euclid(2 * approved)).map(Some)
}
