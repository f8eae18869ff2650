//! The domain ads: results of advertisements, and the budget that follows them.
//!
//! The advertising report is read from the source directory line by line; what is not of its form is
//! set aside or put right by a declared repair, and live events come over the API. Each commit that
//! takes an event in counts it in `performance`, `ad_sets` and `campaign_days`, and the first event of
//! a day decides how the budgets of that day are split.
//! The process is hosted by `mesh-runtime`, which reads its configuration; the domain adds the
//! settings of [`settings`].

use mesh_runtime::Domain;

pub mod api;
pub mod audience;
pub mod bandit;
pub mod books;
pub mod budget;
pub mod declared;
pub mod form;
pub mod judge;
pub mod live;
pub mod plan;
pub mod products;
pub mod repair;
pub mod replay;
pub mod report;
pub mod settings;
// mesh new: modules

use products::inputs::AudienceMember;
use products::{Ad, AdSet, Campaign, CampaignDay, Performance, ReportRow, SetAsideRow};

/// The domain as its process hosts it.
pub fn domain(settings: settings::Settings) -> Domain {
    let rules = books::Rules {
        campaigns: settings.campaigns,
        lateness_minutes: settings.lateness_minutes,
    };
    let domain = products::all()
        .into_iter()
        .fold(Domain::new(env!("CARGO_PKG_NAME")), Domain::declared)
        .keep::<SetAsideRow>(judge::SET_ASIDE)
        .keep::<Campaign>(books::CAMPAIGN)
        .keep::<Ad>(books::AD)
        .keep::<Performance>(books::PERFORMANCE)
        .keep::<AdSet>(books::AD_SET)
        .keep::<CampaignDay>(books::CAMPAIGN_DAY)
        .source(report::REPORT, report::Report)
        .handler::<ReportRow, _>(
            "judge",
            judge::Judge {
                repairs: settings.repairs.clone(),
                rules: rules.clone(),
            },
        )
        .handler::<AudienceMember, _>("audience", audience::Learn)
        .api(|routes| {
            routes
                .post("/v1/impressions", with(&rules, live::impression))
                .post("/v1/clicks", with(&rules, live::click))
                .post("/v1/conversions", with(&rules, live::conversion))
                .post("/v1/ads", live::ad)
                .post("/v1/campaigns", live::campaign)
                .get("/v1/ads/{ad_id}", api::ad)
                .get("/v1/performance/{ad_id}", api::performance)
                .get("/v1/campaigns/{campaign_id}", api::campaign)
                .get("/v1/campaigns/{campaign_id}/ad_sets", api::ad_sets)
                .get("/v1/campaigns/{campaign_id}/days", api::days)
                .get(
                    "/v1/campaigns/{campaign_id}/budget_decisions",
                    api::decisions,
                )
                .get(
                    "/v1/campaigns/{campaign_id}/budget_decisions/{day}",
                    api::decision,
                )
                .get(
                    "/v1/campaigns/{campaign_id}/budget_decisions/{day}/again",
                    api::again,
                )
        });
    // mesh new: parts
    match settings.repairs {
        None => domain,
        Some(repairs) => {
            let again = judge::TryAgain { repairs, rules };
            domain.handler::<SetAsideRow, _>(&again.name(), again)
        }
    }
}

/// An endpoint that counts by `rules`.
fn with<F, Fut>(
    rules: &books::Rules,
    endpoint: F,
) -> impl Fn(mesh_runtime::Request, mesh_runtime::Context) -> Fut + Send + Sync + 'static
where
    F: Fn(mesh_runtime::Request, mesh_runtime::Context, books::Rules) -> Fut
        + Send
        + Sync
        + 'static,
{
    let rules = rules.clone();
    move |request, ctx| endpoint(request, ctx, rules.clone())
}
