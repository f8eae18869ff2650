//! `/contexts`, and paths that begin with a context: `/contexts/.ctx/subjects/s` stands for
//! `/subjects/:.ctx:s`.

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use super::exchange::{Json, Query};
use crate::access::Access;
use crate::app::{Answer, App};
use crate::refusal::Refusal;
use crate::subject::context_prefix;

pub(super) async fn list(app: App, query: Query) -> Answer<Json<Vec<String>>> {
    Ok(Json(app.contexts(query.page()).await?))
}

/// Hands a request to `inner` under the path without the context.
pub(super) async fn forward(inner: Router, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let Some(uri) = rewritten(&parts.uri) else {
        return Refusal::not_found().into_response();
    };
    parts.uri = uri;
    // Parameters of the path that came would be taken for those of the path that it means.
    let access = parts.extensions.remove::<Access>();
    parts.extensions.clear();
    if let Some(access) = access {
        parts.extensions.insert(access);
    }
    match inner.oneshot(Request::from_parts(parts, body)).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn rewritten(uri: &Uri) -> Option<Uri> {
    let (context, rest) = uri.path().strip_prefix("/contexts/")?.split_once('/')?;
    let context = percent_decoded(context)?;
    let prefix = encoded(&context_prefix(&context)?);
    let mut parts = rest.splitn(3, '/');
    let (first, second, more) = (parts.next()?, parts.next(), parts.next());
    let mut query: Vec<String> = uri.query().map(str::to_owned).into_iter().collect();
    let path = match (first, second) {
        // Where a subject stands in the path, it is put into the context.
        ("subjects" | "config" | "mode", Some(subject)) if !subject.is_empty() => {
            format!("/{first}/{}{}", qualified(&prefix, subject), under(more))
        }
        ("compatibility", Some("subjects")) => {
            let (subject, more) = more?.split_once('/')?;
            let subject = qualified(&prefix, subject);
            format!("/compatibility/subjects/{subject}/{more}")
        }
        // Settings of the context as a whole.
        ("config" | "mode", _) if prefix.is_empty() => format!("/{first}"),
        ("config" | "mode", _) => format!("/{first}/{prefix}"),
        ("subjects", _) | ("schemas", None) => {
            narrow(&mut query, "subjectPrefix", &prefix);
            format!("/{first}")
        }
        ("schemas", Some("ids")) => {
            narrow(&mut query, "subject", &prefix);
            format!("/{rest}")
        }
        ("schemas", Some("types")) => format!("/{rest}"),
        _ => return None,
    };
    let query = query.join("&");
    match query.is_empty() {
        true => path.parse().ok(),
        false => format!("{path}?{query}").parse().ok(),
    }
}

/// A subject that names a context keeps it.
fn qualified(prefix: &str, subject: &str) -> String {
    let named = subject.starts_with(":.") || subject.starts_with("%3A.");
    if named || prefix.is_empty() {
        return subject.to_owned();
    }
    format!("{prefix}{subject}")
}

fn under(more: Option<&str>) -> String {
    more.map(|more| format!("/{more}")).unwrap_or_default()
}

/// Has the parameter `name`, which may be there, stand in the context. In the default one a
/// prefix names it, for none means all.
fn narrow(query: &mut Vec<String>, name: &str, prefix: &str) {
    let given = query.join("&");
    let mut value = String::new();
    let others: Vec<String> = given
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter(|pair| {
            match pair
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('='))
            {
                Some(own) => {
                    own.clone_into(&mut value);
                    false
                }
                None => true,
            }
        })
        .map(str::to_owned)
        .collect();
    let prefix = match (name, prefix) {
        ("subjectPrefix", "") => "%3A.%3A",
        (_, prefix) => prefix,
    };
    *query = others;
    query.push(format!("{name}={}", qualified(prefix, &value)));
}

fn percent_decoded(text: &str) -> Option<String> {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .ok()
        .map(|text| text.into_owned())
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
        .to_string()
        .replace("%2E", ".")
}
