//! The types of this domain's products, made from their contracts, and of the products it reads.

mesh_macros::contract!("products/profiles/contract.odcs.yaml");
mesh_macros::contract!("products/credit_scores/contract.odcs.yaml");
mesh_macros::contract!("products/changes/contract.odcs.yaml");
mesh_macros::contract!("products/erasures/contract.odcs.yaml");
mesh_macros::contract!("products/score_drift/contract.odcs.yaml");

/// What this domain relies on of other domains' products.
pub mod inputs {
    mesh_macros::contract!("inputs/transactions.odcs.yaml");
    mesh_macros::contract!("inputs/loans.odcs.yaml");
}

/// An amount of money in CZK.
pub type Money = mesh_core::Decimal<14, 2>;
