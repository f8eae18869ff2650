//! Which version stands for a product, and which for each of its major versions.
//!
//! Within a major the versions share one topic and replace each other: the highest that is
//! past being drafted stands for it. Of the majors, one in service goes before one whose
//! end is announced, that before one still being drafted, and that before one out of
//! service; among equals the higher goes first. So the newest active version stands for
//! the product wherever there is one.
//!
//! What a contract says of its version holds until an operator switches a product over to
//! another major: that one is active then, and those before are deprecated.

use mesh_core::contract::Version;

use crate::model::Status;
use crate::store::Entry;

/// What holds for a version of `major` whose contract says `stated`, where an operator has
/// `decided` about the major. A contract that ends a version goes before a decision to
/// serve it, and a draft beside versions that are none stays a draft.
pub(super) fn holds(
    stated: Status,
    decided: Option<Status>,
    major: u64,
    entries: &[Entry],
) -> Status {
    let only_drafts = || {
        let mut others = entries.iter().filter(|entry| entry.version.major == major);
        others.all(|entry| drafted(entry.stated))
    };
    match (decided, stated) {
        (Some(Status::Active), Status::Proposed | Status::Draft) if only_drafts() => Status::Active,
        (Some(Status::Deprecated), Status::Active) => Status::Deprecated,
        (_, stated) => stated,
    }
}

fn drafted(status: Status) -> bool {
    matches!(status, Status::Proposed | Status::Draft)
}

fn rank(status: Status) -> u8 {
    match status {
        Status::Active => 3,
        Status::Deprecated => 2,
        Status::Proposed | Status::Draft => 1,
        Status::Retired => 0,
    }
}

/// The version that stands for `major`, if there is one of it.
pub(super) fn of_major(entries: &[Entry], major: u64) -> Option<&Version> {
    head(entries, major).map(|entry| &entry.version)
}

fn head(entries: &[Entry], major: u64) -> Option<&Entry> {
    entries
        .iter()
        .filter(|entry| entry.version.major == major)
        .max_by_key(|entry| (!drafted(entry.status), &entry.version))
}

/// The version that stands for the product; `None` only if there are no entries.
pub(super) fn of_product(entries: &[Entry]) -> Option<&Version> {
    entries
        .iter()
        .filter_map(|entry| head(entries, entry.version.major))
        .max_by_key(|entry| (rank(entry.status), &entry.version))
        .map(|entry| &entry.version)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::DateTime;

    use super::*;

    fn check(versions: &[&str], expected: &str) {
        let entries: Vec<Entry> = versions
            .iter()
            .map(|text| {
                let (version, status) = text.split_once(' ').unwrap();
                Entry {
                    version: version.parse().unwrap(),
                    stated: Status::parse(status).unwrap(),
                    status: Status::parse(status).unwrap(),
                    successor: None,
                    topic: String::new(),
                    current: false,
                    registered_at: DateTime::UNIX_EPOCH,
                    updated_at: DateTime::UNIX_EPOCH,
                }
            })
            .collect();
        let found = of_product(&entries).map(Version::to_string);
        assert_eq!(found.as_deref(), Some(expected), "{versions:?}");
    }

    #[test]
    fn the_newest_active_version_stands_for_a_product() {
        check(&["1.0.0 active"], "1.0.0");
        check(&["1.9.0 active", "1.10.0 active", "1.2.0 active"], "1.10.0");
        check(&["1.0.0 active", "2.0.0 draft"], "1.0.0");
        check(&["1.0.0 active", "1.1.0 draft"], "1.0.0");
        check(&["1.0.0 deprecated", "2.0.0 active"], "2.0.0");
        check(&["1.0.0 active", "2.0.0 deprecated"], "1.0.0");
        check(&["1.0.0 active", "1.0.1 deprecated"], "1.0.1");
        check(
            &["1.0.0 active", "1.1.0 retired", "2.0.0 proposed"],
            "2.0.0",
        );
        check(&["1.0.0 active", "2.0.0-rc.1 active"], "2.0.0-rc.1");
        check(&["2.0.0-rc.1 active", "2.0.0 active"], "2.0.0");
        check(&["1.0.0 draft", "1.1.0 draft"], "1.1.0");
        assert!(of_product(&[]).is_none());
    }
}
