//! The line of a change in its file.

use mesh_contract::diff::locate;

use crate::support::{BASE, with_column};

/// Checks that `path` leads to the line that holds `part`.
fn check(text: &str, path: &str, part: &str) {
    let line = locate(text, path);
    let found = text.lines().nth(line - 1).unwrap();
    assert!(found.contains(part), "{path}: line {line}: {found}");
}

#[test]
fn paths_lead_to_lines() {
    for (path, part) in [
        ("version", "version: \"1.2.0\""),
        ("description.purpose", "purpose:"),
        ("slaProperties.latency", "property: latency"),
        ("slaProperties.latency.description", "property: latency"),
        ("slaProperties.latency(placed_at)", "property: latency"),
        ("customProperties.mesh.compatibility", "mesh.compatibility"),
        ("schema.physicalName", "physicalName:"),
        ("schema.customProperties.mesh.partitions", "mesh.partitions"),
        (
            "schema.properties.customer.classification",
            "name: customer",
        ),
        ("servers.main.host", "server: main"),
        ("support.help", "channel: help"),
        ("team.members.ann", "username: ann"),
        // What is not there leads to what is around it.
        ("schema.properties.gone", "properties:"),
        ("schema.primaryKey", "schema:"),
        ("nowhere", "apiVersion"),
    ] {
        check(BASE, path, part);
    }
    let nested = with_column(
        "name: c\n        logicalType: array\n        items:\n          logicalType: object\n          properties:\n            - name: a\n              logicalType: string\n              enum:\n                - value: X",
    );
    check(
        &nested,
        "schema.properties.c.items.properties.a.enum",
        "enum:",
    );
    check(
        &nested,
        "schema.properties.c.items.properties.a.enum.X.description",
        "value: X",
    );
    assert_eq!(locate("not: [yaml", "version"), 1);
}
