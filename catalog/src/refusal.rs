//! Errors as they leave the REST API: RFC 9457 problem documents.

use std::collections::BTreeMap;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mesh_core::contract::Diagnostics;
use mesh_core::{Error, ErrorKind};
use serde::Serialize;
use utoipa::ToSchema;

/// How many lines to be mended one answer names; who mends those sees the rest next time.
const MAX_LINES: usize = 200;

/// The media type of problem documents.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// An error on its way to a client: the error, a status code where HTTP knows a closer one
/// than the error's kind has, and the lines of the files that are to be mended.
#[derive(Debug)]
pub(crate) struct Refusal {
    error: Error,
    status: Option<StatusCode>,
    diagnostics: Vec<ProblemLine>,
}

impl Refusal {
    /// `error` under another status code than its kind's.
    pub(crate) fn with_status(error: Error, status: StatusCode) -> Self {
        Self {
            error,
            status: Some(status),
            diagnostics: Vec::new(),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            error,
            status: None,
            diagnostics: Vec::new(),
        }
    }
}

impl From<Diagnostics> for Refusal {
    fn from(problems: Diagnostics) -> Self {
        let items = problems.items();
        let shown = &items[..items.len().min(MAX_LINES)];
        let mut text = shown
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        if items.len() > shown.len() {
            text.push_str(&format!("\nand {} more", items.len() - shown.len()));
        }
        let diagnostics = shown
            .iter()
            .map(|item| ProblemLine {
                file: item.file.clone(),
                line: item.line,
                column: item.column,
                field: item.field.clone(),
                message: item.message.clone(),
                mend: item.mend.clone(),
            })
            .collect();
        Self {
            error: Error::invalid(text).mend("mend the files at the lines named"),
            status: None,
            diagnostics,
        }
    }
}

/// A problem document (RFC 9457) with `mend`, `context` and `diagnostics` as extensions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// `urn:mesh:problem:<kind>`.
    #[serde(rename = "type")]
    #[schema(example = "urn:mesh:problem:invalid-input")]
    kind: String,
    /// The kind in words.
    title: String,
    /// The HTTP status code.
    status: u16,
    /// What is wrong.
    detail: String,
    /// What the reader can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
    /// Names and values of this occurrence.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    context: BTreeMap<String, String>,
    /// What is wrong in the files that were sent, in the order of their lines; at most 200.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<ProblemLine>,
}

/// One thing that is wrong in a file.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProblemLine {
    /// The file: `product.odps.yaml` or `contract.odcs.yaml`.
    file: String,
    /// The line, from 1.
    line: usize,
    /// The column, from 1.
    column: usize,
    /// The field's path, such as `schema[0].properties[2].logicalType`; empty for the whole file.
    field: String,
    /// What is wrong.
    message: String,
    /// What the author can do about it.
    mend: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = self.error.to_problem();
        let status = self
            .status
            .or_else(|| StatusCode::from_u16(problem.status).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            tracing::error!(error = self.error.log_line(), "request failed");
        }
        let body = Problem {
            kind: problem.kind,
            title: problem.title,
            status: status.as_u16(),
            detail: problem.detail,
            mend: problem.mend,
            context: problem.context,
            diagnostics: self.diagnostics,
        };
        let body = match serde_json::to_vec(&body) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(%error, "problem document not written as json");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        };
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.error.is_retryable() && self.error.kind() != ErrorKind::ResourceExhausted {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
