//! Changes of lists whose items are promises: quality checks, roles, relationships.

use serde_json::{Map as JsonMap, Value as Json};

use super::change::{Area, Change, File, Reads, Trend, What};
use super::words;
use crate::standard::{DataQuality, Part, Relationship, Role};

/// What a change of one item is, given the item before and after.
type Judge = fn(&JsonMap<String, Json>, &JsonMap<String, Json>) -> Judged;

enum Judged {
    /// Only words for people differ.
    Words,
    /// The promise differs.
    Promise(Trend),
}

/// A kind of list: how its items are named, and what their coming and going means.
struct List {
    /// The keys that name an item, the first that it has.
    names: &'static [&'static str],
    area: Area,
    added: (Trend, &'static str),
    removed: (Trend, &'static str),
    changed: &'static str,
    judge: Judge,
}

const QUALITY: List = List {
    names: &["id", "name"],
    area: Area::Quality,
    added: (
        Trend::Stronger,
        "records are read as before; more is promised of them, and old ones may not keep it",
    ),
    removed: (
        Trend::Weaker,
        "records are read as before; a reader that relies on the promise no longer can",
    ),
    changed: "records are read as before; another thing is promised of them",
    judge: quality_trend,
};

const ROLES: List = List {
    names: &["id", "role"],
    area: Area::Access,
    added: (Trend::Weaker, "one more way leads to the data"),
    removed: (
        Trend::Stronger,
        "readers that hold the role have no access by it any more",
    ),
    changed: "the role gives other access, or others approve it",
    judge: |old, new| told_apart(old, new, Trend::Different),
};

/// The changes of quality checks; those of a column where `column` names it.
pub(super) fn quality(
    path: &str,
    old: &[DataQuality],
    new: &[DataQuality],
    column: Option<&str>,
    out: &mut Vec<Change>,
) {
    compare(&QUALITY, path, old, new, column, out);
}

/// The changes of roles.
pub(super) fn roles(old: &[Role], new: &[Role], out: &mut Vec<Change>) {
    compare(&ROLES, "roles", old, new, None, out);
}

/// The changes of relationships, which the framework does not check.
pub(super) fn relationships(
    path: &str,
    old: &[Relationship],
    new: &[Relationship],
    out: &mut Vec<Change>,
) {
    let text = |of: &[Relationship]| -> Vec<String> {
        of.iter().map(|one| one.to.all().join(" + ")).collect()
    };
    if old != new {
        words::list(File::Contract, path, &text(old), &text(new), out);
        if text(old) == text(new) {
            out.push(Change::words(File::Contract, path, What::Changed));
        }
    }
}

/// A part that is marked as no longer to be used, or no longer marked.
pub(super) fn deprecation(
    file: File,
    path: &str,
    [old, new]: [bool; 2],
    column: Option<&str>,
    out: &mut Vec<Change>,
) {
    if old == new {
        return;
    }
    let (trend, why) = if new {
        (
            Trend::Weaker,
            "it is read as before; it is announced to go with a later major version",
        )
    } else {
        (Trend::Stronger, "it is no longer announced to go")
    };
    let change = Change::of(path, What::Changed, Reads::BOTH, why)
        .moved(Some(old.to_string()), Some(new.to_string()))
        .effect(Area::Lifecycle, trend)
        .file(file);
    let change = match column {
        Some(column) => change.column(column),
        None => change,
    };
    out.push(if new {
        change.mend("tell the readers that are named what to use instead")
    } else {
        change
    });
}

fn compare<T: Part>(
    list: &List,
    path: &str,
    old: &[T],
    new: &[T],
    column: Option<&str>,
    out: &mut Vec<Change>,
) {
    let written = |items: &[T]| -> Vec<JsonMap<String, Json>> {
        items
            .iter()
            .filter_map(|item| match item.write() {
                Json::Object(map) => Some(map),
                _ => None,
            })
            .collect()
    };
    let (mut old, mut new) = (written(old), written(new));
    // What stands on both sides as it is needs no name.
    old.retain(|item| match new.iter().position(|other| other == item) {
        Some(at) => {
            new.remove(at);
            false
        }
        None => true,
    });
    let name = |item: &JsonMap<String, Json>| {
        list.names
            .iter()
            .find_map(|key| item.get(*key)?.as_str().map(str::to_owned))
    };
    let place = |item: &JsonMap<String, Json>| match name(item) {
        Some(name) => format!("{path}.{name}"),
        None => path.to_owned(),
    };
    let concerned = |change: Change| match column {
        Some(column) => change.column(column),
        None => change,
    };
    for before in &old {
        let known = name(before);
        let after = new
            .iter()
            .position(|item| known.is_some() && name(item) == known)
            .map(|at| new.remove(at));
        let at = place(before);
        let Some(after) = after else {
            let (trend, why) = list.removed;
            out.push(concerned(
                Change::of(at, What::Removed, Reads::BOTH, why)
                    .moved(Some(shown(before)), None)
                    .effect(list.area, trend),
            ));
            continue;
        };
        let moved = |change: Change| change.moved(Some(shown(before)), Some(shown(&after)));
        out.push(match (list.judge)(before, &after) {
            Judged::Words => Change::words(File::Contract, at, What::Changed),
            Judged::Promise(trend) => concerned(moved(
                Change::of(at, What::Changed, Reads::BOTH, list.changed).effect(list.area, trend),
            )),
        });
    }
    for item in &new {
        let (trend, why) = list.added;
        out.push(concerned(
            Change::of(place(item), What::Added, Reads::BOTH, why)
                .moved(None, Some(shown(item)))
                .effect(list.area, trend),
        ));
    }
}

/// The keys that say nothing about the promise itself.
const WORDS: [&str; 10] = [
    "id",
    "name",
    "description",
    "dimension",
    "method",
    "businessImpact",
    "tags",
    "authoritativeDefinitions",
    "schedule",
    "scheduler",
];

/// An item in one line: what it promises, without the words around it.
fn shown(item: &JsonMap<String, Json>) -> String {
    let parts: Vec<String> = item
        .iter()
        .filter(|(key, _)| !WORDS.contains(&key.as_str()))
        .map(|(key, value)| match value {
            Json::String(text) => format!("{key}: {text}"),
            other => format!("{key}: {other}"),
        })
        .collect();
    match (parts.is_empty(), item.get("description")) {
        (true, Some(Json::String(text))) => text.clone(),
        _ => parts.join(", "),
    }
}

/// The keys by which two items differ.
fn differing<'a>(old: &'a JsonMap<String, Json>, new: &'a JsonMap<String, Json>) -> Vec<&'a str> {
    let mut keys: Vec<&str> = old
        .keys()
        .chain(new.keys())
        .map(String::as_str)
        .filter(|key| old.get(*key) != new.get(*key))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn told_apart(
    old: &JsonMap<String, Json>,
    new: &JsonMap<String, Json>,
    otherwise: Trend,
) -> Judged {
    match differing(old, new).iter().all(|key| WORDS.contains(key)) {
        true => Judged::Words,
        false => Judged::Promise(otherwise),
    }
}

/// A bound that moved tells which way; what else differs is another promise. A check in words
/// promises what its description says.
fn quality_trend(old: &JsonMap<String, Json>, new: &JsonMap<String, Json>) -> Judged {
    let promised = |key: &&str| !WORDS.contains(key);
    let keys: Vec<&str> = differing(old, new).into_iter().filter(promised).collect();
    let in_words = old.get("type").and_then(Json::as_str) == Some("text");
    match keys.as_slice() {
        [] if in_words && old.get("description") != new.get("description") => {
            Judged::Promise(Trend::Different)
        }
        [] => Judged::Words,
        ["severity"] => Judged::Promise(Trend::Different),
        [bound] => {
            let number = |of: &JsonMap<String, Json>| of.get(*bound).and_then(Json::as_f64);
            let upper = matches!(*bound, "mustBeLessThan" | "mustBeLessOrEqualTo");
            let lower = matches!(*bound, "mustBeGreaterThan" | "mustBeGreaterOrEqualTo");
            match (number(old), number(new)) {
                (Some(old), Some(new)) if upper || lower => {
                    Judged::Promise(match (new > old) == lower {
                        true => Trend::Stronger,
                        false => Trend::Weaker,
                    })
                }
                _ => Judged::Promise(Trend::Different),
            }
        }
        _ => Judged::Promise(Trend::Different),
    }
}
