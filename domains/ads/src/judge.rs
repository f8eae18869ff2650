//! Judging rows of the report: the handler that counts sound rows, repairs what a declared repair
//! fits and sets the rest aside, and the one that tries rows again that were set aside.
//!
//! A row that is not what the form says is set aside as a row of a product, and not by its handler's
//! failing: what the host sets aside is tried several times first, stands in the domain's store alone,
//! and has no way back. Here the causes can be read with SQL, and a repair that is declared later
//! reaches every row that waits for it.

use async_trait::async_trait;
use chrono::TimeDelta;
use mesh_core::{EventId, Result, TimestampMillis};
use mesh_runtime::{Context, Effects, Handler};
use mesh_stream::Received;

use crate::books::{AD, Counts, Fact, Rules, count, figures_of, keep};
use crate::budget::day_start;
use crate::form::{Fault, Reported, read};
use crate::products::{
    Ad, AdSource, Click, ClickSource, Conversion, ConversionKind, ConversionSource, Impression,
    ImpressionSource, Money, ReportRow, SetAsideRow, SetAsideRowStatus as Status,
};
use crate::repair::Repairs;
use crate::report::cells;

/// The documents that hold rows that were set aside, by the row's id.
pub const SET_ASIDE: &str = "set_aside_row";

/// Judges rows of the report: counts what is of the form, repairs what a declared repair fits, and
/// sets the rest aside.
pub struct Judge {
    /// The repairs in force.
    pub repairs: Option<Repairs>,
    /// How days are turned.
    pub rules: Rules,
}

#[async_trait]
impl Handler<ReportRow> for Judge {
    async fn handle(&self, event: &Received<ReportRow>, ctx: &Context) -> Result<Effects> {
        let Some(row) = &event.value else {
            return Ok(Effects::new());
        };
        let cells = cells(row);
        let whole: Vec<Option<&str>> = cells.iter().copied().map(Some).collect();
        let fault = match read(&whole) {
            Err(fault) => fault,
            Ok(reported) => match take(&reported, &self.rules, ctx).await? {
                Ok(effects) => return Ok(effects),
                Err(fault) => fault,
            },
        };
        let key = row.row_id.to_string();
        if ctx
            .get_record::<SetAsideRow>(SET_ASIDE, &key)
            .await?
            .is_some()
        {
            // Read again by a host that has lost its inbox.
            return Ok(Effects::new());
        }
        let now = TimestampMillis::now();
        let aside = SetAsideRow {
            row_id: row.row_id,
            file: row.file.clone(),
            line: row.line,
            field: fault.field.to_owned(),
            cause: fault.to_string(),
            status: Status::SetAside,
            repair: None,
            repair_revision: None,
            repair_cause: None,
            cells: cells.iter().map(|cell| (*cell).to_owned()).collect(),
            set_aside_at: now,
            changed_at: now,
        };
        let tried = match &self.repairs {
            Some(repairs) => mend(&aside, repairs, &self.rules, ctx).await?,
            None => None,
        };
        let (aside, mut effects) = tried.unwrap_or_else(|| (aside, Effects::new()));
        tracing::warn!(
            file = aside.file,
            line = aside.line,
            field = aside.field,
            status = aside.status.as_str(),
            "a row of the report is not what its form says"
        );
        keep(&mut effects, SET_ASIDE, &aside);
        Ok(effects)
    }
}

/// Tries rows again that were set aside before the repairs in force were declared. Each revision of
/// the repairs is a handler of its own, so it begins with the first row that was ever set aside.
pub struct TryAgain {
    /// The repairs in force.
    pub repairs: Repairs,
    /// How days are turned.
    pub rules: Rules,
}

impl TryAgain {
    /// The handler's name.
    pub fn name(&self) -> String {
        format!("repair_{}", self.repairs.revision)
    }
}

#[async_trait]
impl Handler<SetAsideRow> for TryAgain {
    async fn handle(&self, event: &Received<SetAsideRow>, ctx: &Context) -> Result<Effects> {
        // What counts is how the row stands now: the topic may hold what it was before.
        let key = event.key.row_id.to_string();
        let Some(aside) = ctx.get_record::<SetAsideRow>(SET_ASIDE, &key).await? else {
            return Ok(Effects::new());
        };
        let tried = aside.repair_revision == Some(self.repairs.revision);
        if aside.status == Status::Repaired || tried {
            return Ok(Effects::new());
        }
        let Some((aside, mut effects)) = mend(&aside, &self.repairs, &self.rules, ctx).await?
        else {
            return Ok(Effects::new());
        };
        keep(&mut effects, SET_ASIDE, &aside);
        Ok(effects)
    }
}

/// `aside` after an attempt to repair it, and what the repaired row brings; `None` if no repair fits.
async fn mend(
    aside: &SetAsideRow,
    repairs: &Repairs,
    rules: &Rules,
    ctx: &Context,
) -> Result<Option<(SetAsideRow, Effects)>> {
    let cells: Vec<&str> = aside.cells.iter().map(String::as_str).collect();
    let Some((name, repaired)) = repairs.apply(&cells) else {
        return Ok(None);
    };
    let taken = match read(&repaired) {
        Ok(reported) => take(&reported, rules, ctx).await?,
        Err(fault) => Err(fault),
    };
    let mut aside = SetAsideRow {
        repair: Some(name.to_owned()),
        repair_revision: Some(repairs.revision),
        repair_cause: None,
        changed_at: TimestampMillis::now(),
        ..aside.clone()
    };
    Ok(Some(match taken {
        Ok(effects) => {
            aside.status = Status::Repaired;
            (aside, effects)
        }
        Err(fault) => {
            aside.repair_cause = Some(format!("{}: {fault}", fault.field));
            (aside, Effects::new())
        }
    }))
}

/// Registers the ad of a row and counts the row, once; or why the row contradicts what is known.
async fn take(reported: &Reported, rules: &Rules, ctx: &Context) -> Result<Result<Effects, Fault>> {
    let key = reported.ad_id.to_string();
    let known: Option<Ad> = ctx.get_record(AD, &key).await?;
    let new = known.is_none();
    let ad = known.unwrap_or_else(|| Ad {
        ad_id: reported.ad_id,
        campaign_id: reported.campaign_id,
        ad_set: reported.ad_set(),
        fb_campaign_id: reported.fb_campaign_id,
        age_band: Some(reported.age_band.clone()),
        gender: Some(reported.gender),
        interests: reported.interests.to_vec(),
        source: AdSource::Report,
        registered_at: TimestampMillis::now(),
    });
    if ad.campaign_id != reported.campaign_id {
        return Ok(Err(Fault {
            field: "campaign_id",
            expected: "the campaign that the ad is registered with",
        }));
    }
    let figures = reported.figures_id();
    match figures_of(&ad, &reported.age_band, reported.day, ctx).await? {
        None => {}
        Some(counted) if counted == figures => return Ok(Ok(Effects::new())),
        Some(_) => {
            return Ok(Err(Fault {
                field: "reporting_start",
                expected: "a day that no earlier row has told other figures of for the ad",
            }));
        }
    }
    let fact = Fact {
        ad: &ad,
        age_band: &reported.age_band,
        at: last_millisecond(reported),
        counts: Counts {
            shown: reported.shown,
            clicks: reported.clicks,
            enquiries: reported.enquiries,
            approved: reported.approved,
            spend: reported.spend,
        },
        figures: Some(figures),
    };
    let mut effects = count(&fact, rules, ctx).await?;
    if new {
        keep(&mut effects, AD, &ad);
    }
    emit(&fact, reported, &mut effects);
    Ok(Ok(effects))
}

/// The event time of a count over a day is the last instant of its window, as that of a window's
/// result is (Akidau et al. 2015).
fn last_millisecond(reported: &Reported) -> TimestampMillis {
    let day = TimeDelta::days(1).num_milliseconds();
    TimestampMillis(day_start(reported.day).0 + day - 1)
}

/// The events of a row; their ids follow from ad, day and kind.
fn emit(fact: &Fact<'_>, reported: &Reported, effects: &mut Effects) {
    let (ad, counts) = (fact.ad, &fact.counts);
    let (ad_text, day) = (ad.ad_id.to_string(), reported.day.to_string());
    let id = |kind: &str| EventId::derived(&["ads.report", &ad_text, &day, kind]);
    // The report pays by the click; a row that paid without one paid for the showings.
    let by_click = counts.clicks > 0;
    let shown_id = id("impression");
    effects.add_emit_as(
        shown_id,
        &Impression {
            impression_id: shown_id.0,
            ad_id: ad.ad_id,
            campaign_id: ad.campaign_id,
            ad_set: ad.ad_set.clone(),
            age_band: fact.age_band.to_owned(),
            viewer: None,
            shown: counts.shown,
            spend: if by_click { Money::ZERO } else { counts.spend },
            source: ImpressionSource::Report,
            at: fact.at,
        },
    );
    if by_click {
        let click_id = id("click");
        effects.add_emit_as(
            click_id,
            &Click {
                click_id: click_id.0,
                ad_id: ad.ad_id,
                campaign_id: ad.campaign_id,
                ad_set: ad.ad_set.clone(),
                age_band: fact.age_band.to_owned(),
                viewer: None,
                clicks: counts.clicks,
                spend: counts.spend,
                source: ClickSource::Report,
                at: fact.at,
            },
        );
    }
    for (kind, name, conversions) in [
        (ConversionKind::Enquiry, "enquiry", counts.enquiries),
        (ConversionKind::Approved, "approved", counts.approved),
    ] {
        if conversions == 0 {
            continue;
        }
        let conversion_id = id(name);
        effects.add_emit_as(
            conversion_id,
            &Conversion {
                conversion_id: conversion_id.0,
                ad_id: ad.ad_id,
                campaign_id: ad.campaign_id,
                ad_set: ad.ad_set.clone(),
                age_band: fact.age_band.to_owned(),
                viewer: None,
                kind,
                conversions,
                source: ConversionSource::Report,
                at: fact.at,
            },
        );
    }
}
