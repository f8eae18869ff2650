//! The domain's own settings, read once from the environment.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use mesh_core::{Error, Result};

/// The environment variable with the mail server's URL: `smtp://`, `smtps://` (TLS from the
/// start) or `smtp://…?tls=required` (STARTTLS), with user and password percent-encoded.
pub const SMTP_URL: &str = "MESH_SMTP_URL";
/// The environment variable with the sender, `no-reply@bank.example` or `Bank <…>`.
pub const SMTP_FROM: &str = "MESH_SMTP_FROM";
/// The environment variable with a PEM file of authorities that the mail server's certificate
/// may come from besides those of the system.
pub const SMTP_CA: &str = "MESH_SMTP_CA";
/// The environment variable with the seconds until a message is tried the second time.
pub const RETRY_SECONDS: &str = "MESH_SMTP_RETRY_SECONDS";
/// The environment variable with the hours after which a message is given up.
pub const GIVE_UP_HOURS: &str = "MESH_SMTP_GIVE_UP_HOURS";
/// The environment variable with the hours after which an event is not told any more.
pub const OLDEST_HOURS: &str = "MESH_NOTIFY_OLDEST_HOURS";

/// What the domain needs to know besides what its host reads.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The mail server; without one notifications go to the log.
    pub smtp: Option<Smtp>,
    /// How long messages are tried.
    pub patience: Patience,
    /// How old an event may be when it is read.
    pub oldest: Duration,
}

/// How to reach the mail server.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// Where it is.
    pub url: SmtpUrl,
    /// Who the messages are from.
    pub from: Mailbox,
    /// Authorities besides those of the system.
    pub authorities: Option<PathBuf>,
    /// How long each step of a dialogue may take.
    pub timeout: Duration,
}

/// The mail server's URL. It may hold a password, so it is not shown.
#[derive(Clone)]
pub struct SmtpUrl(pub(crate) String);

impl SmtpUrl {
    /// Keeps `text`; [`Mailer::new`](crate::mail::Mailer::new) checks it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmtpUrl(…)")
    }
}

/// How a message that the server does not take now is tried again: after the first time, then
/// after twice as long, and so on up to the longest, until it is given up. RFC 5321, 4.5.4.1,
/// asks for 30 minutes between attempts in general and allows less for the first ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until the second attempt.
    pub first: Duration,
    /// Between attempts at most.
    pub longest: Duration,
    /// From the event on; what is older then is given up.
    pub give_up: Duration,
}

impl Patience {
    /// How long to wait after so many attempts.
    pub fn after(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(20);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(60),
            longest: Duration::from_secs(30 * 60),
            give_up: Duration::from_secs(24 * 3600),
        }
    }
}

impl Settings {
    /// Reads the settings with `environment`, normally `std::env::var`'s answer.
    ///
    /// # Errors
    /// If a value is wrong, by its variable.
    pub fn read(environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let text = |name: &str| environment(name).filter(|text| !text.is_empty());
        let number = |name: &'static str, default: u64| match text(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .ok()
                .filter(|number| (1..=100_000).contains(number))
                .ok_or_else(|| {
                    wrong(
                        name,
                        "a setting is not a number",
                        "write a whole number from 1 to 100000",
                    )
                }),
        };
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let smtp = match text(SMTP_URL) {
            None => None,
            Some(url) => {
                let from = text(SMTP_FROM).ok_or_else(|| {
                    wrong(
                        SMTP_FROM,
                        "a mail server is set and no sender",
                        "write the address that messages come from, such as no-reply@bank.example",
                    )
                })?;
                let from: Mailbox = from.parse().map_err(|_| {
                    wrong(
                        SMTP_FROM,
                        "the sender is not an e-mail address",
                        "write it like no-reply@bank.example or `Bank <no-reply@bank.example>`",
                    )
                })?;
                Some(Smtp {
                    url: SmtpUrl(url),
                    from,
                    authorities: text(SMTP_CA).map(PathBuf::from),
                    timeout: Duration::from_secs(20),
                })
            }
        };
        let first = Duration::from_secs(number(RETRY_SECONDS, 60)?);
        Ok(Self {
            smtp,
            patience: Patience {
                first,
                longest: Patience::default().longest.max(first),
                give_up: hours(number(GIVE_UP_HOURS, 24)?),
            },
            oldest: hours(number(OLDEST_HOURS, 7 * 24)?),
        })
    }
}

pub(crate) fn wrong(variable: &'static str, message: &'static str, mend: &'static str) -> Error {
    Error::invalid(message)
        .with("variable", variable)
        .mend(mend)
}
