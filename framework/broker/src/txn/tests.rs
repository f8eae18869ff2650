//! The states of a transactional id, step by step.
#![allow(clippy::unwrap_used)]

use kafka_protocol::ResponseError;

use super::transaction::{Init, Known, Producer, State, Transaction};

fn fresh(id: i64) -> impl FnOnce() -> Result<i64, ResponseError> {
    move || Ok(id)
}

fn init(
    transaction: &Transaction,
    given: Option<(i64, i16)>,
) -> Result<Transaction, ResponseError> {
    let given = given.map(|(id, epoch)| Producer { id, epoch });
    match transaction.init(given, 1_000, 5, fresh(99))? {
        Init::Ready(next) => Ok(next),
        Init::Fence(_) => Err(ResponseError::ConcurrentTransactions),
    }
}

fn named(transaction: &Transaction) -> (i64, i16) {
    (transaction.producer_id, transaction.epoch)
}

#[test]
fn used_up_epochs_lead_to_a_new_producer_id() {
    let mut transaction = Transaction::new("tx", 7, 1_000, 0);
    let mut epochs = 0i16;
    while transaction.epoch < i16::MAX - 1 {
        transaction = init(&transaction, None).unwrap();
        assert_eq!(named(&transaction), (7, epochs));
        epochs += 1;
    }
    let last = (7, i16::MAX - 1);
    // By one that comes anew, and by one that goes on and asks twice.
    assert_eq!(named(&init(&transaction, None).unwrap()), (99, 0));
    let next = init(&transaction, Some(last)).unwrap();
    assert_eq!(named(&next), (99, 0));
    assert_eq!(named(&init(&next, Some(last)).unwrap()), (99, 0));
    let fenced = Err(ResponseError::ProducerFenced);
    assert_eq!(init(&next, Some((7, 3))), fenced);
    assert_eq!(init(&transaction, Some((7, 3))), fenced);
    // The one epoch that is left fences an open transaction.
    let open = transaction.add(transaction.producer(), &[], 5).unwrap();
    let open = open.unwrap();
    let Init::Fence(fence) = open.init(None, 1_000, 5, fresh(99)).unwrap() else {
        panic!("an open transaction is aborted first");
    };
    assert_eq!(named(&fence), (7, i16::MAX));
    let done = fence.decided(false, 6).completed(false, 6);
    assert_eq!(named(&init(&done, None).unwrap()), (99, 0));
}

#[test]
fn each_state_allows_what_kafka_allows() {
    use ResponseError::{
        ConcurrentTransactions, InvalidTxnState, ProducerFenced, TransactionAbortable,
    };
    let empty = init(&Transaction::new("tx", 7, 1_000, 0), None).unwrap();
    let producer = empty.producer();
    let here = Known::Partition("t", 0);
    let group = Known::Group("g");
    let ongoing = empty.add(producer, &[here], 10).unwrap().unwrap();
    let in_state = |state| Transaction {
        state,
        ..ongoing.clone()
    };
    let end = |state, commit| {
        let ended = in_state(state).end(producer, commit, 20);
        ended.map(|decided| decided.map(|decided| decided.state))
    };
    for (state, commit, abort) in [
        (State::Empty, Err(InvalidTxnState), Err(InvalidTxnState)),
        (
            State::Ongoing,
            Ok(Some(State::PrepareCommit)),
            Ok(Some(State::PrepareAbort)),
        ),
        (
            State::PrepareCommit,
            Err(ConcurrentTransactions),
            Err(InvalidTxnState),
        ),
        (
            State::PrepareAbort,
            Err(InvalidTxnState),
            Err(ConcurrentTransactions),
        ),
        (State::CompleteCommit, Ok(None), Err(InvalidTxnState)),
        (State::CompleteAbort, Err(InvalidTxnState), Ok(None)),
    ] {
        assert_eq!(end(state, true), commit, "commit in {state:?}");
        assert_eq!(end(state, false), abort, "abort in {state:?}");
        let known = in_state(state);
        let (added, verified, begun) = (
            known.add(producer, &[group], 30),
            known.verify(producer, here),
            init(&known, None),
        );
        match state {
            State::PrepareCommit | State::PrepareAbort => {
                assert_eq!(added, Err(ConcurrentTransactions));
                assert_eq!(verified, Err(ConcurrentTransactions));
                assert_eq!(begun, Err(ConcurrentTransactions));
            }
            State::Ongoing => {
                assert_eq!(added.unwrap().unwrap().started_ms, 10);
                assert_eq!(verified, Ok(()));
                assert_eq!(begun, Err(ConcurrentTransactions));
                assert_eq!(known.verify(producer, group), Err(TransactionAbortable));
                assert_eq!(known.add(producer, &[here], 30), Ok(None));
                assert!(known.is_timed_out(1_011) && !known.is_timed_out(1_010));
                assert!(!known.is_expired(i64::MAX, 1));
            }
            State::Empty | State::CompleteCommit | State::CompleteAbort => {
                assert_eq!(added.unwrap().unwrap().started_ms, 30);
                assert_eq!(verified, Err(TransactionAbortable));
                assert_eq!(begun.unwrap().epoch, producer.epoch + 1);
                assert!(!known.is_timed_out(i64::MAX));
                assert!(known.is_expired(20, 10) && !known.is_expired(19, 10));
            }
        }
    }
    let stale = Producer {
        epoch: producer.epoch + 1,
        ..producer
    };
    assert_eq!(ongoing.add(stale, &[here], 1), Err(ProducerFenced));
    assert_eq!(ongoing.end(stale, true, 1), Err(ProducerFenced));
    let done = ongoing.decided(true, 40).completed(true, 41);
    assert_eq!((done.started_ms, done.updated_ms), (10, 41));
    assert!(done.partitions.is_empty() && done.decision().is_none());
}
