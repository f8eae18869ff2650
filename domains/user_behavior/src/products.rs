//! The types of this domain's products, made from their contracts.

use mesh_core::{Descriptor, Record};

mesh_macros::contract!("products/views/contract.odcs.yaml");
mesh_macros::contract!("products/sessions/contract.odcs.yaml");
mesh_macros::contract!("products/watch_patterns/contract.odcs.yaml");
mesh_macros::contract!("products/audiences/contract.odcs.yaml");
// mesh new: contracts

// mesh new: input module

/// A rating in stars.
pub type Stars = mesh_core::Decimal<2, 1>;

/// Every product that the domain hands out.
pub fn all() -> Vec<&'static Descriptor> {
    vec![
        View::descriptor(),
        Session::descriptor(),
        WatchPattern::descriptor(),
        AudienceMember::descriptor(),
        // mesh new: products
    ]
}
