//! Changes of promises in lists: quality checks, roles; and of what has no meaning here.

use crate::support::{BASE, check, edited};

const COLUMN: &str = "      - {name: last, logicalType: boolean}\n";

/// The base with a list of checks on the column `last`.
fn checked(checks: &[&str]) -> String {
    let mut text =
        String::from("      - name: last\n        logicalType: boolean\n        quality:\n");
    for check in checks {
        text += &format!("          - {check}\n");
    }
    edited(BASE, &[(COLUMN, &text)])
}

const FEW: &str = "{id: few, metric: nullValues, mustBeLessThan: 5, unit: percent}";
const SOME: &str = "{metric: invalidValues, mustBe: 0}";

#[test]
fn a_bound_that_moves_tells_which_way() {
    for (after, trend) in [("3", "stronger"), ("8", "weaker")] {
        let after = FEW.replace('5', after);
        let bound = |text: &str| text.split("LessThan: ").nth(1).unwrap()[..1].to_owned();
        check(
            &checked(&[FEW, SOME]),
            &checked(&[SOME, &after]),
            &[&format!(
                "compatible schema.properties.last.quality.few changed metric: nullValues, \
                 mustBeLessThan: 5, unit: percent → metric: nullValues, mustBeLessThan: {}, \
                 unit: percent [quality {trend}]",
                bound(&after)
            )],
        );
    }
}

#[test]
fn a_check_comes_and_goes() {
    let [one, two] = [checked(&[FEW]), checked(&[FEW, SOME])];
    check(
        &one,
        &two,
        &[
            "compatible schema.properties.last.quality added metric: invalidValues, mustBe: 0 [quality stronger]",
        ],
    );
    check(
        &two,
        &one,
        &[
            "compatible schema.properties.last.quality removed metric: invalidValues, mustBe: 0 [quality weaker]",
        ],
    );
    // The words around a check are no promise.
    check(
        &one,
        &checked(&[&FEW.replace("unit", "description: Few., unit")]),
        &["documentation schema.properties.last.quality.few changed"],
    );
}

#[test]
fn a_role_is_access() {
    let with = |roles: &str| {
        edited(
            BASE,
            &[("tags: [retail]\n", &format!("tags: [retail]\n{roles}"))],
        )
    };
    check(
        BASE,
        &with("roles:\n  - {role: analyst, access: read}\n"),
        &["compatible roles.analyst added role: analyst, access: read [access weaker]"],
    );
    check(
        &with("roles:\n  - {role: analyst, access: read}\n"),
        &with("roles:\n  - {role: analyst, access: write}\n"),
        &[
            "compatible roles.analyst changed role: analyst, access: read → role: analyst, access: write [access different]",
        ],
    );
}

#[test]
fn what_is_deprecated_is_announced() {
    check(
        BASE,
        &edited(BASE, &[("name: last,", "name: last, deprecated: true,")]),
        &["compatible schema.properties.last.deprecated changed false → true [lifecycle weaker]"],
    );
}

#[test]
fn no_field_of_the_standard_goes_unnoticed() {
    check(
        BASE,
        &edited(
            BASE,
            &[(
                "tags: [retail]",
                "tags: [retail]\nprice: {priceAmount: 3, priceCurrency: EUR, priceUnit: month}",
            )],
        ),
        &["documentation price added"],
    );
    check(
        BASE,
        &edited(
            BASE,
            &[("name: last,", "name: last, transformLogic: guessed,")],
        ),
        &["documentation schema changed"],
    );
}
