//! The domain's API: how clients want to be told.

use std::collections::BTreeSet;

use lettre::Address;
use mesh_core::{Error, Record, Result, TimestampMillis};
use mesh_runtime::{Context, Effects, Reply, Request};
use serde::Deserialize;
use uuid::Uuid;

use crate::products::{DeliverySubject, Preference, PreferenceChannel};
use crate::texts::LANGUAGES;

/// The documents that hold preferences, by client.
pub const PREFERENCE: &str = "preference";

/// The subjects that can be muted.
pub const MUTABLE: [DeliverySubject; 3] = [
    DeliverySubject::Loans,
    DeliverySubject::Payments,
    DeliverySubject::Profile,
];

/// The longest address that a mail server has to take (RFC 5321, 4.5.3.1.3, without the
/// brackets).
const LONGEST_ADDRESS: usize = 254;

/// What `POST /v1/preferences` takes; it replaces what the client chose before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The client.
    pub client_id: i64,
    /// EMAIL, LOG or NONE.
    pub channel: String,
    /// The address, for EMAIL alone.
    pub email: Option<String>,
    /// LOANS, PAYMENTS, PROFILE; nothing is muted without it.
    #[serde(default)]
    pub muted_subjects: Vec<String>,
    /// `en` or `cs`; `en` without it.
    pub language: Option<String>,
}

/// `GET /v1/preferences/{client_id}`: what one client has chosen.
///
/// # Errors
/// Not found for a client that has not chosen.
pub async fn preference(request: Request, ctx: Context) -> Result<Reply<Preference>> {
    let client_id: i64 = request.parse("client_id")?;
    let preference = ctx
        .get_record(PREFERENCE, &client_id.to_string())
        .await?
        .ok_or_else(|| {
            Error::not_found("the client has no preference")
                .mend("set one with POST /v1/preferences")
        })?;
    Reply::one(&request, preference)
}

/// `POST /v1/preferences`: what one client chooses from now on. The answer leaves the address
/// out: the host keeps answers to POSTs, and an address is to be forgotten with its client.
///
/// # Errors
/// For a field that cannot be what it is to say, by its name.
pub async fn set_preference(request: Request, ctx: Context) -> Result<Reply<Preference>> {
    let preference = checked(request.json()?)?;
    let key = preference.client_id.to_string();
    let answer = Preference {
        email: None,
        ..preference.clone()
    };
    let kept: Option<Preference> = ctx.get_record(PREFERENCE, &key).await?;
    let same = kept.is_some_and(|kept| {
        kept == Preference {
            updated_at: kept.updated_at,
            ..preference.clone()
        }
    });
    if same {
        return Reply::one(&request, answer);
    }
    let effects = Effects::new()
        .put_record(PREFERENCE, key, &preference)
        .emit(&preference);
    // Each choice is a request of its own: who goes back to an earlier one must not be
    // answered with that and have nothing done.
    Reply::commit(&request, Uuid::new_v4().to_string(), answer, effects)
}

/// The preference that a choice makes.
///
/// # Errors
/// As [`set_preference`].
pub fn checked(choice: Choice) -> Result<Preference> {
    let refuse = |field: &'static str, message: &'static str, mend: &'static str| {
        Error::invalid(message).with("field", field).mend(mend)
    };
    if choice.client_id < 1 {
        return Err(refuse(
            "client_id",
            "a client's number is 1 or more",
            "send the number that the client has at the bank",
        ));
    }
    let channel: PreferenceChannel = choice.channel.parse().map_err(|_| {
        refuse(
            "channel",
            "there is no such channel",
            "send EMAIL, LOG or NONE",
        )
    })?;
    let email = match (channel, choice.email) {
        (PreferenceChannel::Email, Some(text)) => Some(address(&text).ok_or_else(|| {
            refuse(
                "email",
                "the text is not an e-mail address",
                "send one of the form name@example.org, in ASCII and at most 254 characters",
            )
        })?),
        (PreferenceChannel::Email, None) => {
            return Err(refuse(
                "email",
                "the channel EMAIL needs an address",
                "send the client's address along",
            ));
        }
        (_, Some(_)) => {
            return Err(refuse(
                "email",
                "an address is kept for the channel EMAIL alone",
                "leave it out, or choose EMAIL",
            ));
        }
        (_, None) => None,
    };
    let mut muted = BTreeSet::new();
    for text in &choice.muted_subjects {
        let subject = text.parse().ok().filter(|one| MUTABLE.contains(one));
        muted.insert(subject.ok_or_else(|| {
            refuse(
                "muted_subjects",
                "a subject is none that can be muted",
                "send a list out of LOANS, PAYMENTS and PROFILE",
            )
        })?);
    }
    let language = choice.language.unwrap_or_else(|| LANGUAGES[0].to_owned());
    if !LANGUAGES.contains(&language.as_str()) {
        return Err(refuse(
            "language",
            "there are no texts in this language",
            "send en or cs, or leave it out",
        ));
    }
    let preference = Preference {
        client_id: choice.client_id,
        channel,
        email,
        muted_subjects: muted
            .iter()
            .map(|subject| subject.as_str().to_owned())
            .collect(),
        language,
        updated_at: TimestampMillis::now(),
    };
    preference.validate()?;
    Ok(preference)
}

/// The address in `text`. Addresses beyond ASCII need servers that speak SMTPUTF8 (RFC 6531) on
/// the whole way, which nobody can know beforehand.
fn address(text: &str) -> Option<String> {
    let fits = text.is_ascii() && text.len() <= LONGEST_ADDRESS;
    let address: Address = text.parse().ok().filter(|_| fits)?;
    // A name without a dot is no host that mail from elsewhere reaches.
    address.domain().contains('.').then(|| address.to_string())
}
