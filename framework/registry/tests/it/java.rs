//! Generated pairs of Avro schemas, judged by Apache Avro for Java
//! (`SchemaCompatibility.checkReaderWriterCompatibility`) and by this crate.
//!
//! 400 pairs stand in `java_pairs.jsonl` with the verdicts of Avro 1.12.0. Where
//! `MESH_AVRO_JARS` is the folder of Avro's jars, `MESH_AVRO_PAIRS` new ones (1,000) are made
//! from `MESH_AVRO_SEED` and judged by both in both directions; see `.ci/avro`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use mesh_registry::compat::{Schema, can_read};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::avro_changes::CHANGES;
use crate::avro_model::Model;

#[test]
fn verdicts_and_texts_are_those_of_java() {
    let lines = include_str!("java_pairs.jsonl");
    let (mut compatible, mut incompatible) = (0, 0);
    for (n, line) in lines.lines().enumerate() {
        let pair: Value = serde_json::from_str(line).unwrap();
        let parse = |key: &str| Schema::parse(pair[key].as_str().unwrap()).expect(line);
        let (reader, writer) = (parse("reader"), parse("writer"));
        let reads = can_read(&reader, &writer).unwrap().is_empty();
        assert_eq!(pair["reads"].as_bool(), Some(reads), "line {}", n + 1);
        // The texts of the pairs are Java's own: reading and writing them changes nothing.
        assert_eq!(pair["reader"].as_str(), Some(reader.canonical().as_str()));
        assert_eq!(pair["writer"].as_str(), Some(writer.canonical().as_str()));
        *(if reads {
            &mut compatible
        } else {
            &mut incompatible
        }) += 1;
    }
    assert!(compatible > 100 && incompatible > 100);
}

/// Two schemas, the second one changed by what is named.
struct Pair {
    changes: Vec<&'static str>,
    a: String,
    b: String,
}

impl Pair {
    fn random(rng: &mut ChaCha8Rng, first: usize) -> Self {
        let a = {
            let mut model = Model::random(rng);
            model.repair();
            model
        };
        let mut b = a.clone();
        let mut changes = Vec::new();
        // Each change in its turn, so that none is left to chance, and up to two others.
        for n in 0..=rng.random_range(0..3) {
            let at = match n {
                0 => first % CHANGES.len(),
                _ => rng.random_range(0..CHANGES.len()),
            };
            let (name, change) = CHANGES[at];
            if change(&mut b, rng) {
                changes.push(name);
            }
        }
        Self {
            changes,
            a: a.text(),
            b: b.text(),
        }
    }
}

/// Why our verdict may differ from Java's, by the names that docs/registry.md gives them.
fn explained(reader: &str, writer: &str, java: bool) -> Option<&'static str> {
    // Java ignores logical types: without those of decimals both say the same.
    (java && reads(&without_decimals(reader), &without_decimals(writer))).then_some("decimals")
}

fn without_decimals(schema: &str) -> String {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(object) => {
                if object.get("logicalType") == Some(&json!("decimal")) {
                    object.remove("logicalType");
                }
                object.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(schema).unwrap();
    strip(&mut value);
    value.to_string()
}

fn reads(reader: &str, writer: &str) -> bool {
    let parse = |text: &str| Schema::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    can_read(&parse(reader), &parse(writer)).unwrap().is_empty()
}

/// Java's answers to the pairs, one for each.
fn java(jars: &str, pairs: &[Pair]) -> Vec<Value> {
    let mut child = Command::new("java")
        .args([
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xss16m",
            "-cp",
        ])
        .arg(format!("{jars}/*"))
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/java/Judge.java"
        ))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("java, a JDK, runs the judge");
    let mut lines = String::new();
    for pair in pairs {
        writeln!(lines, "{}", json!({"a": pair.a, "b": pair.b})).unwrap();
    }
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();
    answers
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn fresh_pairs_are_judged_as_java_judges_them() {
    let Ok(jars) = std::env::var("MESH_AVRO_JARS") else {
        eprintln!("skipped: MESH_AVRO_JARS is not set");
        return;
    };
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect(name))
    };
    let (seed, count) = (number("MESH_AVRO_SEED", 1), number("MESH_AVRO_PAIRS", 1000));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let pairs: Vec<Pair> = (0..count)
        .map(|n| Pair::random(&mut rng, usize::try_from(n).unwrap()))
        .collect();
    let answers = java(&jars, &pairs);
    assert_eq!(answers.len(), pairs.len());

    let mut unexplained = String::new();
    let mut differences: BTreeMap<&str, usize> = BTreeMap::new();
    // How often a change led to a pair that can and to one that cannot be read.
    let mut covered: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for (pair, answer) in pairs.iter().zip(&answers) {
        if let Some(reason) = answer["refused"].as_str() {
            writeln!(
                unexplained,
                "Java refuses: {reason}\n  {}\n  {}",
                pair.a, pair.b
            )
            .unwrap();
            continue;
        }
        let texts = [(&pair.a, &answer["a"]), (&pair.b, &answer["b"])];
        for (text, java) in texts {
            let canonical = Schema::parse(text).unwrap().canonical();
            if *java != canonical {
                writeln!(
                    unexplained,
                    "text: {text}\n  Java: {java}\n  ours: {canonical}"
                )
                .unwrap();
            }
        }
        for (way, reader, writer) in [("aReadsB", &pair.a, &pair.b), ("bReadsA", &pair.b, &pair.a)]
        {
            let java = answer[way].as_bool().unwrap();
            let ours = reads(reader, writer);
            for change in &pair.changes {
                covered.entry(change).or_default()[usize::from(ours)] += 1;
            }
            if ours == java {
                continue;
            }
            match explained(reader, writer, java) {
                Some(class) => *differences.entry(class).or_default() += 1,
                None => writeln!(
                    unexplained,
                    "{:?}: ours {ours}, Java {java}\n  reader: {reader}\n  writer: {writer}",
                    pair.changes
                )
                .unwrap(),
            }
        }
    }
    let total = 2 * pairs.len();
    println!(
        "seed {seed}: {total} verdicts on {count} pairs; explained differences: {differences:?}"
    );
    for (change, [no, yes]) in &covered {
        println!("  {change}: readable {yes}, not {no}");
    }
    assert!(unexplained.is_empty(), "seed {seed}\n{unexplained}");
    if count >= 1000 {
        assert_eq!(covered.len(), CHANGES.len());
        for (change, [no, yes]) in &covered {
            assert!(no + yes >= 20, "{change}: readable {yes}, not {no}");
        }
        let readable: usize = covered.values().map(|[_, yes]| yes).sum();
        let not: usize = covered.values().map(|[no, _]| no).sum();
        assert!(
            readable > 300 && not > 300,
            "readable {readable}, not {not}"
        );
    }
}
