//! The types of this domain's products, made from their contracts, and of the products it reads.

mesh_macros::contract!("products/applications/contract.odcs.yaml");
mesh_macros::contract!("products/decisions/contract.odcs.yaml");
mesh_macros::contract!("products/loans/contract.odcs.yaml");

/// What this domain relies on of other domains' products.
pub mod inputs {
    mesh_macros::contract!("inputs/credit_scores.odcs.yaml");
    mesh_macros::contract!("inputs/payments.odcs.yaml");
    mesh_macros::contract!("inputs/profiles.odcs.yaml");
    mesh_macros::contract!("inputs/transactions.odcs.yaml");
}

/// An amount of money in CZK.
pub type Money = mesh_core::Decimal<14, 2>;
