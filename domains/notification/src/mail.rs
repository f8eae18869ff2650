//! E-mail over SMTP (RFC 5321) by the crate `lettre`.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Mailbox, Message, SinglePart};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use mesh_core::{Error, ErrorKind, Result};

use crate::notice::Notice;
use crate::settings::{SMTP_CA, SMTP_URL, Smtp, wrong};
use crate::texts::compose;

/// A dialogue has this many steps that each may take the time allowed, at most.
const STEPS: u32 = 8;

/// Sends messages to one mail server, over a connection for each.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    limit: Duration,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The server has taken the message over.
    Accepted,
    /// Not now, for this cause: the code of a 4xx answer, or a fault's name.
    Later(String),
    /// Never, for this reason.
    Never(String),
}

impl Mailer {
    /// A sender by `settings`; nothing is connected yet.
    ///
    /// # Errors
    /// If the URL cannot be used, would send a password in the clear, or the authorities cannot be
    /// read; no error holds the URL.
    pub fn new(settings: &Smtp) -> Result<Self> {
        let url = settings.url.0.as_str();
        let unusable = || {
            wrong(
                SMTP_URL,
                "the mail server's URL cannot be used",
                "write smtps://user:password@host, or smtp://user:password@host:587?tls=required, \
                 with user and password percent-encoded",
            )
        };
        let parts = Parts::of(url).ok_or_else(unusable)?;
        if parts.has_login && !parts.encrypted() && !is_loopback(parts.host) {
            return Err(wrong(
                SMTP_URL,
                "the password would go to the mail server in the clear",
                "write smtps://, or add ?tls=required",
            ));
        }
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|_| unusable())?;
        if let Some(path) = &settings.authorities {
            let refuse = |message: &'static str| {
                Error::new(ErrorKind::FailedPrecondition, message)
                    .with("variable", SMTP_CA)
                    .with("file", path.display())
                    .mend("name a PEM file with certificates of authorities")
            };
            let pem = std::fs::read(path)
                .map_err(|error| refuse("the file of authorities cannot be read").because(error))?;
            let authorities = Certificate::from_pem(&pem)
                .map_err(|_| refuse("the file of authorities is not PEM"))?;
            let tls = TlsParameters::builder(parts.host.to_owned())
                .add_root_certificate(authorities)
                .build()
                .map_err(|_| refuse("the file holds no authority that can be used"))?;
            builder = match parts.tls {
                Way::Plain => builder,
                Way::Opportunistic => builder.tls(Tls::Opportunistic(tls)),
                Way::Required => builder.tls(Tls::Required(tls)),
                Way::Wrapped => builder.tls(Tls::Wrapper(tls)),
            };
        }
        Ok(Self {
            transport: builder.timeout(Some(settings.timeout)).build(),
            from: settings.from.clone(),
            limit: settings.timeout.saturating_mul(STEPS),
        })
    }

    /// Tries to send a notification to `address` in `language`. The same notification is the same
    /// message each time, with the same Message-ID and Date, so that servers and mail programs
    /// can tell a repetition.
    pub async fn send(&self, notice: &Notice, address: &str, language: &str) -> Answer {
        let Ok(to) = address.parse::<Address>() else {
            return Answer::Never("BAD_ADDRESS".to_owned());
        };
        let Ok(message) = self.message(notice, to, language) else {
            return Answer::Never("BAD_ADDRESS".to_owned());
        };
        match tokio::time::timeout(self.limit, self.transport.send(message)).await {
            Ok(Ok(_)) => Answer::Accepted,
            Ok(Err(error)) => {
                let code = error.status().map(u16::from);
                let fault = if error.is_timeout() {
                    "TIMEOUT"
                } else if error.is_tls() {
                    "TLS"
                } else if error.is_client() || error.is_response() {
                    "PROTOCOL"
                } else {
                    "UNREACHABLE"
                };
                classify(code, fault)
            }
            Err(_) => Answer::Later("TIMEOUT".to_owned()),
        }
    }

    /// The message of a notification.
    ///
    /// # Errors
    /// If an address cannot stand in a message.
    pub fn message(
        &self,
        notice: &Notice,
        to: Address,
        language: &str,
    ) -> Result<Message, lettre::error::Error> {
        let text = compose(notice.template, language, notice.reference.as_deref());
        let millis = u64::try_from(notice.requested_at).unwrap_or(0);
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(text.subject)
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
            .message_id(Some(format!(
                "<{}@{}>",
                notice.id,
                self.from.email.domain()
            )))
            .singlepart(
                SinglePart::builder()
                    .header(ContentType::TEXT_PLAIN)
                    .header(ContentTransferEncoding::QuotedPrintable)
                    .body(text.body),
            )
    }
}

/// What an SMTP answer, or a `fault` without one, means for the message (RFC 5321, 4.2.1).
///
/// Answers about our own login (RFC 4954, section 6: 530, 534, 535, 538) are permanent for the
/// server and say nothing about the message, so it waits for the operator's mend.
pub fn classify(code: Option<u16>, fault: &str) -> Answer {
    match code {
        Some(530 | 534 | 535 | 538) => Answer::Later("LOGIN".to_owned()),
        Some(code @ 500..=599) => Answer::Never(format!("REFUSED_{code}")),
        Some(code) => Answer::Later(code.to_string()),
        None => Answer::Later(fault.to_owned()),
    }
}

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Opportunistic,
    Required,
    Wrapped,
}

/// What `lettre` reads from a URL and does not show.
struct Parts<'a> {
    host: &'a str,
    tls: Way,
    has_login: bool,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = rest.split('/').next()?;
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let host = match place.strip_prefix('[') {
            Some(address) => address.split(']').next()?,
            None => place.split(':').next()?,
        };
        let wanted = query.split('&').find_map(|pair| pair.strip_prefix("tls="));
        let tls = match (scheme, wanted) {
            ("smtp", None) => Way::Plain,
            ("smtp", Some("opportunistic")) => Way::Opportunistic,
            ("smtp", Some("required")) => Way::Required,
            ("smtps", _) => Way::Wrapped,
            _ => return None,
        };
        (!host.is_empty()).then_some(Self {
            host,
            tls,
            has_login: login.is_some(),
        })
    }

    fn encrypted(&self) -> bool {
        matches!(self.tls, Way::Required | Way::Wrapped)
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
