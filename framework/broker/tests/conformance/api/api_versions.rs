use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::{Decodable, HeaderVersion};

use crate::check::{Cases, fails, ok};
use crate::support::{Raw, string};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn request(version: i16, software: &str) -> ApiVersionsRequest {
    let request = ApiVersionsRequest::default();
    match version {
        3.. => request
            .with_client_software_name(string(software))
            .with_client_software_version(string("1.2-a")),
        _ => request,
    }
}

fn success(target: &Target, version: i16) {
    let response = target.any().call(version, &request(version, "conform.ance-1"));
    ok(response.error_code);
    assert_eq!(response.throttle_time_ms, 0);
    assert!(response.api_keys.iter().all(|api| api.min_version <= api.max_version));
    let own = response.api_keys.iter().find(|api| api.api_key == ApiKey::ApiVersions as i16);
    assert_eq!(own.map(|api| api.min_version), Some(0));
}

/// A version that nobody knows is answered in version 0, so that the client can read what
/// there is; the connection stays.
fn error(target: &Target, version: i16) {
    let mut raw = target.any();
    let mut frame = raw.frame(3, &request(3, "future"));
    frame[6..8].copy_from_slice(&(100 + version).to_be_bytes());
    std::io::Write::write_all(&mut raw.stream, &frame).unwrap();
    let mut answer = raw.receive_frame().unwrap();
    bytes::Buf::advance(&mut answer, 4);
    assert_eq!(ApiVersionsResponse::header_version(version), 0);
    let response = ApiVersionsResponse::decode(&mut answer, 0).unwrap();
    fails(response.error_code, ResponseError::UnsupportedVersion);
    let own = response.api_keys.iter().find(|api| api.api_key == ApiKey::ApiVersions as i16);
    assert!(own.is_some_and(|api| api.max_version >= version));
    ok(raw.call(version, &request(version, "again")).error_code);
}

/// A client names its software by letters, digits, dots and dashes.
fn edge(target: &Target, version: i16) {
    let ask = |raw: &mut Raw, software: &str| raw.call(version, &request(version, software));
    let mut raw = target.any();
    for software in ["", "-begins", "ends.", "white space"] {
        let response = ask(&mut raw, software);
        match version {
            3.. => fails(response.error_code, ResponseError::InvalidRequest),
            _ => ok(response.error_code),
        }
    }
}
