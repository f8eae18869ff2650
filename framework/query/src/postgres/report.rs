//! Errors and notices as PostgreSQL tells them.

use mesh_core::{Error, ErrorKind};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::{ErrorResponse, NoticeResponse};

/// A cancelled statement.
pub(super) const CANCELLED: &str = "57014";
/// A statement in a transaction that has failed.
pub(super) const IN_FAILED_TRANSACTION: &str = "25P02";

/// An error with the SQLSTATE that the door gives it itself.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) state: &'static str,
    pub(super) error: Error,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            state: sqlstate(&error),
            error,
        }
    }
}

impl Failure {
    pub(super) fn new(state: &'static str, message: impl Into<String>) -> Self {
        Self {
            state,
            error: Error::invalid(message.into()),
        }
    }

    pub(super) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.error = self.error.mend(mend.into());
        self
    }

    pub(super) fn cancelled() -> Self {
        Self::new(CANCELLED, "canceling statement due to user request")
    }

    pub(super) fn message(&self, severity: &str) -> PgWireBackendMessage {
        PgWireBackendMessage::ErrorResponse(ErrorResponse::new(fields(
            severity,
            self.state,
            &self.error,
        )))
    }
}

fn fields(severity: &str, state: &str, error: &Error) -> Vec<(u8, String)> {
    let mut fields = vec![
        (b'S', severity.to_owned()),
        (b'V', severity.to_owned()),
        (b'C', state.to_owned()),
        (b'M', plain(error.message())),
    ];
    if !error.context().is_empty() {
        let context: Vec<String> = error
            .context()
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        fields.push((b'D', plain(&context.join(", "))));
    }
    if let Some(mend) = error.mend_text() {
        fields.push((b'H', plain(mend)));
    }
    fields
}

/// A text of the protocol ends at its first zero byte.
fn plain(text: &str) -> String {
    text.replace('\0', "")
}

/// A notice to be shown beside an answer.
pub(super) fn notice(severity: &str, state: &str, text: &str) -> PgWireBackendMessage {
    PgWireBackendMessage::NoticeResponse(NoticeResponse::new(vec![
        (b'S', severity.to_owned()),
        (b'V', severity.to_owned()),
        (b'C', state.to_owned()),
        (b'M', plain(text)),
    ]))
}

/// What the texts of errors that arise from a statement say, more exactly than their kind.
/// They are our own ([`crate::failure`]) or DataFusion's.
const STATES: [(&str, &str); 29] = [
    ("the statement does not parse", "42601"),
    ("the statement cannot be read", "42601"),
    ("expected exactly one statement", "42601"),
    ("a division by zero", "22012"),
    ("a number is too large for its type", "22003"),
    ("a value cannot be read as the type asked for", "22P02"),
    ("the value of a parameter is not one of its type", "22P02"),
    (
        "a parameter is of a type that this server does not know",
        "0A000",
    ),
    ("an expression fails on some row", "22000"),
    ("a value of the answer is out of range", "22003"),
    ("a setting cannot have this value", "22023"),
    ("there is no such setting", "42704"),
    ("a message of the client is not well formed", "08P01"),
    ("a text of the client is not UTF-8", "22021"),
    ("Ambiguous reference", "42702"),
    ("No field named", "42703"),
    ("Schema error: No field named", "42703"),
    ("column '", "42703"),
    ("Invalid function", "42883"),
    ("Function '", "42883"),
    ("No function matches", "42883"),
    ("Error during planning: Failed to coerce", "42883"),
    ("Failed to coerce", "42883"),
    ("Cannot infer common argument type", "42804"),
    ("Column in SELECT must be in GROUP BY", "42803"),
    ("Projection references non-aggregate values", "42803"),
    ("too many queries run already", "53000"),
    ("the query needs more memory", "53200"),
    ("the query needs more disk", "53100"),
];

/// The SQLSTATE of an error (PostgreSQL's appendix A).
pub(super) fn sqlstate(error: &Error) -> &'static str {
    let by_text = STATES
        .iter()
        .find(|(text, _)| error.message().starts_with(text));
    match (by_text, error.kind()) {
        (Some((_, state)), _) => state,
        (None, ErrorKind::InvalidInput) => "42000",
        (None, kind) => kind.sqlstate(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn errors_have_the_state_that_clients_look_for() {
        for (error, state) in [
            (Error::not_found("table 'a.b' not found"), "42P01"),
            (Error::invalid("the statement does not parse: x"), "42601"),
            (Error::invalid("No field named x"), "42703"),
            (Error::invalid("a division by zero"), "22012"),
            (
                Error::new(ErrorKind::PermissionDenied, "only statements that read"),
                "42501",
            ),
            (Error::new(ErrorKind::Timeout, "too long"), "57014"),
            (
                Error::new(
                    ErrorKind::ResourceExhausted,
                    "the query needs more memory or disk",
                ),
                "53200",
            ),
            (Error::unavailable("the catalog does not answer"), "57P03"),
        ] {
            assert_eq!(sqlstate(&error), state, "{error}");
        }
    }

    #[test]
    fn an_error_is_told_with_its_context_and_mend() {
        let error = Error::not_found("no\0thing")
            .with("table", "a.b")
            .with("version", 2)
            .mend("look elsewhere");
        assert_eq!(
            fields("ERROR", "42P01", &error),
            [
                (b'S', "ERROR"),
                (b'V', "ERROR"),
                (b'C', "42P01"),
                (b'M', "nothing"),
                (b'D', "table: a.b, version: 2"),
                (b'H', "look elsewhere"),
            ]
            .map(|(code, text)| (code, text.to_owned()))
        );
    }
}
