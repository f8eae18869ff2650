//! The one error of the framework, and the one place where its kinds become HTTP status
//! codes, gRPC codes and SQLSTATEs.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;

/// A `Result` whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the words a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request, the file or the argument is wrong; sending it again changes nothing.
    InvalidInput,
    /// The caller did not say who it is or for what purpose it asks.
    Unauthenticated,
    /// The caller is known and may not do this.
    PermissionDenied,
    /// What was asked for is not there.
    NotFound,
    /// What was asked for collides with what is there already.
    Conflict,
    /// The input is well formed and the state of the system refuses it.
    FailedPrecondition,
    /// The caller asked for too much; less, or later, may pass.
    ResourceExhausted,
    /// It is not built, or deliberately absent.
    Unsupported,
    /// A part that is needed cannot be reached now.
    Unavailable,
    /// The time allowed ran out.
    Timeout,
    /// Stored bytes are not what was written.
    Corrupt,
    /// A fault of ours.
    Internal,
}

impl ErrorKind {
    /// The kind's name as it stands in logs and in the `type` of a problem document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid-input",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission-denied",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::FailedPrecondition => "failed-precondition",
            Self::ResourceExhausted => "resource-exhausted",
            Self::Unsupported => "unsupported",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Corrupt => "corrupt",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status code of this kind (RFC 9110).
    pub fn http_status(self) -> u16 {
        match self {
            Self::InvalidInput => 400,
            Self::Unauthenticated => 401,
            Self::PermissionDenied => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::FailedPrecondition => 422,
            Self::ResourceExhausted => 429,
            Self::Unsupported => 501,
            Self::Unavailable => 503,
            Self::Timeout => 504,
            Self::Corrupt | Self::Internal => 500,
        }
    }

    /// The gRPC status code of this kind (grpc/doc/statuscodes.md).
    pub fn grpc_code(self) -> u8 {
        match self {
            Self::InvalidInput => 3,
            Self::Timeout => 4,
            Self::NotFound => 5,
            Self::Conflict => 6,
            Self::PermissionDenied => 7,
            Self::ResourceExhausted => 8,
            Self::FailedPrecondition => 9,
            Self::Unsupported => 12,
            Self::Internal => 13,
            Self::Unavailable => 14,
            Self::Corrupt => 15,
            Self::Unauthenticated => 16,
        }
    }

    /// The SQLSTATE of this kind (PostgreSQL's appendix A).
    pub fn sqlstate(self) -> &'static str {
        match self {
            Self::InvalidInput => "42601",
            Self::Unauthenticated => "28000",
            Self::PermissionDenied => "42501",
            Self::NotFound => "42P01",
            Self::Conflict => "40001",
            Self::FailedPrecondition => "55000",
            Self::ResourceExhausted => "53000",
            Self::Unsupported => "0A000",
            Self::Unavailable => "57P03",
            Self::Timeout => "57014",
            Self::Corrupt => "XX001",
            Self::Internal => "XX000",
        }
    }

    /// The kind that an HTTP status code received from another service stands for.
    pub fn from_http_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::NotFound,
            409 => Self::Conflict,
            412 | 422 => Self::FailedPrecondition,
            425 | 429 => Self::ResourceExhausted,
            501 => Self::Unsupported,
            502 | 503 => Self::Unavailable,
            408 | 504 => Self::Timeout,
            400..=499 => Self::InvalidInput,
            _ => Self::Internal,
        }
    }

    fn retryable_by_default(self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::Timeout | Self::ResourceExhausted
        )
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error: what a client may read (kind, message, context, mend) and, kept apart, what
/// only the log may read (detail and source).
///
/// No part of it holds a row value: name the file, the field, the topic, partition and
/// offset instead.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    context: Vec<(&'static str, String)>,
    mend: Option<Cow<'static, str>>,
    detail: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    retryable: bool,
}

impl Error {
    /// An error of `kind`; `message` is one lower-case sentence without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            context: Vec::new(),
            mend: None,
            detail: None,
            source: None,
            retryable: kind.retryable_by_default(),
        }))
    }

    /// Shorthand for [`ErrorKind::InvalidInput`].
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Shorthand for [`ErrorKind::NotFound`].
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// Shorthand for [`ErrorKind::Unavailable`], which is retryable.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// Shorthand for [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Adds a name and a value that a client may read, such as `("topic", "…")`.
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((name, value.to_string()));
        self
    }

    /// Says what the reader can do about it.
    pub fn mend(mut self, mend: impl Into<Cow<'static, str>>) -> Self {
        self.0.mend = Some(mend.into());
        self
    }

    /// Adds what only the log may read.
    pub fn detail(mut self, detail: impl fmt::Display) -> Self {
        self.0.detail = Some(detail.to_string());
        self
    }

    /// Keeps the error beneath; only the log may read it.
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Overrides whether trying the same again may succeed.
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence a client may read.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Names and values a client may read.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// What the reader can do about it, if that is known.
    pub fn mend_text(&self) -> Option<&str> {
        self.0.mend.as_deref()
    }

    /// Whether trying the same again may succeed.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// Everything, sources included, on one line for the log.
    pub fn log_line(&self) -> String {
        let mut line = self.to_string();
        if let Some(detail) = &self.0.detail {
            line.push_str("; detail: ");
            line.push_str(detail);
        }
        let mut source = self.source();
        while let Some(cause) = source {
            line.push_str(": ");
            line.push_str(&cause.to_string());
            source = cause.source();
        }
        line
    }

    /// The problem document of this error (RFC 9457).
    pub fn to_problem(&self) -> Problem {
        Problem {
            kind: format!("urn:mesh:problem:{}", self.kind()),
            title: self.kind().as_str().replace('-', " "),
            status: self.kind().http_status(),
            detail: self.message().to_owned(),
            mend: self.mend_text().map(str::to_owned),
            context: self
                .context()
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        }
    }
}

/// A problem document as RFC 9457 describes it, with `mend` and `context` as extensions.
#[derive(Debug, Clone, Serialize, serde::Deserialize)]
pub struct Problem {
    /// `urn:mesh:problem:<kind>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// The sentence about this occurrence.
    pub detail: String,
    /// What the reader can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
    /// Names and values of this occurrence.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub context: std::collections::BTreeMap<String, String>,
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        let mut error = Error::new(
            ErrorKind::from_http_status(problem.status),
            problem.detail.clone(),
        );
        if let Some(mend) = problem.mend {
            error = error.mend(mend);
        }
        for (name, value) in problem.context {
            error = error.with("remote", format!("{name}={value}"));
        }
        error
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if !self.0.context.is_empty() {
            f.write_str(" (")?;
            for (at, (name, value)) in self.0.context.iter().enumerate() {
                if at > 0 {
                    f.write_str(", ")?;
                }
                write!(f, "{name}: {value}")?;
            }
            f.write_str(")")?;
        }
        if let Some(mend) = &self.0.mend {
            write!(f, "; {mend}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind(), self.log_line())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

impl axum_core::response::IntoResponse for Error {
    fn into_response(self) -> axum_core::response::Response {
        let problem = self.to_problem();
        if self.is_retryable() {
            tracing::debug!(error = self.log_line(), "request refused for now");
        } else if problem.status >= 500 {
            tracing::error!(error = self.log_line(), "request failed");
        }
        let body = serde_json::to_string(&problem).unwrap_or_default();
        let mut builder = http::Response::builder()
            .status(problem.status)
            .header(http::header::CONTENT_TYPE, "application/problem+json");
        if self.is_retryable() {
            builder = builder.header(http::header::RETRY_AFTER, "1");
        }
        builder
            .body(axum_core::body::Body::from(body))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_reads_message_context_and_mend_and_never_the_source() {
        let error = Error::unavailable("the broker does not answer")
            .with("bootstrap", "127.0.0.1:9092")
            .mend("start it with `mesh up`")
            .detail("secret detail")
            .because(std::io::Error::other("secret source"));
        let problem = serde_json::to_string(&error.to_problem()).unwrap();
        assert!(problem.contains("127.0.0.1:9092") && problem.contains("mesh up"));
        assert!(!problem.contains("secret") && !error.to_string().contains("secret"));
        assert!(error.log_line().contains("secret source"));
        assert!(error.is_retryable());
        assert_eq!(error.to_problem().status, 503);
    }
}
