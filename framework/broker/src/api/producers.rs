//! InitProducerId for idempotent producers.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use crate::shared::{Caller, Shared};

pub(super) async fn init_producer_id(
    shared: &Arc<Shared>,
    _caller: &Caller,
    _version: i16,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let outcome = match &request.transactional_id {
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
