//! `/compatibility`: checks that register nothing.

use serde::Serialize;

use super::exchange::{Json, Path, Query, Received, wanted};
use super::schema::SchemaRequest;
use crate::app::{Answer, App, Verdict};

#[derive(Debug, Serialize)]
pub(super) struct CheckAnswer {
    is_compatible: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<String>>,
}

impl CheckAnswer {
    fn new(verdict: Verdict, verbose: bool) -> Json<Self> {
        Json(Self {
            is_compatible: verdict.messages.is_empty(),
            messages: verbose.then_some(verdict.messages),
        })
    }
}

pub(super) async fn one(
    app: App,
    Path((subject, version)): Path<(String, String)>,
    query: Query,
    Received(request): Received<SchemaRequest>,
) -> Answer<Json<CheckAnswer>> {
    let version = wanted(&version)?;
    let submission = request.submission(query.normalize)?;
    let verdict = app
        .check_compatibility(&subject, Some(version), submission)
        .await?;
    Ok(CheckAnswer::new(verdict, query.verbose))
}

pub(super) async fn all(
    app: App,
    Path(subject): Path<String>,
    query: Query,
    Received(request): Received<SchemaRequest>,
) -> Answer<Json<CheckAnswer>> {
    let submission = request.submission(query.normalize)?;
    let verdict = app.check_compatibility(&subject, None, submission).await?;
    Ok(CheckAnswer::new(verdict, query.verbose))
}
