//! The rules for types, listed values, numbers and strings.

use std::cmp::Ordering;

use serde_json::Value;

use super::check::{Checker, Step};
use super::explain::Told;
use super::known::{Known, Ref};
use super::node::{Bound, Node, Types};
use super::number::{Num, equal};
use super::parse::excerpt;
use super::rule::Rule;

impl Checker<'_> {
    /// Every keyword of `goal`, one after the other.
    pub(super) fn rules(&mut self, known: &Known, goal: Ref) -> Step {
        let node = self.sides.get(goal);
        if node.always == Some(false) {
            let types = known.types.words();
            return self.refuse(&[], || Told {
                rule: Rule::SchemaRemoved,
                what: format!("{{reader}} accepts nothing here, and {{writer}} accepts {types}"),
                mend: "let {reader} keep a schema here".to_owned(),
                info: String::new(),
            });
        }
        let told = self.types(known, node)?;
        // What the reader's types leave out is told; the other rules are for the rest.
        let rest;
        let known = if told {
            rest = known.of_types(node.types);
            if rest.never {
                return Ok(());
            }
            &rest
        } else {
            known
        };
        self.values(known, node)?;
        if known.types.any(Types::NUMBER) {
            self.numbers(&known.of_types(Types::NUMBER), node)?;
        }
        if known.types.any(Types::STRING) {
            self.strings(&known.of_types(Types::STRING), node)?;
        }
        if let Some(rules) = &node.array
            && known.types.any(Types::ARRAY)
        {
            self.arrays(&known.of_types(Types::ARRAY), goal, rules)?;
        }
        if let Some(rules) = &node.object
            && known.types.any(Types::OBJECT)
        {
            self.objects(&known.of_types(Types::OBJECT), goal, rules)?;
        }
        self.combinations(known, goal, node)
    }

    /// Whether a difference was told.
    fn types(&mut self, known: &Known, node: &Node) -> Step<bool> {
        let mut missing = known.types.without(node.types);
        if missing.is_none() {
            return Ok(false);
        }
        for each in Types::EACH {
            if missing.any(each) && self.impossible(&known.of_types(missing.and(each)))? {
                missing = missing.without(each);
            }
        }
        if missing.is_none() {
            return Ok(false);
        }
        let (r, w) = (node.types.words(), known.types.words());
        let rule = match known.types.and(node.types).is_none() {
            true => Rule::TypeChanged,
            false => Rule::TypeNarrowed,
        };
        let what = match missing.and(Types::NUMBER) == Types::WHOLE {
            true => {
                "whole numbers written with a fraction, as 1.0, are an integer in {writer} and \
                     not under draft 4 in {reader}"
                    .to_owned()
            }
            false => format!("{{reader}} takes the types {r}, and {{writer}} may write {w}"),
        };
        self.refuse(&["type"], || Told {
            rule,
            what,
            mend: format!(
                "let {{reader}} take {} too (number takes integers), or use a property of \
                 another name",
                known.types.without(node.types).words()
            ),
            info: format!("reader type: {r}, writer type: {w}"),
        })?;
        Ok(true)
    }

    fn values(&mut self, known: &Known, node: &Node) -> Step {
        let Some(allowed) = &node.values else {
            return Ok(());
        };
        let Some(values) = &known.values else {
            if self.impossible(known)? {
                return Ok(());
            }
            let list = listed(allowed.iter());
            return self.refuse(&["enum"], || Told {
                rule: Rule::EnumArrayNarrowed,
                what: format!(
                    "{{reader}} takes only the values [{list}], and {{writer}} lists none"
                ),
                mend: "take the list ('enum' or 'const') out of {reader}".to_owned(),
                info: format!("[{list}]"),
            });
        };
        self.spend(values.len() + allowed.len())?;
        let extra = values
            .iter()
            .filter(|value| !allowed.iter().any(|other| equal(value, other)));
        let mut missing = Vec::new();
        for value in extra {
            let alone = known.one_of_values(vec![value.clone()]);
            if !self.impossible(&alone)? {
                missing.push(value);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let list = listed(missing.into_iter());
        self.refuse(&["enum"], || Told {
            rule: Rule::EnumArrayNarrowed,
            what: format!("{{reader}} lacks the values [{list}] that {{writer}} lists"),
            mend: "keep these values in the 'enum' of {reader}".to_owned(),
            info: format!("[{list}]"),
        })
    }

    fn numbers(&mut self, known: &Known, node: &Node) -> Step {
        if let Some(bound) = node.lower {
            let own = known.lower(&self.sides);
            if !own.is_some_and(|own| keeps(own, bound, Ordering::Greater)) {
                self.bound(bound, own, "minimum", "greater")?;
            }
        }
        if let Some(bound) = node.upper {
            let own = known.upper(&self.sides);
            if !own.is_some_and(|own| keeps(own, bound, Ordering::Less)) {
                self.bound(bound, own, "maximum", "less")?;
            }
        }
        let Some(wanted) = node.multiple_of else {
            return Ok(());
        };
        let own: Vec<Num> = match &known.values {
            Some(values) => values.iter().filter_map(Num::of_value).collect(),
            None => {
                let parts = known.parts.iter().map(|part| self.sides.get(*part));
                parts.filter_map(|node| node.multiple_of).collect()
            }
        };
        let kept = match &known.values {
            Some(_) => own.iter().all(|own| own.is_multiple_of(wanted)),
            None => {
                let one = wanted == Num::Int(1) && !known.types.any(Types::FRACTION);
                one || own.iter().any(|own| own.is_multiple_of(wanted))
            }
        };
        if kept {
            return Ok(());
        }
        let written = match own.first() {
            Some(own) if known.values.is_none() => format!("multiples of {own}"),
            Some(_) => "other values".to_owned(),
            None => "any number".to_owned(),
        };
        let rule = match own.is_empty() {
            true => Rule::MultipleOfAdded,
            false => Rule::MultipleOfChanged,
        };
        self.refuse(&["multipleOf"], || Told {
            rule,
            what: format!(
                "{{reader}} takes multiples of {wanted}, and {{writer}} writes {written}"
            ),
            mend: "take 'multipleOf' out of {reader}, or give it a divisor of the one in {writer}"
                .to_owned(),
            info: wanted.to_string(),
        })
    }

    fn bound(&mut self, bound: Bound, own: Option<Bound>, keyword: &str, word: &str) -> Step {
        let lower = keyword == "minimum";
        let rule = match (lower, bound.exclusive, own.is_some()) {
            (true, false, false) => Rule::MinimumAdded,
            (true, false, true) => Rule::MinimumIncreased,
            (true, true, false) => Rule::ExclusiveMinimumAdded,
            (true, true, true) => Rule::ExclusiveMinimumIncreased,
            (false, false, false) => Rule::MaximumAdded,
            (false, false, true) => Rule::MaximumDecreased,
            (false, true, false) => Rule::ExclusiveMaximumAdded,
            (false, true, true) => Rule::ExclusiveMaximumDecreased,
        };
        let step = match (lower, bound.exclusive) {
            (_, false) => keyword,
            (true, true) => "exclusiveMinimum",
            (false, true) => "exclusiveMaximum",
        };
        let equal = if bound.exclusive { "" } else { " or equal" };
        let written = match own {
            Some(own) => {
                let equal = if own.exclusive {
                    "not itself allowed"
                } else {
                    "allowed"
                };
                format!("goes to {} ({equal})", own.at)
            }
            None => "has no such bound".to_owned(),
        };
        self.refuse(&[step], || Told {
            rule,
            what: format!(
                "{{reader}} takes numbers {word} than {}{equal}, and {{writer}} {written}",
                bound.at
            ),
            mend: match own {
                Some(own) => format!("let the bound of {{reader}} be {} or wider", own.at),
                None => format!("take '{step}' out of {{reader}}"),
            },
            info: bound.at.to_string(),
        })
    }

    fn strings(&mut self, known: &Known, node: &Node) -> Step {
        let own = known.min_length(&self.sides);
        if node.min_length > own {
            let wanted = node.min_length;
            self.refuse(&["minLength"], || {
                at_least(
                    "strings",
                    "characters",
                    "minLength",
                    wanted,
                    own,
                    [Rule::MinLengthAdded, Rule::MinLengthIncreased],
                )
            })?;
        }
        if let Some(wanted) = node.max_length {
            let own = known.max_length(&self.sides);
            if own.is_none_or(|own| own > wanted) {
                self.refuse(&["maxLength"], || {
                    at_most(
                        "strings",
                        "characters",
                        "maxLength",
                        wanted,
                        own,
                        [Rule::MaxLengthAdded, Rule::MaxLengthDecreased],
                    )
                })?;
            }
        }
        let Some(pattern) = &node.pattern else {
            return Ok(());
        };
        if let Some(values) = &known.values {
            let mut all = true;
            for text in values.iter().filter_map(Value::as_str) {
                self.spend(1)?;
                all &= self.patterns.finds(pattern, text) == Some(true);
            }
            if all {
                return Ok(());
            }
        }
        let sides = self.sides;
        let parts = known.parts.iter().map(|part| sides.get(*part));
        let own: Vec<&String> = parts.filter_map(|node| node.pattern.as_ref()).collect();
        if own.contains(&pattern) || self.impossible(known)? {
            return Ok(());
        }
        let (rule, written) = match own.first() {
            Some(own) => (Rule::PatternChanged, format!("has '{}'", excerpt(own))),
            None => (Rule::PatternAdded, "has none".to_owned()),
        };
        self.refuse(&["pattern"], || Told {
            rule,
            what: format!(
                "{{reader}} has the pattern '{}', and {{writer}} {written}; only equal patterns \
                 are known to match the same strings",
                excerpt(pattern)
            ),
            mend: "take the pattern out of {reader}, or keep that of {writer}".to_owned(),
            info: excerpt(pattern),
        })
    }

    /// Whether a value breaks the keywords of a part for numbers and strings.
    pub(super) fn breaks(&mut self, value: &Value, node: &Node) -> Step<bool> {
        self.spend(1)?;
        Ok(match value {
            Value::Number(number) => {
                let at = Num::of(number);
                let own = Bound {
                    at,
                    exclusive: false,
                };
                let outside =
                    |bound: Option<Bound>, way| bound.is_some_and(|b| !keeps(own, b, way));
                outside(node.lower, Ordering::Greater) || outside(node.upper, Ordering::Less)
            }
            Value::String(text) => {
                let length = text.chars().count() as u64;
                length < node.min_length
                    || node.max_length.is_some_and(|max| length > max)
                    || node
                        .pattern
                        .as_ref()
                        .is_some_and(|p| self.patterns.finds(p, text) == Some(false))
            }
            _ => false,
        })
    }
}

/// Whether what keeps `own` keeps `bound`; `way` is the direction into the range.
fn keeps(own: Bound, bound: Bound, way: Ordering) -> bool {
    match own.at.order(bound.at) {
        Ordering::Equal => own.exclusive || !bound.exclusive,
        order => order == way,
    }
}

pub(super) fn at_least(
    things: &str,
    parts: &str,
    keyword: &str,
    wanted: u64,
    own: u64,
    rules: [Rule; 2],
) -> Told {
    Told {
        rule: rules[usize::from(own > 0)],
        what: format!(
            "{{reader}} takes {things} of at least {wanted} {parts}, and {{writer}} may write them \
             with {own}"
        ),
        mend: match own {
            0 => format!("take '{keyword}' out of {{reader}}"),
            _ => format!("let '{keyword}' of {{reader}} be {own} or less"),
        },
        info: wanted.to_string(),
    }
}

pub(super) fn at_most(
    things: &str,
    parts: &str,
    keyword: &str,
    wanted: u64,
    own: Option<u64>,
    rules: [Rule; 2],
) -> Told {
    let written = match own {
        Some(own) => format!("may write them with {own}"),
        None => "has no such bound".to_owned(),
    };
    Told {
        rule: rules[usize::from(own.is_some())],
        what: format!(
            "{{reader}} takes {things} of at most {wanted} {parts}, and {{writer}} {written}"
        ),
        mend: match own {
            Some(own) => format!("let '{keyword}' of {{reader}} be {own} or more"),
            None => format!("take '{keyword}' out of {{reader}}"),
        },
        info: wanted.to_string(),
    }
}

/// Values of a schema as an error shows them.
fn listed<'v>(values: impl Iterator<Item = &'v Value>) -> String {
    let texts: Vec<String> = values.map(ToString::to_string).collect();
    excerpt(&texts.join(", "))
}
