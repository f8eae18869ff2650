//! The rules for objects: properties, those not named, and content models open or closed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::check::{Checker, Step};
use super::explain::Told;
use super::known::{Known, Ref};
use super::node::{ObjectRules, Types};
use super::parse::excerpt;
use super::rule::Rule;
use super::scalars::{at_least, at_most};

impl Checker<'_> {
    pub(super) fn objects(&mut self, known: &Known, goal: Ref, rules: &ObjectRules) -> Step {
        self.required(known, rules)?;
        for (name, id) in &rules.properties {
            self.declared(known, name, goal.beside(*id))?;
        }
        for (pattern, id) in &rules.patterns {
            self.matching(known, pattern, goal.beside(*id))?;
        }
        if let Some(additional) = rules.additional {
            let target = goal.beside(additional);
            self.others(known, &[goal], "additionalProperties", target)?;
        } else if let Some(unevaluated) = rules.unevaluated {
            let target = goal.beside(unevaluated);
            let covering = self.evaluating(goal);
            self.others(known, &covering, "unevaluatedProperties", target)?;
        }
        if let Some(names) = rules.names {
            self.names(known, goal.beside(names))?;
        }
        self.counts(known, rules)?;
        self.dependencies(known, goal, rules)
    }

    fn required(&mut self, known: &Known, rules: &ObjectRules) -> Step {
        for name in &rules.required {
            self.spend(1)?;
            if known.requires(&self.sides, name) {
                continue;
            }
            let declared = self.declares(known, name);
            let (rule, mend) = match declared {
                true => (
                    Rule::RequiredAttributeAdded,
                    "take '{}' out of 'required' in {reader}",
                ),
                false => (
                    Rule::RequiredPropertyAddedToUnopenContentModel,
                    "let '{}' be optional in {reader}; a 'default' does not help, as validators \
                     do not fill it in",
                ),
            };
            self.refuse(&["required"], || Told {
                rule,
                what: match declared {
                    true => format!(
                        "{{reader}} requires the property '{}', and {{writer}} may leave it out",
                        excerpt(name)
                    ),
                    false => format!(
                        "{{reader}} requires the property '{}', which {{writer}} does not know",
                        excerpt(name)
                    ),
                },
                mend: mend.replace("{}", &excerpt(name)),
                info: excerpt(name),
            })?;
        }
        Ok(())
    }

    fn declared(&mut self, known: &Known, name: &str, target: Ref) -> Step {
        let property = self.property(known, name)?;
        if !self.telling || self.holds_inside(&property, target)? {
            return self.demand(&["properties", name], Some(name), &property, target);
        }
        if self.declares(known, name) || known.objects().is_some() {
            return self.demand(&["properties", name], Some(name), &property, target);
        }
        let open = property.is_open();
        let rule = match open {
            true => Rule::PropertyAddedToOpenContentModel,
            false => Rule::PropertyAddedNotCoveredByPartiallyOpenContentModel,
        };
        self.refuse(&["properties", name], || Told {
            rule,
            what: match open {
                true => format!(
                    "{{reader}} gives the property '{0}' a schema, and {{writer}}, whose content \
                     model is open, may have any value under '{0}'",
                    excerpt(name)
                ),
                false => format!(
                    "the schema of the property '{0}' in {{reader}} does not take all that \
                     {{writer}} takes there, by its schema for properties that are not named",
                    excerpt(name)
                ),
            },
            mend: format!(
                "give '{}' the schema true in {{reader}}; to add properties later, close the \
                 content model from the first version on (additionalProperties: false)",
                excerpt(name)
            ),
            info: excerpt(name),
        })
    }

    /// The properties whose names match a pattern of the reader.
    fn matching(&mut self, known: &Known, pattern: &str, target: Ref) -> Step {
        for name in self.named(known) {
            // A name that the engine cannot judge may match.
            if self.patterns.finds(pattern, &name) != Some(false) {
                let property = self.property(known, &name)?;
                let steps = ["patternProperties", pattern];
                self.demand(&steps, Some(&name), &property, target)?;
            }
        }
        if known.objects().is_some() || self.rest_holds(known, target, &[], Some(pattern))? {
            return Ok(());
        }
        self.refuse(&["patternProperties", pattern], || Told {
            rule: Rule::PropertyAddedNotCoveredByPartiallyOpenContentModel,
            what: format!(
                "{{reader}} has a schema for the properties that match '{}', and {{writer}} may \
                 have other values there",
                excerpt(pattern)
            ),
            mend:
                "take the pattern out of {reader}, or keep the schema that {writer} has for such \
                   properties"
                    .to_owned(),
            info: excerpt(pattern),
        })
    }

    /// The properties that none of `covering` names.
    fn others(&mut self, known: &Known, covering: &[Ref], keyword: &str, target: Ref) -> Step {
        let closed = self.sides.get(target).always == Some(false);
        let sides = self.sides;
        let rules: Vec<&ObjectRules> = covering
            .iter()
            .filter_map(|part| sides.get(*part).object.as_deref())
            .collect();
        if keyword == "unevaluatedProperties" && rules.iter().any(|r| r.additional.is_some()) {
            return Ok(());
        }
        let patterns: Vec<&str> = rules
            .iter()
            .flat_map(|rules| rules.patterns.keys().map(String::as_str))
            .collect();
        for name in self.named(known) {
            if rules
                .iter()
                .any(|rules| rules.properties.contains_key(&name))
            {
                continue;
            }
            let mut covered = false;
            for pattern in &patterns {
                covered |= self.patterns.finds(pattern, &name) == Some(true);
            }
            if covered {
                continue;
            }
            let property = self.property(known, &name)?;
            if self.holds_inside(&property, target)? {
                continue;
            }
            let (rule, mend) = match closed {
                true => (
                    Rule::PropertyRemovedFromClosedContentModel,
                    "keep '{}' in {reader}, or let its content model be open",
                ),
                false => (
                    Rule::PropertyRemovedNotCoveredByPartiallyOpenContentModel,
                    "keep '{}' in {reader}, or widen its schema for properties that are not named",
                ),
            };
            self.refuse(&[keyword], || Told {
                rule,
                what: match closed {
                    true => format!(
                        "{{writer}} may write the property '{}', and {{reader}} takes no property \
                         that it does not name",
                        excerpt(&name)
                    ),
                    false => format!(
                        "the property '{}' of {{writer}} is not named in {{reader}} and does not \
                         fit its schema for such properties",
                        excerpt(&name)
                    ),
                },
                mend: mend.replace("{}", &excerpt(&name)),
                info: excerpt(&name),
            })?;
        }
        if known.objects().is_some() || self.rest_holds(known, target, &patterns, None)? {
            return Ok(());
        }
        let rule = match closed {
            true => Rule::AdditionalPropertiesRemoved,
            false => Rule::AdditionalPropertiesNarrowed,
        };
        self.refuse(&[keyword], || Told {
            rule,
            what: match closed {
                true => {
                    "{reader} takes no property that it does not name, and {writer}, whose \
                         content model is open, may write others"
                }
                false => {
                    "the schema of {reader} for properties that are not named does not take \
                          all that {writer} may write there"
                }
            }
            .to_owned(),
            mend: format!("take '{keyword}' out of {{reader}}, or widen it"),
            info: String::new(),
        })
    }

    fn names(&mut self, known: &Known, target: Ref) -> Step {
        let sides = self.sides;
        let own = known.parts.iter().filter_map(|part| {
            let names = sides.get(*part).object.as_ref()?.names?;
            Some(part.beside(names))
        });
        let own = Known::of(&sides, own).of_types(Types::STRING);
        let mut holds = self.holds_inside(&own, target)?;
        if !holds && (known.objects().is_some() || self.is_closed(known)) {
            let names = self.named(known).into_iter().map(Value::String);
            let names = own.one_of_values(names.collect());
            holds = self.holds_inside(&names, target)?;
        }
        if holds {
            return Ok(());
        }
        self.refuse(&["propertyNames"], || Told {
            rule: Rule::PropertyNamesNarrowed,
            what: "{writer} may have names of properties that {reader} does not take".to_owned(),
            mend: "take 'propertyNames' out of {reader}, or keep that of {writer}".to_owned(),
            info: String::new(),
        })
    }

    fn counts(&mut self, known: &Known, rules: &ObjectRules) -> Step {
        let sides = self.sides;
        let own = || {
            known
                .parts
                .iter()
                .filter_map(|part| sides.get(*part).object.as_deref())
        };
        let (least, most) = match known.objects() {
            Some(objects) => {
                let lengths: Vec<u64> = objects.iter().map(|object| object.len() as u64).collect();
                (
                    lengths.iter().min().copied().unwrap_or(0),
                    Some(lengths.iter().max().copied().unwrap_or(0)),
                )
            }
            None => {
                let required: BTreeSet<&String> = own().flat_map(|rules| &rules.required).collect();
                let least = own().map(|rules| rules.min).max().unwrap_or(0);
                let most = own().filter_map(|rules| rules.max).min();
                let names = self
                    .is_closed(known)
                    .then(|| self.named(known).len() as u64);
                (
                    least.max(required.len() as u64),
                    most.into_iter().chain(names).min(),
                )
            }
        };
        if rules.min > least {
            let wanted = rules.min;
            self.refuse(&["minProperties"], || {
                at_least(
                    "objects",
                    "properties",
                    "minProperties",
                    wanted,
                    least,
                    [Rule::MinPropertiesAdded, Rule::MinPropertiesIncreased],
                )
            })?;
        }
        if let Some(wanted) = rules.max
            && most.is_none_or(|most| most > wanted)
        {
            self.refuse(&["maxProperties"], || {
                at_most(
                    "objects",
                    "properties",
                    "maxProperties",
                    wanted,
                    most,
                    [Rule::MaxPropertiesAdded, Rule::MaxPropertiesDecreased],
                )
            })?;
        }
        Ok(())
    }

    fn dependencies(&mut self, known: &Known, goal: Ref, rules: &ObjectRules) -> Step {
        let sides = self.sides;
        let own: Vec<(Ref, &ObjectRules)> = known
            .parts
            .iter()
            .filter_map(|part| Some((*part, sides.get(*part).object.as_deref()?)))
            .filter(|(_, rules)| !rules.loose)
            .collect();
        for (name, needs) in &rules.needs {
            if self.absent(known, name)? {
                continue;
            }
            for other in needs {
                self.spend(1 + own.len())?;
                let listed = known.objects().is_some_and(|objects| {
                    let with = objects.iter().filter(|object| object.contains_key(name));
                    with.into_iter().all(|object| object.contains_key(other))
                });
                let kept = own.iter().any(|(_, rules)| {
                    let mut same = rules.needs.iter().filter(|(own, _)| own == name);
                    same.any(|(_, needs)| needs.contains(other))
                });
                if name == other || listed || kept || known.requires(&sides, other) {
                    continue;
                }
                self.refuse(&["dependentRequired", name], || Told {
                    rule: Rule::DependencyArrayAdded,
                    what: format!(
                        "{{reader}} requires the property '{}' beside '{}', and {{writer}} may \
                         leave it out",
                        excerpt(other),
                        excerpt(name)
                    ),
                    mend: format!("take '{}' out of that list in {{reader}}", excerpt(other)),
                    info: excerpt(other),
                })?;
            }
        }
        for (name, id) in &rules.then_schemas {
            let target = goal.beside(*id);
            if self.absent(known, name)? {
                continue;
            }
            let mut with = known.clone();
            for (part, rules) in &own {
                for (other, id) in &rules.then_schemas {
                    if other == name {
                        with = with.with(&sides, part.beside(*id));
                    }
                }
            }
            if self.holds(&with, target)? {
                continue;
            }
            self.refuse(&["dependentSchemas", name], || Told {
                rule: Rule::DependencySchemaAdded,
                what: format!(
                    "{{reader}} has a schema for objects with the property '{}' that does not take \
                     all that {{writer}} may write",
                    excerpt(name)
                ),
                mend: "take that schema out of {reader}, or keep the one of {writer}".to_owned(),
                info: excerpt(name),
            })?;
        }
        Ok(())
    }
}
