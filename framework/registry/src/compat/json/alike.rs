//! Equality of two subschemas, keyword by keyword.

use super::known::{Ref, Sides};
use super::node::{ArrayRules, Id, ObjectRules};
use super::number::equal;

/// Compares two subschemas and adds the pairs below them that must be the same too.
pub(super) fn compare(sides: &Sides<'_>, a: Ref, b: Ref, below: &mut Vec<(Ref, Ref)>) -> bool {
    let (x, y) = (sides.get(a), sides.get(b));
    let mut pairs = Pairs { a, b, below };
    let condition = match (&x.condition, &y.condition) {
        (None, None) => true,
        (Some(x), Some(y)) => {
            pairs.list(&[x.when], &[y.when])
                && pairs.one(x.then, y.then)
                && pairs.one(x.otherwise, y.otherwise)
        }
        _ => false,
    };
    let values = match (&x.values, &y.values) {
        (None, None) => true,
        (Some(x), Some(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| equal(x, y)),
        _ => false,
    };
    let array = match (&x.array, &y.array) {
        (None, None) => true,
        (Some(x), Some(y)) => arrays(&mut pairs, x, y),
        _ => false,
    };
    let object = match (&x.object, &y.object) {
        (None, None) => true,
        (Some(x), Some(y)) => objects(&mut pairs, x, y),
        _ => false,
    };
    // What counts as evaluated differs between drafts.
    let evaluates = |rules: Option<&ArrayRules>, object: Option<&ObjectRules>| {
        rules.is_some_and(|rules| rules.unevaluated.is_some())
            || object.is_some_and(|rules| rules.unevaluated.is_some())
    };
    let drafts = x.draft == y.draft || !evaluates(x.array.as_deref(), x.object.as_deref());
    !x.opaque
        && !y.opaque
        && x.always == y.always
        && x.types == y.types
        && values
        && x.lower == y.lower
        && x.upper == y.upper
        && x.multiple_of == y.multiple_of
        && x.min_length == y.min_length
        && x.max_length == y.max_length
        && x.pattern == y.pattern
        && array
        && object
        && condition
        && drafts
        && pairs.one(x.reference, y.reference)
        && pairs.list(&x.all_of, &y.all_of)
        && pairs.list(&x.any_of, &y.any_of)
        && pairs.list(&x.one_of, &y.one_of)
        && pairs.one(x.not, y.not)
}

struct Pairs<'p> {
    a: Ref,
    b: Ref,
    below: &'p mut Vec<(Ref, Ref)>,
}

impl Pairs<'_> {
    fn one(&mut self, x: Option<Id>, y: Option<Id>) -> bool {
        match (x, y) {
            (None, None) => true,
            (Some(x), Some(y)) => self.list(&[x], &[y]),
            _ => false,
        }
    }

    fn list(&mut self, x: &[Id], y: &[Id]) -> bool {
        let (a, b) = (self.a, self.b);
        let pairs = x.iter().zip(y).map(|(x, y)| (a.beside(*x), b.beside(*y)));
        self.below.extend(pairs);
        x.len() == y.len()
    }
}

fn arrays(pairs: &mut Pairs<'_>, x: &ArrayRules, y: &ArrayRules) -> bool {
    let contains = match (&x.contains, &y.contains) {
        (None, None) => true,
        (Some(x), Some(y)) => {
            x.min == y.min && x.max == y.max && pairs.list(&[x.schema], &[y.schema])
        }
        _ => false,
    };
    contains
        && (x.min, x.max, x.unique) == (y.min, y.max, y.unique)
        && pairs.list(&x.prefix, &y.prefix)
        && pairs.one(x.rest, y.rest)
        && pairs.one(x.unevaluated, y.unevaluated)
}

fn objects(pairs: &mut Pairs<'_>, x: &ObjectRules, y: &ObjectRules) -> bool {
    let named = [(&x.properties, &y.properties), (&x.patterns, &y.patterns)];
    for (x, y) in named {
        for (name, id) in x {
            let Some(other) = y.get(name) else {
                return false;
            };
            pairs.list(&[*id], &[*other]);
        }
        if x.len() != y.len() {
            return false;
        }
    }
    let thens: (Vec<_>, Vec<_>) = x.then_schemas.iter().cloned().unzip();
    let others: (Vec<_>, Vec<_>) = y.then_schemas.iter().cloned().unzip();
    (x.min, x.max) == (y.min, y.max)
        && x.required == y.required
        && x.needs == y.needs
        && x.loose == y.loose
        && thens.0 == others.0
        && pairs.list(&thens.1, &others.1)
        && pairs.one(x.additional, y.additional)
        && pairs.one(x.names, y.names)
        && pairs.one(x.unevaluated, y.unevaluated)
}
