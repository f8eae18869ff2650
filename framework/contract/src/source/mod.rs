//! The text of a document, which can be edited in place: what an edit does not touch stays as
//! it is, byte for byte, with comments, order, quotes and line ends.
//!
//! An edit patches the text where the parser says that a value stands. The new text is parsed
//! and must say what was asked; otherwise the edit is refused and the text stays as it was.

mod edit;
mod path;

use serde_json::Value as Json;

use crate::diagnostic::Diagnostics;
use crate::node::{Node, Reader, Value};
use crate::yaml::{At, shown};
use path::{Step, find, find_json, steps};

/// A document's text that can be edited at a path such as `schema[0].properties[2].name`.
#[derive(Debug, Clone)]
pub struct Source {
    file: String,
    text: String,
    root: Node,
}

/// What is asked of an edit.
enum Edit<'v> {
    Set(&'v Json),
    Insert(&'v Json),
    Remove,
    Rename(&'v str),
}

impl Source {
    /// Reads the text of the file called `file`; it must be one YAML document, whatever it says.
    ///
    /// # Errors
    /// What is wrong with it as YAML.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostics> {
        let reader = Reader::new(file);
        let root = reader.parse(text);
        reader.finish(root).map(|root| Self {
            file: file.to_owned(),
            text: text.to_owned(),
            root,
        })
    }

    /// The text; without an edit the one that was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value at `path`; the whole document for an empty path.
    pub fn get(&self, path: &str) -> Option<Json> {
        find(&self.root, &steps(path)?).map(Node::to_json)
    }

    /// The line and column of the value at `path`, from 1.
    pub fn position(&self, path: &str) -> Option<(usize, usize)> {
        let at = find(&self.root, &steps(path)?)?.at;
        Some((at.line, at.column))
    }

    /// Gives `path` a value; a key that is not there is added to its mapping.
    ///
    /// # Errors
    /// If there is no such place, or it is written in a way that cannot be patched.
    pub fn set(&mut self, path: &str, value: &Json) -> Result<(), Diagnostics> {
        let there = steps(path).is_some_and(|steps| find(&self.root, &steps).is_some());
        let edit = if there {
            Edit::Set(value)
        } else {
            Edit::Insert(value)
        };
        self.apply(path, &edit)
    }

    /// Adds a key to the end of its mapping, or an item to a list before the one that has the
    /// index now; the list's length as the index adds to its end.
    ///
    /// # Errors
    /// If the key is there, there is no such place, or it cannot be patched.
    pub fn insert(&mut self, path: &str, value: &Json) -> Result<(), Diagnostics> {
        self.apply(path, &Edit::Insert(value))
    }

    /// Removes a key with its value, or an item of a list.
    ///
    /// # Errors
    /// If there is no such place, or it cannot be patched.
    pub fn remove(&mut self, path: &str) -> Result<(), Diagnostics> {
        self.apply(path, &Edit::Remove)
    }

    /// Renames the key at the end of `path` to `key`.
    ///
    /// # Errors
    /// If there is no such key, or the new one is taken.
    pub fn rename(&mut self, path: &str, key: &str) -> Result<(), Diagnostics> {
        self.apply(path, &Edit::Rename(key))
    }

    fn apply(&mut self, path: &str, edit: &Edit<'_>) -> Result<(), Diagnostics> {
        let Some(steps) = steps(path).filter(|steps| !steps.is_empty()) else {
            return Err(self.refuse(
                At::START,
                path,
                "is no path",
                "write one such as `schema[0].name`",
            ));
        };
        let mut wanted = self.root.to_json();
        if let Err((message, mend)) = ask(&mut wanted, &steps, edit) {
            let at = (1..steps.len())
                .rev()
                .find_map(|length| find(&self.root, &steps[..length]))
                .map_or(At::START, |node| node.at);
            return Err(self.refuse(at, path, message, mend));
        }
        let at = find(&self.root, &steps[..steps.len() - 1]).map_or(At::START, |node| node.at);
        let by_hand = "change it by hand";
        let Some(text) = edit::patch(&self.text, &self.root, &steps, edit) else {
            return Err(self.refuse(
                at,
                path,
                "is written in a way that cannot be patched",
                by_hand,
            ));
        };
        match Self::parse(&self.file, &text) {
            Ok(read) if read.root.to_json() == wanted => {
                *self = read;
                Ok(())
            }
            _ => Err(self.refuse(
                at,
                path,
                "is written in a way that cannot be patched",
                by_hand,
            )),
        }
    }

    fn refuse(&self, at: At, path: &str, message: &str, mend: &str) -> Diagnostics {
        let reader = Reader::new(&self.file);
        reader.refuse(at, &shown(path), message, mend);
        match reader.finish::<()>(None) {
            Err(problems) => problems,
            Ok(()) => unreachable!("a problem was pushed above"),
        }
    }
}

/// Does the edit to the document's value, which the edited text must then say.
fn ask(
    root: &mut Json,
    steps: &[Step],
    edit: &Edit<'_>,
) -> Result<(), (&'static str, &'static str)> {
    let nowhere = ("is not there", "check the path against the file");
    let (last, before) = steps.split_last().ok_or(nowhere)?;
    let parent = find_json(root, before).ok_or(nowhere)?;
    match (parent, last, edit) {
        (Json::Object(map), Step::Key(key), Edit::Insert(value)) => {
            if map.contains_key(key) {
                return Err(("is there already", "set it instead"));
            }
            map.insert(key.clone(), (*value).clone());
        }
        (Json::Object(map), Step::Key(key), Edit::Set(value)) => {
            *map.get_mut(key).ok_or(nowhere)? = (*value).clone();
        }
        (Json::Object(map), Step::Key(key), Edit::Remove) => {
            map.shift_remove(key).ok_or(nowhere)?;
        }
        (Json::Object(map), Step::Key(key), Edit::Rename(name)) => {
            let index = map.keys().position(|known| known == key).ok_or(nowhere)?;
            if map.contains_key(*name) {
                return Err((
                    "cannot be renamed to a key that is there",
                    "choose another name",
                ));
            }
            let value = map.shift_remove(key).ok_or(nowhere)?;
            map.shift_insert(index, (*name).to_owned(), value);
        }
        (Json::Array(items), Step::Index(index), Edit::Insert(value)) if *index <= items.len() => {
            items.insert(*index, (*value).clone());
        }
        (Json::Array(items), Step::Index(index), Edit::Set(value)) => {
            *items.get_mut(*index).ok_or(nowhere)? = (*value).clone();
        }
        (Json::Array(items), Step::Index(index), Edit::Remove) if *index < items.len() => {
            items.remove(*index);
        }
        _ => return Err(nowhere),
    }
    Ok(())
}

/// Whether a node is written in brackets.
fn is_flow(text: &str, node: &Node) -> bool {
    matches!(node.value, Value::Seq(_) | Value::Map(_))
        && matches!(text.as_bytes().get(node.span.start), Some(b'[' | b'{'))
}
