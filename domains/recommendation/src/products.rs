//! The types of this domain's products, made from their contracts, and of the products that it
//! reads.

use mesh_core::{Descriptor, Record};

mesh_macros::contract!("products/lists/contract.odcs.yaml");
mesh_macros::contract!("products/neighbours/contract.odcs.yaml");
// mesh new: contracts

/// What this domain relies on of other domains' products.
pub mod inputs {
    mesh_macros::contract!("inputs/views.odcs.yaml");
    // mesh new: inputs
}

/// Every product that the domain hands out.
pub fn all() -> Vec<&'static Descriptor> {
    vec![
        RecommendationList::descriptor(),
        ItemNeighbours::descriptor(),
        // mesh new: products
    ]
}
