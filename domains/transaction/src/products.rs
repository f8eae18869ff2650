//! The types of this domain's products, made from their contracts, and of the product it reads.

mesh_macros::contract!("products/accounts/contract.odcs.yaml");
mesh_macros::contract!("products/transactions/contract.odcs.yaml");
mesh_macros::contract!("products/payments/contract.odcs.yaml");
mesh_macros::contract!("products/transfer_orders/contract.odcs.yaml");

/// What this domain relies on of other domains' products.
pub mod inputs {
    mesh_macros::contract!("inputs/loan_decisions.odcs.yaml");
}

/// An amount of money in CZK.
pub type Money = mesh_core::Decimal<14, 2>;
