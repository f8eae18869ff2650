use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use super::group::when_loaded;
use super::produce::produce;
use crate::batch::Batch;
use crate::check::{Cases, fails, ok};
use crate::support::{Raw, string};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

pub(crate) fn request(version: i16, transactional: Option<&str>) -> InitProducerIdRequest {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(transactional.map(|id| string(id).into()))
        .with_transaction_timeout_ms(10_000);
    match version {
        3.. => request.with_producer_id((-1).into()).with_producer_epoch(-1),
        _ => request,
    }
}

pub(crate) fn init(raw: &mut Raw, version: i16) -> InitProducerIdResponse {
    let response = when_loaded(|| {
        let response = raw.call(version, &request(version, None));
        (response.error_code, response)
    });
    ok(response.error_code);
    response
}

fn success(target: &Target, version: i16) {
    let mut raw = target.any();
    let first = init(&mut raw, version);
    let second = init(&mut raw, version);
    assert!(first.producer_id.0 >= 0);
    assert_ne!(first.producer_id, second.producer_id);
    assert_eq!((first.producer_epoch, second.producer_epoch), (0, 0));
}

fn error(target: &Target, version: i16) {
    let mut raw = target.any();
    let response = raw.call(version, &request(version, Some("")));
    fails(response.error_code, ResponseError::InvalidRequest);
    assert_eq!((response.producer_id.0, response.producer_epoch), (-1, -1));
    if version >= 3 {
        // An id and an epoch, or none of both.
        let half = request(version, None).with_producer_id(7.into());
        fails(raw.call(version, &half).error_code, ResponseError::InvalidRequest);
    }
}

/// The id is good for idempotent writes at once; a known id asks for nothing but a new one
/// when there is no transactional id.
fn edge(target: &Target, version: i16) {
    let mut raw = target.any();
    let given = init(&mut raw, version);
    let topic = target.topic("producer");
    let mut leader = target.leader(&topic, 0);
    let batch = Batch::of(&["a"]).by(given.producer_id.0, given.producer_epoch, 0);
    ok(produce(&mut leader, 9, &topic, 0, &batch).error_code);
    assert_eq!(produce(&mut leader, 9, &topic, 0, &batch).base_offset, 0, "a repetition");
    if version >= 3 {
        let known = request(version, None)
            .with_producer_id(given.producer_id)
            .with_producer_epoch(given.producer_epoch);
        let response = raw.call(version, &known);
        ok(response.error_code);
        assert_ne!(response.producer_id, given.producer_id);
        assert_eq!(response.producer_epoch, 0);
    }
}
