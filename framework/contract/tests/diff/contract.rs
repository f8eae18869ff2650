//! Changes of a contract outside of its columns.

use crate::support::{BASE, check, edited};

/// One edit of the base, and the changes.
fn edit(from: &str, to: &str, expected: &[&str]) {
    check(BASE, &edited(BASE, &[(from, to)]), expected);
}

#[test]
fn the_same_contract_has_no_changes() {
    check(BASE, BASE, &[]);
}

#[test]
fn words_are_documentation() {
    edit(
        "name: Orders",
        "name: All orders",
        &["documentation name changed Orders → All orders"],
    );
    edit(
        "tags: [retail]",
        "tags: [retail, x]",
        &["documentation tags changed retail → retail, x"],
    );
    edit(
        "purpose: What was bought.",
        "purpose: Sales.",
        &["documentation description.purpose changed What was bought. → Sales."],
    );
    edit(
        "description: One order.",
        "description: An order.",
        &["documentation schema.description changed One order. → An order."],
    );
    edit(
        "    description: One order.",
        "    description: One order.\n    dataGranularityDescription: A row an order.",
        &["documentation schema.dataGranularityDescription added A row an order."],
    );
    edit(
        "{username: ann, role: owner}",
        "{username: bob, role: owner}",
        &[
            "documentation team.members.ann removed ann, owner",
            "documentation team.members.bob added bob, owner",
        ],
    );
    edit(
        "channel: help, ",
        "channel: help, tool: email, ",
        &[
            "documentation support.help changed help, mailto:help@shop.example → help, email, mailto:help@shop.example",
        ],
    );
    edit(
        "  name: Shop",
        "  name: Sales",
        &["documentation team.name changed Shop → Sales [ownership different]"],
    );
    edit(
        "customProperties:\n  - {property: mesh.comp",
        "customProperties:\n  - {property: cost, value: low}\n  - {property: mesh.comp",
        &["documentation customProperties.cost added low"],
    );
    edit(
        "  - name: order\n",
        "  - name: order_\n",
        &["documentation schema.name changed order → order_"],
    );
}

#[test]
fn the_key_and_its_partitions_hold_for_a_major() {
    edit(
        "{name: order_id, logicalType: string, primaryKey: true, required: true}",
        "{name: order_id, logicalType: string, required: true}",
        &["breaking schema.primaryKey changed order_id [key different]"],
    );
    edit(
        "required: true, partitioned: true, classification",
        "required: true, classification",
        &["breaking schema.partitionKey changed customer [key different]"],
    );
    edit(
        "{name: order_id, logicalType: string, primaryKey",
        "{name: order_id, logicalType: string, partitioned: true, partitionKeyPosition: 2, primaryKey",
        &["breaking schema.partitionKey changed customer → customer, order_id [key different]"],
    );
    edit(
        "mesh.partitions, value: 4",
        "mesh.partitions, value: 8",
        &[
            "breaking schema.customProperties.mesh.partitions widened 4 → 8 [key different, topic different]",
        ],
    );
    edit(
        "mesh.partitions, value: 4",
        "mesh.partitions, value: 2",
        &[
            "breaking schema.customProperties.mesh.partitions narrowed 4 → 2 [key different, topic different]",
        ],
    );
    // What is compatible elsewhere gives a key other bytes.
    let key = |ty: &str| {
        edited(
            BASE,
            &[(
                "{name: customer, logicalType: string,",
                &format!("{{name: customer, {ty},"),
            )],
        )
    };
    check(
        &key("logicalType: integer"),
        &key("logicalType: integer, logicalTypeOptions: {format: i64}"),
        &["breaking schema.properties.customer changed int → long [key different]"],
    );
    check(
        &key("logicalType: string, enum: [{value: A}]"),
        &key("logicalType: string, enum: [{value: A}, {value: B}]"),
        &["breaking schema.properties.customer.enum widened B [key different]"],
    );
    check(
        &key("logicalType: string, enum: [{value: A}, {value: B}]"),
        &key("logicalType: string, enum: [{value: B}, {value: A}]"),
        &["breaking schema.properties.customer.enum reordered [key different]"],
    );
    // Limits do not stand in the schema of keys.
    check(
        &key("logicalType: string"),
        &key("logicalType: string, logicalTypeOptions: {maxLength: 9}"),
        &[
            "compatible schema.properties.customer.logicalTypeOptions.maxLength narrowed 9 [quality stronger]",
        ],
    );
}

#[test]
fn what_a_row_is_holds_for_a_major() {
    edit(
        "  - name: order\n",
        "  - name: purchase\n",
        &["breaking schema.name changed order → purchase"],
    );
    let state = edited(
        BASE,
        &[
            ("value: event", "value: state"),
            ("required: true, partitioned: true", "required: true"),
        ],
    );
    check(
        BASE,
        &state,
        &[
            "breaking schema.customProperties.mesh.kind changed event → state [key different, retention different]",
            "breaking schema.partitionKey changed customer [key different]",
        ],
    );
    edit(
        "value: placed_at",
        "value: changed_at",
        &["breaking schema.customProperties.mesh.eventTime changed placed_at → changed_at"],
    );
    edit(
        "      - {property: mesh.eventTime, value: placed_at}\n",
        "",
        &["breaking schema.customProperties.mesh.eventTime removed placed_at"],
    );
    check(
        &edited(
            BASE,
            &[("      - {property: mesh.eventTime, value: placed_at}\n", "")],
        ),
        BASE,
        &["compatible schema.customProperties.mesh.eventTime added placed_at"],
    );
    edit(
        "mesh.subjectKey, value: customer",
        "mesh.subjectKey, value: order_id",
        &[
            "compatible schema.customProperties.mesh.subjectKey changed customer → order_id [access different]",
        ],
    );
    edit(
        "      - {property: mesh.subjectKey, value: customer}\n",
        "",
        &["compatible schema.customProperties.mesh.subjectKey removed customer [access weaker]"],
    );
}

#[test]
fn identity_holds_for_a_product() {
    edit(
        "id: urn:mesh:contract:shop.orders",
        "id: urn:other",
        &["breaking id changed urn:mesh:contract:shop.orders → urn:other [topic different]"],
    );
    edit(
        "shop.orders.v1",
        "shop.sales.v1",
        &["breaking schema.physicalName changed orders → sales [topic different]"],
    );
    check(
        BASE,
        &edited(
            BASE,
            &[
                ("domain: shop", "domain: mall"),
                ("shop.orders.v1", "mall.orders.v1"),
            ],
        ),
        &["breaking domain changed shop → mall [topic different]"],
    );
    // A new major has a topic of its own, which is no change of the old one.
    check(
        BASE,
        &edited(
            BASE,
            &[("1.2.0", "2.0.0"), ("shop.orders.v1", "shop.orders.v2")],
        ),
        &[],
    );
}

#[test]
fn service_levels_become_stronger_or_weaker() {
    let path = "compatible slaProperties";
    for (from, to, expected) in [
        (
            "latency, value: 5, unit: m",
            "latency, value: 10, unit: m",
            "latency widened 5 m → 10 m [service level weaker]",
        ),
        (
            "latency, value: 5, unit: m",
            "latency, value: 1, unit: h",
            "latency widened 5 m → 1 h [service level weaker]",
        ),
        (
            "latency, value: 5, unit: m",
            "latency, value: 60, unit: s",
            "latency narrowed 5 m → 60 s [service level stronger]",
        ),
        (
            "latency, value: 5, unit: m",
            "latency, value: soon",
            "latency changed 5 m → soon [service level different]",
        ),
        (
            "availability, value: 99.5",
            "availability, value: 99.9",
            "availability narrowed 99.5 % → 99.9 % [service level stronger]",
        ),
        (
            "availability, value: 99.5",
            "availability, value: 95",
            "availability widened 99.5 % → 95 % [service level weaker]",
        ),
        (
            "  - {property: latency, value: 5, unit: m}\n",
            "",
            "latency removed 5 m [service level weaker]",
        ),
        (
            "  - {property: latency,",
            "  - {property: endOfSupport, value: \"2027-01-01\"}\n  - {property: latency,",
            "endOfSupport added 2027-01-01 [service level weaker, lifecycle weaker]",
        ),
        (
            "  - {property: latency,",
            "  - {property: throughput, value: 100, unit: rows/s}\n  - {property: latency,",
            "throughput added 100 rows/s [service level stronger]",
        ),
    ] {
        edit(from, to, &[&format!("{path}.{expected}")]);
    }
    // The same in other units promises the same.
    edit(
        "latency, value: 5, unit: m",
        "latency, value: 300, unit: s",
        &["documentation slaProperties.latency changed 5 m → 300 s"],
    );
    let end = |day: &str| {
        edited(
            BASE,
            &[(
                "  - {property: latency,",
                &format!("  - {{property: endOfLife, value: \"{day}\"}}\n  - {{property: latency,"),
            )],
        )
    };
    check(
        &end("2027-06-01"),
        &end("2027-01-01"),
        &[
            "compatible slaProperties.endOfLife widened 2027-06-01 → 2027-01-01 [service level weaker, lifecycle weaker]",
        ],
    );
}

#[test]
fn records_that_were_promised_are_not_deleted() {
    edit(
        "retention, value: 30, unit: d",
        "retention, value: 7, unit: d",
        &[
            "breaking slaProperties.retention narrowed 30 d → 7 d [retention weaker, service level weaker]",
        ],
    );
    edit(
        "retention, value: 30, unit: d",
        "retention, value: -1",
        &[
            "compatible slaProperties.retention widened 30 d → for ever [retention stronger, service level stronger]",
        ],
    );
    edit(
        "retention, value: 30, unit: d",
        "retention, value: 720, unit: h",
        // The same promise in other words.
        &["documentation slaProperties changed"],
    );
}

#[test]
fn the_compatibility_level_is_a_promise() {
    for (level, expected) in [
        (
            "FULL",
            "breaking customProperties.mesh.compatibility widened FULL_TRANSITIVE → FULL [quality weaker]",
        ),
        (
            "BACKWARD",
            "breaking customProperties.mesh.compatibility widened FULL_TRANSITIVE → BACKWARD [quality weaker]",
        ),
        (
            "NONE",
            "breaking customProperties.mesh.compatibility widened FULL_TRANSITIVE → NONE [quality weaker]",
        ),
    ] {
        edit(
            "value: FULL_TRANSITIVE",
            &format!("value: {level}"),
            &[expected],
        );
    }
    let at = |level: &str| {
        edited(
            BASE,
            &[("value: FULL_TRANSITIVE", &format!("value: {level}"))],
        )
    };
    check(
        &at("BACKWARD"),
        &at("FULL"),
        &[
            "compatible customProperties.mesh.compatibility narrowed BACKWARD → FULL [quality stronger]",
        ],
    );
    check(
        &at("NONE"),
        &at("FORWARD"),
        &[
            "compatible customProperties.mesh.compatibility narrowed NONE → FORWARD [quality stronger]",
        ],
    );
    check(
        &at("BACKWARD_TRANSITIVE"),
        &at("FORWARD_TRANSITIVE"),
        &[
            "breaking customProperties.mesh.compatibility widened BACKWARD_TRANSITIVE → FORWARD_TRANSITIVE [quality weaker]",
        ],
    );
}

#[test]
fn a_status_moves_forwards_alone() {
    let life = |old: &str, new: &str, expected: &str| {
        let at = |status: &str| edited(BASE, &[("status: active", &format!("status: {status}"))]);
        let trend = match (old, new) {
            ("draft", "proposed") => "",
            ("draft", "active") => " [lifecycle stronger]",
            ("active", "draft") | ("deprecated", "active") | ("retired", _) => {
                " [lifecycle different]"
            }
            _ => " [lifecycle weaker]",
        };
        check(&at(old), &at(new), &[&format!("{expected} → {new}{trend}")]);
        let forbidden = crate::support::diff(&at(old), &at(new)).changes[0].forbidden;
        assert_eq!(forbidden, expected.starts_with("breaking"), "{old} {new}");
    };
    life("draft", "proposed", "documentation status changed draft");
    life("draft", "active", "compatible status changed draft");
    life("draft", "retired", "compatible status changed draft");
    life("active", "deprecated", "compatible status changed active");
    life(
        "deprecated",
        "retired",
        "readers only status changed deprecated",
    );
    life("active", "retired", "breaking status changed active");
    life("active", "draft", "breaking status changed active");
    life("deprecated", "active", "breaking status changed deprecated");
    life("retired", "active", "breaking status changed retired");
    // A new major begins its own life.
    let old = edited(BASE, &[("status: active", "status: deprecated")]);
    let new = edited(
        BASE,
        &[("1.2.0", "2.0.0"), ("shop.orders.v1", "shop.orders.v2")],
    );
    check(
        &old,
        &new,
        &["documentation status changed deprecated → active"],
    );
}

#[test]
fn servers_come_and_go() {
    edit(
        "host: \"kafka:9092\"",
        "host: \"kafka:9093\"",
        &["compatible servers.main.host changed kafka:9092 → kafka:9093 [topic different]"],
    );
    edit(
        "servers:\n",
        "servers:\n  - {server: eu, type: kafka, host: \"eu:9092\", format: avro}\n",
        &["compatible servers.eu added eu:9092 [topic different]"],
    );
    edit(
        "format: avro}",
        "format: avro, environment: prod}",
        &["documentation servers.main.environment added prod"],
    );
}
