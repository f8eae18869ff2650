//! The error codes of Confluent's API and the texts that go with them.

use std::fmt::Display;

use mesh_core::{Error, ErrorKind};

/// An answer other than success: `{"error_code": …, "message": …}`.
///
/// Codes above 999 carry the HTTP status in their first three digits.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: u32,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: u32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn status(&self) -> u16 {
        let status = if self.code > 999 {
            self.code / 100
        } else {
            self.code
        };
        u16::try_from(status).unwrap_or(500)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(
            401,
            "Unauthorized: the registry wants a user and a password, or a token",
        )
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, message)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "HTTP 404 Not Found")
    }

    pub(crate) fn subject_not_found(subject: impl Display) -> Self {
        Self::new(40401, format!("Subject '{subject}' not found."))
    }

    pub(crate) fn version_not_found(version: impl Display) -> Self {
        Self::new(40402, format!("Version {version} not found."))
    }

    pub(crate) fn schema_not_found() -> Self {
        Self::new(40403, "Schema not found")
    }

    pub(crate) fn schema_id_not_found(id: impl Display) -> Self {
        Self::new(40403, format!("Schema {id} not found"))
    }

    pub(crate) fn subject_soft_deleted(subject: impl Display) -> Self {
        Self::new(
            40404,
            format!(
                "Subject '{subject}' was soft deleted. Set permanent=true to delete permanently"
            ),
        )
    }

    pub(crate) fn subject_not_soft_deleted(subject: impl Display) -> Self {
        Self::new(
            40405,
            format!("Subject '{subject}' was not deleted first before being permanently deleted"),
        )
    }

    pub(crate) fn version_soft_deleted(subject: impl Display, version: u32) -> Self {
        Self::new(
            40406,
            format!(
                "Subject '{subject}' Version {version} was soft deleted. \
                 Set permanent=true to delete permanently"
            ),
        )
    }

    pub(crate) fn version_not_soft_deleted(subject: impl Display, version: u32) -> Self {
        Self::new(
            40407,
            format!(
                "Subject '{subject}' Version {version} was not deleted first before being \
                 permanently deleted"
            ),
        )
    }

    pub(crate) fn no_subject_compatibility(subject: impl Display) -> Self {
        Self::new(
            40408,
            format!("Subject '{subject}' does not have subject-level compatibility configured"),
        )
    }

    pub(crate) fn no_subject_mode(subject: impl Display) -> Self {
        Self::new(
            40409,
            format!("Subject '{subject}' does not have subject-level mode configured"),
        )
    }

    pub(crate) fn incompatible(subject: impl Display, messages: &[String]) -> Self {
        Self::new(
            409,
            format!(
                "Schema being registered is incompatible with an earlier schema for subject \
                 \"{subject}\", details: [{}]",
                messages.join(", ")
            ),
        )
    }

    pub(crate) fn invalid_schema(message: impl Into<String>) -> Self {
        Self::new(42201, message)
    }

    pub(crate) fn invalid_version(version: &str) -> Self {
        Self::new(
            42202,
            format!(
                "The specified version '{version}' is not a valid version id. Allowed values are \
                 between [1, 2^31-1] and the string \"latest\""
            ),
        )
    }

    pub(crate) fn invalid_compatibility(message: impl Into<String>) -> Self {
        Self::new(42203, message)
    }

    pub(crate) fn invalid_mode(message: impl Into<String>) -> Self {
        Self::new(42204, message)
    }

    pub(crate) fn not_permitted(message: impl Into<String>) -> Self {
        Self::new(42205, message)
    }

    pub(crate) fn reference_exists(subject: impl Display, version: u32) -> Self {
        Self::new(
            42206,
            format!(
                "One or more references exist to the schema {{subject={subject},\
                 version={version}}}. Delete the schemas that refer to it first: see \
                 /subjects/{subject}/versions/{version}/referencedby"
            ),
        )
    }

    pub(crate) fn invalid_rule_set(message: impl Into<String>) -> Self {
        Self::new(42210, message)
    }

    pub(crate) fn invalid_subject(message: impl Into<String>) -> Self {
        Self::new(42208, message)
    }

    /// The answer to an error of [`crate::compat`]: the schema is at fault.
    pub(crate) fn of_schema(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidInput => {
                Self::invalid_schema(format!("Invalid schema, details: {error}"))
            }
            ErrorKind::ResourceExhausted => Self::new(42209, error.to_string()),
            ErrorKind::Unsupported => Self::invalid_schema(error.message()),
            _ => Self::of_store(error),
        }
    }

    fn of_store(error: &Error) -> Self {
        tracing::error!(error = error.log_line(), "registry request failed");
        Self::new(50001, "Error in the backend data store")
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::of_store(&error)
    }
}
