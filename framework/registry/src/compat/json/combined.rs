//! References, combinations of schemas, and what no value can be.

use super::check::{Checker, Step};
use super::explain::Told;
use super::known::{Known, Ref};
use super::node::{Node, Types};
use super::number::Num;
use super::rule::Rule;
use std::cmp::Ordering;

/// How deep in a document contradictions are looked for.
const MAX_DEPTH: usize = 3;
/// Required properties and first items that are looked at for contradictions.
const MAX_LOOKED_AT: usize = 32;

impl Checker<'_> {
    pub(super) fn combinations(&mut self, known: &Known, goal: Ref, node: &Node) -> Step {
        if node.opaque {
            self.refuse(&[], || Told {
                rule: Rule::KeywordNotCompared,
                what: "a reference that depends on who refers ('$dynamicRef', '$recursiveRef') \
                       stands here in {reader}, and such are not compared"
                    .to_owned(),
                mend: "use '$ref' in its place".to_owned(),
                info: String::new(),
            })?;
        }
        if let Some(reference) = node.reference {
            self.demand(&[], None, known, goal.beside(reference))?;
        }
        for (at, id) in node.all_of.iter().enumerate() {
            let at = at.to_string();
            self.demand(&["allOf", &at], None, known, goal.beside(*id))?;
        }
        if !node.any_of.is_empty() {
            self.any_of(known, goal, &node.any_of)?;
        }
        if !node.one_of.is_empty() {
            self.one_of(known, goal, &node.one_of)?;
        }
        if let Some(not) = node.not
            && !self.impossible(&known.with(&self.sides, goal.beside(not)))?
        {
            self.refuse(&["not"], || Told {
                rule: Rule::NotTypeExtended,
                what: "{reader} excludes values with 'not', and it cannot be shown that {writer} \
                       writes none of them"
                    .to_owned(),
                mend: "take 'not' out of {reader}, or keep that of {writer}".to_owned(),
                info: String::new(),
            })?;
        }
        if let Some(condition) = node.condition {
            let when = goal.beside(condition.when);
            let mut kept = true;
            if let Some(then) = condition.then {
                let case = known.with(&self.sides, when);
                kept = self.holds(&case, goal.beside(then))?;
            }
            if let Some(otherwise) = condition.otherwise {
                let mut case = known.clone();
                if let Err(place) = case.nots.binary_search(&when) {
                    case.nots.insert(place, when);
                }
                kept = kept && self.holds(&case, goal.beside(otherwise))?;
            }
            if !kept {
                self.refuse(&["if"], || Told {
                    rule: Rule::ConditionNarrowed,
                    what: "what {reader} demands under a condition ('if') does not take all that \
                           {writer} may write"
                        .to_owned(),
                    mend: "keep 'if', 'then' and 'else' as {writer} has them, or widen the schemas"
                        .to_owned(),
                    info: String::new(),
                })?;
            }
        }
        Ok(())
    }

    fn any_of(&mut self, known: &Known, goal: Ref, branches: &[u32]) -> Step {
        for id in branches {
            if self.holds(known, goal.beside(*id))? {
                return Ok(());
            }
        }
        self.no_branch("anyOf", known, goal, branches)
    }

    /// One branch accepts the value, and every other refuses it.
    fn one_of(&mut self, known: &Known, goal: Ref, branches: &[u32]) -> Step {
        let mut accepting = None;
        for (at, id) in branches.iter().enumerate() {
            if self.holds(known, goal.beside(*id))? {
                accepting = Some(at);
                break;
            }
        }
        let Some(accepting) = accepting else {
            return self.no_branch("oneOf", known, goal, branches);
        };
        for (at, id) in branches.iter().enumerate() {
            if at == accepting {
                continue;
            }
            let both = known.with(&self.sides, goal.beside(*id));
            if self.impossible(&both)? {
                continue;
            }
            return self.refuse(&["oneOf"], || Told {
                rule: Rule::SumTypeOverlaps,
                what: format!(
                    "what {{writer}} may write fits alternative {accepting} of 'oneOf' in \
                     {{reader}} and may fit alternative {at} too, and then {{reader}} refuses it"
                ),
                mend: "use 'anyOf', or set the alternatives apart by type, by a required property \
                       with a different 'const', or by closed content models"
                    .to_owned(),
                info: format!("{accepting}, {at}"),
            });
        }
        Ok(())
    }

    fn no_branch(&mut self, keyword: &str, known: &Known, goal: Ref, branches: &[u32]) -> Step {
        if self.telling {
            // If only one branch takes such types, that is the one to speak of.
            let mut near = branches.iter().enumerate().filter(|(_, id)| {
                let branch = Known::of(&self.sides, [goal.beside(**id)]);
                branch.types.any(known.types)
            });
            if let (Some((at, id)), None) = (near.next(), near.next()) {
                let at = at.to_string();
                return self.demand(&[keyword, &at], None, known, goal.beside(*id));
            }
        }
        let types = known.types.words();
        self.refuse(&[keyword], || Told {
            rule: Rule::SumTypeNarrowed,
            what: format!(
                "no alternative of '{keyword}' in {{reader}} takes all that {{writer}} may write \
                 here ({types})"
            ),
            mend: "keep the alternative in {reader}, or widen one".to_owned(),
            info: String::new(),
        })
    }

    /// Whether it can be shown that there is no such value.
    pub(super) fn impossible(&mut self, known: &Known) -> Step<bool> {
        self.contradicts(known, MAX_DEPTH)
    }

    fn contradicts(&mut self, known: &Known, depth: usize) -> Step<bool> {
        if known.never {
            return Ok(true);
        }
        self.spend(1 + known.parts.len())?;
        let sides = self.sides;
        if let Some(values) = &known.values {
            let mut all = true;
            for value in values.iter() {
                let mut broken = false;
                for part in &known.parts {
                    broken = broken || self.breaks(value, sides.get(*part))?;
                }
                all = all && broken;
                if !all {
                    break;
                }
            }
            if all {
                return Ok(true);
            }
        }
        let mut every = true;
        for each in Types::EACH {
            if every && known.types.any(each) {
                every = self.empty_type(&known.of_types(each), each, depth)?;
            }
        }
        if every {
            return Ok(true);
        }
        for not in &known.nots {
            // That the value breaks `false` says nothing, and asking would lead back here.
            let says = sides.get(sides.real(*not)).always != Some(false);
            if says && self.holds(known, *not)? {
                return Ok(true);
            }
        }
        if depth > 0
            && known.split.len() < MAX_DEPTH
            && let Some(cases) = self.choices(known)
        {
            for case in cases {
                if !self.contradicts(&case, depth - 1)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn empty_type(&mut self, known: &Known, types: Types, depth: usize) -> Step<bool> {
        if known.never {
            return Ok(true);
        }
        let sides = self.sides;
        if types == Types::NUMBER {
            let (Some(lower), Some(upper)) = (known.lower(&sides), known.upper(&sides)) else {
                return Ok(false);
            };
            return Ok(match Num::order(lower.at, upper.at) {
                Ordering::Greater => true,
                Ordering::Equal => lower.exclusive || upper.exclusive,
                Ordering::Less => false,
            });
        }
        if types == Types::STRING {
            let most = known.max_length(&sides);
            return Ok(most.is_some_and(|most| most < known.min_length(&sides)));
        }
        if types == Types::ARRAY {
            let least = known.min_items(&sides);
            if known.max_items(&sides).is_some_and(|most| most < least) {
                return Ok(true);
            }
            let places = (least as usize)
                .min(known.prefix_len(&sides) + 1)
                .min(MAX_LOOKED_AT);
            for at in 0..places {
                if depth > 0 {
                    let item = known.item(&sides, Some(at));
                    if self.inside(&item, depth - 1)? {
                        return Ok(true);
                    }
                }
            }
        }
        if types == Types::OBJECT && depth > 0 && known.objects().is_none() {
            let own = known
                .parts
                .iter()
                .filter_map(|part| sides.get(*part).object.as_deref());
            let required: Vec<&String> = own.flat_map(|rules| &rules.required).collect();
            for name in required.into_iter().take(MAX_LOOKED_AT) {
                let property = self.property(known, name)?;
                if self.inside(&property, depth - 1)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn inside(&mut self, known: &Known, depth: usize) -> Step<bool> {
        self.level_down();
        let empty = self.contradicts(known, depth);
        self.level_up();
        empty
    }
}
