//! The customer domain: who the bank's clients are and how reliably they manage their accounts.
//!
//! It hands out `profiles`, read from the bank's files in the source directory, and
//! `credit_scores`, computed on request by a scorecard from the account's history, which it asks
//! of the transaction domain. The process is hosted by `mesh-runtime`, which reads its
//! configuration; the domain itself has none.

use mesh_runtime::Domain;

pub mod api;
pub mod clients;
pub mod history;
pub mod import;
pub mod products;
pub mod scorecard;

/// The domain as its process hosts it.
pub fn domain() -> Domain {
    Domain::new(env!("CARGO_PKG_NAME"))
        .product::<products::Profile>()
        .product::<products::CreditScore>()
        .source(import::CLIENTS, import::Clients)
        .api(|routes| {
            routes
                .get("/v1/profiles/{client_id}", api::profile)
                .post("/v1/credit_scores", api::make_score)
                .get("/v1/credit_scores/{client_id}", api::latest_score)
        })
}
