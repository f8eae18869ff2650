use mesh_core::Record;
use user_behavior::patterns::{audience, closed, with_session};
use user_behavior::products::{
    AudienceMemberActivityBand, AudienceMemberAgeBand, SessionClosedBy, WatchPatternActivityBand,
    WatchPatternAgeBand,
};
use user_behavior::pseudonym::Pseudonyms;
use user_behavior::sessions::{Open, add, take_due};
use user_behavior::settings::{Limits, Secret};
use uuid::Uuid;

const MINUTE: i64 = 60_000;
const LIMITS: Limits = Limits {
    gap: 30 * MINUTE,
    lateness: 5 * MINUTE,
};

fn view(number: u128, item: i64, minute: i64) -> Open {
    Open::new(Uuid::from_u128(number), item, minute * MINUTE)
}

/// Start, end and number of views of the sessions that views at these minutes make.
fn sessions(minutes: &[i64]) -> Vec<(i64, i64, i64)> {
    let mut open = Vec::new();
    for (number, minute) in (0..).zip(minutes) {
        add(&mut open, view(number, 1, *minute), LIMITS);
    }
    open.iter()
        .map(|one| (one.started / MINUTE, one.ended / MINUTE, one.views))
        .collect()
}

#[test]
fn a_gap_parts_sessions_in_whatever_order_views_come() {
    let check = |minutes: &[i64], expected: &[(i64, i64, i64)]| {
        assert_eq!(sessions(minutes), expected, "{minutes:?}");
        let reversed: Vec<i64> = minutes.iter().rev().copied().collect();
        assert_eq!(sessions(&reversed), expected, "{reversed:?}");
    };
    check(&[0], &[(0, 0, 1)]);
    check(&[0, 30, 60], &[(0, 60, 3)]);
    check(&[0, 31], &[(0, 0, 1), (31, 31, 1)]);
    // The one in the middle joins both.
    check(&[0, 50, 25], &[(0, 50, 3)]);
    check(&[100, 10, 100, 120], &[(10, 10, 1), (100, 120, 3)]);
}

#[test]
fn sessions_are_due_when_not_even_a_late_view_can_come() {
    let mut open = Vec::new();
    add(&mut open, view(1, 1, 0), LIMITS);
    add(&mut open, view(2, 1, 40), LIMITS);
    assert_eq!(take_due(&mut open, 35 * MINUTE, LIMITS), []);
    let due = take_due(&mut open, 35 * MINUTE + 1, LIMITS);
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].ended, 0);
    assert_eq!(open.len(), 1);
}

#[test]
fn a_session_says_what_was_watched_and_follows_from_its_first_view() {
    let mut open = Vec::new();
    for (number, item, minute) in [(1, 7, 20), (2, 8, 10), (3, 7, 30), (4, 9, 10)] {
        add(&mut open, view(number, item, minute), LIMITS);
    }
    let session = closed(5, &open[0], SessionClosedBy::EventTime);
    session.validate().unwrap();
    assert_eq!(open[0].first, Uuid::from_u128(2));
    assert_eq!((session.views, session.distinct_items), (4, 3));
    let again = closed(5, &open[0], SessionClosedBy::Clock);
    assert_eq!(again.session_id, session.session_id);
    let other = closed(6, &open[0], SessionClosedBy::Clock);
    assert_ne!(other.session_id, session.session_id);
}

#[test]
fn patterns_add_sessions_up() {
    // 1970-01-01 was a Thursday.
    let mut first = Vec::new();
    for (number, minute) in [(1, 9 * 60), (2, 9 * 60 + 20), (3, 9 * 60 + 45)] {
        add(&mut first, view(number, number as i64, minute), LIMITS);
    }
    let pattern = with_session(None, 5, &first[0], None);
    assert_eq!((pattern.views, pattern.sessions), (3, 1));
    assert_eq!(pattern.watched_seconds, 45 * 60);
    assert_eq!(pattern.views_by_weekday, [0, 0, 0, 3, 0, 0, 0]);
    assert_eq!(pattern.views_by_hour[9], 3);
    assert_eq!(pattern.activity_band, WatchPatternActivityBand::Light);

    // Sunday the 4th, 23:50, and Monday, 0:10.
    let late = (3 * 24 + 23) * 60 + 50;
    let mut second = Vec::new();
    for number in 0..60 {
        add(&mut second, view(number, 1, late), LIMITS);
    }
    add(&mut second, view(99, 1, late + 20), LIMITS);
    let band = Some(WatchPatternAgeBand::Age3034);
    let pattern = with_session(Some(pattern), 5, &second[0], band);
    pattern.validate().unwrap();
    assert_eq!((pattern.views, pattern.sessions), (64, 2));
    assert_eq!(pattern.views_by_weekday, [1, 0, 0, 3, 0, 0, 60]);
    assert_eq!(pattern.views_by_hour.iter().sum::<i64>(), 64);
    assert_eq!(pattern.favourite_hour, 23);
    assert_eq!(pattern.mean_session_seconds, (45 + 20) as f64 * 30.0);
    assert_eq!(pattern.first_seen_at.0, 9 * 60 * MINUTE);
    assert_eq!(pattern.last_seen_at.0, (late + 20) * MINUTE);
    assert_eq!(pattern.activity_band, WatchPatternActivityBand::Medium);

    let member = audience(&pattern, "p".repeat(64)).unwrap();
    member.validate().unwrap();
    assert_eq!(member.age_band, Some(AudienceMemberAgeBand::Age3034));
    assert_eq!(member.activity_band, AudienceMemberActivityBand::Medium);
}

#[test]
fn the_bands_of_patterns_and_audiences_are_the_same() {
    let names = |all: Vec<String>| all;
    assert_eq!(
        names(
            WatchPatternAgeBand::ALL
                .iter()
                .map(ToString::to_string)
                .collect()
        ),
        names(
            AudienceMemberAgeBand::ALL
                .iter()
                .map(ToString::to_string)
                .collect()
        ),
    );
    assert_eq!(
        names(
            WatchPatternActivityBand::ALL
                .iter()
                .map(ToString::to_string)
                .collect()
        ),
        names(
            AudienceMemberActivityBand::ALL
                .iter()
                .map(ToString::to_string)
                .collect()
        ),
    );
}

#[test]
fn a_pseudonym_follows_from_user_and_secret_alone() {
    let with = |byte: u8| Pseudonyms::new(&Secret::new(vec![byte; 32]));
    let one = with(1).of(7);
    assert_eq!(one, with(1).of(7));
    assert_ne!(one, with(2).of(7));
    assert_ne!(one, with(1).of(8));
    // HMAC-SHA-256 of "user/7" under 32 bytes of 1, by `openssl dgst -sha256 -mac HMAC`.
    assert_eq!(
        one,
        "702c985a1a26a74ab8e7ed7fc3faee474fabaea96bc3d15de6dd28e6070c7b24"
    );
}
