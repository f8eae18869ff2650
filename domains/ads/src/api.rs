//! The part of the API that reads: performance, ad sets, campaigns, and decisions with their making.

use chrono::NaiveDate;
use mesh_core::{Error, ErrorKind, Result};
use mesh_runtime::{Context, Reply, Request};

use crate::books::{AD, AD_SET, CAMPAIGN, CAMPAIGN_DAY, DECISION, PERFORMANCE};
use crate::budget;
use crate::products::{Ad, AdSet, BudgetDecision, Campaign, CampaignDay, Performance};

/// `GET /v1/ads/{ad_id}`: an ad.
///
/// # Errors
/// Not found for an ad that is not registered.
pub async fn ad(request: Request, ctx: Context) -> Result<Reply<Ad>> {
    let ad_id: i64 = request.parse("ad_id")?;
    let ad = ctx
        .get_record(AD, &ad_id.to_string())
        .await?
        .ok_or_else(|| none("no such ad", "see the product ads for the ads there are"))?;
    Reply::one(&request, ad)
}

/// `GET /v1/performance/{ad_id}?from=2017-08-17&until=2017-08-31`: the windows of an ad by age band and
/// day, from the day `from` on and before the day `until`, as far as they are given.
///
/// # Errors
/// Not found for an ad that is not registered.
pub async fn performance(request: Request, ctx: Context) -> Result<Reply<Performance>> {
    let ad_id: i64 = request.parse("ad_id")?;
    let from: Option<NaiveDate> = request.parse_query("from")?;
    let until: Option<NaiveDate> = request.parse_query("until")?;
    let known: Option<Ad> = ctx.get_record(AD, &ad_id.to_string()).await?;
    if known.is_none() {
        return Err(none(
            "no such ad",
            "see the product ads for the ads there are",
        ));
    }
    let rows: Vec<(String, Performance)> =
        ctx.scan_records(PERFORMANCE, &format!("{ad_id}/")).await?;
    let rows = rows
        .into_iter()
        .map(|(_, row)| row)
        .filter(|row| from.is_none_or(|from| row.day >= from))
        .filter(|row| until.is_none_or(|until| row.day < until))
        .collect();
    Reply::many(&request, rows)
}

/// `GET /v1/campaigns/{campaign_id}`: the plan in force.
///
/// # Errors
/// Not found for a campaign that is not planned.
pub async fn campaign(request: Request, ctx: Context) -> Result<Reply<Campaign>> {
    let campaign_id: i64 = request.parse("campaign_id")?;
    let campaign = ctx
        .get_record(CAMPAIGN, &campaign_id.to_string())
        .await?
        .ok_or_else(|| {
            none(
                "no such campaign",
                "see the product campaigns for the campaigns there are",
            )
        })?;
    Reply::one(&request, campaign)
}

/// `GET /v1/campaigns/{campaign_id}/ad_sets`: the totals of a campaign's ad sets.
///
/// # Errors
/// If the store cannot be read.
pub async fn ad_sets(request: Request, ctx: Context) -> Result<Reply<AdSet>> {
    let rows: Vec<(String, AdSet)> = ctx.scan_records(AD_SET, &of_campaign(&request)?).await?;
    Reply::many(&request, rows.into_iter().map(|(_, row)| row).collect())
}

/// `GET /v1/campaigns/{campaign_id}/days`: what was allotted and spent, day by day.
///
/// # Errors
/// If the store cannot be read.
pub async fn days(request: Request, ctx: Context) -> Result<Reply<CampaignDay>> {
    let rows: Vec<(String, CampaignDay)> = ctx
        .scan_records(CAMPAIGN_DAY, &of_campaign(&request)?)
        .await?;
    Reply::many(&request, rows.into_iter().map(|(_, row)| row).collect())
}

/// `GET /v1/campaigns/{campaign_id}/budget_decisions`: the decisions on a campaign, day by day.
///
/// # Errors
/// If the store cannot be read.
pub async fn decisions(request: Request, ctx: Context) -> Result<Reply<BudgetDecision>> {
    let rows: Vec<(String, BudgetDecision)> =
        ctx.scan_records(DECISION, &of_campaign(&request)?).await?;
    Reply::many(&request, rows.into_iter().map(|(_, row)| row).collect())
}

/// `GET /v1/campaigns/{campaign_id}/budget_decisions/{day}`: one decision as it was made.
///
/// # Errors
/// Not found for a day without a decision.
pub async fn decision(request: Request, ctx: Context) -> Result<Reply<BudgetDecision>> {
    let kept = kept(&request, &ctx).await?;
    Reply::one(&request, kept)
}

/// `GET /v1/campaigns/{campaign_id}/budget_decisions/{day}/again`: the decision made again from the
/// evidence and the seed that it holds.
///
/// # Errors
/// As [`decision`]; corrupt if it does not come out as it was.
pub async fn again(request: Request, ctx: Context) -> Result<Reply<BudgetDecision>> {
    let kept = kept(&request, &ctx).await?;
    let made = budget::again(&kept)?;
    if made != kept {
        return Err(Error::new(
            ErrorKind::Corrupt,
            "the decision does not follow from what is kept with it",
        )
        .mend("compare it with the record in the product budget_decisions"));
    }
    Reply::one(&request, made)
}

async fn kept(request: &Request, ctx: &Context) -> Result<BudgetDecision> {
    let campaign_id: i64 = request.parse("campaign_id")?;
    let day: NaiveDate = request.parse("day")?;
    ctx.get_record(DECISION, &format!("{campaign_id}/{day}"))
        .await?
        .ok_or_else(|| {
            none(
                "no decision for such a day",
                "a budget is decided when the first event of the day has come",
            )
        })
}

fn of_campaign(request: &Request) -> Result<String> {
    let campaign_id: i64 = request.parse("campaign_id")?;
    Ok(format!("{campaign_id}/"))
}

fn none(message: &'static str, mend: &'static str) -> Error {
    Error::not_found(message).mend(mend)
}
