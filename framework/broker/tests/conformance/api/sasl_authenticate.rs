use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    FindCoordinatorRequest, SaslAuthenticateRequest, SaslAuthenticateResponse,
};

use super::sasl_handshake::handshake;
use crate::check::{Cases, closes, fails, ok};
use crate::support::{Raw, string};
use crate::target::{PASSWORD, Target, USER};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn authenticate(
    raw: &mut Raw,
    version: i16,
    user: &str,
    password: &str,
) -> SaslAuthenticateResponse {
    let token = format!("\0{user}\0{password}");
    let request = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
    raw.call(version, &request)
}

/// The login is over, and the rights are those of the user: it has none.
fn success(target: &Target, version: i16) {
    let mut raw = target.login();
    ok(handshake(&mut raw, 1, "PLAIN").error_code);
    let response = authenticate(&mut raw, version, USER, PASSWORD);
    ok(response.error_code);
    assert!(response.auth_bytes.is_empty());
    assert_eq!(response.session_lifetime_ms, 0);
    let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![string("g")]);
    let response = raw.call(4, &request);
    fails(
        response.coordinators[0].error_code,
        ResponseError::GroupAuthorizationFailed,
    );
}

fn error(target: &Target, version: i16) {
    for (user, password) in [(USER, "wrong"), ("nobody", PASSWORD)] {
        let mut raw = target.login();
        ok(handshake(&mut raw, 1, "PLAIN").error_code);
        let response = authenticate(&mut raw, version, user, password);
        fails(
            response.error_code,
            ResponseError::SaslAuthenticationFailed,
        );
        let why = response.error_message.expect("it says why");
        assert_eq!(
            why.as_str(),
            "Authentication failed: Invalid username or password"
        );
        closes(&mut raw);
    }
}

/// Where nobody logs in.
fn edge(target: &Target, version: i16) {
    let response = authenticate(&mut target.any(), version, USER, PASSWORD);
    fails(response.error_code, ResponseError::IllegalSaslState);
}
