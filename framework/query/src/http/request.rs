//! What a client sends.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::HeaderMap;
use datafusion::common::ScalarValue;
use mesh_core::{Error, Result};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::session::QueryOptions;
use crate::settings::Settings;

/// The id of a statement, in requests and answers.
pub(super) const STATEMENT: &str = "mesh-statement";

/// A statement to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SqlRequest {
    /// One statement that reads.
    #[schema(example = "SELECT outcome, count(*) FROM loan.decisions GROUP BY outcome")]
    pub(super) sql: String,
    /// The most rows to answer with.
    #[serde(default)]
    limit: Option<u32>,
    /// Seconds that it may take, if that is less than the engine allows.
    #[serde(default)]
    #[schema(minimum = 1)]
    timeout_seconds: Option<u32>,
    /// Values for `$1`, `$2` and so on: null, booleans, numbers, and text, which is read as
    /// the type that the statement expects there, such as a decimal or a time.
    #[serde(default)]
    parameters: Vec<Value>,
    /// Settings by name, as `SET` sets them. The purpose is told by its header.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"mesh.corrupt_records": "skip"}))]
    settings: BTreeMap<String, Value>,
}

impl SqlRequest {
    /// Reads the body.
    ///
    /// # Errors
    /// That it is not what is expected.
    pub(super) fn read(request: Result<Json<Self>, JsonRejection>) -> Result<Self> {
        let Json(request) = request.map_err(|rejection| {
            Error::invalid("the request's body is not what this door expects")
                .with("cause", rejection.body_text())
                .mend("send `{\"sql\": \"SELECT …\"}` with `Content-Type: application/json`")
        })?;
        Ok(request)
    }

    /// The statement and how it is to run.
    ///
    /// # Errors
    /// For a parameter or a setting that cannot be; its value is not told.
    pub(super) fn into_options(self) -> Result<(String, QueryOptions)> {
        let mut settings = Settings::default();
        for (name, value) in &self.settings {
            if name.eq_ignore_ascii_case("mesh.purpose") {
                return Err(
                    Error::invalid("the purpose of a request is told by its header")
                        .with("setting", "mesh.purpose")
                        .mend("send it as the header `Mesh-Purpose`"),
                );
            }
            let text = match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                Value::Bool(yes) => Some(yes.to_string()),
                Value::Array(_) | Value::Object(_) => {
                    return Err(Error::invalid("a setting takes a text or a number"));
                }
            };
            settings.set(name, text.as_deref())?;
        }
        let mut options = QueryOptions::limited(self.limit.map(|limit| limit as usize));
        let asked = self.timeout_seconds.map(u64::from).map(Duration::from_secs);
        options.timeout = [asked, settings.timeout].into_iter().flatten().min();
        options.corrupt = settings.corrupt;
        options.as_of = settings.as_of;
        options.parameters = self
            .parameters
            .into_iter()
            .map(parameter)
            .collect::<Result<_>>()?;
        Ok((self.sql, options))
    }
}

fn parameter(value: Value) -> Result<ScalarValue> {
    Ok(match value {
        Value::Null => ScalarValue::Null,
        Value::Bool(yes) => ScalarValue::from(yes),
        Value::String(text) => ScalarValue::from(text),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => ScalarValue::from(number),
            (None, Some(number), _) => ScalarValue::from(number),
            (None, None, Some(number)) => ScalarValue::from(number),
            (None, None, None) => return Err(Error::invalid("a parameter is no number")),
        },
        Value::Array(_) | Value::Object(_) => {
            return Err(Error::invalid("a parameter is a list or an object")
                .mend("give null, a boolean, a number or a text for each parameter"));
        }
    })
}

/// The id that a client has chosen for its statement.
///
/// # Errors
/// If it is no UUID.
pub(super) fn chosen_id(headers: &HeaderMap) -> Result<Option<Uuid>> {
    headers
        .get(STATEMENT)
        .map(|value| {
            value
                .to_str()
                .ok()
                .and_then(|text| Uuid::parse_str(text).ok())
                .ok_or_else(|| {
                    Error::invalid("the id of a statement is a UUID")
                        .with("header", STATEMENT)
                        .mend("leave it out, and take the one of the answer")
                })
        })
        .transpose()
}
