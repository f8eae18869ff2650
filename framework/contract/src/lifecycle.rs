//! When a version ends: its service levels `endOfSupport` and `endOfLife`.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value as Json;

/// The ends that a contract announces. A day is meant from its beginning in UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// From when no new reader is accepted (`endOfSupport`).
    pub end_of_support: Option<DateTime<Utc>>,
    /// From when nobody reads it any more (`endOfLife`).
    pub end_of_life: Option<DateTime<Utc>>,
}

/// How far a version has come towards its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// No end is announced.
    Current,
    /// An end is announced and has not come.
    Announced,
    /// Support has ended: no new reader is accepted.
    Unsupported,
    /// Life has ended: nobody reads it any more.
    Ended,
}

impl Stage {
    /// `current`, `announced`, `unsupported` or `ended`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Announced => "announced",
            Self::Unsupported => "unsupported",
            Self::Ended => "ended",
        }
    }
}

impl Lifecycle {
    /// The ends among service levels, given as property and value. What is no day or instant
    /// counts as not announced; reading a contract refuses it.
    pub fn of_levels<'a>(levels: impl IntoIterator<Item = (&'a str, &'a Json)>) -> Self {
        let mut life = Self::default();
        for (property, value) in levels {
            let Some(end) = life.end(property) else {
                continue;
            };
            *end = value.as_str().and_then(instant);
        }
        life
    }

    /// Where the end that `property` names is kept.
    pub(crate) fn end(&mut self, property: &str) -> Option<&mut Option<DateTime<Utc>>> {
        match property {
            "endOfSupport" | "es" => Some(&mut self.end_of_support),
            "endOfLife" | "el" => Some(&mut self.end_of_life),
            _ => None,
        }
    }

    /// How far it is at `now`.
    pub fn stage(&self, now: DateTime<Utc>) -> Stage {
        let past = |end: Option<DateTime<Utc>>| end.is_some_and(|end| end <= now);
        if past(self.end_of_life) {
            Stage::Ended
        } else if past(self.end_of_support) {
            Stage::Unsupported
        } else if self.end_of_support.or(self.end_of_life).is_some() {
            Stage::Announced
        } else {
            Stage::Current
        }
    }
}

/// A day (`2027-06-30`) or an instant of ISO 8601 with its offset.
pub(crate) fn instant(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_stages_follow_each_other() {
        let [support, life] = ["2027-01-01", "2027-06-30T12:00:00+02:00"].map(Json::from);
        let lifecycle = Lifecycle::of_levels([
            ("retention", &Json::from(-1)),
            ("endOfSupport", &support),
            ("el", &life),
        ]);
        for (now, stage) in [
            ("2026-12-31T23:59:59Z", Stage::Announced),
            ("2027-01-01", Stage::Unsupported),
            ("2027-06-30T09:59:59Z", Stage::Unsupported),
            ("2027-06-30T10:00:00Z", Stage::Ended),
        ] {
            assert_eq!(lifecycle.stage(instant(now).unwrap()), stage, "{now}");
        }
        assert_eq!(Lifecycle::default().stage(Utc::now()), Stage::Current);
        assert_eq!(instant("next year"), None);
    }
}
