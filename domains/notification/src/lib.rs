//! The domain notification: tells customers what happened to their loans, payments and data.
//!
//! It reads the decisions of loan, the payments of transaction and the changes of customer, and
//! hands out `deliveries`, what became of each notification, and `preferences`, how each client
//! wants to be told. The process is hosted by `mesh-runtime`, which reads its configuration; the
//! domain adds the settings of its mail server ([`settings`]).
//!
//! What needs no server (a line in the log, a notification that is held back) is done when its
//! event is handled ([`notify`]). An e-mail is put on a list and sent by the source [`queue`], so
//! that a server that is slow or away holds up no event, and no client for another's sake.

use std::sync::Arc;

use mesh_runtime::Domain;

pub mod api;
pub mod events;
pub mod mail;
pub mod notice;
pub mod notify;
pub mod products;
pub mod queue;
pub mod routing;
pub mod settings;
pub mod texts;
// mesh new: modules

/// The domain as its process hosts it.
///
/// # Errors
/// If the settings of the mail server cannot be used.
pub fn domain(settings: settings::Settings) -> mesh_core::Result<Domain> {
    let mailer = settings.smtp.as_ref().map(mail::Mailer::new).transpose()?;
    let notify = Arc::new(notify::Notify {
        by_email: mailer.is_some(),
        oldest: settings.oldest,
    });
    let domain = products::all()
        .into_iter()
        .fold(Domain::new(env!("CARGO_PKG_NAME")), Domain::declared)
        .keep::<products::Preference>(api::PREFERENCE)
        .handler::<products::inputs::LoanDecision, _>(
            "loan_decisions",
            events::Decisions(Arc::clone(&notify)),
        )
        .handler::<products::inputs::PaymentStep, _>(
            "payments",
            events::Payments(Arc::clone(&notify)),
        )
        .handler::<products::inputs::ClientChange, _>("client_changes", events::Changes(notify))
        .api(|routes| {
            routes
                .post("/v1/preferences", api::set_preference)
                .get("/v1/preferences/{client_id}", api::preference)
        });
    // mesh new: parts
    Ok(match mailer {
        Some(mailer) => domain.source(queue::SOURCE, queue::Queue::new(mailer, settings.patience)),
        None => domain,
    })
}
