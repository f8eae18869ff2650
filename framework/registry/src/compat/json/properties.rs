//! What is known of the properties of an object.

use std::collections::BTreeSet;

use super::check::{Checker, Step};
use super::known::{Known, Ref};

impl Checker<'_> {
    /// Whether the writer's schema has a schema for just this property.
    pub(super) fn declares(&self, known: &Known, name: &str) -> bool {
        let mut parts = known
            .parts
            .iter()
            .filter_map(|part| self.sides.get(*part).object.as_ref());
        parts.any(|rules| rules.properties.contains_key(name))
    }

    /// Whether every property that the writer's schema does not name fits `target`, apart from
    /// those that match a pattern in `covered`; only those that match `only`, if it is given.
    pub(super) fn rest_holds(
        &mut self,
        known: &Known,
        target: Ref,
        covered: &[&str],
        only: Option<&str>,
    ) -> Step<bool> {
        let sides = self.sides;
        let mut certain = Vec::new();
        let mut ways: Vec<Vec<Option<Ref>>> = Vec::new();
        for part in &known.parts {
            let node = sides.get(*part);
            let Some(rules) = node.object.as_deref() else {
                continue;
            };
            self.spend(1 + rules.patterns.len())?;
            if let Some(same) = only.and_then(|only| rules.patterns.get(only)) {
                certain.push(part.beside(*same));
                continue;
            }
            // Such a name matches one of the patterns, or it is one of the others.
            let mut way: Vec<Option<Ref>> = Vec::new();
            for (pattern, id) in &rules.patterns {
                if !covered.contains(&pattern.as_str()) {
                    way.push(Some(part.beside(*id)));
                }
            }
            way.push(match rules.additional {
                Some(additional) => Some(part.beside(additional)),
                None => self.unevaluated(*part),
            });
            ways.push(way);
        }
        let base = Known::of(&sides, certain);
        if self.holds_inside(&base, target)? {
            return Ok(true);
        }
        // All parts that leave no choice hold together.
        let mut together = base.clone();
        for way in ways.iter().filter(|way| way.len() == 1) {
            if let Some(only) = way[0] {
                together = together.with(&sides, only);
            }
        }
        if self.holds_inside(&together, target)? {
            return Ok(true);
        }
        for way in ways.iter().filter(|way| way.len() > 1) {
            let mut all = true;
            for alternative in way {
                let property = match alternative {
                    Some(schema) => together.with(&sides, *schema),
                    None => together.clone(),
                };
                all = all && self.holds_inside(&property, target)?;
            }
            if all {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The schema for properties that nothing else evaluates, where it is sure what that is.
    pub(super) fn unevaluated(&self, part: Ref) -> Option<Ref> {
        let id = self.sides.get(part).object.as_ref()?.unevaluated?;
        let certain = self.evaluating(part).into_iter().all(|at| {
            let node = self.sides.get(at);
            let object = node.object.as_deref();
            let open = node.opaque
                || node.condition.is_some()
                || !node.any_of.is_empty()
                || !node.one_of.is_empty()
                || object.is_some_and(|rules| {
                    !rules.then_schemas.is_empty()
                        || rules.additional.is_some()
                        || !rules.patterns.is_empty()
                });
            !open
        });
        certain.then(|| part.beside(id))
    }

    /// The names that the writer's schema gives to properties.
    pub(super) fn named(&self, known: &Known) -> BTreeSet<String> {
        if let Some(objects) = known.objects() {
            return objects
                .iter()
                .flat_map(|object| object.keys().cloned())
                .collect();
        }
        let parts = known
            .parts
            .iter()
            .filter_map(|part| self.sides.get(*part).object.as_ref());
        parts
            .flat_map(|rules| rules.properties.keys().cloned())
            .collect()
    }

    /// What is known of a property.
    pub(super) fn property(&mut self, known: &Known, name: &str) -> Step<Known> {
        self.spend(1 + known.parts.len())?;
        if let Some(objects) = known.objects() {
            let values = objects
                .iter()
                .filter_map(|object| object.get(name))
                .cloned();
            return Ok(Known::nothing().one_of_values(values.collect()));
        }
        let sides = self.sides;
        let mut all = Vec::new();
        for part in &known.parts {
            let Some(rules) = sides.get(*part).object.as_deref() else {
                continue;
            };
            let mut named = false;
            if let Some(id) = rules.properties.get(name) {
                all.push(part.beside(*id));
                named = true;
            }
            for (pattern, id) in &rules.patterns {
                self.spend(1)?;
                match self.patterns.finds(pattern, name) {
                    Some(true) => {
                        all.push(part.beside(*id));
                        named = true;
                    }
                    Some(false) => {}
                    None => named = true,
                }
            }
            if named {
                continue;
            }
            match rules.additional {
                Some(additional) => all.push(part.beside(additional)),
                None => {
                    let elsewhere = self.evaluating(*part).into_iter().any(|at| {
                        let object = sides.get(at).object.as_ref();
                        object.is_some_and(|rules| rules.properties.contains_key(name))
                    });
                    if !elsewhere {
                        all.extend(self.unevaluated(*part));
                    }
                }
            }
        }
        Ok(Known::of(&sides, all))
    }

    /// Whether only properties with a name in the writer's schema can be there.
    pub(super) fn is_closed(&self, known: &Known) -> bool {
        known.parts.iter().any(|part| {
            let rules = self.sides.get(*part).object.as_ref();
            rules.is_some_and(|rules| {
                let closed = rules
                    .additional
                    .is_some_and(|id| self.sides.get(part.beside(id)).always == Some(false));
                closed && rules.patterns.is_empty()
            })
        })
    }

    /// Whether the property can never be there.
    pub(super) fn absent(&mut self, known: &Known, name: &str) -> Step<bool> {
        let property = self.property(known, name)?;
        self.impossible(&property)
    }
}
