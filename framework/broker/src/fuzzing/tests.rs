#![allow(clippy::unwrap_used)]

use super::*;

const TARGETS: [&str; 4] = ["requests", "batches", "partitions", "stores"];

fn corpus(target: &str) -> PathBuf {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    corpus.join(target)
}

/// What the fuzzers have found, and what they began with, stays mended.
#[test]
fn the_corpus_breaks_no_promise() {
    for name in TARGETS {
        let run = target(name).unwrap();
        let mut inputs = seeds(name);
        assert!(inputs.len() > 5, "{name} has seeds");
        let mut kept = 0;
        for entry in fs::read_dir(corpus(name)).unwrap() {
            let path = entry.unwrap().path();
            inputs.push((path.display().to_string(), fs::read(&path).unwrap()));
            kept += 1;
        }
        assert!(kept > 0, "{name} has a corpus");
        for (input, bytes) in inputs {
            let ran = std::panic::catch_unwind(|| run(&bytes));
            assert!(ran.is_ok(), "{name}: {input}");
        }
    }
}

/// The samples must come through the codec, or the fuzzer begins at nothing.
#[test]
fn the_seeds_of_requests_are_answered() {
    for (name, bytes) in seeds("requests") {
        // A login has to come first, or the client waits for others, or the version is only
        // advertised.
        let silent = name.ends_with("-12")
            || name.starts_with("JoinGroup")
            || matches!(name.as_str(), "Produce-0-0" | "Produce-1-0" | "Produce-2-0");
        if !silent && !name.starts_with("way-") {
            assert_eq!(requests(&bytes).len(), 1, "{name}");
        }
    }
}

/// `cargo test -p mesh-broker --lib write_the_seeds -- --ignored` writes them into the folder
/// that `FUZZ_SEEDS` names, for a fuzzer to begin with.
#[test]
#[ignore = "writes files for the fuzzers"]
fn write_the_seeds() {
    let folder = PathBuf::from(std::env::var("FUZZ_SEEDS").expect("FUZZ_SEEDS names a folder"));
    for name in TARGETS {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        for (seed, bytes) in seeds(name) {
            fs::write(folder.join(format!("seed-{seed}")), bytes).unwrap();
        }
    }
}
