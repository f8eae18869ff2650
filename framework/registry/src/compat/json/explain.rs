//! Telling why a proof failed: the rule, the place and the words.

use super::check::{Checker, MAX_NESTING, MAX_SPLITS, Step, Stop};
use super::known::{Known, Ref};
use super::rule::Rule;
use crate::compat::difference::{self, Difference};

/// Differences that are told; the verdict does not depend on it.
const MAX_DIFFERENCES: usize = 50;

/// What is told of a difference; the sides are called `{reader}` and `{writer}`.
pub(super) struct Told {
    pub(super) rule: Rule,
    pub(super) what: String,
    pub(super) mend: String,
    pub(super) info: String,
}

impl Checker<'_> {
    /// Tells why `goal` need not accept every such value.
    pub(super) fn explain(&mut self, known: &Known, goal: Ref) -> Step {
        let goal = self.sides.real(goal);
        let key = self.key(known, goal);
        if self.told.len() >= MAX_DIFFERENCES {
            return Ok(());
        }
        if !self.explaining.insert(key.clone()) {
            self.repeated += 1;
            return Ok(());
        }
        if self.depth >= MAX_NESTING {
            return Err(Stop::TooComplex);
        }
        self.depth += 1;
        let before = (self.told.len(), self.repeated);
        match self
            .choices(known)
            .filter(|_| known.split.len() < MAX_SPLITS)
        {
            // Only the alternatives that are not accepted have something to tell.
            Some(cases) => {
                for case in cases {
                    if !self.holds(&case, goal)? {
                        self.explain(&case, goal)?;
                    }
                }
            }
            None => self.rules(known, goal)?,
        }
        if (self.told.len(), self.repeated) == before {
            self.unexplained(known)?;
        }
        self.explaining.remove(&key);
        self.depth -= 1;
        Ok(())
    }

    pub(super) fn unexplained(&mut self, known: &Known) -> Step {
        let types = known.types.words();
        self.refuse(&[], || Told {
            rule: Rule::CombinedTypeSubschemasChanged,
            what: format!(
                "it cannot be shown that {{reader}} accepts every value ({types}) that {{writer}} \
                 accepts here"
            ),
            mend: "keep the schema as it was here, or write it with the same keywords".to_owned(),
            info: String::new(),
        })
    }

    /// Demands that `goal`, below the present one by `steps`, accepts the value.
    pub(super) fn demand(
        &mut self,
        steps: &[&str],
        field: Option<&str>,
        known: &Known,
        goal: Ref,
    ) -> Step {
        let inside = field.is_some() || !steps.is_empty() && is_inside(steps[0]);
        let holds = match inside {
            true => self.holds_inside(known, goal)?,
            false => self.holds(known, goal)?,
        };
        if holds {
            return Ok(());
        }
        if !self.telling {
            return Err(Stop::No);
        }
        self.path
            .extend(steps.iter().map(|step| (*step).to_owned()));
        self.fields.extend(field.map(str::to_owned));
        self.level += usize::from(inside);
        let told = self.explain(known, goal);
        self.level -= usize::from(inside);
        self.path.truncate(self.path.len() - steps.len());
        self.fields
            .truncate(self.fields.len() - usize::from(field.is_some()));
        told
    }

    /// Ends the proof, or, while telling, tells the difference and goes on.
    pub(super) fn refuse(&mut self, steps: &[&str], told: impl FnOnce() -> Told) -> Step {
        if !self.telling {
            return Err(Stop::No);
        }
        if self.told.len() >= MAX_DIFFERENCES {
            return Ok(());
        }
        let told = told();
        let mut path = String::new();
        for step in self
            .path
            .iter()
            .map(String::as_str)
            .chain(steps.iter().copied())
        {
            path.push('/');
            path.push_str(&step.replace('~', "~0").replace('/', "~1"));
        }
        if path.is_empty() {
            path.push('/');
        }
        let difference = Difference {
            rule: difference::Rule::Json(told.rule),
            path,
            field: self.fields.join("."),
            what: told.what,
            mend: told.mend,
            info: told.info,
        };
        if !self.told.contains(&difference) {
            self.told.push(difference);
        }
        Ok(())
    }
}

/// Whether a keyword judges a value inside the value.
fn is_inside(keyword: &str) -> bool {
    matches!(
        keyword,
        "properties"
            | "patternProperties"
            | "additionalProperties"
            | "unevaluatedProperties"
            | "propertyNames"
            | "items"
            | "prefixItems"
            | "additionalItems"
            | "unevaluatedItems"
            | "contains"
    )
}
