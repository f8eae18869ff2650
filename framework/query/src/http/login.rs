//! Who asks, where people have to log in: name and password (RFC 7617) in the place of a header
//! that is believed.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use mesh_core::{Error, ErrorKind, Principal, Result};
use mesh_enforcement::{Logins, PRINCIPAL_HEADER};

use crate::basic::{AUTHORIZATION, name_and_password, wrong};

/// How a client is told that it has to log in.
const CHALLENGE: &str = r#"Basic realm="mesh", charset="UTF-8""#;

/// Passes a request on as that of the principal who has logged in.
pub(super) async fn require(
    State(logins): State<Arc<dyn Logins>>,
    mut request: Request,
    next: Next,
) -> Response {
    match verified(&*logins, request.headers()).await {
        Ok(principal) => {
            request.headers_mut().insert(PRINCIPAL_HEADER, principal);
            next.run(request).await
        }
        Err(error) => {
            let refused = error.kind() == ErrorKind::Unauthenticated;
            let mut response = error.into_response();
            if refused {
                let challenge = HeaderValue::from_static(CHALLENGE);
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

/// The principal who has logged in, as a header.
async fn verified(logins: &dyn Logins, headers: &HeaderMap) -> Result<HeaderValue> {
    let (name, password) = one(headers, AUTHORIZATION)?
        .and_then(|value| name_and_password(value.to_str().ok()?))
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthenticated,
                "the request has no name and password",
            )
            .mend("send `Authorization: Basic …`: `curl --user NAME`, `mesh sql --user NAME`")
        })?;
    let principal: Principal = name.parse().map_err(|_| wrong())?;
    if !logins.verify(&name, &password).await? {
        tracing::warn!(principal = %principal, "login refused");
        return Err(wrong());
    }
    let principal = HeaderValue::from_str(principal.as_str()).map_err(|_| wrong())?;
    match one(headers, PRINCIPAL_HEADER)? {
        Some(said) if *said != principal => Err(Error::new(
            ErrorKind::Unauthenticated,
            "the request says that another asks than has logged in",
        )
        .with("header", "Mesh-Principal")
        .mend("leave the header out: the login says who asks")),
        _ => Ok(principal),
    }
}

fn one<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a HeaderValue>> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    // Two values mean that somebody on the way added one: refuse to guess.
    if values.next().is_some() {
        return Err(Error::new(
            ErrorKind::Unauthenticated,
            "a header of the request stands there twice",
        )
        .with("header", name));
    }
    Ok(value)
}
