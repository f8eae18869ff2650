//! Processes that are away for half a minute in the middle of their mesh's flow: what happens
//! meanwhile waits for them, and the books are judged by a client that is not ours.

use std::time::Duration;

use crate::harness::{Demo, python};
use crate::kafka::Kafka;
use crate::plan::{ACCOUNTS, BANK, PROFILES};

/// The flow of `demo`, each of whose processes is killed and away once.
fn all_are_away_once(demo: &mut Demo, kafka: Option<&Kafka>, arguments: &[&str]) {
    let arguments = arguments.iter().chain(&["--restart-after=30"]);
    let arguments: Vec<String> = arguments.map(|&text| text.to_owned()).collect();
    demo.run(kafka, &arguments);
    demo.wait_for("catalog and SQL http");
    let mut names: Vec<String> = demo.processes().into_keys().collect();
    // Last of all what the others stand on.
    names.sort_by_key(|name| name == "platform");
    assert!(names.len() > 3, "{names:?}");
    for name in &names {
        std::thread::sleep(Duration::from_secs(2));
        demo.kill(name);
    }
    demo.wait_for("The mesh stays up");
    demo.wait_until_all_run();
    for name in &names {
        let died = demo.said(&format!("{name} ended with signal: 9"));
        assert!(died >= 1, "{name} was not away");
    }
}

#[test]
fn the_banks_processes_may_be_away() {
    let Some(python) = python() else { return };
    let kafka = Kafka::where_asked();
    let mut demo = Demo::with_receipts(None);
    all_are_away_once(&mut demo, kafka.as_ref(), &BANK);
    demo.judge(&python, "reconcile.py", &[ACCOUNTS, PROFILES, "--receipts"]);
    assert_eq!(demo.stop(), Some(0));
}

#[test]
fn the_media_services_processes_may_be_away() {
    let Some(python) = python() else { return };
    let kafka = Kafka::where_asked();
    let mut demo = Demo::with_receipts(None);
    let media = ["--mesh=media", "--viewers=60", "--seed=6"];
    all_are_away_once(&mut demo, kafka.as_ref(), &media);
    let files = format!("--files={}", demo.folder().join("demo/media").display());
    demo.judge(&python, "media_books.py", &[&files]);
    assert_eq!(demo.stop(), Some(0));
}
