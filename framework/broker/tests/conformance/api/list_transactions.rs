use kafka_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};

use super::txn::Txn;
use crate::check::{Cases, cut_off, ok};
use crate::support::{Raw, string};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn request(version: i16, states: &[&str], producers: &[i64]) -> ListTransactionsRequest {
    let request = ListTransactionsRequest::default()
        .with_state_filters(states.iter().map(|state| string(state)).collect())
        .with_producer_id_filters(producers.iter().map(|id| (*id).into()).collect());
    match version {
        1.. => request.with_duration_filter(-1),
        _ => request,
    }
}

fn list(raw: &mut Raw, version: i16, states: &[&str], producers: &[i64]) -> ListTransactionsResponse {
    let response = raw.call(version, &request(version, states, producers));
    ok(response.error_code);
    response
}

fn has(response: &ListTransactionsResponse, id: &str) -> bool {
    let mut states = response.transaction_states.iter();
    states.any(|found| found.transactional_id.as_str() == id)
}

fn open(target: &Target) -> Txn {
    let topic = target.topic("tx");
    let mut txn = Txn::new(target);
    ok(txn.add(3, &[(&topic.name, 0)])[0]);
    txn
}

fn success(target: &Target, version: i16) {
    let mut txn = open(target);
    let response = list(&mut txn.raw, version, &[], &[]);
    let found = response.transaction_states.iter();
    let mut own = found.filter(|found| found.transactional_id.as_str() == txn.id);
    let own = own.next().unwrap();
    assert_eq!((own.producer_id.0, own.transaction_state.as_str()), (txn.producer_id, "Ongoing"));
}

/// A state that there is not is told back; only what cannot be read is refused.
fn error(target: &Target, version: i16) {
    let mut raw = target.any();
    let response = list(&mut raw, version, &["Nonsense"], &[]);
    assert_eq!(response.unknown_state_filters, [string("Nonsense")]);
    assert!(response.transaction_states.is_empty());
    cut_off(&mut raw, version, &request(version, &[], &[]));
}

/// Filters by state, by producer and by age.
fn edge(target: &Target, version: i16) {
    let mut txn = open(target);
    let (id, producer) = (txn.id.clone(), txn.producer_id);
    let raw = &mut txn.raw;
    assert!(has(&list(raw, version, &["Ongoing"], &[]), &id));
    assert!(!has(&list(raw, version, &["Empty"], &[]), &id));
    assert!(has(&list(raw, version, &[], &[producer]), &id));
    assert!(!has(&list(raw, version, &[], &[producer + 1]), &id));
    if version >= 1 {
        let mut old = request(version, &[], &[]);
        old.duration_filter = 600_000;
        assert!(!has(&raw.call(version, &old), &id), "it is younger");
    }
}
