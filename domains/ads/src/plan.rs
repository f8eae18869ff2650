//! Campaigns that are planned in a file, for those that the report knows: they begin to exist with
//! the first event of all. Others are planned over the API.

use mesh_core::{Error, Result, TimestampMillis};
use serde::Deserialize;
use toml::Spanned;

use crate::declared::Declared;
use crate::products::{Campaign, Money};

/// The plans that are delivered with the domain.
pub const DELIVERED: &str = include_str!("../campaigns.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    campaign: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    campaign_id: Spanned<i64>,
    name: Spanned<String>,
    budget: Spanned<String>,
    day_budget: Spanned<String>,
    starts_on: Spanned<String>,
    ends_on: Spanned<String>,
    ad_sets: Spanned<Vec<String>>,
}

/// Reads the campaigns that `declared` plans, in revision 1.
///
/// # Errors
/// The first thing that is wrong, by file, line and field, with what to write instead.
pub fn read(declared: &Declared) -> Result<Vec<Campaign>> {
    let file: File = declared.parse()?;
    let mut campaigns: Vec<Campaign> = Vec::new();
    for entry in &file.campaign {
        let money = |text: &Spanned<String>, field: &'static str| {
            text.get_ref().parse::<Money>().map_err(|_| {
                declared.wrong(
                    text,
                    field,
                    "not an amount of money",
                    "write an amount such as \"1000.00\", in quotes",
                )
            })
        };
        let day = |text: &Spanned<String>, field: &'static str| {
            text.get_ref().parse().map_err(|_| {
                declared.wrong(
                    text,
                    field,
                    "not a day",
                    "write it as \"2017-08-17\", in quotes",
                )
            })
        };
        let campaign = Campaign {
            campaign_id: *entry.campaign_id.get_ref(),
            name: entry.name.get_ref().clone(),
            revision: 1,
            budget: money(&entry.budget, "campaign.budget")?,
            day_budget: money(&entry.day_budget, "campaign.day_budget")?,
            starts_on: day(&entry.starts_on, "campaign.starts_on")?,
            ends_on: day(&entry.ends_on, "campaign.ends_on")?,
            ad_sets: entry.ad_sets.get_ref().clone(),
            changed_at: TimestampMillis::now(),
        };
        if let Some((field, problem)) = problem(&campaign) {
            return Err(declared.wrong(
                &entry.campaign_id,
                field,
                problem,
                "mend this campaign's plan",
            ));
        }
        if campaigns
            .iter()
            .any(|known| known.campaign_id == campaign.campaign_id)
        {
            return Err(declared.wrong(
                &entry.campaign_id,
                "campaign.campaign_id",
                "a campaign is planned twice",
                "plan it once",
            ));
        }
        campaigns.push(campaign);
    }
    Ok(campaigns)
}

/// Makes sure that a plan can be followed.
///
/// # Errors
/// What is wrong with it, by field.
pub fn check(campaign: &Campaign) -> Result<()> {
    match problem(campaign) {
        None => Ok(()),
        Some((field, problem)) => Err(Error::invalid(problem)
            .with("field", field)
            .mend("send a plan that can be followed")),
    }
}

fn problem(campaign: &Campaign) -> Option<(&'static str, &'static str)> {
    let mut names: Vec<&String> = campaign.ad_sets.iter().collect();
    names.sort();
    names.dedup();
    let odd = |name: &&String| !(1..=60).contains(&name.chars().count()) || name.contains('/');
    if campaign.campaign_id < 1 {
        Some(("campaign_id", "a campaign's number is below 1"))
    } else if !(1..=100).contains(&campaign.name.chars().count()) {
        Some(("name", "a name is empty or longer than 100 characters"))
    } else if campaign.budget < Money::ZERO {
        Some(("budget", "a budget is negative"))
    } else if campaign.day_budget < Money::ZERO || campaign.day_budget > campaign.budget {
        Some((
            "day_budget",
            "a day's budget is negative or above the whole",
        ))
    } else if campaign.ends_on < campaign.starts_on {
        Some(("ends_on", "a campaign ends before it starts"))
    } else if names.is_empty() || names.len() < campaign.ad_sets.len() {
        Some(("ad_sets", "there is no ad set, or one stands there twice"))
    } else if names.iter().any(odd) {
        Some((
            "ad_sets",
            "an ad set's name is empty, longer than 60 characters, or holds a `/`",
        ))
    } else {
        None
    }
}
