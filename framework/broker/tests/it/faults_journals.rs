//! What a power failure leaves of the journals of offsets and transactions.

use kafka_protocol::ResponseError;
use mesh_broker::{FindingKind, FlushPolicy};

use crate::fault_support::{Copy, commit};
use crate::groups::committed;
use crate::support::{BatchOf, TestBroker, values_of};
use crate::topics::delete;
use crate::transactions::{Offsets, offset_of};
use crate::txn_support::Tx;

/// Room that the file system had made and nothing was written to is no entry, and no reason
/// not to start.
#[test]
fn zeros_behind_the_last_entry_are_a_torn_write() {
    for clean in [true, false] {
        let mut test = TestBroker::start_with(|config| config.flush = FlushPolicy::Os);
        test.topic("t", 1, &[]);
        let mut tx = Tx::start(&test, "tx");
        tx.write("t", 0, &["kept"]);
        tx.commit();
        let mut raw = test.raw();
        assert_eq!(commit(&mut raw, "g", 7), 0);
        match clean {
            true => test.stop(),
            false => test.crash(),
        }
        let whole = Copy::of(test.dir());
        for journal in ["offsets.log", "transactions.log"] {
            for zeros in [1, 8, 9, 5_000] {
                let case = format!("{zeros} behind {journal}, clean: {clean}");
                let mut torn = whole.clone();
                let file = torn.file(journal);
                file.resize(file.len() + zeros, 0);
                let mut running = torn.start().unwrap();
                let findings = &running.report().findings;
                assert_eq!(findings.len(), 1, "{case}");
                assert_eq!(findings[0].kind, FindingKind::TornTail, "{case}");
                assert_eq!(findings[0].bytes, zeros as u64, "{case}");
                running.again();
                assert_eq!(running.report().findings, [], "{case}");
                let mut raw = running.raw();
                assert_eq!(committed(&mut raw, "g"), 7, "{case}");
                assert_eq!(raw.fetch_committed("t", 0, 0, 1).last_stable_offset, 2);
                // The journal goes on behind its last whole entry.
                assert_eq!(commit(&mut raw, "g", 8), 0, "{case}");
                let more = BatchOf::values(&["more"]).bytes();
                assert_eq!(raw.produce("t", 0, more).error_code, 0, "{case}");
                assert_eq!(values_of(&raw.read_all("t", 0, 2)), ["more"], "{case}");
            }
        }
    }
}

/// Takes the last entry of a journal away.
fn cut_last_entry(journal: &mut Vec<u8>) {
    let (mut at, mut last) = (0, 0);
    while at < journal.len() {
        last = at;
        let len = u32::from_be_bytes(journal[at..at + 4].try_into().unwrap());
        at += 8 + len as usize;
    }
    journal.truncate(last);
}

/// The two journals are synced one after the other: of a transaction's offsets the end may be
/// lost, or the coordinator may have lost all of it.
#[test]
fn offsets_of_a_transaction_that_nobody_knows_are_aborted() {
    let unstable = ResponseError::UnstableOffsetCommit.code();
    for (lost, expected) in [
        ("nothing", (-1, unstable)),
        ("the end", (3, 0)),
        ("the coordinator", (3, 0)),
    ] {
        let mut test = TestBroker::start();
        test.topic("t", 1, &[]);
        assert_eq!(commit(&mut test.raw(), "g", 3), 0);
        let mut tx = Tx::start(&test, "tx");
        let mut offsets = Offsets { tx: &mut tx };
        assert_eq!(offsets.add(3), 0);
        assert_eq!(offsets.commit(3, 0, 7, ("", -1)), 0);
        if lost == "the end" {
            tx.commit();
        }
        test.crash();
        let mut left = Copy::of(test.dir());
        match lost {
            "the end" => cut_last_entry(left.file("offsets.log")),
            "the coordinator" => left.file("transactions.log").clear(),
            _ => {}
        }
        let mut running = left.start().unwrap();
        for round in 0..2 {
            assert_eq!(running.report().findings, [], "{lost}");
            let found = offset_of(&mut running.raw(), 0, true);
            assert_eq!(found, expected, "{lost} is lost, round {round}");
            running.again();
        }
        // Nothing of it counts with what the id commits next.
        let mut next = Tx::on(running.raw(), "tx", 60_000);
        assert_eq!(Offsets { tx: &mut next }.add(3), 0);
        next.commit();
        let found = offset_of(&mut running.raw(), 0, true);
        assert_eq!(found, (3, 0), "{lost} is lost, and a commit later");
    }
}

/// A topic's list entry is gone, and a kill came before its offsets were.
#[test]
fn a_topic_that_is_created_anew_has_no_offsets_of_the_old_one() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[]);
    test.topic("other", 1, &[]);
    assert_eq!(commit(&mut test.raw(), "g", 7), 0);
    test.crash();
    let before = Copy::of(test.dir()).file("offsets.log").clone();
    test.start_again();
    assert_eq!(delete(&mut test.raw(), "t"), 0);
    // Its files go soon after, and are not to go while they are copied.
    let folders = || {
        std::fs::read_dir(test.dir().join("topics"))
            .unwrap()
            .count()
    };
    while folders() > 1 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    test.crash();
    let mut left = Copy::of(test.dir());
    *left.file("offsets.log") = before;
    let mut running = left.start().unwrap();
    for _ in 0..2 {
        let mut raw = running.raw();
        if committed(&mut raw, "g") == 7 {
            assert_eq!(raw.create_topic("t", 1, &[]), 0);
        }
        assert_eq!(committed(&mut raw, "g"), -1);
        running.again();
    }
    assert_eq!(commit(&mut running.raw(), "g", 1), 0);
}
