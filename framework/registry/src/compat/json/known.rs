//! What is known of a value that the writer's schema accepts.

use std::rc::Rc;

use serde_json::Value;

use super::node::{Bound, Id, Node, Types};
use super::number::{Num, equal};

/// A subschema of either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ref(u32);

const WRITER: u32 = 1 << 31;

impl Ref {
    pub(super) fn reader(id: Id) -> Self {
        Self(id)
    }

    pub(super) fn writer(id: Id) -> Self {
        Self(id | WRITER)
    }

    /// A subschema of the same side.
    pub(super) fn beside(self, id: Id) -> Self {
        Self(id | (self.0 & WRITER))
    }

    pub(super) fn raw(self) -> u32 {
        self.0
    }
}

/// The subschemas of both sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) reader: &'a [Node],
    pub(super) writer: &'a [Node],
}

impl<'a> Sides<'a> {
    pub(super) fn get(&self, at: Ref) -> &'a Node {
        let side = match at.0 & WRITER {
            0 => self.reader,
            _ => self.writer,
        };
        &side[(at.0 & !WRITER) as usize]
    }

    /// The subschema itself, where this one only refers to it. References do not go round.
    pub(super) fn real(&self, mut at: Ref) -> Ref {
        while let node = self.get(at)
            && node.stands_for
            && let Some(id) = node.reference
        {
            at = at.beside(id);
        }
        at
    }
}

/// A value of which every one of some subschemas is known to hold.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// In order, none twice; references and `allOf` are followed.
    pub(super) parts: Vec<Ref>,
    pub(super) types: Types,
    /// All that the value can be, if that is a list.
    pub(super) values: Option<Rc<Vec<Value>>>,
    /// Subschemas that the value is known to break.
    pub(super) nots: Vec<Ref>,
    /// Parts whose `anyOf` or `oneOf` was split into cases.
    pub(super) split: Vec<(Ref, bool)>,
    /// No value can be so.
    pub(super) never: bool,
}

impl Known {
    pub(super) fn nothing() -> Self {
        Self {
            parts: Vec::new(),
            types: Types::ALL,
            values: None,
            nots: Vec::new(),
            split: Vec::new(),
            never: false,
        }
    }

    pub(super) fn of(sides: &Sides<'_>, all: impl IntoIterator<Item = Ref>) -> Self {
        let mut known = Self::nothing();
        known.learn(sides, all);
        known
    }

    /// The same, of a value that also keeps `more`.
    pub(super) fn with(&self, sides: &Sides<'_>, more: Ref) -> Self {
        let mut known = self.clone();
        known.learn(sides, [more]);
        known
    }

    pub(super) fn of_types(&self, types: Types) -> Self {
        let mut known = self.clone();
        known.types = known.types.and(types);
        known.settle();
        known
    }

    pub(super) fn one_of_values(&self, values: Vec<Value>) -> Self {
        let mut known = self.clone();
        known.values = Some(match known.values {
            Some(own) => {
                let kept = own
                    .iter()
                    .filter(|own| values.iter().any(|v| equal(own, v)));
                Rc::new(kept.cloned().collect())
            }
            None => Rc::new(values),
        });
        known.settle();
        known
    }

    /// Whether nothing is known of the value.
    pub(super) fn is_open(&self) -> bool {
        !self.never && self.parts.is_empty() && self.values.is_none() && self.types == Types::ALL
    }

    fn learn(&mut self, sides: &Sides<'_>, all: impl IntoIterator<Item = Ref>) {
        let mut waiting: Vec<Ref> = all.into_iter().collect();
        while let Some(at) = waiting.pop() {
            let at = sides.real(at);
            let node = sides.get(at);
            match node.always {
                Some(true) => continue,
                Some(false) => {
                    self.never = true;
                    continue;
                }
                None => {}
            }
            let Err(place) = self.parts.binary_search(&at) else {
                continue;
            };
            self.parts.insert(place, at);
            self.types = self.types.and(node.types);
            if let Some(values) = &node.values {
                self.values = Some(Rc::new(match &self.values {
                    Some(own) => {
                        let both = own
                            .iter()
                            .filter(|own| values.iter().any(|v| equal(own, v)));
                        both.cloned().collect()
                    }
                    None => values.clone(),
                }));
            }
            if let Some(not) = node.not
                && let Err(place) = self.nots.binary_search(&at.beside(not))
            {
                self.nots.insert(place, at.beside(not));
            }
            waiting.extend(node.reference.map(|id| at.beside(id)));
            waiting.extend(node.all_of.iter().map(|id| at.beside(*id)));
        }
        self.settle();
    }

    /// Holds types and values against each other.
    fn settle(&mut self) {
        let few = Types::NULL.or(Types::BOOLEAN);
        if self.values.is_none() && self.types.without(few).is_none() {
            let mut values = Vec::new();
            if self.types.any(Types::NULL) {
                values.push(Value::Null);
            }
            if self.types.any(Types::BOOLEAN) {
                values.extend([Value::Bool(false), Value::Bool(true)]);
            }
            self.values = Some(Rc::new(values));
        }
        if let Some(values) = &self.values {
            if values.iter().any(|value| !Types::of(value).any(self.types)) {
                let kept = values.iter().filter(|v| Types::of(v).any(self.types));
                self.values = Some(Rc::new(kept.cloned().collect()));
            }
            let own = self.values.iter().flat_map(|values| values.iter());
            let types = own.fold(Types::NONE, |all, value| all.or(Types::of(value)));
            self.types = self.types.and(types);
        }
        if self.types.is_none() {
            self.never = true;
        }
    }

    fn nodes<'s>(&'s self, sides: &Sides<'s>) -> impl Iterator<Item = (Ref, &'s Node)> {
        let sides = *sides;
        self.parts.iter().map(move |part| (*part, sides.get(*part)))
    }

    fn numbers(&self) -> Option<Vec<Num>> {
        let values = self.values.as_ref()?;
        Some(values.iter().filter_map(Num::of_value).collect())
    }

    /// The smallest number that the value can be.
    pub(super) fn lower(&self, sides: &Sides<'_>) -> Option<Bound> {
        if let Some(numbers) = self.numbers() {
            let least = numbers.into_iter().min_by(|a, b| a.order(*b));
            return least.map(|at| Bound {
                at,
                exclusive: false,
            });
        }
        let bounds = self.nodes(sides).filter_map(|(_, node)| node.lower);
        let tightest = bounds.reduce(|a, b| match a.at.order(b.at) {
            std::cmp::Ordering::Greater => a,
            std::cmp::Ordering::Less => b,
            std::cmp::Ordering::Equal if a.exclusive => a,
            std::cmp::Ordering::Equal => b,
        })?;
        Some(self.whole(tightest, 1))
    }

    /// The greatest number that the value can be.
    pub(super) fn upper(&self, sides: &Sides<'_>) -> Option<Bound> {
        if let Some(numbers) = self.numbers() {
            let most = numbers.into_iter().max_by(|a, b| a.order(*b));
            return most.map(|at| Bound {
                at,
                exclusive: false,
            });
        }
        let bounds = self.nodes(sides).filter_map(|(_, node)| node.upper);
        let tightest = bounds.reduce(|a, b| match a.at.order(b.at) {
            std::cmp::Ordering::Less => a,
            std::cmp::Ordering::Greater => b,
            std::cmp::Ordering::Equal if a.exclusive => a,
            std::cmp::Ordering::Equal => b,
        })?;
        Some(self.whole(tightest, -1))
    }

    /// For whole numbers, a bound that is itself allowed.
    fn whole(&self, bound: Bound, step: i128) -> Bound {
        if self.types.any(Types::FRACTION) {
            return bound;
        }
        let at = match bound.at {
            Num::Int(int) if bound.exclusive => int + step,
            Num::Int(int) => int,
            Num::Float(float) if float.abs() < 1e30 && step > 0 => float.ceil() as i128,
            Num::Float(float) if float.abs() < 1e30 => float.floor() as i128,
            Num::Float(_) => return bound,
        };
        Bound {
            at: Num::Int(at),
            exclusive: false,
        }
    }

    fn lengths(&self) -> Option<Vec<u64>> {
        let values = self.values.as_ref()?;
        let texts = values.iter().filter_map(Value::as_str);
        Some(texts.map(|text| text.chars().count() as u64).collect())
    }

    pub(super) fn min_length(&self, sides: &Sides<'_>) -> u64 {
        match self.lengths() {
            Some(lengths) => lengths.into_iter().min().unwrap_or(0),
            None => {
                let all = self.nodes(sides).map(|(_, node)| node.min_length);
                all.max().unwrap_or(0)
            }
        }
    }

    pub(super) fn max_length(&self, sides: &Sides<'_>) -> Option<u64> {
        match self.lengths() {
            Some(lengths) => Some(lengths.into_iter().max().unwrap_or(0)),
            None => self
                .nodes(sides)
                .filter_map(|(_, node)| node.max_length)
                .min(),
        }
    }

    /// The arrays that the value can be, if that is a list.
    fn arrays(&self) -> Option<Vec<&Vec<Value>>> {
        let values = self.values.as_ref()?;
        Some(values.iter().filter_map(Value::as_array).collect())
    }

    pub(super) fn min_items(&self, sides: &Sides<'_>) -> u64 {
        if let Some(arrays) = self.arrays() {
            return arrays
                .iter()
                .map(|array| array.len() as u64)
                .min()
                .unwrap_or(0);
        }
        let rules = self
            .nodes(sides)
            .filter_map(|(_, node)| node.array.as_ref());
        rules.map(|rules| rules.min).max().unwrap_or(0)
    }

    pub(super) fn max_items(&self, sides: &Sides<'_>) -> Option<u64> {
        if let Some(arrays) = self.arrays() {
            return Some(
                arrays
                    .iter()
                    .map(|array| array.len() as u64)
                    .max()
                    .unwrap_or(0),
            );
        }
        let limits = self.nodes(sides).filter_map(|(at, node)| {
            let rules = node.array.as_ref()?;
            let closed = rules
                .rest
                .is_some_and(|rest| sides.get(at.beside(rest)).always == Some(false));
            let end = closed.then_some(rules.prefix.len() as u64);
            match (rules.max, end) {
                (Some(max), Some(end)) => Some(max.min(end)),
                (max, end) => max.or(end),
            }
        });
        limits.min()
    }

    pub(super) fn unique_items(&self, sides: &Sides<'_>) -> bool {
        match self.arrays() {
            Some(arrays) => arrays.iter().all(|array| {
                let pairs = array.iter().enumerate();
                pairs
                    .into_iter()
                    .all(|(n, item)| !array[..n].iter().any(|other| equal(item, other)))
            }),
            None => {
                let mut rules = self
                    .nodes(sides)
                    .filter_map(|(_, node)| node.array.as_ref());
                rules.any(|rules| rules.unique)
            }
        }
    }

    /// How many items stand in a place of their own.
    pub(super) fn prefix_len(&self, sides: &Sides<'_>) -> usize {
        if let Some(arrays) = self.arrays() {
            return arrays.iter().map(|array| array.len()).max().unwrap_or(0);
        }
        let rules = self
            .nodes(sides)
            .filter_map(|(_, node)| node.array.as_ref());
        rules.map(|rules| rules.prefix.len()).max().unwrap_or(0)
    }

    /// What is known of the item in a place, or of those after every place.
    pub(super) fn item(&self, sides: &Sides<'_>, at: Option<usize>) -> Self {
        if let Some(arrays) = self.arrays() {
            let values = arrays
                .iter()
                .filter_map(|array| array.get(at.unwrap_or(usize::MAX)))
                .cloned();
            return Self::nothing().one_of_values(values.collect());
        }
        let mut all = Vec::new();
        for (part, node) in self.nodes(sides) {
            let Some(rules) = &node.array else { continue };
            match at.and_then(|at| rules.prefix.get(at)) {
                Some(id) => all.push(part.beside(*id)),
                None => {
                    all.extend(rules.rest.map(|id| part.beside(id)));
                    if rules.rest.is_none()
                        && let Some(unevaluated) = rules.unevaluated
                        && judges_items_alone(node)
                    {
                        all.push(part.beside(unevaluated));
                    }
                }
            }
        }
        Self::of(sides, all)
    }

    /// The objects that the value can be, if that is a list.
    pub(super) fn objects(&self) -> Option<Vec<&serde_json::Map<String, Value>>> {
        let values = self.values.as_ref()?;
        Some(values.iter().filter_map(Value::as_object).collect())
    }

    pub(super) fn requires(&self, sides: &Sides<'_>, name: &str) -> bool {
        if let Some(objects) = self.objects() {
            return objects.iter().all(|object| object.contains_key(name));
        }
        let mut rules = self
            .nodes(sides)
            .filter_map(|(_, node)| node.object.as_ref());
        rules.any(|rules| rules.required.iter().any(|own| own == name))
    }
}

/// Whether no other keyword of the subschema can account for an item.
fn judges_items_alone(node: &Node) -> bool {
    node.in_place().next().is_none()
        && node
            .array
            .as_ref()
            .is_none_or(|rules| rules.contains.is_none())
}
