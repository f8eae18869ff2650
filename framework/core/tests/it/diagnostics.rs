//! A broken contract is refused with file, line, field and mend.

use mesh_core::contract::Contract;

const SAMPLE: &str = include_str!("contracts/sample.odcs.yaml");

/// Replaces the first `from` by `to` and expects one diagnostic that holds `expected`.
fn check(from: &str, to: &str, expected: &[&str]) {
    assert!(SAMPLE.contains(from), "{from}");
    let text = SAMPLE.replacen(from, to, 1);
    let problems = Contract::parse("c.yaml", &text)
        .expect_err(&format!("{from:?} -> {to:?}"))
        .to_string();
    for part in expected {
        assert!(problems.contains(part), "{part:?} in {problems}");
    }
}

#[test]
fn the_sample_is_sound() {
    let contract = Contract::parse("c.yaml", SAMPLE).unwrap();
    assert_eq!(contract.product, "samples");
    assert_eq!(contract.retention.as_millis(), 30 * 86_400_000);
}

#[test]
fn what_is_not_understood_is_refused_with_its_place_and_mend() {
    check(
        "status: active\n",
        "",
        &["c.yaml:2", "status", "is missing", "add `status"],
    );
    check(
        "status: active",
        "statuss: active",
        &["c.yaml:7:1", "did you mean `status`?"],
    );
    check(
        "status: active",
        "status: live",
        &["c.yaml:7", "`live`", "`active`"],
    );
    check(
        "version: \"1.2.0\"",
        "version: 1.2",
        &["version", "in quotes"],
    );
    check(
        "version: \"1.2.0\"",
        "version: \"2.0.0\"",
        &["physicalName", "lab.<product>.v2"],
    );
    check(
        "kind: DataContract",
        "kind: DataContract\nprices: {}",
        &["prices", "did you mean `price`?"],
    );
    check(
        "lab.samples.v1",
        "lab.Samples.v1",
        &["physicalName", "not this product's topic"],
    );
    check("domain: lab", "domain: Lab", &["domain", "lower-case"]);
    check("name: tube", "name: series", &["stands here twice"]);
    check("name: tube", "name: tube_v2", &["ends like a version"]);
    check(
        "format: uuid",
        "format: guid",
        &["properties[2].logicalTypeOptions.format", "`uuid`"],
    );
    check("value: TAKEN", "value: 2TAKEN", &["Avro symbol"]);
    check("value: MEASURED_TWICE", "value: taken", &["collides"]);
    check(
        "decimal(12,2)",
        "decimal(12,3)",
        &["scale", "add `- property: scale`"],
    );
    check("decimal(12,2)", "decimal(40,2)", &["1 <= p <= 38"]);
    check(
        "timestamp-micros",
        "timestamp-nanos",
        &["physicalType", "`timestamp-micros`"],
    );
    check(
        "value: taken_at",
        "value: tube",
        &["mesh.eventTime", "no timestamp"],
    );
    check(
        "value: taken_at",
        "value: nowhere",
        &["mesh.eventTime", "no column"],
    );
    check(
        "property: mesh.partitions",
        "property: mesh.partition",
        &["not understood"],
    );
    check("value: state", "value: table", &["mesh.kind"]);
    check(
        "primaryKeyPosition: 2",
        "primaryKeyPosition: 3",
        &["without gaps"],
    );
    check(
        "    value: 30\n    unit: d",
        "    value: 30",
        &["unit", "write h, d or y"],
    );
    check(
        "property: retention",
        "property: latency",
        &["retention", "missing"],
    );
    check(
        "- name: sample\n",
        "- name: sample\n    name: again\n",
        &["YAML"],
    );
    check(
        "kind: DataContract",
        "kind: [DataContract",
        &["not valid YAML"],
    );
    check("kind: DataContract", "kind: !!binary x", &["kind"]);
    check(
        "apiVersion: v3.2.0",
        "apiVersion: v3.2.0\n---\na: 1",
        &["one document"],
    );
}

#[test]
fn an_alias_bomb_and_a_huge_file_are_refused_within_bounds() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..9 {
        let refs = vec![format!("*a{}", i - 1); 9].join(", ");
        bomb.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
    }
    assert!(Contract::parse("bomb.yaml", &bomb).is_err());
    let deep = "[".repeat(100_000);
    assert!(Contract::parse("deep.yaml", &deep).is_err());
    let huge = "x".repeat(2 << 20);
    let text = Contract::parse("huge.yaml", &huge).unwrap_err().to_string();
    assert!(text.contains("bytes"), "{text}");
}
