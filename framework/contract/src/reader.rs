//! A reader of YAML trees that collects every problem instead of stopping at the first.

use std::cell::{Cell, RefCell};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::node::Map;
use crate::standard::Edition;
use crate::text::MAX_BYTES;
use crate::yaml::{At, Node, Value, parse};

/// The most problems that one file is told of; the rest is counted.
pub(crate) const MAX_PROBLEMS: usize = 100;

/// Collects what is wrong with one file.
pub(crate) struct Reader {
    file: String,
    edition: Cell<Edition>,
    problems: RefCell<Vec<Diagnostic>>,
    /// How many problems the standard's own reading found.
    settled: Cell<usize>,
    more: Cell<usize>,
}

impl Reader {
    pub(crate) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            edition: Cell::new(Edition::LATEST),
            problems: RefCell::new(Vec::new()),
            settled: Cell::new(0),
            more: Cell::new(0),
        }
    }

    /// The edition of the standard that the document names.
    pub(crate) fn edition(&self) -> Edition {
        self.edition.get()
    }

    pub(crate) fn set_edition(&self, edition: Edition) {
        self.edition.set(edition);
    }

    /// From here on, a field that was refused already is not refused again.
    pub(crate) fn settle(&self) {
        self.settled.set(self.problems.borrow().len());
    }

    /// Whether no more problems are told.
    pub(crate) fn full(&self) -> bool {
        self.problems.borrow().len() >= MAX_PROBLEMS
    }

    pub(crate) fn refuse(
        &self,
        at: At,
        field: &str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        let mut problems = self.problems.borrow_mut();
        let message = message.into();
        let settled = self.settled.get();
        let known = problems.iter().enumerate().any(|(index, known)| {
            (known.line, known.column, known.field.as_str()) == (at.line, at.column, field)
                && (index < settled || known.message == message)
        });
        if known {
            return;
        }
        if problems.len() >= MAX_PROBLEMS {
            self.more.set(self.more.get() + 1);
            return;
        }
        problems.push(Diagnostic {
            file: self.file.clone(),
            line: at.line,
            column: at.column,
            field: field.to_owned(),
            message,
            mend: mend.into(),
        });
    }

    /// The model if nothing was refused, else everything that was.
    pub(crate) fn finish<T>(self, model: Option<T>) -> Result<T, Diagnostics> {
        let mut problems = self.problems.into_inner();
        if let Some(model) = model
            && problems.is_empty()
        {
            return Ok(model);
        }
        let whole = |message: String, mend: &str, line| Diagnostic {
            file: self.file.clone(),
            line,
            column: 1,
            field: String::new(),
            message,
            mend: mend.to_owned(),
        };
        if self.more.get() > 0 {
            let last = problems.iter().map(|item| item.line).max().unwrap_or(1);
            problems.push(whole(
                format!("{} more problems", self.more.get()),
                "mend these first",
                last + 1,
            ));
        }
        if problems.is_empty() {
            problems.push(whole(
                "the file cannot be read".into(),
                "check it against the official JSON Schema",
                1,
            ));
        }
        match Diagnostics::from_items(problems) {
            Some(problems) => Err(problems),
            None => unreachable!("a problem was pushed above"),
        }
    }

    /// Parses `text` as one YAML document.
    pub(crate) fn parse(&self, text: &str) -> Option<Node> {
        if text.len() > MAX_BYTES {
            self.refuse(
                At::START,
                "",
                format!("the file has {} bytes", text.len()),
                format!("keep it under {MAX_BYTES} bytes"),
            );
            return None;
        }
        if let Some((at, letter)) = unprintable(text) {
            self.refuse(
                at,
                "",
                format!("the character U+{:04X} cannot stand in YAML", letter as u32),
                "remove it, or write it escaped in double quotes",
            );
            return None;
        }
        match parse(text) {
            Ok(root) => Some(root),
            Err(problems) => {
                for problem in problems {
                    self.refuse(problem.at, &problem.path, problem.message, problem.mend);
                }
                None
            }
        }
    }

    /// Refuses `node`, which was to be `expected`.
    pub(crate) fn wrong(&self, node: &Node, path: &str, expected: &str, mend: &str) {
        self.refuse(
            node.at,
            path,
            format!("expected {expected}, found {}", node.value.kind()),
            mend,
        );
    }

    /// Opens `node` as a mapping.
    pub(crate) fn map<'a>(&'a self, node: &'a Node, path: &str) -> Option<Map<'a>> {
        let Value::Map(entries) = &node.value else {
            self.wrong(node, path, "a mapping", "write `key: value` lines here");
            return None;
        };
        Some(Map::new(self, node.at, path, entries))
    }
}

/// The first character that YAML does not allow (YAML 1.2.2, section 5.1).
fn unprintable(text: &str) -> Option<(At, char)> {
    let allowed = |letter: char| {
        matches!(letter, '\t' | '\n' | '\r' | '\u{85}')
            || !(letter.is_control() || matches!(letter, '\u{FFFE}' | '\u{FFFF}'))
    };
    let (at, letter) = text.char_indices().find(|(_, letter)| !allowed(*letter))?;
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Some((At { line, column }, letter))
}
