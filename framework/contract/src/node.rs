//! A mapping being read: typed access to its keys, each refusal with its place.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

pub(crate) use crate::reader::Reader;
use crate::standard::Part;
pub(crate) use crate::yaml::{At, Entry, Node, Value};
use crate::yaml::{join, shown};

/// A mapping that remembers which of its keys were asked for; the others are refused.
pub(crate) struct Map<'a> {
    pub(crate) reader: &'a Reader,
    pub(crate) at: At,
    pub(crate) path: String,
    entries: &'a [Entry],
    taken: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Map<'a> {
    pub(crate) fn new(reader: &'a Reader, at: At, path: &str, entries: &'a [Entry]) -> Self {
        Self {
            reader,
            at,
            path: path.to_owned(),
            entries,
            taken: RefCell::new(BTreeSet::new()),
        }
    }

    pub(crate) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// The text of `key`, if it is one; whether it may be is for others to say.
    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        match self.entry(key).map(|entry| &entry.node.value) {
            Some(Value::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// The value of `key`, without asking for it.
    pub(crate) fn value(&self, key: &str) -> Option<&'a Value> {
        self.entry(key).map(|entry| &entry.node.value)
    }

    /// Where the value of `key` stands, or the mapping itself.
    pub(crate) fn at_of(&self, key: &str) -> At {
        self.entry(key).map_or(self.at, |entry| entry.node.at)
    }

    pub(crate) fn refuse(&self, key: &str, message: impl Into<String>, mend: impl Into<String>) {
        self.reader
            .refuse(self.at_of(key), &self.path_of(key), message, mend);
    }

    /// Refuses `key` where the key itself stands.
    pub(crate) fn refuse_key(
        &self,
        key: &str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        let at = self.entry(key).map_or(self.at, |entry| entry.at);
        self.reader.refuse(at, &self.path_of(key), message, mend);
    }

    /// Refuses the absence of `key`.
    pub(crate) fn missing(&self, key: &str) {
        self.reader.refuse(
            self.at,
            &self.path_of(key),
            "is missing",
            format!("add `{key}: …` here"),
        );
    }

    pub(crate) fn node(&self, key: &'static str) -> Option<&'a Node> {
        self.taken.borrow_mut().insert(key);
        self.entry(key).map(|entry| &entry.node)
    }

    fn wrong(&self, key: &str, node: &Node, expected: &str, mend: &str) {
        self.reader.wrong(node, &self.path_of(key), expected, mend);
    }

    pub(crate) fn string(&self, key: &'static str) -> Option<String> {
        let node = self.node(key)?;
        match &node.value {
            Value::Str(text) => Some(text.clone()),
            _ => {
                self.wrong(key, node, "a string", "put the value in quotes");
                None
            }
        }
    }

    pub(crate) fn required_string(&self, key: &'static str) -> Option<String> {
        if !self.has(key) {
            self.taken.borrow_mut().insert(key);
            self.missing(key);
            return None;
        }
        let text = self.string(key)?;
        if text.trim().is_empty() {
            self.refuse(key, "is empty", "say what it is");
            return None;
        }
        Some(text)
    }

    pub(crate) fn boolean(&self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        match node.value {
            Value::Bool(value) => Some(value),
            _ => {
                self.wrong(key, node, "a boolean", "write true or false");
                None
            }
        }
    }

    pub(crate) fn integer(&self, key: &'static str) -> Option<i64> {
        let node = self.node(key)?;
        match &node.value {
            Value::Number(value) if value.as_i64().is_some() => value.as_i64(),
            _ => {
                self.wrong(key, node, "an integer", "write a whole number");
                None
            }
        }
    }

    /// The items of a list with their paths; empty if the key is absent.
    pub(crate) fn items(&self, key: &'static str) -> Vec<(String, &'a Node)> {
        let Some(node) = self.node(key) else {
            return Vec::new();
        };
        match &node.value {
            Value::Seq(items) => items
                .iter()
                .enumerate()
                .map(|(at, item)| (format!("{}[{at}]", self.path_of(key)), item))
                .collect(),
            _ => {
                self.wrong(key, node, "a list", "write `- …` lines here");
                Vec::new()
            }
        }
    }

    pub(crate) fn maps(&self, key: &'static str) -> Vec<Map<'a>> {
        let reader = self.reader;
        self.items(key)
            .into_iter()
            .filter_map(|(path, node)| reader.map(node, &path))
            .collect()
    }

    pub(crate) fn strings(&self, key: &'static str) -> Vec<String> {
        let mut found = Vec::new();
        for (path, node) in self.items(key) {
            match &node.value {
                Value::Str(text) => found.push(text.clone()),
                other => self.reader.refuse(
                    node.at,
                    &path,
                    format!("expected a string, found {}", other.kind()),
                    "put the value in quotes",
                ),
            }
        }
        found
    }

    pub(crate) fn child(&self, key: &'static str) -> Option<Map<'a>> {
        let node = self.node(key)?;
        self.reader.map(node, &self.path_of(key))
    }

    /// A list that the standard's reading has checked already.
    pub(crate) fn again<T: Part>(&self, key: &'static str) -> Vec<T> {
        self.node(key)
            .and_then(|node| Part::read(self.reader, node, &self.path_of(key)))
            .unwrap_or_default()
    }

    /// A string that must be one of `allowed`.
    pub(crate) fn one_of(&self, key: &'static str, allowed: &[&str]) -> Option<String> {
        let text = self.required_string(key)?;
        if allowed.contains(&text.as_str()) {
            return Some(text);
        }
        self.refuse(
            key,
            format!("`{}` is not understood here", shown(&text)),
            format!("write {}", quoted(allowed)),
        );
        None
    }

    /// Refuses the text of `key` if it is none of `allowed`; it may be absent.
    pub(crate) fn among(&self, key: &str, allowed: &[&str]) {
        if let Some(text) = self.text(key)
            && !allowed.contains(&text)
        {
            self.refuse(
                key,
                format!("`{}` is not understood here", shown(text)),
                format!("write {}", quoted(allowed)),
            );
        }
    }

    /// The keys in the order of the file.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.entries.iter().map(|entry| entry.key.as_str())
    }

    /// The mapping under `key`, if it is one; it counts neither as asked for nor as wrong.
    pub(crate) fn peek_map(&self, key: &str) -> Option<Map<'a>> {
        let node = &self.entry(key)?.node;
        matches!(node.value, Value::Map(_))
            .then(|| self.reader.map(node, &self.path_of(key)))
            .flatten()
    }

    /// The mappings in the list under `key`, as with [`Map::peek_map`].
    pub(crate) fn peek_maps(&self, key: &str) -> Vec<Map<'a>> {
        let Some(Value::Seq(items)) = self.value(key) else {
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .filter(|(_, item)| matches!(item.value, Value::Map(_)))
            .filter_map(|(at, item)| {
                self.reader
                    .map(item, &format!("{}[{at}]", self.path_of(key)))
            })
            .collect()
    }

    /// Refuses every key that nobody asked for.
    pub(crate) fn finish(&self) {
        let taken = self.taken.borrow();
        for Entry { key, at, .. } in self.entries {
            if taken.contains(key.as_str()) || self.reader.full() {
                continue;
            }
            let near = taken
                .iter()
                .filter(|_| key.len() <= 64)
                .map(|known| (distance(known, key), known))
                .filter(|(distance, _)| *distance <= 2)
                .min();
            let mend = match near {
                Some((_, near)) => format!("did you mean `{near}`?"),
                None => format!(
                    "remove it or use one of {}",
                    quoted(&taken.iter().copied().collect::<Vec<_>>())
                ),
            };
            self.reader.refuse(
                *at,
                &self.path_of(&shown(key)),
                "is not understood here",
                mend,
            );
        }
    }

    /// Refuses items of the list `key` that say the same under `by`; items that do not have
    /// the first of these are left alone.
    pub(crate) fn unique(&self, key: &str, by: &[&str]) {
        let Some(Value::Seq(items)) = self.entry(key).map(|entry| &entry.node.value) else {
            return;
        };
        let mut seen = HashMap::new();
        for (index, item) in items.iter().enumerate() {
            let Some(node) = item.get(by[0]) else {
                continue;
            };
            let said: Vec<Option<String>> = by
                .iter()
                .map(|by| item.get(by).map(|node| node.to_json().to_string()))
                .collect();
            if let Some(line) = seen.insert(said, node.at.line) {
                self.reader.refuse(
                    node.at,
                    &format!("{}[{index}].{}", self.path_of(key), by[0]),
                    format!("stands here twice, first on line {line}"),
                    "rename or remove one of the two",
                );
            }
        }
    }
}

pub(crate) fn quoted(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The Levenshtein distance of two keys.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let next = (corner + usize::from(x != *y))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            corner = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}
