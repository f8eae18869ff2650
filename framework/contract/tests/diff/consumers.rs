//! Which consumers a change reaches.

use mesh_contract::diff::Consumer;

use crate::support::{BASE, diff, edited, parse, with_column};

const STATUS: &str = "logicalType: string, required: true, enum: [{value: OPEN}, {value: PAID}]";

fn consumer(copy: Option<&str>) -> Consumer {
    Consumer {
        domain: "billing".into(),
        products: vec!["invoices".into()],
        version: "1.0.0".into(),
        files: vec!["inputs/orders.odcs.yaml".into()],
        copy: copy.map(parse),
    }
}

/// A consumer's copy: its own record name, fewer columns.
fn copy(columns: &str) -> String {
    format!(
        r#"apiVersion: v3.2.0
kind: DataContract
id: urn:mesh:contract:shop.orders
version: "1.0.0"
status: active
domain: shop
description: {{purpose: To bill.}}
slaProperties:
  - {{property: retention, value: 30, unit: d}}
schema:
  - name: billed_order
    physicalName: shop.orders.v1
    customProperties:
      - {{property: mesh.kind, value: event}}
    properties:
      - {{name: order_id, logicalType: string, primaryKey: true, required: true}}
{columns}"#
    )
}

/// Who is reached by each change, in the order of the changes: `columns`, `-` for nobody,
/// `*` for the product as a whole; `!` where the consumer has to act.
fn check(old: &str, new: &str, consumer: &Consumer, expected: &[&str]) {
    let (diff, new) = (diff(old, new), parse(new));
    let found: Vec<String> = diff
        .changes
        .iter()
        .map(|change| match diff.touched(change, consumer, &new) {
            None => "-".to_owned(),
            Some(touched) => {
                assert_eq!(touched.domain, "billing");
                assert_eq!(touched.products, ["invoices"]);
                let must_act = if touched.must_act { "!" } else { "" };
                let columns = if touched.columns.is_empty() {
                    "*".to_owned()
                } else {
                    touched.columns.join(",")
                };
                format!("{columns}{must_act}")
            }
        })
        .collect();
    assert_eq!(found, expected, "{:?}", diff.changes);
}

#[test]
fn a_copy_is_touched_by_the_columns_it_knows() {
    let old = with_column(&format!("{{name: status, {STATUS}}}"));
    let new = with_column(&format!(
        "{{name: status, {}}}",
        STATUS.replace("{value: PAID}", "{value: PAID}, {value: LOST}")
    ));
    let knows = copy(&format!("      - {{name: status, {STATUS}}}\n"));
    let ready = copy(&format!(
        "      - {{name: status, {}}}\n",
        STATUS.replace("{value: PAID}", "{value: PAID}, {value: LOST}")
    ));
    check(&old, &new, &consumer(Some(&knows)), &["status!"]);
    check(&old, &new, &consumer(Some(&copy(""))), &["-"]);
    check(&old, &new, &consumer(Some(&ready)), &["-"]);
    // Without a copy any column may be read.
    check(&old, &new, &consumer(None), &["status!"]);
}

#[test]
fn additions_and_words_touch_nobody() {
    let new = with_column("{name: c, logicalType: string}");
    check(BASE, &new, &consumer(None), &["-"]);
    let new = edited(BASE, &[("tags: [retail]", "tags: [sale]")]);
    check(BASE, &new, &consumer(None), &["-"]);
}

#[test]
fn a_column_that_goes_stops_those_who_know_it() {
    let old = with_column("{name: sum, logicalType: integer}");
    let knows = copy("      - {name: sum, logicalType: integer}\n");
    check(&old, BASE, &consumer(Some(&knows)), &["sum!"]);
    check(&old, BASE, &consumer(Some(&copy(""))), &["-"]);
    let renamed = with_column("{name: total, logicalType: integer}");
    check(&old, &renamed, &consumer(Some(&knows)), &["sum!"]);
}

#[test]
fn nested_columns_go_by_their_dotted_names() {
    let list = |fields: &str| {
        format!(
            "{{name: lines, logicalType: array, items: {{logicalType: object, properties: [{fields}]}}}}"
        )
    };
    let (a, b) = (
        "{name: a, logicalType: string, classification: internal}",
        "{name: b, logicalType: string}",
    );
    let old = with_column(&list(&format!("{a}, {b}")));
    let new = with_column(&list(&format!(
        "{}, {b}",
        a.replace("internal", "personal")
    )));
    let knows = |fields: &str| copy(&format!("      - {}\n", list(fields)));
    check(&old, &new, &consumer(Some(&knows(a))), &["lines.a"]);
    check(&old, &new, &consumer(Some(&knows(b))), &["-"]);
}

#[test]
fn what_concerns_the_product_touches_every_consumer_of_the_major() {
    let new = edited(BASE, &[("retention, value: 30", "retention, value: 7")]);
    check(BASE, &new, &consumer(Some(&copy(""))), &["*!"]);
    let new = edited(BASE, &[("latency, value: 5", "latency, value: 50")]);
    check(BASE, &new, &consumer(Some(&copy(""))), &["*"]);
    let later = Consumer {
        version: "2.0.0".into(),
        ..consumer(None)
    };
    check(BASE, &new, &later, &["-"]);
    // Order by key is everybody's, whoever knows the column.
    let new = edited(
        BASE,
        &[("required: true, partitioned: true,", "required: true,")],
    );
    check(BASE, &new, &consumer(Some(&copy(""))), &["*!"]);
    // A copy has its own name for the record.
    let new = edited(BASE, &[("  - name: order\n", "  - name: sale\n")]);
    check(BASE, &new, &consumer(Some(&copy(""))), &["-"]);
    check(BASE, &new, &consumer(None), &["*!"]);
}
