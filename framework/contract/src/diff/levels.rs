//! Changes of what a contract promises about service: levels, retention, compatibility.

use serde_json::Value as Json;

use super::change::{Area, Change, File, Reads, Trend, What};
use super::words;
use crate::contract::ServiceLevel;
use crate::schema::Retention;

/// The changes between two lists of service levels; how long records are kept is compared by
/// [`retention`].
pub(super) fn compare(old: &[ServiceLevel], new: &[ServiceLevel], out: &mut Vec<Change>) {
    let same =
        |a: &ServiceLevel, b: &ServiceLevel| a.property == b.property && a.element == b.element;
    for before in old {
        match new.iter().find(|after| same(before, after)) {
            Some(after) => level(before, after, out),
            None => out.push(
                promise(before, What::Removed, Trend::Weaker)
                    .moved(Some(shown(before)), None)
                    .mend("tell the readers that are named before you take the promise back"),
            ),
        }
    }
    for after in new {
        if !old.iter().any(|before| same(before, after)) {
            // An end that was not there before is no promise but the end of one.
            let trend = match ends(&after.property) {
                true => Trend::Weaker,
                false => Trend::Stronger,
            };
            out.push(promise(after, What::Added, trend).moved(None, Some(shown(after))));
        }
    }
}

fn path(level: &ServiceLevel) -> String {
    match &level.element {
        None => format!("slaProperties.{}", level.property),
        Some(element) => format!("slaProperties.{}({element})", level.property),
    }
}

fn shown(level: &ServiceLevel) -> String {
    let value = match &level.value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    match &level.unit {
        None => value,
        Some(unit) => format!("{value} {unit}"),
    }
}

/// Whether the property says when the product ends.
fn ends(property: &str) -> bool {
    matches!(property, "endOfSupport" | "es" | "endOfLife" | "el")
}

fn promise(level: &ServiceLevel, what: What, trend: Trend) -> Change {
    let why = match trend {
        Trend::Stronger => "records are read as before, and more is promised",
        Trend::Weaker => "records are read as before, and less is promised",
        Trend::Different => "records are read as before, and something else is promised",
    };
    let change = Change::of(path(level), what, Reads::BOTH, why).effect(Area::ServiceLevel, trend);
    if ends(&level.property) {
        change.effect(Area::Lifecycle, trend)
    } else {
        change
    }
}

fn level(old: &ServiceLevel, new: &ServiceLevel, out: &mut Vec<Change>) {
    let ServiceLevel {
        property,
        value,
        unit,
        element: _,
        description,
    } = new;
    words::words(
        File::Contract,
        &format!("{}.description", path(new)),
        old.description.as_deref(),
        description.as_deref(),
        out,
    );
    if property == "retention" || (old.value == *value && old.unit == *unit) {
        return;
    }
    let (before, after) = (Some(shown(old)), Some(shown(new)));
    let what = trend(old, new);
    if what.is_none() {
        let change = Change::words(File::Contract, path(new), What::Changed);
        out.push(change.moved(before, after));
        return;
    }
    let trend = what.unwrap_or(Trend::Different);
    let what = match trend {
        Trend::Stronger => What::Narrowed,
        Trend::Weaker => What::Widened,
        Trend::Different => What::Changed,
    };
    let change = promise(new, what, trend).moved(before, after);
    out.push(match trend {
        Trend::Stronger => change,
        _ => change.mend("tell the readers that are named before it holds"),
    });
}

/// Which of the two promises more; `None` if they promise the same in other units.
fn trend(old: &ServiceLevel, new: &ServiceLevel) -> Option<Trend> {
    let more_is_better = match new.property.as_str() {
        "availability" | "av" | "throughput" | "th" | "endOfSupport" | "es" | "endOfLife"
        | "el" | "completeness" => true,
        "latency"
        | "ly"
        | "freshness"
        | "frequency"
        | "fy"
        | "errorRate"
        | "er"
        | "timeToDetect"
        | "td"
        | "timeToNotify"
        | "tn"
        | "timeToRepair"
        | "tr"
        | "generalAvailability"
        | "ga" => false,
        _ => return Some(Trend::Different),
    };
    let in_seconds = old.unit != new.unit;
    let order = match (amount(old, in_seconds), amount(new, in_seconds)) {
        (Some(before), Some(after)) => before.partial_cmp(&after),
        // Dates of ISO 8601 are in the order of their texts.
        _ => match (&old.value, &new.value) {
            (Json::String(before), Json::String(after)) if old.unit == new.unit => {
                Some(before.cmp(after))
            }
            _ => None,
        },
    };
    match order {
        Some(std::cmp::Ordering::Equal) => None,
        Some(order) if (order == std::cmp::Ordering::Less) == more_is_better => {
            Some(Trend::Stronger)
        }
        Some(_) => Some(Trend::Weaker),
        None => Some(Trend::Different),
    }
}

/// The value as a number, in seconds if it has to be compared with another unit; `None` for
/// what is no number, and for a unit that is not one of time.
fn amount(level: &ServiceLevel, in_seconds: bool) -> Option<f64> {
    let value = level.value.as_f64()?;
    if !in_seconds {
        return Some(value);
    }
    let unit = level.unit.as_deref().unwrap_or_default();
    let factor = match unit {
        "ms" | "millisecond" | "milliseconds" => 0.001,
        "s" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        "y" | "yr" | "year" | "years" => 365.0 * 86_400.0,
        _ => return None,
    };
    Some(value * factor)
}

/// How long records are kept.
pub(super) fn retention(old: Retention, new: Retention, out: &mut Vec<Change>) {
    if old == new {
        return;
    }
    let longer = match (old, new) {
        (_, Retention::Unlimited) => true,
        (Retention::Unlimited, _) => false,
        (Retention::Millis(old), Retention::Millis(new)) => new > old,
    };
    let path = "slaProperties.retention";
    let change = if longer {
        let why = "records are kept longer than before";
        Change::of(path, What::Widened, Reads::BOTH, why)
            .effect(Area::Retention, Trend::Stronger)
            .effect(Area::ServiceLevel, Trend::Stronger)
    } else {
        let why = "records that were promised to be kept are deleted, and nothing brings them back";
        Change::of(path, What::Narrowed, Reads::NEITHER, why)
            .effect(Area::Retention, Trend::Weaker)
            .effect(Area::ServiceLevel, Trend::Weaker)
            .mend("keep the retention, or write the next major with the shorter one")
    };
    out.push(change.moved(Some(kept(old)), Some(kept(new))));
}

fn kept(retention: Retention) -> String {
    match retention {
        Retention::Unlimited => "for ever".into(),
        Retention::Millis(millis) if millis % 86_400_000 == 0 => {
            format!("{} d", millis / 86_400_000)
        }
        Retention::Millis(millis) => format!("{} h", millis / 3_600_000),
    }
}

/// Which directions a compatibility level demands.
pub(super) fn demands(level: &str) -> Reads {
    match level.trim_end_matches("_TRANSITIVE") {
        "BACKWARD" => Reads::NEW_ONLY,
        "FORWARD" => Reads::OLD_ONLY,
        // NONE has the registry check nothing; it does not lower what a major promises.
        _ => Reads::BOTH,
    }
}

/// The registry's compatibility level.
pub(super) fn compatibility(old: &str, new: &str, out: &mut Vec<Change>) {
    if old == new {
        return;
    }
    let strength = |level: &str| {
        let directions = match level.trim_end_matches("_TRANSITIVE") {
            "BACKWARD" => Reads::NEW_ONLY,
            "FORWARD" => Reads::OLD_ONLY,
            "FULL" => Reads::BOTH,
            _ => Reads::NEITHER,
        };
        (directions, level.ends_with("_TRANSITIVE"))
    };
    let ((before, before_all), (after, after_all)) = (strength(old), strength(new));
    let keeps =
        before.and(after) == before && (after_all || !before_all || before == Reads::NEITHER);
    let path = "customProperties.mesh.compatibility";
    let change = if keeps {
        Change::of(
            path,
            What::Narrowed,
            Reads::BOTH,
            "more is promised about later versions; the registry refuses it if earlier versions \
             do not keep it",
        )
        .effect(Area::Quality, Trend::Stronger)
        .nobody()
    } else {
        Change::of(
            path,
            What::Widened,
            Reads::NEITHER,
            "readers rely on what later versions may not do, and that promise is taken back",
        )
        .effect(Area::Quality, Trend::Weaker)
        .mend(format!("keep `{old}` until the next major"))
    };
    out.push(change.moved(Some(old.to_owned()), Some(new.to_owned())));
}
