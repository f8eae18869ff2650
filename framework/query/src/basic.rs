//! Name and password as HTTP sends them, at the doors that have no protocol of their own for it.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use mesh_core::{Error, ErrorKind};

/// The header that holds them.
pub(crate) const AUTHORIZATION: &str = "authorization";

/// Clients leave the padding out, or do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Name and password of `Basic …` (RFC 7617); nothing if it is something else.
pub(crate) fn name_and_password(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// What is said of every wrong login, whatever is wrong with it.
pub(crate) fn wrong() -> Error {
    Error::new(ErrorKind::Unauthenticated, "name or password is wrong")
        .mend("check both, or ask whoever runs the mesh for a user")
}
