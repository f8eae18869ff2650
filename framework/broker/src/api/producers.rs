//! InitProducerId: a producer id for an idempotent producer, id and epoch for a
//! transactional one.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::transactions::for_version;
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::txn::Producer;

/// Since this version clients know PRODUCER_FENCED.
const FENCED_SINCE: i16 = 4;

pub(super) async fn init_producer_id(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    match init(shared, caller, &request).await {
        Ok(producer) => InitProducerIdResponse::default()
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch),
        Err(error) => InitProducerIdResponse::default()
            .with_error_code(for_version(error, version, FENCED_SINCE).code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1),
    }
}

async fn init(
    shared: &Shared,
    caller: &Caller,
    request: &InitProducerIdRequest,
) -> Result<Producer, ResponseError> {
    match &request.transactional_id {
        Some(id) => shared.check(caller, Operation::Write, Resource::TransactionalId(id))?,
        // Who may write to some topic may do so idempotently (KIP-679).
        None if shared.may_with_some_topic(caller, Operation::Write) => {}
        None => shared.check(caller, Operation::IdempotentWrite, Resource::Cluster)?,
    }
    let given = match (request.producer_id.0, request.producer_epoch) {
        (-1, -1) => None,
        (id @ 0.., epoch @ 0..) => Some(Producer { id, epoch }),
        // One without the other.
        _ => return Err(ResponseError::InvalidRequest),
    };
    let transactions = &shared.transactions;
    let Some(id) = &request.transactional_id else {
        let id = transactions.fresh_producer_id()?;
        return Ok(Producer { id, epoch: 0 });
    };
    if id.is_empty() {
        return Err(ResponseError::InvalidRequest);
    }
    let timeout = u64::try_from(request.transaction_timeout_ms).unwrap_or(0);
    if timeout == 0 || Duration::from_millis(timeout) > shared.config.transaction_max_timeout {
        return Err(ResponseError::InvalidTransactionTimeout);
    }
    transactions
        .init(id, given, request.transaction_timeout_ms)
        .await
}
