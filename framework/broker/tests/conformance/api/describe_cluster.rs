use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeClusterRequest;

use crate::check::{Cases, cut_off, fails, ok};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn success(target: &Target, version: i16) {
    let response = target.any().call(version, &DescribeClusterRequest::default());
    ok(response.error_code);
    assert!(!response.cluster_id.is_empty());
    assert!(!response.brokers.is_empty());
    let ids: Vec<_> = response.brokers.iter().map(|broker| broker.broker_id).collect();
    assert!(ids.contains(&response.controller_id));
    assert!(response.brokers.iter().all(|broker| broker.port > 0 && !broker.is_fenced));
}

fn error(target: &Target, version: i16) {
    let mut raw = target.any();
    if version >= 1 {
        // Controllers are asked elsewhere, and there is no third kind.
        for (kind, error) in [
            (2, ResponseError::MismatchedEndpointType),
            (9, ResponseError::UnsupportedEndpointType),
        ] {
            let request = DescribeClusterRequest::default().with_endpoint_type(kind);
            fails(raw.call(version, &request).error_code, error);
        }
    }
    cut_off(&mut raw, version, &DescribeClusterRequest::default());
}

/// What may be done is told to those who ask only.
fn edge(target: &Target, version: i16) {
    let ask = |asked| {
        let request =
            DescribeClusterRequest::default().with_include_cluster_authorized_operations(asked);
        target.any().call(version, &request).cluster_authorized_operations
    };
    assert_eq!(ask(false), i32::MIN);
    assert_ne!(ask(true), i32::MIN);
}
