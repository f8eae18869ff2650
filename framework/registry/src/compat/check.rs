//! Whether a reader's schema reads every value that a writer's schema can write (Avro 1.12
//! specification, "Schema Resolution"; verdicts as Java's `SchemaCompatibility`).

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use mesh_core::{Error, ErrorKind, Result};

use super::difference::{Difference, Rule};
use super::schema::{Enum, Field, Header, Node, NodeId, Record, Schema};

/// Pairs of types that are compared before two schemas count as too complex: enough for
/// two unions of 300 records, and a bound for the memory.
const MAX_PAIRS: usize = 100_000;
/// Fields and symbols that are looked at in all; it bounds the time.
const MAX_WORK: usize = 5_000_000;
/// Nesting of compared types, references followed; it bounds the stack.
const MAX_NESTING: usize = 200;
/// Differences that are told; the verdict does not depend on it.
const MAX_DIFFERENCES: usize = 50;

/// Every reason why `reader` cannot read data written with `writer`; none when it always
/// can. At most 50 reasons are told.
///
/// Fails only for schemas too complex to compare (nesting or number of type pairs).
pub fn can_read(reader: &Schema, writer: &Schema) -> Result<Vec<Difference>> {
    let mut checker = Checker {
        reader,
        writer,
        memo: HashMap::new(),
        path: Vec::new(),
        fields: Vec::new(),
        depth: 0,
        work: 0,
    };
    match checker.pair(reader.root, writer.root) {
        Ok(None) => Ok(Vec::new()),
        Ok(Some(differences)) => Ok(differences.iter().map(|it| (**it).clone()).collect()),
        Err(Abort::Ambiguous(difference)) => Ok(vec![*difference]),
        Err(Abort::TooComplex) => Err(Error::new(
            ErrorKind::ResourceExhausted,
            "the two schemas are too deeply nested or too complex to compare",
        )
        .with("nesting limit", MAX_NESTING)
        .with("type pair limit", MAX_PAIRS)
        .retryable(false)),
    }
}

/// `None` when the pair is compatible. What is told of a pair is shared by all that hold it.
type Verdict = Option<Rc<[Rc<Difference>]>>;

enum Abort {
    /// Java gives up the whole comparison here, whatever other union branches there are.
    Ambiguous(Box<Difference>),
    TooComplex,
}

struct Checker<'a> {
    reader: &'a Schema,
    writer: &'a Schema,
    /// Verdicts by pair; `None` while one is in the making: compatible until proven otherwise.
    memo: HashMap<(NodeId, NodeId), Option<Verdict>>,
    path: Vec<String>,
    fields: Vec<&'a str>,
    depth: usize,
    work: usize,
}

/// The differences found at one type, kept to [`MAX_DIFFERENCES`].
#[derive(Default)]
struct Found {
    differences: Vec<Rc<Difference>>,
    any: bool,
}

impl Found {
    /// Adds a difference, which is put into words only if there is room for it.
    fn add(&mut self, difference: impl FnOnce() -> Difference) {
        self.any = true;
        if self.differences.len() < MAX_DIFFERENCES {
            self.differences.push(Rc::new(difference()));
        }
    }

    fn merge(&mut self, verdict: &Verdict) {
        if let Some(differences) = verdict {
            self.any = true;
            let room = MAX_DIFFERENCES - self.differences.len();
            self.differences
                .extend(differences.iter().take(room).cloned());
        }
    }

    fn verdict(self) -> Verdict {
        self.any.then(|| self.differences.into())
    }
}

impl<'a> Checker<'a> {
    fn pair(&mut self, reader: NodeId, writer: NodeId) -> Result<Verdict, Abort> {
        if let Some(known) = self.memo.get(&(reader, writer)) {
            return Ok(known.clone().flatten());
        }
        if self.memo.len() >= MAX_PAIRS || self.depth >= MAX_NESTING {
            return Err(Abort::TooComplex);
        }
        self.memo.insert((reader, writer), None);
        self.depth += 1;
        let verdict = self.decide(reader, writer)?;
        self.depth -= 1;
        self.memo.insert((reader, writer), Some(verdict.clone()));
        Ok(verdict)
    }

    fn spend(&mut self, work: usize) -> Result<(), Abort> {
        self.work = self.work.saturating_add(work);
        if self.work > MAX_WORK {
            return Err(Abort::TooComplex);
        }
        Ok(())
    }

    fn below(
        &mut self,
        step: impl Into<String>,
        reader: NodeId,
        writer: NodeId,
    ) -> Result<Verdict, Abort> {
        self.path.push(step.into());
        let verdict = self.pair(reader, writer)?;
        self.path.pop();
        Ok(verdict)
    }

    fn decide(&mut self, reader_id: NodeId, writer_id: NodeId) -> Result<Verdict, Abort> {
        let reader = self.reader.node(reader_id);
        let writer = self.writer.node(writer_id);
        let mut found = Found::default();
        match (reader, writer) {
            (Node::Array { items: r, .. }, Node::Array { items: w, .. }) => {
                return self.below("items", *r, *w);
            }
            (Node::Map { values: r, .. }, Node::Map { values: w, .. }) => {
                return self.below("values", *r, *w);
            }
            (Node::Record(r), Node::Record(w)) => {
                self.names(&mut found, reader, &r.header, writer, &w.header);
                self.record(&mut found, r, w)?;
            }
            (Node::Enum(r), Node::Enum(w)) => {
                self.names(&mut found, reader, &r.header, writer, &w.header);
                self.spend(r.symbols.len() + w.symbols.len())?;
                self.symbols(&mut found, r, w);
            }
            (Node::Fixed(r), Node::Fixed(w)) => {
                self.names(&mut found, reader, &r.header, writer, &w.header);
                if r.size != w.size {
                    found.add(|| {
                        self.difference(
                            Rule::FixedSizeMismatch,
                            Some("size"),
                            format!(
                                "fixed {} has {} bytes in {{reader}} and {} in {{writer}}",
                                r.header.name, r.size, w.size
                            ),
                            format!("keep the size {}, or add a field of another name", w.size),
                            format!("expected: {}, found: {}", w.size, r.size),
                        )
                    });
                }
                self.decimals(&mut found, reader, writer);
            }
            (Node::Union(_), Node::Union(branches)) => {
                for (at, branch) in branches.iter().enumerate() {
                    let verdict = self.below(at.to_string(), reader_id, *branch)?;
                    found.merge(&verdict);
                }
            }
            (_, Node::Union(branches)) => {
                for (at, branch) in branches.iter().enumerate() {
                    let verdict = self.below(at.to_string(), reader_id, *branch)?;
                    found.merge(&verdict);
                }
            }
            (Node::Union(branches), _) => {
                return self.union(branches, writer_id, writer);
            }
            (Node::Primitive { kind: r, .. }, Node::Primitive { kind: w, .. }) if r.reads(*w) => {
                self.decimals(&mut found, reader, writer);
            }
            _ => found.add(|| {
                self.difference(
                    Rule::TypeMismatch,
                    None,
                    format!(
                        "{} in {{reader}} cannot read {} of {{writer}}",
                        reader.describe(),
                        writer.describe()
                    ),
                    "keep the type (int may become long, float or double; long float or double; \
                 float double; string and bytes stand for each other), \
                 or add a field of another name with a default"
                        .to_owned(),
                    format!(
                        "reader type: {} not compatible with writer type: {}",
                        reader.word().to_ascii_uppercase(),
                        writer.word().to_ascii_uppercase()
                    ),
                )
            }),
        }
        Ok(found.verdict())
    }

    /// One branch of the reader's union must read the writer's type.
    fn union(
        &mut self,
        branches: &'a [NodeId],
        writer_id: NodeId,
        writer: &'a Node,
    ) -> Result<Verdict, Abort> {
        let mut nearest = None;
        for branch in branches {
            let Some(differences) = self.pair(*branch, writer_id)? else {
                return Ok(None);
            };
            if nearest.is_none() && alike(self.reader.node(*branch), writer) {
                nearest = differences.first().cloned();
            }
        }
        let what = format!(
            "no branch of the union in {{reader}} reads {} of {{writer}}",
            writer.describe()
        );
        let difference = match nearest {
            Some(inner) => self.difference(
                Rule::MissingUnionBranch,
                None,
                format!("{what}: {} (path '{}')", inner.what, inner.path),
                inner.mend.clone(),
                String::new(),
            ),
            None => self.difference(
                Rule::MissingUnionBranch,
                None,
                what,
                format!(
                    "keep {} among the branches of {{reader}}",
                    writer.describe()
                ),
                String::new(),
            ),
        };
        Ok(Some(Rc::new([Rc::new(Difference {
            info: format!(
                "reader union lacking writer type: {}",
                writer.word().to_ascii_uppercase()
            ),
            ..difference
        })])))
    }

    fn names(
        &self,
        found: &mut Found,
        reader: &Node,
        reads: &Header,
        writer: &Node,
        writes: &Header,
    ) {
        if same_name(reads, writes) {
            return;
        }
        found.add(|| {
            self.difference(
                Rule::NameMismatch,
                Some("name"),
                format!(
                    "{} in {{reader}} is {} in {{writer}}",
                    reader.describe(),
                    writer.describe()
                ),
                format!(
                    "keep the name, or give {} of {{reader}} the alias '{}'",
                    reads.name, writes.name
                ),
                format!("expected: {}", writes.name),
            )
        });
    }

    fn record(
        &mut self,
        found: &mut Found,
        reader: &'a Record,
        writer: &'a Record,
    ) -> Result<(), Abort> {
        let fields = reader.fields.as_deref().unwrap_or_default();
        self.spend(fields.len() + writer.fields.as_ref().map_or(0, Vec::len))?;
        let by_name: HashMap<&str, &Field> = writer
            .fields
            .iter()
            .flatten()
            .map(|field| (field.name.as_str(), field))
            .collect();
        self.path.push("fields".to_owned());
        for (at, field) in fields.iter().enumerate() {
            self.path.push(at.to_string());
            self.fields.push(&field.name);
            // Java counts an alias that repeats the name as a second match.
            let mut matches = std::iter::once(&field.name)
                .chain(&field.aliases)
                .filter_map(|name| by_name.get(name.as_str()).copied());
            match (matches.next(), matches.next()) {
                (Some(first), None) => {
                    let verdict = self.below("type", field.schema, first.schema)?;
                    found.merge(&verdict);
                }
                (Some(first), Some(second)) => {
                    return Err(Abort::Ambiguous(Box::new(self.difference(
                        Rule::AmbiguousFieldAlias,
                        None,
                        format!(
                            "field '{}' of record {} in {{reader}} matches, by name and aliases, \
                             both '{}' and '{}' of {{writer}}",
                            field.name, reader.header.name, first.name, second.name
                        ),
                        "take away the alias that is not needed".to_owned(),
                        field.name.clone(),
                    ))));
                }
                (None, _) if field.default.is_none() => {
                    found.add(|| {
                        self.difference(
                            Rule::ReaderFieldMissingDefaultValue,
                            None,
                            format!(
                                "field '{}' of record {} in {{reader}} has no default \
                             and is missing in {{writer}}",
                                field.name, reader.header.name
                            ),
                            format!(
                                "give '{}' a default in {{reader}}, \
                             or an alias if it was renamed there",
                                field.name
                            ),
                            field.name.clone(),
                        )
                    });
                }
                (None, _) => {}
            }
            self.fields.pop();
            self.path.pop();
        }
        self.path.pop();
        Ok(())
    }

    fn symbols(&self, found: &mut Found, reader: &Enum, writer: &Enum) {
        if reader.default.is_some() {
            return;
        }
        let known: BTreeSet<&str> = reader.symbols.iter().map(String::as_str).collect();
        let missing: BTreeSet<&str> = writer
            .symbols
            .iter()
            .map(String::as_str)
            .filter(|symbol| !known.contains(symbol))
            .collect();
        if missing.is_empty() {
            return;
        }
        let list = missing.into_iter().collect::<Vec<_>>().join(", ");
        found.add(|| {
            self.difference(
            Rule::MissingEnumSymbols,
            Some("symbols"),
            format!(
                "enum {} in {{reader}} lacks the symbols [{list}] of {{writer}}",
                reader.header.name
            ),
            "keep the symbols, or give the enum of {reader} a 'default' symbol for those it does \
             not know"
                .to_owned(),
            format!("[{list}]"),
        )
        });
    }

    fn decimals(&self, found: &mut Found, reader: &Node, writer: &Node) {
        let (Some(r), Some(w)) = (reader.decimal(), writer.decimal()) else {
            return;
        };
        if r == w {
            return;
        }
        found.add(|| {
            self.difference(
                Rule::TypeMismatch,
                None,
                format!(
                    "decimal({},{}) in {{reader}} is decimal({},{}) in {{writer}}: \
                 decimals match only when precision and scale are the same",
                    r.precision, r.scale, w.precision, w.scale
                ),
                format!(
                    "keep decimal({},{}), or add a field of another name with a default",
                    w.precision, w.scale
                ),
                format!(
                    "expected: decimal({},{}), found: decimal({},{})",
                    w.precision, w.scale, r.precision, r.scale
                ),
            )
        });
    }

    fn difference(
        &self,
        rule: Rule,
        step: Option<&str>,
        what: String,
        mend: String,
        info: String,
    ) -> Difference {
        let mut path: String = self.path.iter().flat_map(|step| ["/", step]).collect();
        if let Some(step) = step {
            path.push('/');
            path.push_str(step);
        }
        if path.is_empty() {
            path.push('/');
        }
        Difference {
            rule,
            path,
            field: self.fields.join("."),
            what,
            mend,
            info,
        }
    }
}

/// Whether two named types go by the same unqualified name or are joined by an alias.
fn same_name(reader: &Header, writer: &Header) -> bool {
    reader.name.short() == writer.name.short() || reader.aliases.contains(&writer.name)
}

/// Whether a union's branch is the one its author would mean for the writer's type.
fn alike(reader: &Node, writer: &Node) -> bool {
    match (reader.header(), writer.header()) {
        (Some(r), Some(w)) => reader.word() == writer.word() && same_name(r, w),
        (None, None) => reader.word() == writer.word(),
        _ => false,
    }
}
