//! The patches themselves: where an edit changes the text, and what it puts there. A patch
//! may be wrong in rare ways of writing; the caller parses the result and compares.

use std::ops::Range;

use serde_json::{Map as JsonMap, Value as Json};

use super::path::{Step, find};
use super::{Edit, is_flow};
use crate::node::{Entry, Node, Value};
use crate::write::{self, Style};

/// The text after the edit; `None` where no patch is known.
pub(super) fn patch(text: &str, root: &Node, steps: &[Step], edit: &Edit<'_>) -> Option<String> {
    let (last, before) = steps.split_last()?;
    let parent = find(root, before)?;
    let in_flow = (0..=before.len())
        .filter_map(|length| find(root, &before[..length]))
        .any(|node| is_flow(text, node));
    let place = Place {
        text,
        parent,
        in_flow,
    };
    let (range, new) = match edit {
        Edit::Set(value) => place.set(last, value)?,
        Edit::Insert(value) => place.insert(last, value)?,
        Edit::Remove => {
            let only = match &parent.value {
                Value::Map(entries) => entries.len() == 1,
                Value::Seq(items) => items.len() == 1,
                _ => return None,
            };
            if only {
                // A block that lost its last line would be nothing instead of empty.
                let empty = if matches!(parent.value, Value::Map(_)) {
                    Json::Object(JsonMap::new())
                } else {
                    Json::Array(Vec::new())
                };
                return patch(text, root, before, &Edit::Set(&empty));
            }
            (place.remove(last)?, String::new())
        }
        Edit::Rename(name) => {
            let entry = place.entry(last)?;
            let name = write::scalar(&Json::from(*name), Style::Plain, in_flow);
            (entry.span.clone(), name)
        }
    };
    let new = match line_end(text) {
        "\n" => new,
        end => new.replace('\n', end),
    };
    Some(format!(
        "{}{new}{}",
        text.get(..range.start)?,
        text.get(range.end..)?
    ))
}

fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

struct Place<'t> {
    text: &'t str,
    parent: &'t Node,
    in_flow: bool,
}

type Patch = (Range<usize>, String);

impl Place<'_> {
    fn entries(&self) -> &[Entry] {
        match &self.parent.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    fn items(&self) -> &[Node] {
        match &self.parent.value {
            Value::Seq(items) => items,
            _ => &[],
        }
    }

    fn entry(&self, step: &Step) -> Option<&Entry> {
        match step {
            Step::Key(key) => self.entries().iter().find(|entry| entry.key == *key),
            Step::Index(_) => None,
        }
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |at| at + 1)
    }

    /// The end of the line that holds `at`, after its line end.
    fn next_line(&self, at: usize) -> usize {
        self.text[at..]
            .find('\n')
            .map_or(self.text.len(), |end| at + end + 1)
    }

    fn column(&self, at: usize) -> usize {
        self.text[self.line_start(at)..at].chars().count()
    }

    /// The end of a node's own text, without the line ends of a block of text.
    fn end(&self, node: &Node) -> usize {
        match node.value {
            Value::Null if node.span.is_empty() => node.span.start,
            _ => {
                let own = &self.text[node.span.clone()];
                node.span.start + own.trim_end().len()
            }
        }
    }

    /// Where the value of a key begins to be written: after its colon.
    fn after_colon(&self, entry: &Entry) -> Option<usize> {
        let rest = &self.text[entry.span.end..];
        let colon = rest.find(':')?;
        rest[..colon]
            .trim()
            .is_empty()
            .then_some(entry.span.end + colon + 1)
    }

    /// The dash of the item at `index`.
    fn dash(&self, index: usize) -> Option<usize> {
        let items = self.items();
        let column = self.column(self.parent.span.start);
        if index == 0 {
            return Some(self.parent.span.start);
        }
        let from = self.next_line(self.end(&items[index - 1]));
        let mut line = from;
        while line <= items[index].span.end && line < self.text.len() {
            let end = self.next_line(line);
            let content = &self.text[line..end];
            let indent = content.len() - content.trim_start_matches(' ').len();
            if indent == column && content[indent..].starts_with('-') {
                return Some(line + indent);
            }
            line = end;
        }
        None
    }

    fn set(&self, step: &Step, value: &Json) -> Option<Patch> {
        let (node, start, indent) = match step {
            Step::Key(_) => {
                let entry = self.entry(step)?;
                let indent = self.column(self.entries().first()?.span.start);
                (&entry.node, self.after_colon(entry)?, indent)
            }
            Step::Index(index) => {
                let node = self.items().get(*index)?;
                if self.in_flow {
                    (node, node.span.start, 0)
                } else {
                    let dash = self.dash(*index)?;
                    (node, dash + 1, self.column(self.parent.span.start))
                }
            }
        };
        let old = &self.text[node.span.start..self.end(node).max(node.span.start)];
        let scalars = !matches!(value, Json::Array(_) | Json::Object(_))
            && !matches!(node.value, Value::Seq(_) | Value::Map(_));
        let block = old.starts_with(['|', '>']);
        if self.in_flow || (is_flow(self.text, node) && !old.contains('\n')) || (scalars && !block)
        {
            let new = match value {
                Json::Array(_) | Json::Object(_) => write::flow(value),
                _ => write::scalar(value, style_of(old), self.in_flow),
            };
            if node.span.is_empty() {
                return Some((start..start, format!(" {new}")));
            }
            return Some((node.span.start..self.end(node), new));
        }
        let mut new = String::new();
        let start = match step {
            Step::Key(_) => {
                write::after(&mut new, value, indent, false);
                start
            }
            Step::Index(_) => {
                write::sequence(&mut new, std::slice::from_ref(value), indent, true);
                start - 1
            }
        };
        let end = if node.span.is_empty() {
            start
        } else {
            self.end(node)
        };
        // The end of the line is there already.
        Some((start..end.max(start), new.trim_end_matches('\n').to_owned()))
    }

    fn insert(&self, step: &Step, value: &Json) -> Option<Patch> {
        if is_flow(self.text, self.parent) || self.in_flow {
            return self.insert_flow(step, value);
        }
        let mut new = String::new();
        let after = match (step, &self.parent.value) {
            (Step::Key(key), Value::Map(entries)) => {
                let indent = self.column(entries.first()?.span.start);
                let map = JsonMap::from_iter([(key.clone(), value.clone())]);
                write::mapping(&mut new, &map, indent, false);
                self.entry_end(entries.last()?)?
            }
            (Step::Index(index), Value::Seq(items)) => {
                let indent = self.column(self.parent.span.start);
                write::sequence(&mut new, std::slice::from_ref(value), indent, false);
                if *index == 0 {
                    let at = self.line_start(self.parent.span.start);
                    return Some((at..at, new));
                }
                let item = items.get(*index - 1)?;
                self.end(item)
            }
            _ => return None,
        };
        let at = self.next_line(after);
        if !self.text[..at].ends_with('\n') {
            // The last line of the file has no end.
            new = format!("\n{}", new.trim_end_matches('\n'));
        }
        Some((at..at, new))
    }

    /// Where the text of an entry ends.
    fn entry_end(&self, entry: &Entry) -> Option<usize> {
        if entry.node.span.is_empty() {
            self.after_colon(entry)
        } else {
            Some(self.end(&entry.node))
        }
    }

    fn insert_flow(&self, step: &Step, value: &Json) -> Option<Patch> {
        let (new, ends, index) = match (step, &self.parent.value) {
            (Step::Key(key), Value::Map(entries)) => {
                let key = write::scalar(&Json::from(key.as_str()), Style::Plain, true);
                let ends: Option<Vec<usize>> =
                    entries.iter().map(|entry| self.entry_end(entry)).collect();
                (
                    format!("{key}: {}", write::flow_inner(value)),
                    ends?,
                    entries.len(),
                )
            }
            (Step::Index(index), Value::Seq(items)) => (
                write::flow_inner(value),
                items.iter().map(|item| self.end(item)).collect(),
                *index,
            ),
            _ => return None,
        };
        Some(match index.checked_sub(1) {
            Some(before) => {
                let at = *ends.get(before)?;
                (at..at, format!(", {new}"))
            }
            None => {
                let at = self.parent.span.start + 1;
                let comma = if ends.is_empty() { "" } else { ", " };
                (at..at, format!("{new}{comma}"))
            }
        })
    }

    fn remove(&self, step: &Step) -> Option<Range<usize>> {
        let (index, starts, ends): (usize, Vec<usize>, Vec<usize>) = match step {
            Step::Key(key) => {
                let entries = self.entries();
                let ends: Option<Vec<usize>> =
                    entries.iter().map(|entry| self.entry_end(entry)).collect();
                (
                    entries.iter().position(|entry| entry.key == *key)?,
                    entries.iter().map(|entry| entry.span.start).collect(),
                    ends?,
                )
            }
            Step::Index(index) if self.in_flow => (
                *index,
                self.items().iter().map(|item| item.span.start).collect(),
                self.items().iter().map(|item| self.end(item)).collect(),
            ),
            Step::Index(index) => {
                let dashes: Option<Vec<usize>> =
                    (0..self.items().len()).map(|at| self.dash(at)).collect();
                (
                    *index,
                    dashes?,
                    self.items().iter().map(|item| self.end(item)).collect(),
                )
            }
        };
        let (start, end) = (*starts.get(index)?, *ends.get(index)?);
        if self.in_flow {
            return Some(match (starts.get(index + 1), index.checked_sub(1)) {
                (Some(next), _) => start..*next,
                (None, Some(before)) => ends[before]..end,
                (None, None) => start..end,
            });
        }
        let line = self.line_start(start);
        if self.text[line..start].trim().is_empty() {
            return Some(line..self.next_line(end.max(start)));
        }
        // The first key stands behind a dash: the next one takes its place.
        starts.get(index + 1).map(|next| start..*next)
    }
}

/// The quotes of a text as it is written.
fn style_of(old: &str) -> Style {
    match old.as_bytes().first() {
        Some(b'\'') => Style::Single,
        Some(b'"') => Style::Double,
        _ => Style::Plain,
    }
}
