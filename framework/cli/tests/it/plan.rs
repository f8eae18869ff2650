//! What is killed in a round of the kill test, and when: drawn from the round's seed alone.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// Customers of the bank of a round, and its seed: as small as a bank can be in which some
/// loans are approved and some are not.
pub(crate) const BANK: [&str; 2] = ["--customers=60", "--seed=6"];
/// The accounts of that bank.
pub(crate) const ACCOUNTS: &str = "--accounts=50";
pub(crate) const PROFILES: &str = "--profiles=60";

/// Where the flow passes failpoints: a domain, a topic, and how often at the least.
pub(crate) struct Place {
    pub(crate) point: &'static str,
    pub(crate) domain: &'static str,
    topic: &'static str,
    passed: u32,
}

impl Place {
    /// The point that is passed for the `n`-th time, as the process is told of it.
    pub(crate) fn at(&self, n: u32) -> String {
        format!("{}@{}#{n}", self.point, self.topic)
    }
}

/// The topics that each domain writes by its outbox, and how many records come at the least.
const WRITTEN: [(&str, &str, u32); 7] = [
    ("transaction", "transaction.payments.v1", 6),
    ("loan", "loan.decisions.v1", 11),
    ("loan", "loan.applications.v1", 11),
    ("customer", "customer.credit_scores.v1", 4),
    ("customer", "customer.profiles.v1", 60),
    ("transaction", "transaction.accounts.v1", 50),
    ("transaction", "transaction.transactions.v1", 1_000),
];
/// The topics that each domain consumes with a handler and an outbox.
const HANDLED: [(&str, &str, u32); 3] = [
    ("loan", "loan.applications.v1", 11),
    ("transaction", "loan.decisions.v1", 11),
    ("transaction", "transaction.payments.v1", 6),
];
/// The topics that Kafka-to-Kafka handlers consume; a point is passed once a transaction.
const FOLLOWED: [(&str, &str, u32); 1] = [("receipts", "transaction.payments.v1", 1)];
const KEPT: [(&str, &str, u32); 1] = [("receipts", "receipts.progress.v1", 1)];

/// The places of a point.
///
/// # Panics
/// If this table does not know the point: a point that is new needs a line here.
fn places_of(point: &'static str) -> Vec<Place> {
    let passed: &[(&str, &str, u32)] = match point {
        "handler.before_commit" | "inbox.committed" => &HANDLED,
        "outbox.committed"
        | "relay.begun"
        | "relay.sent"
        | "relay.before_commit"
        | "relay.committed" => &WRITTEN,
        "transform.before_commit" | "transform.committed" => &FOLLOWED,
        "rebuild.read" | "rebuild.committed" => &KEPT,
        // The bank's flow replays nothing; the runtime's own tests kill there.
        replay if replay.starts_with("replay.") => &[],
        unknown => panic!("say in plan.rs where the flow passes the failpoint {unknown}"),
    };
    let once = matches!(point, "relay.begun" | "relay.before_commit");
    passed
        .iter()
        .map(|&(domain, topic, records)| Place {
            point,
            domain,
            topic,
            // Passed once for all of a transaction's records, which may be all there are.
            passed: if once { 1 } else { records },
        })
        .collect()
}

/// Every place of every failpoint of the runtime, the most telling of each point first.
pub(crate) fn places() -> Vec<Place> {
    mesh_runtime::failpoints().flat_map(places_of).collect()
}

/// A kill at an instant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kill {
    /// After the kill before, or after the domains were started.
    pub(crate) after_ms: u64,
    /// The process.
    pub(crate) name: &'static str,
}

/// What happens in a round.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In the lives of each domain, one after the other.
    pub(crate) failpoints: Vec<(&'static str, String)>,
    /// At instants.
    pub(crate) kills: Vec<Kill>,
    /// The life before which the data folder of the receipts is lost.
    pub(crate) lost: Option<usize>,
}

impl Plan {
    /// The plan of a seed. Seeds that follow each other take random instants and the places
    /// of failpoints in turn, so that twice as many rounds as there are places pass them all.
    pub(crate) fn of(seed: u64, apache: bool) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let places = places();
        let mut plan = Self::default();
        if seed.is_multiple_of(2) {
            for _ in 0..rng.random_range(1..=4) {
                plan.kill(&mut rng, apache, "");
            }
            return plan;
        }
        let place = &places[(seed / 2) as usize % places.len()];
        if place.topic.starts_with("receipts.") {
            // There is something to read back only after another death, with the folder or
            // without it.
            let written = ("receipts", "transform.committed#1".to_owned());
            plan.failpoints.push(written);
            plan.lost = rng.random_bool(0.7).then_some(2);
        }
        let n = rng.random_range(1..=place.passed);
        plan.failpoints.push((place.domain, place.at(n)));
        // Sometimes the life after finds a second death at the same point.
        if rng.random_bool(0.3) {
            plan.failpoints.push((place.domain, place.at(1)));
        }
        if rng.random_bool(0.3) {
            // Not of the same domain: that would take the life in which it is to die.
            plan.kill(&mut rng, apache, place.domain);
        }
        plan
    }

    fn kill(&mut self, rng: &mut ChaCha12Rng, apache: bool, except: &str) {
        let mut names = ["platform", "customer", "transaction", "loan", "receipts"].to_vec();
        if apache {
            names.push("kafka");
        }
        names.retain(|name| *name != except);
        // Often close upon the one before, else over the whole of a flow.
        let within = if rng.random_bool(0.5) { 300 } else { 3_000 };
        self.kills.push(Kill {
            after_ms: rng.random_range(0..within),
            name: names[rng.random_range(0..names.len())],
        });
    }

    /// One life for the first place of each failpoint, in one round.
    pub(crate) fn of_all_failpoints() -> Self {
        let mut plan = Self::default();
        let mut receipts = 0;
        for point in mesh_runtime::failpoints() {
            let Some(place) = places_of(point).into_iter().next() else {
                continue;
            };
            receipts += usize::from(place.domain == "receipts");
            plan.failpoints.push((place.domain, place.at(1)));
            if point == "transform.committed" {
                // What stands in the topic by now is all there is of it.
                plan.lost = Some(receipts + 1);
            }
        }
        plan
    }

    /// How often each domain dies at a failpoint at the least. The second of a place need
    /// not be reached: what it would pass may be done already.
    pub(crate) fn deaths(&self) -> BTreeMap<&'static str, usize> {
        let mut deaths = BTreeMap::new();
        for (at, (domain, failpoint)) in self.failpoints.iter().enumerate() {
            let again = at > 0 && {
                let (before, first) = &self.failpoints[at - 1];
                before == domain && first.split('#').next() == failpoint.split('#').next()
            };
            if !again {
                *deaths.entry(*domain).or_default() += 1;
            }
        }
        deaths
    }
}

#[test]
fn the_rounds_pass_every_place_and_a_seed_makes_the_same_plan_again() {
    let rounds = 200;
    let places = places();
    assert!(2 * places.len() <= rounds, "{} places", places.len());
    for base in [0, 977] {
        let told: Vec<String> = (base..base + rounds as u64)
            .flat_map(|seed| {
                let plan = Plan::of(seed, true);
                assert_eq!(plan, Plan::of(seed, true));
                plan.failpoints
            })
            .map(|(domain, failpoint)| format!("{domain} {failpoint}"))
            .collect();
        for place in &places {
            let place = format!("{} {}@{}#", place.domain, place.point, place.topic);
            assert!(told.iter().any(|told| told.starts_with(&place)), "{place}");
        }
    }
    let all = Plan::of_all_failpoints();
    let passed = |point: &&'static str| !places_of(point).is_empty();
    for point in mesh_runtime::failpoints().filter(passed) {
        assert!(
            all.failpoints
                .iter()
                .any(|(_, told)| told.starts_with(point))
        );
    }
}
