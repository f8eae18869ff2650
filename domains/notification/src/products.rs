//! The types of this domain's products, made from their contracts, and of the products that it
//! reads.

use mesh_core::{Descriptor, Record};

mesh_macros::contract!("products/deliveries/contract.odcs.yaml");
mesh_macros::contract!("products/preferences/contract.odcs.yaml");
// mesh new: contracts

/// What this domain relies on of other domains' products.
pub mod inputs {
    mesh_macros::contract!("inputs/loan_decisions.odcs.yaml");
    mesh_macros::contract!("inputs/payments.odcs.yaml");
    mesh_macros::contract!("inputs/changes.odcs.yaml");
    // Asked for over the API of its domain, one record at a time.
    mesh_macros::contract!("inputs/accounts.odcs.yaml");
}

/// Every product that the domain hands out.
pub fn all() -> Vec<&'static Descriptor> {
    vec![
        Delivery::descriptor(),
        Preference::descriptor(),
        // mesh new: products
    ]
}
