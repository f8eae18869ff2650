use kafka_protocol::ResponseError;
use kafka_protocol::messages::{SaslHandshakeRequest, SaslHandshakeResponse};

use crate::check::{Cases, fails, ok};
use crate::support::{Raw, string};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

pub(crate) fn handshake(raw: &mut Raw, version: i16, mechanism: &str) -> SaslHandshakeResponse {
    let request = SaslHandshakeRequest::default().with_mechanism(string(mechanism));
    raw.call(version, &request)
}

fn names(response: &SaslHandshakeResponse) -> Vec<String> {
    let mut names: Vec<String> = response.mechanisms.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

fn success(target: &Target, version: i16) {
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        let response = handshake(&mut target.login(), version, mechanism);
        ok(response.error_code);
        assert_eq!(names(&response), ["PLAIN", "SCRAM-SHA-256"]);
    }
}

/// Who asks for a mechanism that is not there is told which there are.
fn error(target: &Target, version: i16) {
    let response = handshake(&mut target.login(), version, "SCRAM-SHA-512");
    fails(
        response.error_code,
        ResponseError::UnsupportedSaslMechanism,
    );
    assert_eq!(names(&response), ["PLAIN", "SCRAM-SHA-256"]);
}

/// Where nobody logs in.
fn edge(target: &Target, version: i16) {
    let response = handshake(&mut target.any(), version, "PLAIN");
    fails(response.error_code, ResponseError::IllegalSaslState);
    assert!(response.mechanisms.is_empty());
}
