//! What a closed session adds to how a user watches.

use mesh_core::{EventId, Record, Result, TimestampMillis};

use crate::products::{
    AudienceMember, Session, SessionClosedBy, WatchPattern, WatchPatternActivityBand as Activity,
    WatchPatternAgeBand as Age,
};
use crate::sessions::Open;

/// From how many views on a user is MEDIUM, and HEAVY.
const MEDIUM: i64 = 50;
const HEAVY: i64 = 200;

/// The record of a session that is over.
pub fn closed(user_id: i64, session: &Open, closed_by: SessionClosedBy) -> Session {
    let topic = Session::descriptor().topic.as_str();
    let id = EventId::derived(&[topic, &user_id.to_string(), &session.first.to_string()]);
    Session {
        session_id: id.0,
        user_id,
        started_at: TimestampMillis(session.started),
        ended_at: TimestampMillis(session.ended),
        views: session.views,
        distinct_items: session.items.len() as i64,
        closed_by,
    }
}

/// The pattern with one more session.
pub fn with_session(
    before: Option<WatchPattern>,
    user_id: i64,
    session: &Open,
    age_band: Option<Age>,
) -> WatchPattern {
    let mut pattern = before.unwrap_or_else(|| WatchPattern {
        user_id,
        views: 0,
        sessions: 0,
        first_seen_at: TimestampMillis(session.started),
        last_seen_at: TimestampMillis(session.ended),
        views_by_hour: vec![0; session.hours.len()],
        views_by_weekday: vec![0; session.weekdays.len()],
        watched_seconds: 0,
        mean_session_seconds: 0.0,
        favourite_hour: 0,
        activity_band: Activity::Light,
        age_band: None,
    });
    pattern.views += session.views;
    pattern.sessions += 1;
    pattern.first_seen_at = pattern.first_seen_at.min(TimestampMillis(session.started));
    pattern.last_seen_at = pattern.last_seen_at.max(TimestampMillis(session.ended));
    let add = |all: &mut [i64], more: &[i64]| {
        all.iter_mut()
            .zip(more)
            .for_each(|(one, more)| *one += more);
    };
    add(&mut pattern.views_by_hour, &session.hours);
    add(&mut pattern.views_by_weekday, &session.weekdays);
    pattern.watched_seconds += (session.ended - session.started) / 1000;
    pattern.mean_session_seconds = pattern.watched_seconds as f64 / pattern.sessions as f64;
    pattern.favourite_hour = favourite(&pattern.views_by_hour);
    pattern.activity_band = activity(pattern.views);
    pattern.age_band = age_band;
    pattern
}

/// The hour with the most views, the earlier of equals.
fn favourite(hours: &[i64]) -> i32 {
    let mut best = 0;
    for (hour, views) in hours.iter().enumerate() {
        if *views > hours[best] {
            best = hour;
        }
    }
    best as i32
}

fn activity(views: i64) -> Activity {
    if views >= HEAVY {
        Activity::Heavy
    } else if views >= MEDIUM {
        Activity::Medium
    } else {
        Activity::Light
    }
}

/// What advertising may know of the user with this pattern.
///
/// # Errors
/// If the bands of the two contracts are not the same.
pub fn audience(pattern: &WatchPattern, pseudonym: String) -> Result<AudienceMember> {
    Ok(AudienceMember {
        pseudonym,
        age_band: pattern
            .age_band
            .map(|band| band.as_str().parse())
            .transpose()?,
        activity_band: pattern.activity_band.as_str().parse()?,
        favourite_hour: pattern.favourite_hour,
    })
}
