//! The customer domain: who the bank's clients are and how reliably they manage their accounts.
//!
//! It hands out `profiles`, read from the bank's files in the source directory and kept up to date
//! by the API; `changes` and `erasures`, what clients asked to have changed or erased; `credit_scores`,
//! computed on request by a scorecard from the account's history, which it asks of the transaction
//! domain; and `score_drift`, how the scored clients change over time. The process is hosted by
//! `mesh-runtime`, which reads its configuration; the domain itself has none.

use mesh_runtime::Domain;

pub mod address;
pub mod api;
pub mod backtest;
pub mod clients;
pub mod drift;
pub mod erasure;
pub mod history;
pub mod import;
pub mod measures;
pub mod products;
pub mod scorecard;

/// The domain as its process hosts it.
pub fn domain() -> Domain {
    domain_with(drift::QUIET)
}

/// The domain with another time for which a month has to be quiet before its drift is told.
pub fn domain_with(quiet: std::time::Duration) -> Domain {
    Domain::new(env!("CARGO_PKG_NAME"))
        .product::<products::Profile>()
        .product::<products::CreditScore>()
        .product::<products::Change>()
        .product::<products::Erasure>()
        .product::<products::Drift>()
        .keep::<products::Profile>(import::PROFILE)
        .keep::<products::CreditScore>(api::SCORE)
        .keep::<products::Erasure>(erasure::ERASURE)
        .source(import::CLIENTS, import::Clients)
        .source(address::DISTRICTS, address::Districts)
        .source(drift::SOURCE, drift::Watch { quiet })
        .handler::<products::inputs::BorrowedLoan, _>("running_loans", erasure::Loans)
        .handler::<products::Erasure, _>("erase", erasure::Erase)
        .handler::<products::CreditScore, _>("count_scores", drift::Count)
        .api(|routes| {
            routes
                .get("/v1/profiles/{client_id}", api::profile)
                .post("/v1/credit_scores", api::make_score)
                .get("/v1/credit_scores/{client_id}", api::latest_score)
                .post("/v1/clients/{client_id}/address", address::change_address)
                .post("/v1/clients/{client_id}/erasure", erasure::request_erasure)
                .get("/v1/clients/{client_id}/erasure", erasure::erasure)
        })
}
