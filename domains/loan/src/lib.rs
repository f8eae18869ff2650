//! The loan domain: applications for loans, the decisions on them, and the loans themselves.
//!
//! It hands out `applications`, read from the bank's files in the source directory, `decisions`,
//! made by plain rules on what the customer and transaction domains answer when asked for the
//! purpose `credit_assessment`, and `loans`, which follow the transaction domain's payments. The
//! process is hosted by `mesh-runtime`, which reads its configuration; the domain adds one
//! setting, as of which day loans are judged ([`settings`]).

use mesh_runtime::Domain;

pub mod account;
pub mod api;
pub mod assessment;
pub mod bank_files;
pub mod history;
pub mod import;
pub mod products;
pub mod reference;
pub mod rules;
pub mod schedule;
pub mod servicing;
pub mod settings;
pub mod standing;

/// The domain as its process hosts it.
pub fn domain(settings: settings::Settings) -> Domain {
    let domain = Domain::new(env!("CARGO_PKG_NAME"))
        .product::<products::Application>()
        .product::<products::Decision>()
        .product::<products::Loan>()
        .source(import::APPLICATIONS, import::Applications)
        .handler::<products::Application, _>("assess", assessment::Assess)
        .handler::<products::inputs::BankPayment, _>("service", servicing::Service)
        .api(|routes| {
            routes
                .get("/v1/decisions/{application_id}", api::decision)
                .get("/v1/loans/{loan_id}", api::loan)
        });
    match settings.business_date {
        settings::BusinessDate::Events => domain,
        // It never ends, so whoever waits for the sources of a bank of the past does without.
        settings::BusinessDate::Clock => domain.source("day_ends", servicing::DayEnds),
    }
}
