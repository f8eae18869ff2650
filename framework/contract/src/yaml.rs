//! YAML as a tree with positions, built from the parser's events.
//!
//! The tree is built with a stack of our own instead of the parser's recursive loader, and
//! nothing is ever expanded: anchors, aliases and tags are refused. So time and memory are
//! bounded by the length of the text, and no nesting can overflow the stack.

use std::collections::HashMap;
use std::ops::Range;

use saphyr::ScalarStyle;
use saphyr_parser::{Event, Marker, Parser, Span};

mod scalar;

use scalar::{block_start, dash_before, quoted_end, scalar};

/// The deepest nesting of lists and mappings; an object in an object costs two.
pub(crate) const MAX_DEPTH: usize = 64;

/// The most keys and values of one document; the largest contract that makes sense has a tenth.
pub(crate) const MAX_VALUES: usize = 100_000;

/// A place in a text, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl At {
    /// The start of a file.
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    fn of(marker: Marker) -> Self {
        Self {
            line: marker.line().max(1),
            column: marker.col() + 1,
        }
    }
}

/// A value with the place where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: At,
    /// The bytes of the text; of a block collection, from its first key or dash to the end of
    /// its last value.
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

/// A key of a mapping with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: At,
    pub(crate) span: Range<usize>,
    pub(crate) node: Node,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Str(String),
    Seq(Vec<Node>),
    Map(Vec<Entry>),
}

impl Value {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "empty",
            Value::Bool(_) => "a boolean",
            Value::Number(number) if number.is_f64() => "a number",
            Value::Number(_) => "an integer",
            Value::Str(_) => "a string",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

impl Node {
    /// The value of `key`, if this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| &entry.node),
            _ => None,
        }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(value) => value.clone().into(),
            Value::Str(value) => value.clone().into(),
            Value::Seq(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.node.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

/// Something that is wrong with the text as YAML.
pub(crate) struct Problem {
    pub(crate) at: At,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) mend: &'static str,
}

/// The path of `key` inside `path`.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// `text`, cut so that a message stays readable.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

enum Frame {
    Seq {
        at: At,
        start: usize,
        items: Vec<Node>,
    },
    Map {
        at: At,
        start: usize,
        entries: Vec<Entry>,
        /// The line of each key, to find a second one.
        seen: HashMap<String, usize>,
        key: Option<(String, At, Range<usize>)>,
    },
}

/// Turns the parser's counts of characters into bytes.
struct Offsets(Option<Vec<u32>>);

impl Offsets {
    fn of(text: &str) -> Self {
        Self((!text.is_ascii()).then(|| {
            text.char_indices()
                .map(|(at, _)| at as u32)
                .chain([text.len() as u32])
                .collect()
        }))
    }

    fn span(&self, span: Span) -> Range<usize> {
        let byte = |marker: Marker| match &self.0 {
            None => marker.index(),
            Some(table) => table
                .get(marker.index())
                .or(table.last())
                .map_or(0, |at| *at as usize),
        };
        byte(span.start)..byte(span.end)
    }
}

/// Parses `text` as one YAML document, or says all that is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Node, Vec<Problem>> {
    let mut builder = Builder {
        text,
        offsets: Offsets::of(text),
        frames: Vec::new(),
        root: None,
        documents: 0,
        values: 0,
        problems: Vec::new(),
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        match next {
            Ok((Event::StreamEnd, _)) => break,
            Ok((event, span)) => {
                if !builder.event(event, span) {
                    break;
                }
            }
            Err(error) => {
                builder.problem(
                    At::of(*error.marker()),
                    format!("not valid YAML: {}", shown(error.info())),
                    "mend the syntax at this line",
                );
                break;
            }
        }
        if builder.problems.len() >= crate::reader::MAX_PROBLEMS {
            break;
        }
    }
    builder.finish()
}

struct Builder<'t> {
    text: &'t str,
    offsets: Offsets,
    frames: Vec<Frame>,
    root: Option<Node>,
    documents: usize,
    values: usize,
    problems: Vec<Problem>,
}

impl Builder<'_> {
    fn finish(mut self) -> Result<Node, Vec<Problem>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        match self.root.take() {
            Some(root) => Ok(root),
            None => {
                self.problem(
                    At::START,
                    "0 YAML documents in the file".to_owned(),
                    "write exactly one document of `key: value` lines",
                );
                Err(self.problems)
            }
        }
    }

    fn problem(&mut self, at: At, message: String, mend: &'static str) {
        let path = self.path();
        self.problems.push(Problem {
            at,
            path,
            message,
            mend,
        });
    }

    /// The path of the value that comes next.
    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.frames {
            match frame {
                Frame::Seq { items, .. } => path = format!("{path}[{}]", items.len()),
                Frame::Map { key, .. } => {
                    if let Some((key, ..)) = key {
                        path = join(&path, &shown(key));
                    }
                }
            }
        }
        path
    }

    /// Takes one event; false stops the parse.
    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        let at = At::of(span.start);
        self.values += 1;
        if self.values > MAX_VALUES {
            self.problem(
                at,
                format!("more than {MAX_VALUES} keys and values"),
                "split it; a contract describes data and does not hold them",
            );
            return false;
        }
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentEnd | Event::StreamEnd => {}
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.problem(
                        at,
                        "a second YAML document in one file".to_owned(),
                        "write exactly one document, without `---` in between",
                    );
                    return false;
                }
            }
            Event::Alias(_) => {
                self.problem(
                    at,
                    "a YAML alias is not understood here".to_owned(),
                    "write the value out in plain YAML",
                );
                self.put(at, self.offsets.span(span), Value::Null);
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.plain(at, anchor, tag.is_some());
                let mut place = self.offsets.span(span);
                match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => {
                        place.start = block_start(self.text, place.start);
                    }
                    _ => place.end = quoted_end(self.text, &place, style),
                }
                match scalar(&text, style) {
                    Ok(value) => self.put(at, place, value),
                    Err((message, mend)) => {
                        self.problem(at, message.to_owned(), mend);
                        self.put(at, place, Value::Null);
                    }
                }
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain(at, anchor, tag.is_some());
                return self.open(at, span, false);
            }
            Event::MappingStart(anchor, tag) => {
                self.plain(at, anchor, tag.is_some());
                return self.open(at, span, true);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
        }
        true
    }

    fn plain(&mut self, at: At, anchor: usize, tagged: bool) {
        for (there, what) in [(anchor > 0, "anchor"), (tagged, "tag")] {
            if there {
                self.problem(
                    at,
                    format!("a YAML {what} is not understood here"),
                    "write the value out in plain YAML",
                );
            }
        }
    }

    fn open(&mut self, at: At, span: Span, map: bool) -> bool {
        if self.frames.len() >= MAX_DEPTH {
            self.problem(
                at,
                format!("nested more than {MAX_DEPTH} levels deep"),
                "flatten it",
            );
            return false;
        }
        if let Some(Frame::Map { key: None, .. }) = self.frames.last() {
            self.problem(at, "a key that is not a string".to_owned(), "quote the key");
            return false;
        }
        let mut start = self.offsets.span(span).start;
        if !map {
            start = dash_before(self.text, start);
        }
        self.frames.push(if map {
            Frame::Map {
                at,
                start,
                entries: Vec::new(),
                seen: HashMap::new(),
                key: None,
            }
        } else {
            Frame::Seq {
                at,
                start,
                items: Vec::new(),
            }
        });
        true
    }

    fn close(&mut self, span: Span) {
        let closed = self.offsets.span(span).end;
        let (at, start, last, value) = match self.frames.pop() {
            Some(Frame::Seq { at, start, items }) => {
                let last = items.last().map(|node| node.span.end);
                (at, start, last, Value::Seq(items))
            }
            Some(Frame::Map {
                at, start, entries, ..
            }) => {
                let last = entries.last().map(|entry| entry.node.span.end);
                (at, start, last, Value::Map(entries))
            }
            None => return,
        };
        // A block collection is closed by what follows it, after blank lines and comments.
        let flow = matches!(self.text.as_bytes().get(start), Some(b'[' | b'{'));
        let end = if flow { closed } else { last.unwrap_or(closed) };
        self.put(at, start..end.max(start), value);
    }

    fn put(&mut self, at: At, span: Range<usize>, value: Value) {
        match self.frames.last_mut() {
            None => self.root = Some(Node { at, span, value }),
            Some(Frame::Seq { items, .. }) => items.push(Node { at, span, value }),
            Some(Frame::Map {
                entries, seen, key, ..
            }) => {
                match key.take() {
                    Some((name, key_at, key_span)) => entries.push(Entry {
                        key: name,
                        at: key_at,
                        span: key_span,
                        node: Node { at, span, value },
                    }),
                    None => {
                        let (name, first) = match value {
                            Value::Str(name) => {
                                let first = seen.insert(name.clone(), at.line);
                                (name, first)
                            }
                            _ => {
                                *key = Some((String::new(), at, span));
                                self.problem(
                                    at,
                                    "a key that is not a string".to_owned(),
                                    "quote the key",
                                );
                                return;
                            }
                        };
                        *key = Some((name, at, span));
                        if let Some(line) = first {
                            self.problem(
                            at,
                            format!("not valid YAML: the key stands here twice, first on line {line}"),
                            "keep one of the two",
                        );
                        }
                    }
                }
            }
        }
    }
}
