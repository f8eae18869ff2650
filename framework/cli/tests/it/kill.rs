//! Processes killed with SIGKILL in the middle of the flow, and started again; the books
//! judged by a client that is not ours. docs/kill-test.md tells how rounds are run.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use crate::harness::{Demo, python};
use crate::kafka::Kafka;
use crate::plan::{ACCOUNTS, BANK, PROFILES, Plan};

/// The flow with what `plan` says, then the books.
fn check(plan: &Plan, kafka: Option<&Kafka>, python: &str) {
    let mut demo = Demo::with_receipts(plan.lost);
    let failpoints = plan.failpoints.iter();
    let arguments: Vec<String> = failpoints
        .map(|(domain, failpoint)| format!("--failpoint={domain}={failpoint}"))
        .chain(BANK.map(str::to_owned))
        .collect();
    demo.run(kafka, &arguments);
    demo.wait_for("catalog and SQL http");
    for kill in &plan.kills {
        std::thread::sleep(Duration::from_millis(kill.after_ms));
        match (kill.name, kafka) {
            ("kafka", Some(kafka)) => kafka.kill(),
            (name, _) => demo.kill(name),
        }
    }
    demo.wait_for("The mesh stays up");
    // The last kill may have come after the flow.
    demo.wait_until_all_run();
    let mut deaths = plan.deaths();
    for kill in plan.kills.iter().filter(|kill| kill.name != "kafka") {
        // Two in quick succession may be one death.
        deaths.entry(kill.name).or_insert(1);
    }
    for (name, deaths) in deaths {
        let died = demo.said(&format!("{name} ended with signal: 9"));
        assert!(died >= deaths, "{name} died {died} times, not {deaths}");
    }
    demo.judge(python, "reconcile.py", &[ACCOUNTS, PROFILES, "--receipts"]);
    assert_eq!(demo.stop(), Some(0));
}

#[test]
fn killed_at_every_failpoint() {
    let Some(python) = python() else { return };
    let kafka = Kafka::where_asked();
    check(&Plan::of_all_failpoints(), kafka.as_ref(), &python);
}

/// `MESH_KILL_ROUNDS` rounds with the seeds from `MESH_KILL_SEED` on.
#[test]
fn killed_in_rounds() {
    let Some(python) = python() else { return };
    let number = |name: &str| {
        let text = std::env::var(name).ok()?;
        Some(
            text.parse::<u64>()
                .unwrap_or_else(|_| panic!("{name} is {text}")),
        )
    };
    let rounds = number("MESH_KILL_ROUNDS").unwrap_or(1);
    let first = number("MESH_KILL_SEED").unwrap_or_else(|| rand::random::<u32>().into());
    let apache = Kafka::is_asked();
    let mut kafka: Option<Kafka> = None;
    let mut failed = Vec::new();
    for seed in first..first + rounds {
        let plan = Plan::of(seed, apache);
        let begun = Instant::now();
        eprintln!("round {}: MESH_KILL_SEED={seed}: {plan:?}", seed - first);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if kafka.is_none() {
                kafka = Kafka::where_asked();
            }
            check(&plan, kafka.as_ref(), &python);
            if let Some(kafka) = &kafka {
                kafka.clear();
            }
        }));
        let seconds = begun.elapsed().as_secs();
        match outcome {
            Ok(()) => eprintln!("round {}: good after {seconds} s", seed - first),
            Err(panic) if rounds == 1 => resume_unwind(panic),
            Err(_) => {
                eprintln!("round {}: FAILED after {seconds} s", seed - first);
                failed.push(seed);
                // What a failed round has left there is not to fail others.
                if let Some(kafka) = kafka.take() {
                    kafka.keep();
                }
            }
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {rounds} rounds failed; repeat one with MESH_KILL_SEED={failed:?}",
        failed.len()
    );
}
