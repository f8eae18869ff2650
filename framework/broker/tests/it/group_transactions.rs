//! Groups whose offsets come in transactions: who may commit them, and what becomes of
//! those that are pending when the group or its offsets are deleted or expire.

use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;

use crate::group_admin::{delete, delete_offset, list};
use crate::groups::{commit, committed, join_request, sync_request};
use crate::support::{Raw, TestBroker, string};
use crate::transactions::{Offsets, offset_of};
use crate::txn_support::Tx;

const NOBODY: (&str, i32) = ("", -1);

fn named() -> JoinGroupRequest {
    join_request(&StrBytes::default(), &["range"]).with_group_instance_id(Some(string("a")))
}

fn take_assignment(raw: &mut Raw, joined: &JoinGroupResponse) {
    let sync = sync_request(joined, &[(&joined.member_id, "all")])
        .with_group_instance_id(Some(string("a")));
    assert_eq!(raw.call(5, &sync).error_code, 0);
}

#[test]
fn offsets_of_a_transaction_are_taken_from_members_only() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    let joined = raw.call(7, &named());
    assert_eq!(joined.error_code, 0);
    let mut tx = Tx::start(&test, "tx");
    let mut offsets = Offsets { tx: &mut tx };
    assert_eq!(offsets.add(3), 0);
    let me = (&*joined.member_id, joined.generation_id);
    // While the group waits for its assignment too, unlike outside of a transaction.
    let rebalances = ResponseError::RebalanceInProgress.code();
    assert_eq!(commit(&mut raw, 7, &joined.member_id, me.1, 1), rebalances);
    assert_eq!(offsets.commit_as(3, 0, 1, me, Some("a")), 0);
    take_assignment(&mut raw, &joined);

    let fenced = ResponseError::FencedInstanceId.code();
    let unknown = ResponseError::UnknownMemberId.code();
    let illegal = ResponseError::IllegalGeneration.code();
    for (member, instance, code) in [
        (me, Some("a"), 0),
        (me, None, 0),
        (NOBODY, None, 0),
        (me, Some("b"), unknown),
        (("other", me.1), Some("a"), fenced),
        (("other", me.1), None, unknown),
        (NOBODY, Some("a"), fenced),
        ((me.0, me.1 + 1), Some("a"), illegal),
        ((me.0, -1), Some("a"), illegal),
    ] {
        let answer = offsets.commit_as(3, 0, 5, member, instance);
        assert_eq!(answer, code, "{member:?} {instance:?}");
    }
    // The process has started again, and so has the broker.
    let again = raw.call(7, &named());
    assert_eq!(again.error_code, 0);
    take_assignment(&mut raw, &again);
    test.crash();
    test.start_again();
    tx.reconnect(&test);
    let mut offsets = Offsets { tx: &mut tx };
    assert_eq!(offsets.commit_as(3, 0, 6, me, Some("a")), fenced);
    let me = (&*again.member_id, again.generation_id);
    assert_eq!(offsets.commit_as(3, 0, 7, me, Some("a")), 0);
    tx.commit();
    assert_eq!(committed(&mut test.raw(), "g"), 7);
}

#[test]
fn an_open_transaction_keeps_its_group_and_offsets_from_expiring() {
    let retention = Duration::from_millis(1_000);
    let test = TestBroker::start_with(|config| {
        config.offsets_retention = retention;
        config.offsets_retention_check_interval = Duration::from_millis(20);
    });
    test.topic("t", 2, &[]);
    let mut raw = test.raw();
    let wait = |what: &str, mut there: Box<dyn FnMut() -> bool + '_>| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !there() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    commit(&mut raw, 7, &StrBytes::default(), -1, 5);
    let mut tx = Tx::start(&test, "tx");
    let mut offsets = Offsets { tx: &mut tx };
    assert_eq!(offsets.add(3), 0);
    assert_eq!(offsets.commit(3, 0, 6, NOBODY), 0);
    let since = Instant::now();
    while since.elapsed() < retention + Duration::from_millis(500) {
        assert_eq!(committed(&mut raw, "g"), 5);
        std::thread::sleep(Duration::from_millis(50));
    }
    tx.abort();
    wait(
        "the group expires when the transaction has ended",
        Box::new(|| list(&mut raw, &[], &[]).is_empty()),
    );
    assert_eq!(committed(&mut raw, "g"), -1);

    // An offset of another partition expires, the group stays.
    commit(&mut raw, 7, &StrBytes::default(), -1, 5);
    let mut offsets = Offsets { tx: &mut tx };
    assert_eq!(offsets.add(3), 0);
    assert_eq!(offsets.commit(3, 1, 6, NOBODY), 0);
    wait(
        "the other offset expires",
        Box::new(|| committed(&mut raw, "g") == -1),
    );
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(20));
        let only = ["g", "", "Empty", "classic"].map(str::to_owned);
        assert_eq!(list(&mut raw, &[], &[]), [only]);
    }
    let mut offsets = Offsets { tx: &mut tx };
    assert_eq!(offsets.commit(3, 1, 7, NOBODY), 0);
    tx.commit();
    assert_eq!(offset_of(&mut raw, 1, true), (7, 0));
}

#[test]
fn deleting_a_group_or_an_offset_takes_it_out_of_open_transactions() {
    let mut test = TestBroker::start();
    test.topic("t", 2, &[]);
    let mut tx = Tx::start(&test, "tx");
    for whole_group in [false, true] {
        let mut raw = test.raw();
        let mut offsets = Offsets { tx: &mut tx };
        assert_eq!(offsets.add(3), 0);
        commit(&mut raw, 7, &StrBytes::default(), -1, 5);
        assert_eq!(offsets.commit(3, 0, 6, NOBODY), 0);
        assert_eq!(offsets.commit(3, 1, 7, NOBODY), 0);
        match whole_group {
            true => assert_eq!(delete(&mut raw, 2, "g"), 0),
            false => {
                assert_eq!(delete_offset(&mut raw, "g", "t", 0), (0, 0));
                assert_eq!(list(&mut raw, &[], &[]).len(), 1, "one is pending");
                assert_eq!(delete_offset(&mut raw, "g", "t", 1), (0, 0));
            }
        }
        assert!(list(&mut raw, &[], &[]).is_empty());
        // It goes on and may commit others.
        assert_eq!(offsets.commit(3, 1, 8, NOBODY), 0);
        test.crash();
        test.start_again();
        let mut raw = test.raw();
        tx.reconnect(&test);
        tx.commit();
        assert_eq!(offset_of(&mut raw, 0, true), (-1, 0));
        assert_eq!(offset_of(&mut raw, 1, true), (8, 0));
        assert_eq!(delete(&mut raw, 2, "g"), 0);
    }
    let empty = ResponseError::InvalidGroupId.code();
    assert_eq!(delete_offset(&mut test.raw(), "", "t", 0), (empty, 0));
}
