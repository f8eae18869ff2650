//! Processes killed with SIGKILL in the middle of the flow, and started again.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use crate::harness::{Demo, python};

const CUSTOMERS: &str = "--customers=240";

/// The flow with `disturb`, then the books, judged by a client that is not ours.
fn check(arguments: &[&str], expected: &str, disturb: impl FnOnce(&mut Demo)) {
    let Some(python) = python() else { return };
    let mut all = vec![CUSTOMERS];
    all.extend_from_slice(arguments);
    let mut demo = Demo::start(&all);
    disturb(&mut demo);
    demo.wait_for("The mesh stays up");
    assert!(
        demo.said(expected),
        "nothing was killed: {expected:?} was never said"
    );
    demo.judge(
        &python,
        "reconcile.py",
        &["--accounts=200", "--profiles=240"],
    );
    assert_eq!(demo.stop(), Some(0));
}

#[test]
fn killed_between_the_local_write_of_a_payout_and_its_relay() {
    check(
        &["--failpoint=transaction=outbox.committed@transaction.payments.v1#4"],
        "transaction ended with signal: 9",
        |_| {},
    );
}

#[test]
fn killed_while_a_payout_is_sent_and_not_committed() {
    check(
        &["--failpoint=transaction=relay.sent@transaction.payments.v1#5"],
        "transaction ended with signal: 9",
        |_| {},
    );
}

#[test]
fn killed_between_the_relay_of_a_payout_and_its_note() {
    check(
        &["--failpoint=transaction=relay.committed@transaction.payments.v1#5"],
        "transaction ended with signal: 9",
        |_| {},
    );
}

#[test]
fn killed_before_a_decision_is_committed_and_after() {
    check(
        &[
            "--failpoint=loan=inbox.committed#3",
            "--failpoint=customer=relay.before_commit@customer.credit_scores.v1#2",
        ],
        "loan ended with signal: 9",
        |_| {},
    );
}

/// Every process, the platform among them, at random instants. The seed of a round is
/// printed; `MESH_KILL_SEED` repeats it, `MESH_KILL_ROUNDS` asks for more.
#[test]
fn killed_at_random_instants() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let rounds = number("MESH_KILL_ROUNDS").unwrap_or(1);
    for round in 0..rounds {
        let seed = number("MESH_KILL_SEED").unwrap_or_else(|| rand::random::<u32>().into());
        eprintln!("round {round}: MESH_KILL_SEED={seed}");
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        check(&[], "ended with signal: 9", |demo| {
            demo.wait_for("catalog and SQL http");
            let mut names = demo.names();
            while !names.is_empty() {
                let pause = rng.random_range(200..1_500);
                std::thread::sleep(Duration::from_millis(pause));
                let name = names.swap_remove(rng.random_range(0..names.len()));
                eprintln!("killing {name} after {pause} ms");
                demo.kill(name);
            }
        });
    }
}
