use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeClientQuotasRequest;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::protocol::StrBytes;

use crate::check::{Cases, fails, ok};
use crate::support::string;
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

const BY_NAME: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

fn of(entity: &str, kind: i8, name: Option<StrBytes>) -> ComponentData {
    ComponentData::default()
        .with_entity_type(string(entity))
        .with_match_type(kind)
        .with_match(name)
}

fn request(components: Vec<ComponentData>) -> DescribeClientQuotasRequest {
    DescribeClientQuotasRequest::default().with_components(components)
}

/// Nobody has set any.
fn success(target: &Target, version: i16) {
    let mut raw = target.any();
    let nobody = string(&target.unique("nobody"));
    for entity in ["user", "client-id"] {
        for component in [
            of(entity, BY_NAME, Some(nobody.clone())),
            of(entity, DEFAULT, None),
            of(entity, ANY, None),
        ] {
            let response = raw.call(version, &request(vec![component]));
            ok(response.error_code);
            assert_eq!(response.entries, Some(Vec::new()));
        }
    }
}

fn error(target: &Target, version: i16) {
    use ResponseError::{InvalidRequest, UnsupportedVersion};
    let mut raw = target.any();
    for (components, error) in [
        (vec![of("colour", ANY, None)], UnsupportedVersion),
        (vec![of("", ANY, None)], InvalidRequest),
        (vec![of("user", ANY, None), of("user", DEFAULT, None)], InvalidRequest),
    ] {
        let response = raw.call(version, &request(components));
        fails(response.error_code, error);
        assert!(response.error_message.is_some());
    }
}

/// Without components all are meant, and with `strict` those of no other kind.
fn edge(target: &Target, version: i16) {
    let mut raw = target.any();
    for strict in [false, true] {
        let response = raw.call(version, &request(Vec::new()).with_strict(strict));
        ok(response.error_code);
        assert_eq!(response.entries, Some(Vec::new()));
    }
}
