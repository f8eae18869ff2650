//! InitProducerId for idempotent producers.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};

pub(super) async fn init_producer_id(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let allowed = match &request.transactional_id {
        Some(id) => shared.check(caller, Operation::Write, Resource::TransactionalId(id)),
        // Who may write to some topic may do so idempotently (KIP-679).
        None if shared.may_with_some_topic(caller, Operation::Write) => Ok(()),
        None => shared.check(caller, Operation::IdempotentWrite, Resource::Cluster),
    };
    let outcome = match &request.transactional_id {
        _ if allowed.is_err() => allowed.map(|()| -1),
        Some(id) if id.is_empty() => Err(ResponseError::InvalidRequest),
        // Not a code to try again on: there is no transaction coordinator at all.
        Some(_) => Err(ResponseError::UnsupportedVersion),
        None => shared.producer_ids.next().map_err(|error| {
            tracing::error!(%error, "cannot store a block of producer ids");
            ResponseError::CoordinatorNotAvailable
        }),
    };
    match outcome {
        Ok(id) => InitProducerIdResponse::default()
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(0),
        Err(error) => InitProducerIdResponse::default()
            .with_error_code(error.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1),
    }
}
