//! The types of this domain's products, made from their contracts, and of the products that it
//! reads.

use mesh_core::{Descriptor, Record};

mesh_macros::contract!("products/report_rows/contract.odcs.yaml");
mesh_macros::contract!("products/set_aside_rows/contract.odcs.yaml");
mesh_macros::contract!("products/campaigns/contract.odcs.yaml");
mesh_macros::contract!("products/ads/contract.odcs.yaml");
mesh_macros::contract!("products/impressions/contract.odcs.yaml");
mesh_macros::contract!("products/clicks/contract.odcs.yaml");
mesh_macros::contract!("products/conversions/contract.odcs.yaml");
mesh_macros::contract!("products/performance/contract.odcs.yaml");
mesh_macros::contract!("products/ad_sets/contract.odcs.yaml");
mesh_macros::contract!("products/campaign_days/contract.odcs.yaml");
mesh_macros::contract!("products/budget_decisions/contract.odcs.yaml");
// mesh new: contracts

/// What this domain relies on of other domains' products.
pub mod inputs {
    mesh_macros::contract!("inputs/audiences.odcs.yaml");
    // mesh new: input module
}

/// An amount of money in the currency of the advertising account.
pub type Money = mesh_core::Decimal<14, 2>;

/// Every product that the domain hands out.
pub fn all() -> Vec<&'static Descriptor> {
    vec![
        ReportRow::descriptor(),
        SetAsideRow::descriptor(),
        Campaign::descriptor(),
        Ad::descriptor(),
        Impression::descriptor(),
        Click::descriptor(),
        Conversion::descriptor(),
        Performance::descriptor(),
        AdSet::descriptor(),
        CampaignDay::descriptor(),
        BudgetDecision::descriptor(),
        // mesh new: products
    ]
}
