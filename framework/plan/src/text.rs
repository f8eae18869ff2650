//! A plan for people: stable text, one block for each product.

use std::fmt;

use crate::action::{Action, Change, Resource};
use crate::plan::{Plan, Standing, Step};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            let products = counted(self.products, "product");
            return writeln!(f, "No changes: the platform is as wished ({products}).");
        }
        let mut before = None;
        for step in self.by_product() {
            if before != Some(&step.product) {
                if before.is_some() {
                    writeln!(f)?;
                }
                writeln!(f, "{}", step.product)?;
                before = Some(&step.product);
            }
            step.fmt(f)?;
        }
        let sum = self.summary();
        write!(
            f,
            "\n{} to create, {} to change, {} to replace, {} to delete",
            sum.create, sum.update, sum.replace, sum.delete
        )?;
        if sum.waiting > 0 {
            write!(f, "; {} to delete when confirmed", sum.waiting)?;
        }
        if sum.refused > 0 {
            write!(f, "; {} refused, so nothing can be applied", sum.refused)?;
        }
        writeln!(f, ".")
    }
}

impl Plan {
    /// The steps product by product; those of one in the order in which they are done.
    fn by_product(&self) -> Vec<&Step> {
        let mut order: Vec<&str> = Vec::new();
        for step in &self.steps {
            if !order.contains(&step.product.as_str()) {
                order.push(&step.product);
            }
        }
        let mut steps: Vec<&Step> = self.steps.iter().collect();
        steps.sort_by_key(|step| order.iter().position(|product| *product == step.product));
        steps
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match &self.standing {
            Standing::Refused { .. } => "!",
            _ => self.change.sign(),
        };
        writeln!(f, "  {sign} {}", what(&self.action, self.change))?;
        for line in details(&self.action) {
            writeln!(f, "      {line}")?;
        }
        writeln!(f, "      because {}", self.reason)?;
        match &self.standing {
            Standing::Ready => Ok(()),
            Standing::Waiting { confirm } => {
                writeln!(
                    f,
                    "      left until it is confirmed with --confirm {confirm}"
                )
            }
            Standing::Refused { why, way_out } => {
                writeln!(f, "      refused: {why}")?;
                writeln!(f, "      way out: {way_out}")
            }
        }
    }
}

/// What a step does, in one line.
fn what(action: &Action, change: Change) -> String {
    let name = match action.resource() {
        Resource::Topic(name) | Resource::Subject(name) | Resource::Product(name) => {
            name.replacen('@', " ", 1)
        }
    };
    match action {
        Action::CreateTopic { .. } => format!("create topic {name}"),
        Action::ReplaceTopic { .. } => format!("delete topic {name} and make it anew"),
        Action::AddPartitions { .. } => format!("add partitions to topic {name}"),
        Action::AlterConfigs { .. } => format!("change settings of topic {name}"),
        Action::SetCompatibility { .. } => format!("set compatibility of subject {name}"),
        Action::RegisterSchema { .. } => match change {
            Change::Create => format!("register the first schema of subject {name}"),
            _ => format!("register a new version of subject {name}"),
        },
        Action::RegisterProduct(_) => match change {
            Change::Create => format!("register product {name}"),
            _ => format!("register product {name} anew"),
        },
        Action::DeprecateProduct(_) => format!("deprecate product {name}"),
        Action::RetireProduct(_) => format!("retire product {name}"),
        Action::DeleteProduct { .. } => format!("take product {name} out of the catalog"),
        Action::DeleteSubject { .. } => format!("delete subject {name}"),
        Action::DeleteTopic { .. } => format!("delete topic {name} with its records"),
    }
}

/// What exactly is done, in lines.
fn details(action: &Action) -> Vec<String> {
    match action {
        Action::CreateTopic {
            partitions,
            configs,
            ..
        }
        | Action::ReplaceTopic {
            partitions,
            configs,
            ..
        } => {
            let count = usize::try_from(*partitions).unwrap_or_default();
            let mut lines = vec![counted(count, "partition")];
            lines.extend(
                configs
                    .iter()
                    .map(|(name, value)| format!("{name} = {value}")),
            );
            lines
        }
        Action::AddPartitions { from, to, .. } => vec![format!("partitions: {from} -> {to}")],
        Action::AlterConfigs { changes, .. } => changes
            .iter()
            .map(|(name, change)| {
                let told = |value: &Option<String>| match value {
                    Some(value) => value.clone(),
                    None => "the cluster's default".to_owned(),
                };
                format!("{name}: {} -> {}", told(&change.from), told(&change.to))
            })
            .collect(),
        Action::SetCompatibility { from, to, .. } => vec![format!("level: {from} -> {to}")],
        Action::RegisterProduct(entry)
        | Action::DeprecateProduct(entry)
        | Action::RetireProduct(entry) => {
            vec![format!("{}, topic {}", entry.status, entry.topic)]
        }
        Action::RegisterSchema { .. }
        | Action::DeleteProduct { .. }
        | Action::DeleteSubject { .. }
        | Action::DeleteTopic { .. } => Vec::new(),
    }
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
