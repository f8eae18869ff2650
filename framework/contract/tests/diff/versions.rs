//! Semantic versions held against the changes.

use mesh_contract::diff::{Bump, Check, File};

use crate::support::{BASE, diff, edited, with_column};

fn at(text: &str, version: &str) -> String {
    let major = version.split('.').next().unwrap();
    edited(
        text,
        &[
            ("version: \"1.2.0\"", &format!("version: \"{version}\"")),
            ("shop.orders.v1", &format!("shop.orders.v{major}")),
        ],
    )
}

fn documentation() -> String {
    edited(BASE, &[("tags: [retail]", "tags: [sale]")])
}

fn compatible() -> String {
    with_column("{name: c, logicalType: string}")
}

fn breaking() -> String {
    with_column("{name: c, logicalType: string, required: true}")
}

fn checked(old: &str, new: &str) -> Check {
    diff(old, new).check()
}

/// Checks that a change may be published under the version.
fn fits(new: &str, version: &str, required: Bump, notes: &[&str]) {
    let check = checked(BASE, &at(new, version));
    assert_eq!(check.refusals, [], "{version}");
    assert_eq!(check.required, required, "{version}");
    assert_eq!(
        check.notes.len(),
        notes.len(),
        "{version}: {:?}",
        check.notes
    );
    for (found, expected) in check.notes.iter().zip(notes) {
        assert!(
            found.contains(expected),
            "{version}: {expected:?} in {found:?}"
        );
    }
}

/// Checks that it may not, and that each part stands in the message or the way out.
fn refused(new: &str, version: &str, parts: &[&str]) {
    let check = checked(BASE, &at(new, version));
    let [refusal] = check.refusals.as_slice() else {
        panic!("{version}: {check:?}");
    };
    assert_eq!(
        (refusal.file, refusal.path.as_str()),
        (File::Contract, "version")
    );
    let told = format!("{}; {}", refusal.message, refusal.mend);
    for part in parts {
        assert!(told.contains(part), "{version}: {part:?} in {told:?}");
    }
}

#[test]
fn each_class_asks_for_its_number() {
    fits(BASE, "1.2.0", Bump::None, &[]);
    fits(&documentation(), "1.2.1", Bump::Patch, &[]);
    fits(&compatible(), "1.3.0", Bump::Minor, &[]);
    fits(
        &breaking(),
        "2.0.0",
        Bump::Major,
        &["`shop.orders.v2`, beside `shop.orders.v1`"],
    );
}

#[test]
fn a_number_that_is_too_small_is_refused_with_the_right_one() {
    refused(
        &documentation(),
        "1.2.0",
        &["one change", "still 1.2.0", "write version 1.2.1"],
    );
    refused(
        &compatible(),
        "1.2.0",
        &["still 1.2.0", "write version 1.3.0"],
    );
    refused(
        &compatible(),
        "1.2.1",
        &[
            "minor",
            "1.2.1 is a patch after 1.2.0",
            "write version 1.3.0",
        ],
    );
    for version in ["1.2.0", "1.2.1", "1.3.0", "1.99.0"] {
        refused(
            &breaking(),
            version,
            &[
                "`schema.properties.c`",
                "under the same major",
                "write version 2.0.0",
                "topic `shop.orders.v2` beside the old one",
                "mesh contract diff",
            ],
        );
    }
    // What follows `+` is no other version.
    refused(&documentation(), "1.2.0+b", &["without a new version"]);
}

#[test]
fn a_number_never_goes_down() {
    for (new, version, next) in [
        (BASE.to_owned(), "1.1.9", "1.2.1"),
        (documentation(), "1.0.0", "1.2.1"),
        (breaking(), "1.1.0", "2.0.0"),
        (BASE.to_owned(), "1.2.0-rc.1", "1.2.1"),
    ] {
        refused(
            &new,
            version,
            &[
                "goes down from 1.2.0 to",
                version,
                &format!("write version {next}"),
            ],
        );
    }
}

#[test]
fn what_is_odd_and_allowed_is_noted() {
    fits(BASE, "1.2.1", Bump::None, &["is the same under 1.2.1"]);
    fits(&documentation(), "1.2.5", Bump::Patch, &["skips 1.2.1"]);
    fits(
        &documentation(),
        "1.3.0",
        Bump::Patch,
        &["ask for a patch version alone, which is 1.2.1"],
    );
    fits(&compatible(), "1.5.0", Bump::Minor, &["skips 1.3.0"]);
    fits(
        &breaking(),
        "3.0.0",
        Bump::Major,
        &["skips 2.0.0", "`shop.orders.v3`"],
    );
    fits(
        &compatible(),
        "2.0.0",
        Bump::Minor,
        &["ask for a minor version alone, which is 1.3.0", "beside"],
    );
}

#[test]
fn a_pre_release_moves_as_far_as_its_release() {
    fits(&documentation(), "1.2.1-rc.1", Bump::Patch, &[]);
    refused(&compatible(), "1.2.1-rc.1", &["write version 1.3.0"]);
    // From one pre-release to the next, and to the release.
    for (old, new, content, holds) in [
        ("2.0.0-rc.1", "2.0.0-rc.2", breaking(), true),
        ("2.0.0-rc.1", "2.0.0", breaking(), true),
        ("2.1.0-rc.1", "2.1.0", compatible(), true),
        ("2.1.0-rc.1", "2.1.0", breaking(), false),
        ("2.1.1-rc.1", "2.1.1", compatible(), false),
    ] {
        let check = checked(&at(BASE, old), &at(&content, new));
        assert_eq!(check.holds(), holds, "{old} {new}: {check:?}");
    }
}

#[test]
fn a_level_of_one_direction_allows_it_inside_a_major() {
    let required = |level: &str, old: &str, new: &str| {
        let at = |text: &str| {
            edited(
                text,
                &[("value: FULL_TRANSITIVE", &format!("value: {level}"))],
            )
        };
        diff(&at(old), &at(new)).required(File::Contract)
    };
    let (optional, needed) = (compatible(), breaking());
    let neither = with_column("{name: c, logicalType: date}");
    for (level, widened, narrowed) in [
        ("FULL", Bump::Major, Bump::Major),
        ("FULL_TRANSITIVE", Bump::Major, Bump::Major),
        ("NONE", Bump::Major, Bump::Major),
        ("BACKWARD", Bump::Minor, Bump::Major),
        ("BACKWARD_TRANSITIVE", Bump::Minor, Bump::Major),
        ("FORWARD", Bump::Major, Bump::Minor),
        ("FORWARD_TRANSITIVE", Bump::Major, Bump::Minor),
    ] {
        assert_eq!(required(level, &needed, &optional), widened, "{level}");
        assert_eq!(
            required(level, &optional, BASE),
            widened,
            "{level}: removed"
        );
        assert_eq!(required(level, &optional, &needed), narrowed, "{level}");
        assert_eq!(required(level, &optional, &neither), Bump::Major, "{level}");
        assert_eq!(required(level, BASE, &optional), Bump::Minor, "{level}");
    }
}

#[test]
fn a_draft_may_break_and_still_moves_its_number() {
    let draft = |text: &str| edited(text, &[("status: active", "status: draft")]);
    let breaks = |version: &str| checked(&draft(BASE), &at(&breaking(), version));
    let check = breaks("1.2.1");
    assert!(check.holds(), "{check:?}");
    assert!(
        check.notes.iter().any(|note| note.contains("was draft")),
        "{check:?}"
    );
    assert!(!breaks("1.2.0").holds());
    assert!(!breaks("1.1.0").holds());
}

#[test]
fn the_end_of_a_major_is_no_new_major() {
    let status = |status: &str, version: &str| {
        let text = edited(BASE, &[("status: active", &format!("status: {status}"))]);
        at(&text, version)
    };
    for (old, new, version, holds) in [
        ("active", "deprecated", "1.2.1", false),
        ("active", "deprecated", "1.3.0", true),
        ("deprecated", "retired", "1.3.0", true),
        // What no number makes right.
        ("active", "retired", "1.3.0", false),
        ("deprecated", "active", "1.9.0", false),
        ("retired", "active", "1.3.0", false),
        ("deprecated", "active", "2.0.0", true),
    ] {
        let check = checked(&status(old, "1.2.0"), &status(new, version));
        assert_eq!(check.holds(), holds, "{old} {new} {version}: {check:?}");
    }
    let check = checked(&status("active", "1.2.0"), &status("retired", "1.3.0"));
    let refusal = check
        .refusals
        .iter()
        .find(|it| it.path == "status")
        .unwrap();
    assert!(refusal.message.contains("active → retired"), "{refusal:?}");
    assert!(refusal.mend.contains("deprecated"), "{refusal:?}");
}
