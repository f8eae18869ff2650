//! The types of this domain's products, made from their contracts, and of the products that it
//! reads.

use mesh_core::Descriptor;

// mesh new: contracts

// mesh new: input module

/// Every product that the domain hands out.
pub fn all() -> Vec<&'static Descriptor> {
    vec![
        // mesh new: products
    ]
}
