//! A plan: the steps from the state to the wish, and the state that it was made from.

use std::collections::BTreeMap;

use mesh_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::action::{Action, Change, fingerprint};
use crate::scope::Scope;

/// Whether a step is done when the plan is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// It is.
    Ready,
    /// It is left until somebody says so: what it deletes was made by an earlier run and is
    /// wished no more.
    Waiting {
        /// What `--confirm` has to name.
        confirm: String,
    },
    /// It cannot be done as it is, and the plan with it.
    Refused {
        /// Why.
        why: String,
        /// What can be done instead.
        way_out: String,
    },
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The product that it is for, `<domain>.<product> <version>`; of what is deleted, the topic.
    pub product: String,
    /// The domain.
    pub domain: String,
    /// The topic of the product.
    pub topic: String,
    /// How it changes the platform.
    pub change: Change,
    /// What it does.
    pub action: Action,
    /// Why.
    pub reason: String,
    /// Whether it is done when the plan is.
    #[serde(flatten)]
    pub standing: Standing,
}

impl Step {
    /// Whether it is done when the plan is.
    pub fn is_ready(&self) -> bool {
        self.standing == Standing::Ready
    }
}

/// How many steps of each kind a plan has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Steps that make something.
    pub create: usize,
    /// Steps that change something.
    pub update: usize,
    /// Steps that delete something and make it anew.
    pub replace: usize,
    /// Steps that delete something.
    pub delete: usize,
    /// Deletions that nobody has confirmed.
    pub waiting: usize,
    /// Steps that cannot be done.
    pub refused: usize,
}

/// The steps from a state to a wish, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// How many products the wish has.
    pub products: usize,
    /// What each thing was like that the plan was made from, by its name.
    pub state: BTreeMap<String, String>,
    /// What of the platform it is about.
    pub scope: Scope,
}

impl Plan {
    /// How many steps of each kind there are.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for step in &self.steps {
            let count = match (&step.standing, step.change) {
                (Standing::Refused { .. }, _) => &mut summary.refused,
                (Standing::Waiting { .. }, _) => &mut summary.waiting,
                (Standing::Ready, Change::Create) => &mut summary.create,
                (Standing::Ready, Change::Update) => &mut summary.update,
                (Standing::Ready, Change::Replace) => &mut summary.replace,
                (Standing::Ready, Change::Delete) => &mut summary.delete,
            };
            *count += 1;
        }
        summary
    }

    /// Whether the state is the wish.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether a step of it cannot be done.
    pub fn is_refused(&self) -> bool {
        self.summary().refused > 0
    }

    /// Whether applying it would do anything.
    pub fn has_work(&self) -> bool {
        self.steps.iter().any(Step::is_ready)
    }

    /// A short text that is the same for the same plan made from the same state.
    pub fn hash(&self) -> String {
        fingerprint(&json!([self.steps, self.state]).to_string())
    }

    /// The plan for programs; long texts of schemas and files are left to the plan's file.
    pub fn to_json(&self) -> Value {
        let steps: Vec<Value> = (1..)
            .zip(&self.steps)
            .map(|(number, step)| {
                let mut told = json!({
                    "step": number,
                    "change": step.change,
                    "kind": step.action.kind(),
                    "resource": step.action.resource().to_string(),
                    "product": step.product,
                    "reason": step.reason,
                    "details": step.action.brief(),
                });
                if let (Some(told), Ok(Value::Object(standing))) =
                    (told.as_object_mut(), serde_json::to_value(&step.standing))
                {
                    told.extend(standing);
                }
                told
            })
            .collect();
        json!({
            "format": FORMAT,
            "hash": self.hash(),
            "products": self.products,
            "summary": self.summary(),
            "steps": steps,
        })
    }
}

/// The form of files and of JSON answers; another number is another form.
const FORMAT: u32 = 1;

/// A plan as it is kept in a file between `mesh plan --out` and `mesh apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    format: u32,
    hash: String,
    /// The plan.
    pub plan: Plan,
}

impl PlanFile {
    /// The file of `plan`.
    pub fn of(plan: Plan) -> Self {
        Self {
            format: FORMAT,
            hash: plan.hash(),
            plan,
        }
    }

    /// The file's text.
    ///
    /// # Errors
    /// None in practice.
    pub fn text(&self) -> Result<String> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::internal("a plan is not written as JSON").because(error))?;
        text.push('\n');
        Ok(text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// If it is no plan of this release, or was changed since it was written.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let mend = "make it again with `mesh plan --out FILE`";
        let read: Self = serde_json::from_str(text).map_err(|error| {
            Error::invalid("the file is no plan")
                .with("file", file)
                .with("line", error.line())
                .mend(mend)
        })?;
        if read.format != FORMAT || read.hash != read.plan.hash() {
            return Err(
                Error::invalid("the plan is of another release, or was changed by hand")
                    .with("file", file)
                    .mend(mend),
            );
        }
        Ok(read)
    }
}
