//! The live part of the API: one impression, click or conversion of one viewer, who is known by a
//! pseudonym and an age band and by nothing else; ads and plans of campaigns.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use mesh_core::{Error, ErrorKind, EventId, Record, RecordKey, Result, TimestampMillis};
use mesh_runtime::{Context, Effects, Reply, Request};
use serde::Deserialize;
use uuid::Uuid;

use crate::audience::ages_of;
use crate::books::{AD, CAMPAIGN, Counts, Fact, Rules, UNKNOWN_AGES, begin, count, keep};
use crate::form::age_band;
use crate::plan;
use crate::products::{
    Ad, AdGender, AdSource, Campaign, Click, ClickSource, Conversion, ConversionKind,
    ConversionSource, Impression, ImpressionSource, Money,
};

/// How far a live event may be ahead of this machine's clock, in minutes: one from far in the future
/// would turn days that have not begun.
const AHEAD_MINUTES: i64 = 5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    impression_id: Uuid,
    ad_id: i64,
    viewer: String,
    age_band: Option<String>,
    spend: Option<String>,
    at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clicked {
    click_id: Uuid,
    ad_id: i64,
    viewer: String,
    age_band: Option<String>,
    spend: Option<String>,
    at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Converted {
    conversion_id: Uuid,
    ad_id: i64,
    viewer: String,
    age_band: Option<String>,
    kind: String,
    at: Option<DateTime<Utc>>,
}

/// What all live events say, checked.
struct Event {
    ad: Ad,
    viewer: String,
    age_band: String,
    at: TimestampMillis,
}

/// `POST /v1/impressions`: an ad was shown to a viewer.
///
/// # Errors
/// What is wrong with the body, by field; not found for an ad that is not registered.
pub async fn impression(request: Request, ctx: Context, rules: Rules) -> Result<Reply<Impression>> {
    let body: Seen = request.json()?;
    let event = event(body.ad_id, body.viewer, body.age_band, body.at, &ctx).await?;
    let spend = money(body.spend.as_deref(), "spend")?;
    let record = Impression {
        impression_id: body.impression_id,
        ad_id: event.ad.ad_id,
        campaign_id: event.ad.campaign_id,
        ad_set: event.ad.ad_set.clone(),
        age_band: event.age_band.clone(),
        viewer: Some(event.viewer.clone()),
        shown: 1,
        spend,
        source: ImpressionSource::Live,
        at: event.at,
    };
    let counts = Counts {
        shown: 1,
        spend,
        ..Counts::default()
    };
    commit(
        &request,
        body.impression_id,
        record,
        &event,
        counts,
        &rules,
        &ctx,
    )
    .await
}

/// `POST /v1/clicks`: a viewer clicked an ad.
///
/// # Errors
/// As [`impression`].
pub async fn click(request: Request, ctx: Context, rules: Rules) -> Result<Reply<Click>> {
    let body: Clicked = request.json()?;
    let event = event(body.ad_id, body.viewer, body.age_band, body.at, &ctx).await?;
    let spend = money(body.spend.as_deref(), "spend")?;
    let record = Click {
        click_id: body.click_id,
        ad_id: event.ad.ad_id,
        campaign_id: event.ad.campaign_id,
        ad_set: event.ad.ad_set.clone(),
        age_band: event.age_band.clone(),
        viewer: Some(event.viewer.clone()),
        clicks: 1,
        spend,
        source: ClickSource::Live,
        at: event.at,
    };
    let counts = Counts {
        clicks: 1,
        spend,
        ..Counts::default()
    };
    commit(
        &request,
        body.click_id,
        record,
        &event,
        counts,
        &rules,
        &ctx,
    )
    .await
}

/// `POST /v1/conversions`: a viewer enquired, or bought.
///
/// # Errors
/// As [`impression`].
pub async fn conversion(request: Request, ctx: Context, rules: Rules) -> Result<Reply<Conversion>> {
    let body: Converted = request.json()?;
    let event = event(body.ad_id, body.viewer, body.age_band, body.at, &ctx).await?;
    let mut counts = Counts::default();
    let kind =
        ConversionKind::from_str(&body.kind).map_err(|_| wrong("kind", "ENQUIRY or APPROVED"))?;
    match kind {
        ConversionKind::Enquiry => counts.enquiries = 1,
        ConversionKind::Approved => counts.approved = 1,
    }
    let record = Conversion {
        conversion_id: body.conversion_id,
        ad_id: event.ad.ad_id,
        campaign_id: event.ad.campaign_id,
        ad_set: event.ad.ad_set.clone(),
        age_band: event.age_band.clone(),
        viewer: Some(event.viewer.clone()),
        kind,
        conversions: 1,
        source: ConversionSource::Live,
        at: event.at,
    };
    commit(
        &request,
        body.conversion_id,
        record,
        &event,
        counts,
        &rules,
        &ctx,
    )
    .await
}

async fn commit<R: Record>(
    request: &Request,
    id: Uuid,
    record: R,
    event: &Event,
    counts: Counts,
    rules: &Rules,
    ctx: &Context,
) -> Result<Reply<R>> {
    let fact = Fact {
        ad: &event.ad,
        age_band: &event.age_band,
        at: event.at,
        counts,
        figures: None,
    };
    let effects = count(&fact, rules, ctx)
        .await?
        .emit_as(EventId(id), &record);
    // The id is the caller's, so a request that is sent again counts once.
    Reply::commit(request, id.to_string(), record, effects)
}

async fn event(
    ad_id: i64,
    viewer: String,
    given: Option<String>,
    at: Option<DateTime<Utc>>,
    ctx: &Context,
) -> Result<Event> {
    check_pseudonym(&viewer)?;
    if given.as_deref().is_some_and(|given| !age_band(given)) {
        return Err(wrong("age_band", "a range of ages such as 30-34 or 65+"));
    }
    let now = Utc::now();
    let at = at.unwrap_or(now);
    if at > now + TimeDelta::minutes(AHEAD_MINUTES) {
        return Err(wrong("at", "a time that has come"));
    }
    let ad: Ad = ctx
        .get_record(AD, &ad_id.to_string())
        .await?
        .ok_or_else(|| {
            Error::not_found("no such ad")
                .with("field", "ad_id")
                .mend("register it with `POST /v1/ads` first")
        })?;
    let known = ages_of(&viewer, ctx).await?;
    Ok(Event {
        ad,
        age_band: known.or(given).unwrap_or_else(|| UNKNOWN_AGES.to_owned()),
        viewer,
        at: at.into(),
    })
}

/// A pseudonym is a keyed hash of whoever knows the person, and looks it: a number, a name or a mail
/// address is refused, so that none is kept here by mistake.
///
/// # Errors
/// If the text is not 64 hexadecimal digits, as `user_behavior.audiences` has them.
pub fn check_pseudonym(text: &str) -> Result<()> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    match text.len() == 64 && text.bytes().all(hex) {
        true => Ok(()),
        false => Err(wrong(
            "viewer",
            "a pseudonym of user_behavior.audiences: 64 hexadecimal digits in lower case",
        )),
    }
}

fn wrong(field: &'static str, expected: &'static str) -> Error {
    Error::invalid(format!("a field is not {expected}"))
        .with("field", field)
        .mend(format!("send {expected}"))
}

fn money(text: Option<&str>, field: &'static str) -> Result<Money> {
    const EXPECTED: &str = "an amount of money as text, such as \"0.35\", from 0 on";
    match text {
        None => Ok(Money::ZERO),
        Some(text) => Money::from_str(text)
            .ok()
            .filter(|money| *money >= Money::ZERO)
            .ok_or_else(|| wrong(field, EXPECTED)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAd {
    ad_id: i64,
    campaign_id: i64,
    ad_set: String,
    fb_campaign_id: Option<i64>,
    age_band: Option<String>,
    gender: Option<String>,
    #[serde(default)]
    interests: Vec<i32>,
}

/// `POST /v1/ads`: registers an ad. Sent again it is answered with the ad as registered first.
///
/// # Errors
/// What is wrong with the body, by field; a conflict if the ad is registered otherwise.
pub async fn ad(request: Request, ctx: Context) -> Result<Reply<Ad>> {
    let body: NewAd = request.json()?;
    for (field, number) in [("ad_id", body.ad_id), ("campaign_id", body.campaign_id)] {
        if number < 1 {
            return Err(wrong(field, "a whole number from 1 on"));
        }
    }
    if !(1..=60).contains(&body.ad_set.chars().count()) || body.ad_set.contains('/') {
        return Err(wrong("ad_set", "a name of 1 to 60 characters without `/`"));
    }
    if body.age_band.as_deref().is_some_and(|band| !age_band(band)) {
        return Err(wrong("age_band", "a range of ages such as 30-34 or 65+"));
    }
    let gender = body.gender.as_deref().map(AdGender::from_str);
    let gender = gender.transpose().map_err(|_| wrong("gender", "F or M"))?;
    let ad = Ad {
        ad_id: body.ad_id,
        campaign_id: body.campaign_id,
        ad_set: body.ad_set,
        fb_campaign_id: body.fb_campaign_id,
        age_band: body.age_band,
        gender,
        interests: body.interests,
        source: AdSource::Api,
        registered_at: TimestampMillis::now(),
    };
    let key = ad.ad_id.to_string();
    if let Some(known) = ctx.get_record::<Ad>(AD, &key).await? {
        let same = Ad {
            source: known.source,
            registered_at: known.registered_at,
            ..ad
        } == known;
        return match same {
            true => Reply::one(&request, known),
            false => Err(conflict("the ad is registered otherwise", "ad_id")
                .mend("give the ad a number of its own")),
        };
    }
    let mut effects = Effects::new();
    keep(&mut effects, AD, &ad);
    Reply::commit(&request, key, ad, effects)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPlan {
    campaign_id: i64,
    name: String,
    revision: i32,
    budget: String,
    day_budget: String,
    starts_on: chrono::NaiveDate,
    ends_on: chrono::NaiveDate,
    ad_sets: Vec<String>,
}

/// `POST /v1/campaigns`: plans a campaign (revision 1), or changes its plan (the next revision).
///
/// # Errors
/// What is wrong with the body, by field; a conflict if the revision is not the next.
pub async fn campaign(request: Request, ctx: Context) -> Result<Reply<Campaign>> {
    let body: NewPlan = request.json()?;
    let campaign = Campaign {
        campaign_id: body.campaign_id,
        name: body.name,
        revision: body.revision,
        budget: money(Some(&body.budget), "budget")?,
        day_budget: money(Some(&body.day_budget), "day_budget")?,
        starts_on: body.starts_on,
        ends_on: body.ends_on,
        ad_sets: body.ad_sets,
        changed_at: TimestampMillis::now(),
    };
    plan::check(&campaign)?;
    let key = campaign.key().to_text();
    let known: Option<Campaign> = ctx.get_record(CAMPAIGN, &key).await?;
    if let Some(known) = &known
        && known.revision == campaign.revision
    {
        let same = Campaign {
            changed_at: known.changed_at,
            ..campaign
        } == *known;
        return match same {
            true => Reply::one(&request, known.clone()),
            false => Err(conflict("the revision is another plan already", "revision")
                .mend("send the change as the next revision")),
        };
    }
    let next = known.map_or(1, |known| known.revision.saturating_add(1));
    if campaign.revision != next {
        return Err(conflict("the revision is not the next", "revision")
            .with("next", next)
            .mend("read the plan in force, and send the change as the next revision"));
    }
    let mut effects = Effects::new();
    keep(&mut effects, CAMPAIGN, &campaign);
    begin(&campaign, &ctx, &mut effects).await?;
    let key = format!("{key}/{}", campaign.revision);
    Reply::commit(&request, key, campaign, effects)
}

fn conflict(message: &'static str, field: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, message).with("field", field)
}
