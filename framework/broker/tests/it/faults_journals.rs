//! What a power failure leaves of the journals of offsets and transactions.

use mesh_broker::{FindingKind, FlushPolicy};

use crate::fault_support::{Copy, commit};
use crate::groups::committed;
use crate::support::{BatchOf, TestBroker, values_of};
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
