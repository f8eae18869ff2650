//! Runs the cases of an API at each version, and names error codes.

use std::cell::Cell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::Request;

use crate::support::{Raw, take_sent};
use crate::target::Target;

/// A case of an API, at the version given.
pub(crate) type Case = fn(&Target, i16);

/// What must be shown of each version of an API.
pub(crate) struct Cases {
    pub(crate) success: Case,
    pub(crate) error: Case,
    pub(crate) edge: Case,
}

thread_local! {
    /// Whether this thread has seen a broker refuse something.
    static REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// Runs all cases at all versions that are tested, and fails with the list of what failed.
///
/// A case must have sent the API in the version that it is a case of, and an error case must
/// have seen a refusal, so that none passes by testing nothing.
pub(crate) fn run(key: ApiKey, cases: &Cases) {
    let target = Target::get();
    let versions: Vec<i16> = target.versions(key).collect();
    if versions.is_empty() {
        println!("{key:?} is not advertised by {}", target.bootstrap());
    }
    let untested: Vec<i16> = target
        .promised(key)
        .filter(|version| !versions.contains(version))
        .collect();
    assert!(
        untested.is_empty(),
        "{key:?} is advertised in versions that no case is run at: {untested:?}"
    );
    let mut failures = Vec::new();
    for version in versions {
        let three = [
            ("success", cases.success),
            ("error", cases.error),
            ("edge", cases.edge),
        ];
        for (kind, case) in three {
            take_sent();
            REFUSED.set(false);
            let outcome = catch_unwind(AssertUnwindSafe(|| case(target, version)));
            let mut failed = |text: &str| {
                failures.push(format!("{key:?} {version}, {kind}: {text}"));
            };
            if let Err(panic) = outcome {
                failed(
                    panic
                        .downcast_ref::<String>()
                        .map(String::as_str)
                        .or_else(|| panic.downcast_ref::<&str>().copied())
                        .unwrap_or("a panic without text"),
                );
            } else if !take_sent().contains(&(key as i16, version)) {
                failed("no request of this version is sent");
            } else if kind == "error" && !REFUSED.get() {
                failed("nothing is refused");
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} cases fail on {}:\n{}",
        failures.len(),
        target.bootstrap(),
        failures.join("\n")
    );
}

/// Sends a request that lacks its last byte, which ends the connection. For what has nothing
/// else to refuse.
#[track_caller]
pub(crate) fn cut_off<R: Request>(raw: &mut Raw, version: i16, request: &R) {
    let mut frame = raw.frame(version, request);
    frame.pop();
    let length = u32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&length.to_be_bytes());
    raw.stream.write_all(&frame).unwrap();
    closes(raw);
}

/// The broker closes the connection, which is how it refuses what it cannot read.
#[track_caller]
pub(crate) fn closes(raw: &mut Raw) {
    assert!(raw.is_closed(), "the connection stays open");
    REFUSED.set(true);
}

#[track_caller]
pub(crate) fn ok(code: i16) {
    assert_eq!(code.err(), None);
}

#[track_caller]
pub(crate) fn fails(code: i16, error: ResponseError) {
    assert_eq!(code.err(), Some(error));
    REFUSED.set(true);
}
