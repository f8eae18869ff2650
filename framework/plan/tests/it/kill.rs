//! An apply that is killed at every step and run again ends in the same state as one that
//! was not, and the log tells what happened.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use mesh_plan::{Allowed, Applier, Ledger, LogLine, Platform, Resource, Scope, Wish, log_lines};
use mesh_stream::StreamConfig;

use crate::apply::{applied, planned};
use crate::folder::{Product, product};
use crate::platform::{Fixture, unique};

/// What a child is told: bootstrap, registry, catalog, folder, topic to be confirmed.
const CHILD: &str = "MESH_TEST_APPLY";
const SIGKILL: i32 = 9;

/// The first wish: two products.
fn before(domain: &str) -> Vec<Product> {
    vec![
        product(&format!("{domain}.orders")),
        product(&format!("{domain}.stock")),
    ]
}

/// The second: one of them changed in every way that it can be, the other gone, and a new one.
fn after(domain: &str) -> Vec<Product> {
    let mut orders = product(&format!("{domain}.orders"));
    orders.version = "1.1.0".into();
    (orders.partitions, orders.days, orders.level) = (5, 14, Some("BACKWARD"));
    orders.columns.push("size");
    let mut rows = product(&format!("{domain}.rows"));
    rows.kind = "state";
    vec![orders, rows]
}

fn write(root: &Path, products: &[Product]) {
    let _ = std::fs::remove_dir_all(root.join("domains"));
    for product in products {
        product.write(root);
    }
}

fn allowed(domain: &str) -> Allowed {
    Allowed {
        confirmed: [format!("{domain}.stock.v1")].into(),
        ..Allowed::default()
    }
}

/// Runs an apply of `folder` in a process of its own; whether it was killed at `failpoint`.
async fn child(fixture: &Fixture, folder: &Path, domain: &str, failpoint: &str) -> bool {
    let told = [
        fixture.config.bootstrap.as_str(),
        fixture.config.registry_url.as_str(),
        fixture.catalog.as_str(),
        &folder.display().to_string(),
        domain,
    ]
    .join("|");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "kill::applies_in_a_process_of_its_own",
            "--ignored",
            "--nocapture",
        ])
        .env(CHILD, told)
        .env("MESH_FAILPOINT", failpoint)
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let killed = output.status.signal() == Some(SIGKILL);
    assert!(
        killed || output.status.success(),
        "{failpoint}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    killed
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the tests below run it in a process that is killed"]
async fn applies_in_a_process_of_its_own() {
    let told = std::env::var(CHILD).unwrap();
    let told: Vec<&str> = told.split('|').collect();
    let [bootstrap, registry, catalog, folder, domain] = told.as_slice() else {
        panic!("{told:?}");
    };
    let config = StreamConfig::new(*bootstrap, *registry, "mesh-plan-child");
    let platform = Platform::new(config, &catalog.parse().unwrap()).unwrap();
    let wish = Wish::read(Path::new(folder), None).unwrap();
    let mut applier = Applier::begin(&platform, &"user:jana".parse().unwrap())
        .await
        .unwrap();
    let plan = planned(&platform, &wish, &allowed(domain)).await;
    applier.apply(&plan, |_, _| {}).await.unwrap();
}

/// What stands on the platform of `domain`, and what is owned of it, without its name.
async fn standing(platform: &Platform, domain: &str, wish: &Wish) -> BTreeMap<String, String> {
    let ledger = Ledger::read(platform).await.unwrap();
    let state = platform.read(&Scope::of(wish, &ledger)).await.unwrap();
    let mut told = BTreeMap::new();
    for (name, topic) in &state.topics {
        let settings: Vec<String> = ["cleanup.policy", "retention.ms"]
            .map(|name| topic.settings[name].clone())
            .into();
        told.insert(name.clone(), format!("{} {settings:?}", topic.partitions));
    }
    for (name, subject) in &state.subjects {
        let is = format!(
            "{} {:?} {}",
            subject.level,
            subject.versions,
            subject.wished.is_some()
        );
        told.insert(name.clone(), is);
    }
    for (name, entry) in &state.products {
        told.insert(
            name.to_string(),
            format!("{} {}", entry.status, entry.contract_text),
        );
    }
    for (resource, owned) in &ledger.owned {
        if owned.domain == domain {
            told.insert(format!("owned {resource}"), owned.by.clone());
        }
    }
    told.into_iter()
        .map(|(name, is)| (name.replace(domain, "D"), is.replace(domain, "D")))
        .collect()
}

/// Every intent of `domain` has an end, and the runs of it are told in order.
fn check_log(lines: &[LogLine], domain: &str, interrupted: usize) {
    let of_domain = |line: &&LogLine| {
        let resource = line.resource.as_deref();
        resource.is_some_and(|resource| resource.contains(domain))
    };
    let mut open: Option<&LogLine> = None;
    let mut counted = 0;
    for line in lines.iter().filter(of_domain) {
        match (line.phase.as_str(), open) {
            ("INTENT", None) => open = Some(line),
            ("DONE" | "INTERRUPTED", Some(intent)) => {
                assert_eq!((&line.run, line.step), (&intent.run, intent.step));
                assert_eq!(line.resource, intent.resource);
                assert!(line.outcome.is_some());
                counted += usize::from(line.phase == "INTERRUPTED");
                open = None;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(open, None);
    assert_eq!(counted, interrupted, "interrupted steps");
    let mut entries: BTreeMap<&str, i32> = BTreeMap::new();
    for line in lines {
        let last = entries.entry(&line.run).or_default();
        assert_eq!(line.entry, *last + 1, "{line:?}");
        *last = line.entry;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step_it_ends_in_the_same_state() {
    let fixture = Fixture::start().await;
    let platform = &fixture.platform;
    let folder = tempfile::tempdir().unwrap();
    let ready = async |domain: &str| {
        write(folder.path(), &before(domain));
        let wish = Wish::read(folder.path(), None).unwrap();
        applied(platform, &wish, &Allowed::default()).await;
        write(folder.path(), &after(domain));
        Wish::read(folder.path(), None).unwrap()
    };

    let domain = unique("shop");
    let wish = ready(&domain).await;
    let steps = planned(platform, &wish, &allowed(&domain))
        .await
        .steps
        .len();
    assert!(steps >= 13, "{steps}");
    assert!(!child(&fixture, folder.path(), &domain, "").await);
    let undisturbed = standing(platform, &domain, &wish).await;
    assert!(
        undisturbed
            .keys()
            .any(|name| name == "owned topic/D.rows.v1")
    );
    assert!(!undisturbed.keys().any(|name| name.contains("stock")));
    check_log(&log_lines(platform).await.unwrap(), &domain, 0);

    // Each run of a chain gets one step further, so that every step is killed at the point.
    for (point, chain) in [
        ("apply.intended#2", true),
        ("apply.acted#1", true),
        ("apply.recorded#1", true),
        ("apply.locked", false),
        ("apply.started", false),
        ("apply.finished", false),
    ] {
        let domain = unique("shop");
        let wish = ready(&domain).await;
        let mut killed = 0;
        while child(&fixture, folder.path(), &domain, point).await {
            killed += 1;
            assert!(killed <= steps + 1, "{point}: no end");
            if !chain {
                assert!(!child(&fixture, folder.path(), &domain, "").await);
                break;
            }
        }
        let interrupted = match point {
            "apply.intended#2" => {
                assert_eq!(killed, steps - 1, "{point}");
                killed
            }
            // The last step but one is left to nobody: its run is killed, the next has one.
            "apply.acted#1" => {
                assert_eq!(killed, steps, "{point}");
                killed
            }
            "apply.recorded#1" => {
                assert_eq!(killed, steps, "{point}");
                0
            }
            _ => {
                assert_eq!(killed, 1, "{point}");
                0
            }
        };
        let found = standing(platform, &domain, &wish).await;
        assert_eq!(found, undisturbed, "{point}");
        let plan = planned(platform, &wish, &allowed(&domain)).await;
        assert!(plan.is_empty(), "{point}: {plan}");
        check_log(&log_lines(platform).await.unwrap(), &domain, interrupted);
    }

    // And it may be killed while it finds out what the run before has left.
    let domain = unique("shop");
    let wish = ready(&domain).await;
    assert!(child(&fixture, folder.path(), &domain, "apply.acted#1").await);
    assert!(child(&fixture, folder.path(), &domain, "apply.recovered").await);
    assert!(!child(&fixture, folder.path(), &domain, "").await);
    assert_eq!(standing(platform, &domain, &wish).await, undisturbed);
    check_log(&log_lines(platform).await.unwrap(), &domain, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_plan_is_resumed_although_its_own_steps_have_moved_the_platform() {
    let fixture = Fixture::start().await;
    let platform = &fixture.platform;
    let folder = tempfile::tempdir().unwrap();
    let domain = unique("shop");
    write(folder.path(), &before(&domain));
    let wish = Wish::read(folder.path(), None).unwrap();
    let kept = planned(platform, &wish, &Allowed::default()).await;
    assert!(child(&fixture, folder.path(), &domain, "apply.acted#3").await);

    let mut applier = Applier::begin(platform, &"user:jana".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(applier.ledger().unfinished(), Some(kept.hash().as_str()));
    assert_eq!(applier.moved(&kept).await.unwrap(), [""; 0]);
    applier.apply(&kept, |_, _| {}).await.unwrap();
    let owned = applier.ledger().owned.len();
    assert_eq!(owned, kept.summary().create);
    assert!(
        applier
            .ledger()
            .owned
            .contains_key(&Resource::Topic(format!("{domain}.orders.v1")))
    );
    assert!(
        planned(platform, &wish, &Allowed::default())
            .await
            .is_empty()
    );
    // Once at its end, a kept plan is done.
    assert_eq!(applier.moved(&kept).await.unwrap().len(), kept.state.len());
}
