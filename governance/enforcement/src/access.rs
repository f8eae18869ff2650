//! Who asks, and for what.

use axum_core::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use mesh_core::{Error, ErrorKind, Principal, Purpose, Result};

/// The HTTP header that names the principal.
pub const PRINCIPAL_HEADER: &str = "mesh-principal";
/// The HTTP header that names the purpose.
pub const PURPOSE_HEADER: &str = "mesh-purpose";

/// Who asks for data, and for what purpose. As an axum extractor it reads the headers
/// `Mesh-Principal` and `Mesh-Purpose` and refuses a request without them with status 401.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Access {
    /// A person, or the service of a domain.
    pub principal: Principal,
    /// The reason, in the mesh's vocabulary.
    pub purpose: Purpose,
}

impl Access {
    /// The access of `principal` for `purpose`.
    pub fn new(principal: Principal, purpose: Purpose) -> Self {
        Self { principal, purpose }
    }

    /// Reads the two headers.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] if one is missing, stands there twice or is malformed;
    /// the error names the header and the mend.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self> {
        Ok(Self {
            principal: read(
                headers,
                PRINCIPAL_HEADER,
                "send the header `Mesh-Principal`, such as `Mesh-Principal: service:loan` or `Mesh-Principal: anna`",
            )?,
            purpose: read(
                headers,
                PURPOSE_HEADER,
                "send the header `Mesh-Purpose`, such as `Mesh-Purpose: credit_assessment`",
            )?,
        })
    }
}

fn read<T: std::str::FromStr<Err = Error>>(
    headers: &HeaderMap,
    name: &'static str,
    mend: &'static str,
) -> Result<T> {
    let refuse = |message: &'static str| {
        Error::new(ErrorKind::Unauthenticated, message)
            .with("header", name)
            .mend(mend)
    };
    let mut values = headers.get_all(name).iter();
    let value = values
        .next()
        .ok_or_else(|| refuse("the request does not say who asks and for what purpose"))?;
    // Two values mean that somebody between client and service added one: refuse to guess.
    if values.next().is_some() {
        return Err(refuse("a header of the request stands there twice"));
    }
    value
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| refuse("a header of the request is malformed"))
}

impl<S: Sync> FromRequestParts<S> for Access {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Self::from_headers(&parts.headers)
    }
}
