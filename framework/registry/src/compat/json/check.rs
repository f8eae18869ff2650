//! Whether a reader's schema accepts every document that a writer's schema accepts.
//!
//! The proof goes keyword by keyword: what the writer's schema says of a value is gathered
//! ([`Known`]), and each keyword of the reader must follow from it. Where a keyword does not
//! follow at once, the writer's value is split into cases: the alternatives of its `anyOf`,
//! `oneOf` and `if`, its types, its listed values.

use std::collections::{HashMap, HashSet};

use mesh_core::{Error, ErrorKind, Result};

use super::JsonSchema;
use super::known::{Known, Ref, Sides};
use super::node::Types;
use super::pattern::Patterns;
use crate::compat::difference::Difference;

/// Steps of a comparison; it bounds time and memory.
const MAX_WORK: usize = 400_000;
/// Nesting of compared subschemas, references followed; it bounds the stack.
pub(super) const MAX_NESTING: usize = 200;
/// Choices of the writer that are split into cases at one place.
pub(super) const MAX_SPLITS: usize = 3;
/// Listed values of the writer that are judged one by one.
const MAX_VALUES: usize = 200;

/// Every reason why `reader` may refuse a document that `writer` accepts; none when it
/// accepts all. At most 50 reasons are told.
///
/// Fails only for schemas too complex to compare.
pub fn can_read(reader: &JsonSchema, writer: &JsonSchema) -> Result<Vec<Difference>> {
    if reader.json == writer.json && reader.references == writer.references {
        return Ok(Vec::new());
    }
    let mut checker = Checker {
        sides: Sides {
            reader: &reader.nodes,
            writer: &writer.nodes,
        },
        patterns: Patterns::default(),
        memo: HashMap::new(),
        lists: HashMap::new(),
        alike: HashMap::new(),
        tentative: Vec::new(),
        open: 0,
        lowest: usize::MAX,
        level: 0,
        depth: 0,
        work: 0,
        telling: false,
        told: Vec::new(),
        explaining: HashSet::new(),
        repeated: 0,
        path: Vec::new(),
        fields: Vec::new(),
    };
    let goal = Ref::reader(reader.root);
    let known = Known::of(&checker.sides, [Ref::writer(writer.root)]);
    match checker.verdict(&known, goal) {
        Ok(()) => Ok(checker.told),
        // No single keyword is refused while telling; what was found so far stands.
        Err(Stop::No) => Ok(checker.told),
        Err(Stop::TooComplex) => Err(Error::new(
            ErrorKind::ResourceExhausted,
            "the two schemas are too deeply nested or too complex to compare",
        )
        .with("nesting limit", MAX_NESTING)
        .with("step limit", MAX_WORK)
        .retryable(false)),
    }
}

/// Why a proof ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It cannot be shown.
    No,
    TooComplex,
}

pub(super) type Step<T = ()> = std::result::Result<T, Stop>;

/// A pair under proof: what is known of the value, and the subschema that must accept it.
pub(super) type Key = Box<[u32]>;

#[derive(Debug, Clone, Copy)]
enum State {
    /// In the making, at this place of the stack and this depth of the document.
    Open {
        index: usize,
        level: usize,
    },
    Proven,
    NotProven,
}

pub(super) struct Checker<'a> {
    pub(super) sides: Sides<'a>,
    pub(super) patterns: Patterns,
    memo: HashMap<Key, State>,
    /// Lists of values by their text, so that a key can hold them.
    lists: HashMap<String, u32>,
    alike: HashMap<(Ref, Ref), bool>,
    /// Pairs proven under the assumption that an open pair holds.
    tentative: Vec<Key>,
    open: usize,
    /// The outermost open pair that was assumed.
    lowest: usize,
    /// How deep in the document the value stands that is judged.
    pub(super) level: usize,
    pub(super) depth: usize,
    work: usize,
    pub(super) telling: bool,
    pub(super) told: Vec<Difference>,
    /// The pairs on the way to the one that is being explained.
    pub(super) explaining: HashSet<Key>,
    /// How often one of them was met again.
    pub(super) repeated: usize,
    pub(super) path: Vec<String>,
    pub(super) fields: Vec<String>,
}

impl Checker<'_> {
    fn verdict(&mut self, known: &Known, goal: Ref) -> Step {
        if self.holds(known, goal)? {
            return Ok(());
        }
        self.telling = true;
        self.explain(known, goal)?;
        if self.told.is_empty() {
            self.unexplained(known)?;
        }
        Ok(())
    }

    pub(super) fn spend(&mut self, work: usize) -> Step {
        self.work = self.work.saturating_add(work);
        if self.work > MAX_WORK {
            return Err(Stop::TooComplex);
        }
        Ok(())
    }

    /// Whether it can be shown that `goal` accepts every such value.
    pub(super) fn holds(&mut self, known: &Known, goal: Ref) -> Step<bool> {
        if known.never {
            return Ok(true);
        }
        let goal = self.sides.real(goal);
        match self.sides.get(goal).always {
            Some(true) => return Ok(true),
            Some(false) => return self.impossible(known),
            None => {}
        }
        let key = self.key(known, goal);
        match self.memo.get(&key) {
            Some(State::Proven) => return Ok(true),
            Some(State::NotProven) => return Ok(false),
            // The pair is met again below itself in the document. Documents are finite, so
            // by induction over their size it may be taken as shown; for the same value not.
            Some(State::Open { index, level }) => {
                let below = *level < self.level;
                if below {
                    self.lowest = self.lowest.min(*index);
                }
                return Ok(below);
            }
            None => {}
        }
        if self.depth >= MAX_NESTING {
            return Err(Stop::TooComplex);
        }
        self.spend(1 + known.parts.len())?;
        let index = self.open;
        let level = self.level;
        self.memo.insert(key.clone(), State::Open { index, level });
        self.open += 1;
        self.depth += 1;
        let outer = std::mem::replace(&mut self.lowest, usize::MAX);
        let telling = std::mem::replace(&mut self.telling, false);
        let before = self.tentative.len();
        let proof = self.prove(known, goal);
        self.telling = telling;
        self.depth -= 1;
        self.open -= 1;
        let proven = match proof {
            Ok(()) => true,
            Err(Stop::No) => false,
            Err(Stop::TooComplex) => return Err(Stop::TooComplex),
        };
        let rests_on = std::mem::replace(&mut self.lowest, outer);
        if !proven {
            for key in self.tentative.drain(before..) {
                self.memo.remove(&key);
            }
            self.memo.insert(key, State::NotProven);
        } else if rests_on < index {
            self.lowest = self.lowest.min(rests_on);
            self.tentative.push(key.clone());
            self.memo.insert(key, State::Proven);
        } else {
            self.tentative.truncate(before);
            self.memo.insert(key, State::Proven);
        }
        Ok(proven)
    }

    /// The same for a value inside the value: a property or an item.
    pub(super) fn holds_inside(&mut self, known: &Known, goal: Ref) -> Step<bool> {
        self.level += 1;
        let holds = self.holds(known, goal);
        self.level -= 1;
        holds
    }

    /// What follows is about a value inside the present one.
    pub(super) fn level_down(&mut self) {
        self.level += 1;
    }

    pub(super) fn level_up(&mut self) {
        self.level -= 1;
    }

    fn prove(&mut self, known: &Known, goal: Ref) -> Step {
        for part in &known.parts {
            if self.same(*part, goal)? {
                return Ok(());
            }
        }
        match self.rules(known, goal) {
            Err(Stop::No) => {}
            done => return done,
        }
        if self.impossible(known)? {
            return Ok(());
        }
        for case in self.cases(known, goal)?.ok_or(Stop::No)? {
            if !self.holds(&case, goal)? {
                return Err(Stop::No);
            }
        }
        Ok(())
    }

    /// What the value can be, split in some way; every such value is in one of the cases.
    fn cases(&mut self, known: &Known, goal: Ref) -> Step<Option<Vec<Known>>> {
        if known.split.len() < MAX_SPLITS
            && let Some(cases) = self.choices(known)
        {
            return Ok(Some(cases));
        }
        let node = self.sides.get(goal);
        let chooses = !node.any_of.is_empty()
            || !node.one_of.is_empty()
            || node.not.is_some()
            || node.condition.is_some();
        if !chooses {
            return Ok(None);
        }
        if let Some(values) = &known.values {
            if values.len() < 2 || values.len() > MAX_VALUES {
                return Ok(None);
            }
            let each = values.iter().map(|v| known.one_of_values(vec![v.clone()]));
            return Ok(Some(each.collect()));
        }
        let types = Types::EACH.into_iter().filter(|t| known.types.any(*t));
        let cases: Vec<Known> = types.map(|types| known.of_types(types)).collect();
        Ok((cases.len() > 1).then_some(cases))
    }

    /// The cases of the first choice of the writer that is not split yet.
    pub(super) fn choices(&self, known: &Known) -> Option<Vec<Known>> {
        for part in &known.parts {
            let node = self.sides.get(*part);
            for (one, branches) in [(false, &node.any_of), (true, &node.one_of)] {
                if branches.is_empty() || known.split.contains(&(*part, one)) {
                    continue;
                }
                let branches: Vec<Ref> = branches.iter().map(|id| part.beside(*id)).collect();
                let cases = branches.iter().map(|branch| {
                    let mut case = known.with(&self.sides, *branch);
                    case.split.push((*part, one));
                    if one {
                        let others = branches.iter().filter(|other| *other != branch);
                        case.nots.extend(others);
                        case.nots.sort_unstable();
                        case.nots.dedup();
                    }
                    case
                });
                return Some(cases.collect());
            }
            // The marks of an `if` are those of the schema after it.
            if let Some(condition) = &node.condition {
                let when = part.beside(condition.when);
                if known.split.contains(&(when, false)) {
                    continue;
                }
                let then = condition.then.map(|id| part.beside(id));
                let otherwise = condition.otherwise.map(|id| part.beside(id));
                let mut yes = known.with(&self.sides, when);
                if let Some(then) = then {
                    yes = yes.with(&self.sides, then);
                }
                yes.split.push((when, false));
                let mut no = known.clone();
                if let Some(otherwise) = otherwise {
                    no = no.with(&self.sides, otherwise);
                }
                no.nots.push(when);
                no.nots.sort_unstable();
                no.split.push((when, false));
                return Some(vec![yes, no]);
            }
        }
        None
    }

    pub(super) fn key(&mut self, known: &Known, goal: Ref) -> Key {
        const END: u32 = u32::MAX;
        let mut key = Vec::with_capacity(known.parts.len() + known.nots.len() + 6);
        key.extend([goal.raw(), u32::from(known.types.0)]);
        key.extend(known.parts.iter().map(|part| part.raw()));
        key.push(END);
        key.extend(known.nots.iter().map(|part| part.raw()));
        key.push(END);
        for (part, one) in &known.split {
            key.extend([part.raw(), u32::from(*one)]);
        }
        if let Some(values) = &known.values {
            let text: Vec<String> = values.iter().map(ToString::to_string).collect();
            let text = text.join(",");
            let next = self.lists.len() as u32;
            key.extend([END, *self.lists.entry(text).or_insert(next)]);
        }
        key.into()
    }

    /// Whether two subschemas are the same apart from annotations, references followed.
    pub(super) fn same(&mut self, a: Ref, b: Ref) -> Step<bool> {
        if a == b {
            return Ok(true);
        }
        if let Some(known) = self.alike.get(&(a, b)) {
            return Ok(*known);
        }
        let mut seen = HashSet::new();
        let mut waiting = vec![(a, b)];
        while let Some((x, y)) = waiting.pop() {
            let (x, y) = (self.sides.real(x), self.sides.real(y));
            if x == y || !seen.insert((x, y)) {
                continue;
            }
            self.spend(1)?;
            let known = self.alike.get(&(x, y)).copied();
            if known == Some(true) {
                continue;
            }
            if known == Some(false) || !super::alike::compare(&self.sides, x, y, &mut waiting) {
                self.alike.insert((a, b), false);
                return Ok(false);
            }
        }
        self.alike.extend(seen.into_iter().map(|pair| (pair, true)));
        Ok(true)
    }
}
