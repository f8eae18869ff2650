//! Texts that are for people alone.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::change::{Change, File, What};

/// A text for people.
pub(super) fn words(
    file: File,
    path: &str,
    old: Option<&str>,
    new: Option<&str>,
    out: &mut Vec<Change>,
) {
    if old == new {
        return;
    }
    let what = match (old, new) {
        (None, _) => What::Added,
        (_, None) => What::Removed,
        _ => What::Changed,
    };
    let owned = |text: Option<&str>| text.map(str::to_owned);
    out.push(Change::words(file, path, what).moved(owned(old), owned(new)));
}

/// A list of words for people.
pub(super) fn list(file: File, path: &str, old: &[String], new: &[String], out: &mut Vec<Change>) {
    let joined = |words: &[String]| (!words.is_empty()).then(|| words.join(", "));
    words(
        file,
        path,
        joined(old).as_deref(),
        joined(new).as_deref(),
        out,
    );
}

/// Custom properties that the framework gives no meaning.
pub(super) fn custom(
    file: File,
    path: &str,
    old: &BTreeMap<String, Json>,
    new: &BTreeMap<String, Json>,
    out: &mut Vec<Change>,
) {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let base = if path.is_empty() {
        "customProperties".to_owned()
    } else {
        format!("{path}.customProperties")
    };
    for name in names {
        let text = |of: &BTreeMap<String, Json>| {
            of.get(name).map(|value| match value {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            })
        };
        let (before, after) = (text(old), text(new));
        words(
            file,
            &format!("{base}.{name}"),
            before.as_deref(),
            after.as_deref(),
            out,
        );
    }
}

/// What two documents differ in besides the changes that were told already: parts of the
/// standard to which the framework gives no meaning. The version is compared by itself.
pub(super) fn rest(file: File, old: &Json, new: &Json, out: &mut Vec<Change>) {
    let (Json::Object(old), Json::Object(new)) = (old, new) else {
        return;
    };
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let what = match (old.get(key), new.get(key)) {
            (before, after) if before == after => continue,
            (None, _) => What::Added,
            (_, None) => What::Removed,
            _ => What::Changed,
        };
        let told = |change: &Change| change.file == file && change.path.starts_with(key.as_str());
        if key != "version" && !out.iter().any(told) {
            out.push(Change::words(file, key.as_str(), what));
        }
    }
}
