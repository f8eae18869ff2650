//! The domain's API: views as players report them, and patterns.

use chrono::{DateTime, Duration, Utc};
use mesh_core::{Error, EventId, Result};
use mesh_runtime::{Context, Effects, Reply, Request};
use serde::Deserialize;
use uuid::Uuid;

use crate::follow::PATTERN;
use crate::import::Import;
use crate::products::{Stars, View, ViewSource, WatchPattern, WatchPatternAgeBand};
use crate::users::{AGE, Age};

/// How far ahead of ours a player's clock may be.
const AHEAD: Duration = Duration::minutes(5);

/// A view as a player reports it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    /// Makes a repeated report the same view.
    view_id: Option<Uuid>,
    user_id: i64,
    item_id: i64,
    /// Now, if it is left out.
    viewed_at: Option<DateTime<Utc>>,
    rating: Option<serde_json::Value>,
    age_band: Option<String>,
}

/// `POST /v1/views`: takes one view. Its body is `{"user_id": 7, "item_id": 318}` with any of
/// `viewed_at` (RFC 3339), `rating` (0.5 to 5.0), `age_band` and `view_id`; a report that is sent
/// again under the same `view_id` is taken once.
///
/// # Errors
/// Retryable while views of the past are read; invalid input by field, never by value.
pub async fn post_view(import: Import, request: Request, ctx: Context) -> Result<Reply<View>> {
    import.require(&ctx)?;
    let report: Report = request.json()?;
    for (field, number) in [("user_id", report.user_id), ("item_id", report.item_id)] {
        if number < 1 {
            return Err(refuse(field, "a positive whole number"));
        }
    }
    let now = Utc::now();
    let viewed_at = report.viewed_at.unwrap_or(now);
    if viewed_at > now + AHEAD || viewed_at < DateTime::UNIX_EPOCH {
        // One time in the future would make all that comes until then late.
        return Err(refuse("viewed_at", "a time in the past"));
    }
    let rating = report.rating.as_ref().map(stars).transpose()?;
    let age = report
        .age_band
        .map(|text| text.parse::<WatchPatternAgeBand>())
        .transpose()
        .map_err(|_| refuse("age_band", "an age band such as AGE_30_34"))?;
    let id = report.view_id.map_or_else(EventId::new, EventId);
    let view = View {
        view_id: id.0,
        user_id: report.user_id,
        item_id: report.item_id,
        viewed_at: viewed_at.into(),
        rating,
        source: ViewSource::Live,
    };
    let mut effects = Effects::new();
    if let Some(age) = age {
        effects.add_put(AGE, view.user_id.to_string(), &Age::from(age));
    }
    effects.add_emit_as(id, &view);
    Reply::commit(&request, id.to_string(), view, effects)
}

fn stars(value: &serde_json::Value) -> Result<Stars> {
    let text = match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    text.parse()
        .ok()
        .filter(|stars: &Stars| (5..=50).contains(&stars.unscaled()))
        .ok_or_else(|| refuse("rating", "0.5 to 5.0 stars"))
}

fn refuse(field: &'static str, expected: &'static str) -> Error {
    Error::invalid(format!("a field is not {expected}"))
        .with("field", field)
        .mend(format!("send {expected}"))
}

/// `GET /v1/users/{user_id}/pattern`: how a user watches, up to the last closed session.
///
/// # Errors
/// Not found for a user without a closed session.
pub async fn pattern(request: Request, ctx: Context) -> Result<Reply<WatchPattern>> {
    let user_id: i64 = request.parse("user_id")?;
    let pattern = ctx
        .get_record(PATTERN, &user_id.to_string())
        .await?
        .ok_or_else(|| {
            Error::not_found("no pattern of this user")
                .mend("ask again when the user's first session is over")
        })?;
    Reply::one(&request, pattern)
}
