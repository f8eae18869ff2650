//! The rules for arrays.

use super::check::{Checker, Step};
use super::explain::Told;
use super::known::{Known, Ref};
use super::node::{ArrayRules, Contains};
use super::rule::Rule;
use super::scalars::{at_least, at_most};

/// Items in places of their own that are looked at for `contains`.
const MAX_COUNTED: u64 = 64;

impl Checker<'_> {
    pub(super) fn arrays(&mut self, known: &Known, goal: Ref, rules: &ArrayRules) -> Step {
        let own = known.min_items(&self.sides);
        if rules.min > own {
            let wanted = rules.min;
            self.refuse(&["minItems"], || {
                at_least(
                    "arrays",
                    "items",
                    "minItems",
                    wanted,
                    own,
                    [Rule::MinItemsAdded, Rule::MinItemsIncreased],
                )
            })?;
        }
        let most = known.max_items(&self.sides);
        if let Some(wanted) = rules.max
            && most.is_none_or(|own| own > wanted)
        {
            self.refuse(&["maxItems"], || {
                at_most(
                    "arrays",
                    "items",
                    "maxItems",
                    wanted,
                    most,
                    [Rule::MaxItemsAdded, Rule::MaxItemsDecreased],
                )
            })?;
        }
        let single = most.is_some_and(|most| most <= 1);
        if rules.unique && !single && !known.unique_items(&self.sides) {
            self.refuse(&["uniqueItems"], || Told {
                rule: Rule::UniqueItemsAdded,
                what: "{reader} takes only items that differ, and {writer} may repeat an item"
                    .to_owned(),
                mend: "take 'uniqueItems' out of {reader}".to_owned(),
                info: String::new(),
            })?;
        }
        self.places(known, goal, rules, most)?;
        if let Some(contains) = rules.contains {
            self.contains(known, goal, contains, most)?;
        }
        Ok(())
    }

    /// The items in places of their own, and those after them.
    fn places(&mut self, known: &Known, goal: Ref, rules: &ArrayRules, most: Option<u64>) -> Step {
        let reached = |at: usize| most.is_none_or(|most| (at as u64) < most);
        for (at, id) in rules.prefix.iter().enumerate() {
            if !reached(at) {
                break;
            }
            self.spend(1)?;
            let item = known.item(&self.sides, Some(at));
            let place = at.to_string();
            self.item(&["items", &place], &item, goal.beside(*id))?;
        }
        let mut start = rules.prefix.len();
        let (keyword, target) = match (rules.rest, rules.unevaluated) {
            (Some(rest), _) if start == 0 => ("items", goal.beside(rest)),
            (Some(rest), _) => ("additionalItems", goal.beside(rest)),
            (None, Some(unevaluated)) => {
                // What the same place surely evaluates elsewhere is not asked for again.
                for part in self.evaluating(goal) {
                    let Some(other) = &self.sides.get(part).array else {
                        continue;
                    };
                    if other.rest.is_some() {
                        return Ok(());
                    }
                    start = start.max(other.prefix.len());
                }
                ("unevaluatedItems", goal.beside(unevaluated))
            }
            (None, None) => return Ok(()),
        };
        let closed = self.sides.get(target).always == Some(false);
        let end = start.max(known.prefix_len(&self.sides));
        for at in start..end {
            if !reached(at) {
                return Ok(());
            }
            self.spend(1)?;
            let item = known.item(&self.sides, Some(at));
            if !closed {
                let place = at.to_string();
                self.item(&[keyword, &place], &item, target)?;
            } else if !self.holds_inside(&item, target)? {
                self.refuse(&[keyword], || Told {
                    rule: Rule::ItemRemovedFromClosedContentModel,
                    what: format!(
                        "{{writer}} may write an item at place {at}, and {{reader}} takes none there"
                    ),
                    mend: format!("keep the schema of place {at} in {{reader}}"),
                    info: at.to_string(),
                })?;
            }
        }
        if !reached(end) {
            return Ok(());
        }
        let item = known.item(&self.sides, None);
        if self.holds_inside(&item, target)? {
            return Ok(());
        }
        if closed || item.is_open() {
            let rule = match closed {
                true => Rule::AdditionalItemsRemoved,
                false => Rule::AdditionalItemsNarrowed,
            };
            return self.refuse(&[keyword], || Told {
                rule,
                what: match closed {
                    true => format!(
                        "{{reader}} takes no item from place {end} on, and {{writer}} may write some"
                    ),
                    false => format!(
                        "{{reader}} has a schema for the items from place {end} on, and {{writer}} \
                         may write any there"
                    ),
                },
                mend: format!("take '{keyword}' out of {{reader}}"),
                info: String::new(),
            });
        }
        self.demand(&[keyword], None, &item, target)
    }

    fn item(&mut self, steps: &[&str], item: &Known, target: Ref) -> Step {
        if item.is_open() && self.telling && !self.holds_inside(item, target)? {
            let place = steps.last().copied().unwrap_or_default().to_owned();
            return self.refuse(steps, || Told {
                rule: Rule::ItemAddedToOpenContentModel,
                what: format!(
                    "{{reader}} has a schema for the item at place {place}, and {{writer}} may \
                     write any item there"
                ),
                mend: "give that place the schema true in {reader}".to_owned(),
                info: place.clone(),
            });
        }
        self.demand(steps, None, item, target)
    }

    fn contains(&mut self, known: &Known, goal: Ref, wanted: Contains, most: Option<u64>) -> Step {
        let target = goal.beside(wanted.schema);
        let sides = self.sides;
        let own: Vec<(Ref, Contains)> = known
            .parts
            .iter()
            .filter_map(|part| {
                let contains = sides.get(*part).array.as_ref()?.contains?;
                Some((part.beside(contains.schema), contains))
            })
            .collect();
        let mut enough = wanted.min == 0;
        for (schema, contains) in &own {
            if !enough && contains.min >= wanted.min {
                let item = Known::of(&sides, [*schema]);
                enough = self.holds_inside(&item, target)?;
            }
        }
        if !enough {
            let least = known.min_items(&sides);
            let places = (known.prefix_len(&sides) as u64)
                .min(least)
                .min(MAX_COUNTED);
            let mut count = 0;
            // Of listed arrays each place holds items of all of them, so this counts them too.
            for at in 0..places {
                let item = known.item(&sides, Some(at as usize));
                count += u64::from(self.holds_inside(&item, target)?);
            }
            if known.values.is_none() && least > places {
                let item = known.item(&sides, None);
                let more = if self.holds_inside(&item, target)? {
                    least - places
                } else {
                    0
                };
                count += if places < MAX_COUNTED { more } else { 0 };
            }
            enough = count >= wanted.min;
        }
        let mut few = wanted
            .max
            .is_none_or(|max| most.is_some_and(|most| most <= max));
        for (schema, contains) in &own {
            if !few
                && contains
                    .max
                    .is_some_and(|own| wanted.max.is_some_and(|max| own <= max))
            {
                let item = Known::of(&sides, [target]);
                few = self.holds_inside(&item, *schema)?;
            }
        }
        if enough && few {
            return Ok(());
        }
        self.refuse(&["contains"], || Told {
            rule: Rule::ContainsNarrowed,
            what: match enough {
                false => "{reader} wants an item ('contains') that {writer} need not write",
                true => "{reader} bounds the items of a kind ('maxContains') more than {writer}",
            }
            .to_owned(),
            mend: "take 'contains' out of {reader}, or keep that of {writer}".to_owned(),
            info: String::new(),
        })
    }

    /// The subschemas that surely evaluate the same value as this one: itself, its reference
    /// and its `allOf`.
    pub(super) fn evaluating(&self, goal: Ref) -> Vec<Ref> {
        let mut all = vec![goal];
        let mut next = 0;
        while let Some(at) = all.get(next).copied() {
            let node = self.sides.get(at);
            let more = node.reference.iter().chain(&node.all_of);
            all.extend(more.map(|id| at.beside(*id)));
            next += 1;
        }
        all
    }
}
