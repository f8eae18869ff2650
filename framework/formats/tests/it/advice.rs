//! Advice on valid contracts.

use mesh_core::contract::Contract;
use mesh_formats::advise;

use crate::support::folder;

/// The advice on the sample after `from` was replaced by `to`, each as `line field: message`.
fn advice(changes: &[(&str, &str)]) -> Vec<String> {
    let path = folder().join("contracts/sample.odcs.yaml");
    let mut text = std::fs::read_to_string(path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let contract = Contract::parse("c.yaml", &text).unwrap();
    let advice = advise("c.yaml", &text, &contract, None);
    assert!(
        advice
            .iter()
            .all(|one| !one.mend.is_empty() && one.file == "c.yaml")
    );
    advice
        .iter()
        .map(|one| format!("{} {}: {}", one.line, one.field, one.message))
        .collect()
}

fn check(changes: &[(&str, &str)], expected: &str, wanted: bool) {
    let said = advice(changes);
    let found = said.iter().any(|one| one.contains(expected));
    assert_eq!(found, wanted, "{expected:?} in {said:#?}");
}

#[test]
fn what_readers_would_miss_is_said_with_its_place() {
    let team = (
        "  name: Lab",
        "  name: Lab\n  members:\n    - username: a@lab.example",
    );
    check(&[], "11 team: nobody can be asked", false);
    check(&[], "team: nobody can be asked", true);
    check(&[team], "team: nobody can be asked", false);
    check(
        &[],
        "schema[0].properties[1]: the column `series` has no description",
        true,
    );
    check(&[], "the column `sample_id` has no description", false);
    check(
        &[],
        "schema[0].properties[19].items.properties[0]: the column `kind` has no description",
        true,
    );
    check(&[], "schema[0]: the record has no description", false);
    check(
        &[("    description: One sample with every type.\n", "")],
        "the record has no description",
        true,
    );
    let event = ("value: state", "value: event");
    check(&[event], "no column tells when", false);
    let timeless = (
        "      - property: mesh.eventTime\n        value: taken_at\n",
        "",
    );
    check(&[event, timeless], "schema[0]: no column tells when", true);
    check(&[timeless], "no column tells when", false);
    check(&[], "nothing says whose data", true);
    let subject = (
        "      - property: mesh.partitions",
        "      - property: mesh.subjectKey\n        value: series\n      - property: mesh.partitions",
    );
    check(&[subject], "nothing says whose data", false);
    check(
        &[("name: series", "name: email")],
        "`email` looks personal (e-mail address)",
        true,
    );
    check(
        &[(
            "name: series",
            "name: email\n        classification: internal",
        )],
        "`email` looks personal",
        false,
    );
    check(&[], "`street` looks personal (postal address)", true);
    let guess = (
        "        classification: personal",
        "        classification: personal\n        customProperties:\n          - { property: guess, value: x }",
    );
    check(
        &[guess],
        "the classification of `note` is still a guess",
        true,
    );
    check(&[], "still a guess", false);
}

#[test]
fn advice_names_the_line_of_its_column() {
    let path = folder().join("contracts/sample.odcs.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let line = text
        .lines()
        .position(|line| line.contains("name: series"))
        .unwrap()
        + 1;
    let said = advice(&[]);
    let wanted = format!("{line} schema[0].properties[1]: ");
    assert!(
        said.iter().any(|one| one.starts_with(&wanted)),
        "{wanted} in {said:#?}"
    );
}
