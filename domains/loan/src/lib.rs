//! The loan domain: applications for loans and the decisions on them.
//!
//! It hands out `applications`, read from the bank's files in the source directory, and
//! `decisions`, made by plain rules on what the customer and transaction domains answer when
//! asked for the purpose `credit_assessment`. The process is hosted by `mesh-runtime`, which
//! reads its configuration; the domain itself has none.

use mesh_runtime::Domain;

pub mod api;
pub mod assessment;
pub mod bank_files;
pub mod history;
pub mod import;
pub mod products;
pub mod rules;

/// The domain as its process hosts it.
pub fn domain() -> Domain {
    Domain::new(env!("CARGO_PKG_NAME"))
        .product::<products::Application>()
        .product::<products::Decision>()
        .product::<products::Loan>()
        .source(import::APPLICATIONS, import::Applications)
        .handler::<products::Application, _>("assess", assessment::Assess)
        .api(|routes| routes.get("/v1/decisions/{application_id}", api::decision))
}
