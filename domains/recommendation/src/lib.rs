//! The domain recommendation: What a user may want to watch next.
//!
//! The process is hosted by `mesh-runtime`, which reads its configuration; the domain itself
//! has none.

use mesh_runtime::Domain;

pub mod products;
// mesh new: modules

/// The domain as its process hosts it.
pub fn domain() -> Domain {
    products::all()
        .into_iter()
        .fold(Domain::new(env!("CARGO_PKG_NAME")), Domain::declared)
    // mesh new: parts
}
