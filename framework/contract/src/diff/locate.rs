//! Where a change stands in the text of its file.

use crate::node::{Node, Reader, Value};

/// The keys by which the items of a list are named in paths.
const NAMES: [&str; 7] = [
    "name", "property", "value", "server", "channel", "username", "path",
];

/// The line, from 1, of `path` in the text of a contract or product, or of the nearest place
/// around it: `schema.properties.score.required`, where items of lists go by their names.
pub fn locate(text: &str, path: &str) -> usize {
    let reader = Reader::new("");
    let Some(root) = reader.parse(text) else {
        return 1;
    };
    let mut line = 1;
    let (mut node, mut rest) = (&root, path);
    while !rest.is_empty() {
        let Some((found, at, left)) = step(node, rest) else {
            break;
        };
        (node, line, rest) = (found, at, left);
    }
    line
}

/// One step down: the node, its line, and what is left of the path.
fn step<'a, 'p>(node: &'a Node, path: &'p str) -> Option<(&'a Node, usize, &'p str)> {
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .find_map(|entry| Some((&entry.node, entry.at.line, after(path, &entry.key)?))),
        Value::Seq(items) => {
            let named = items.iter().find_map(|item| {
                let left = after(path, name(item)?)?;
                Some((item, item.at.line, left))
            });
            // The one record type of a contract goes without its name.
            named.or_else(|| match items.as_slice() {
                [only] => step(only, path),
                _ => None,
            })
        }
        _ => None,
    }
}

/// What follows `step` in `path`; `None` if the path does not begin with it.
fn after<'p>(path: &'p str, step: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(step)?;
    match rest.strip_prefix('.') {
        Some(rest) => Some(rest),
        None => (rest.is_empty() || rest.starts_with('(')).then_some(""),
    }
}

fn name(item: &Node) -> Option<&str> {
    let Value::Map(entries) = &item.value else {
        return None;
    };
    NAMES.iter().find_map(|wanted| {
        entries.iter().find_map(|entry| match &entry.node.value {
            Value::Str(text) if entry.key == *wanted => Some(text.as_str()),
            _ => None,
        })
    })
}
