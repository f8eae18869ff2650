//! Which way a notification takes: a plain function of what the client prefers.

use crate::notice::Template;
use crate::products::{DeliveryChannel, DeliverySubject, Preference, PreferenceChannel};

/// The way a notification takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To this address, in this language.
    Email {
        /// The client's address.
        address: String,
        /// The language by its code in ISO 639-1.
        language: String,
    },
    /// Into the log.
    Log,
    /// Nowhere, for this reason; the channel that it would have taken.
    Hold(Option<DeliveryChannel>, &'static str),
}

/// The way of a notification to a client with this preference, if it has chosen.
///
/// Without a mail server (`by_email` is false) the log takes the place of e-mails. With one, a
/// client who has given no address is not told. What the law asks for (the subject PRIVACY) is
/// not held back by anybody's choice; if there is an address, it takes that.
pub fn route(template: Template, preference: Option<&Preference>, by_email: bool) -> Route {
    let required = template.subject() == DeliverySubject::Privacy;
    let without_choice = match by_email {
        true => Route::Hold(Some(DeliveryChannel::Email), "NO_ADDRESS"),
        false => Route::Log,
    };
    let Some(preference) = preference else {
        return without_choice;
    };
    if !required {
        if preference.channel == PreferenceChannel::None {
            return Route::Hold(None, "OPTED_OUT");
        }
        let subject = template.subject();
        if preference
            .muted_subjects
            .iter()
            .any(|muted| muted == subject.as_str())
        {
            return Route::Hold(None, "MUTED");
        }
    }
    match (preference.channel, &preference.email) {
        (PreferenceChannel::Log, _) => Route::Log,
        (PreferenceChannel::Email, Some(address)) if by_email => Route::Email {
            address: address.clone(),
            language: preference.language.clone(),
        },
        _ => without_choice,
    }
}
