//! Contracts made from one text by editing it, and changes told in one line each.

use mesh_contract::Contract;
use mesh_contract::diff::{Change, Diff};

/// An event product with a bit of everything.
pub(crate) const BASE: &str = r#"apiVersion: v3.2.0
kind: DataContract
id: urn:mesh:contract:shop.orders
name: Orders
version: "1.2.0"
status: active
domain: shop
tags: [retail]
description:
  purpose: What was bought.
team:
  name: Shop
  members:
    - {username: ann, role: owner}
support:
  - {channel: help, url: "mailto:help@shop.example"}
servers:
  - {server: main, type: kafka, host: "kafka:9092", format: avro}
slaProperties:
  - {property: retention, value: 30, unit: d}
  - {property: latency, value: 5, unit: m}
  - {property: availability, value: 99.5, unit: "%"}
customProperties:
  - {property: mesh.compatibility, value: FULL_TRANSITIVE}
schema:
  - name: order
    physicalName: shop.orders.v1
    description: One order.
    customProperties:
      - {property: mesh.kind, value: event}
      - {property: mesh.eventTime, value: placed_at}
      - {property: mesh.subjectKey, value: customer}
      - {property: mesh.partitions, value: 4}
    properties:
      - {name: order_id, logicalType: string, primaryKey: true, required: true}
      - {name: customer, logicalType: string, required: true, partitioned: true, classification: personal}
      - {name: placed_at, logicalType: timestamp, required: true}
      - {name: changed_at, logicalType: timestamp, required: true}
      - {name: last, logicalType: boolean}
"#;

pub(crate) fn parse(text: &str) -> Contract {
    match Contract::parse("contract.odcs.yaml", text) {
        Ok(contract) => contract,
        Err(problems) => panic!("{problems}\n{text}"),
    }
}

/// `text` with each pair's first replaced by its second, which must stand there once.
pub(crate) fn edited(text: &str, edits: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (from, to) in edits {
        assert_eq!(text.matches(from).count(), 1, "{from:?} in {text}");
        text = text.replace(from, to);
    }
    text
}

/// The base with one more column, written as YAML in flow style, before the last; none if
/// it is empty.
pub(crate) fn with_column(column: &str) -> String {
    if column.is_empty() {
        return BASE.to_owned();
    }
    edited(
        BASE,
        &[(
            "      - {name: last,",
            &format!("      - {column}\n      - {{name: last,"),
        )],
    )
}

pub(crate) fn diff(old: &str, new: &str) -> Diff {
    Diff::contracts(&parse(old), &parse(new))
}

/// `class path what old → new [effects]`.
pub(crate) fn told(change: &Change) -> String {
    let mut line = format!("{} {} {}", change.class, change.path, change.what);
    let transition = change.transition();
    if !transition.is_empty() {
        line.push(' ');
        line.push_str(&transition);
    }
    if !change.effects.is_empty() {
        let effects: Vec<String> = change.effects.iter().map(ToString::to_string).collect();
        line.push_str(&format!(" [{}]", effects.join(", ")));
    }
    line
}

/// Checks that the changes from `old` to `new` are `expected`, one line each.
pub(crate) fn check(old: &str, new: &str, expected: &[&str]) {
    let diff = diff(old, new);
    let found: Vec<String> = diff.changes.iter().map(told).collect();
    assert_eq!(found, expected);
    for change in &diff.changes {
        assert!(
            !change.why.is_empty() && !change.why.ends_with('.'),
            "{change:?}"
        );
        let asks = change.class >= mesh_contract::diff::Class::ReadersOnly;
        assert!(!asks || change.mend.is_some(), "no way out: {change:?}");
    }
}
